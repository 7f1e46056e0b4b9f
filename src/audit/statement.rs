//! What an audit may say: whether everything was read, and the verdict.

use crate::audit::AuditError;
use crate::audit::collect::Counts;
use crate::audit::groups::totals::Totals;
use crate::audit::overlap::Conflict;
use crate::audit::placement::range;
use crate::audit::plan::AuditPlan;
use crate::finding::AuditSummary;
use crate::finding::Coverage;
use crate::finding::CoverageConflict;
use crate::finding::Episode;
use crate::finding::Verdict;
use crate::record::SplitId;
use crate::record::counted;
use crate::source::PositionUnit;
use crate::source::RecordSource;
use crate::source::SplitCoverage;

/// All that the verdict is made of.
pub(super) struct Evidence<'a> {
    pub(super) counts: Counts,
    pub(super) distinct_keys: u64,
    /// Records that could not be read again.
    pub(super) gone: u64,
    /// Offsets that hold other bytes in one source than in another.
    pub(super) conflicts: u64,
    pub(super) totals: Totals,
    pub(super) episodes: &'a [Episode],
}

/// Times or offsets were asked for, and no record has one: the question cannot be answered.
pub(super) fn check_places(plan: &AuditPlan, counts: &Counts) -> Result<(), AuditError> {
    if counts.records_read == 0 {
        return Ok(());
    }
    let lacking = counts.records_unplaced + counts.skipped.undecodable;
    let is_none_placed = counts.records_unplaced > 0 && lacking == counts.records_read;
    if range::needs_offsets(&plan.range) && is_none_placed {
        return Err(AuditError::Unusable(format!(
            "`offset:` in `--from/--to` needs offsets, and none of {} read has one; \
             say which fields hold them: --map topic=FIELD --map partition=FIELD \
             --map offset=FIELD",
            counted(counts.records_read, "record")
        )));
    }
    if counts.records_with_timestamp > 0 {
        return Ok(());
    }
    let Some(flag) = time_flag(plan) else {
        return Ok(());
    };
    Err(AuditError::Unusable(format!(
        "`{flag}` needs timestamps, and none of {} read has one; \
         say which field holds it: --map timestamp=FIELD",
        counted(counts.records_read, "record")
    )))
}

/// Returns the option that needs timestamps, if one is given.
fn time_flag(plan: &AuditPlan) -> Option<&'static str> {
    if range::needs_timestamps(&plan.range) {
        Some("--from/--to")
    } else {
        plan.within_millis.map(|_| "--within")
    }
}

/// Returns what was read of everything, sorted by name.
pub(super) fn coverage(sources: &[Box<dyn RecordSource>], conflicts: Vec<Conflict>) -> Coverage {
    let mut coverage = Coverage::default();
    for source in sources {
        for split in source.coverage() {
            match split {
                SplitCoverage::File(file) => coverage.files.push(file),
                SplitCoverage::Partition(partition) => coverage.partitions.push(partition),
            }
        }
    }
    coverage
        .files
        .sort_by(|left, right| left.path.cmp(&right.path));
    coverage
        .partitions
        .sort_by(|left, right| left.topic_partition.cmp(&right.topic_partition));
    let describe = |conflict: Conflict| CoverageConflict {
        topic_partition: conflict.topic_partition,
        offset: conflict.offset,
        audited: place_name(sources, conflict.audited.split, conflict.audited.position),
        other: place_name(sources, conflict.other.split, conflict.other.position),
    };
    coverage.conflicts = conflicts.into_iter().map(describe).collect();
    coverage.conflicts.sort();
    coverage
}

fn place_name(sources: &[Box<dyn RecordSource>], split: SplitId, position: u64) -> String {
    let Some(source) = sources
        .iter()
        .find(|source| source.splits().contains(&split))
    else {
        return String::new();
    };
    if let Some(topic_partition) = source.topic_partition(split) {
        return format!("{topic_partition}@{position}");
    }
    let name = source.name();
    match source.position_unit() {
        PositionUnit::ByteOffset => format!("{name}: byte {position}"),
        PositionUnit::Offset => format!("{name}: offset {position}"),
        PositionUnit::Number => format!("{name}: record {}", position + 1),
    }
}

/// Returns the summary; fails where the counts do not add up.
pub(super) fn summarize(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    coverage: &Coverage,
    evidence: Evidence<'_>,
) -> Result<AuditSummary, AuditError> {
    let Evidence {
        counts,
        distinct_keys,
        gone,
        conflicts,
        totals,
        episodes,
    } = evidence;
    check_sums(&counts, coverage)?;
    let mut incomplete_reasons = Vec::new();
    if !coverage.is_complete() {
        incomplete_reasons.extend(coverage_reasons(coverage));
    }
    incomplete_reasons.extend(record_reasons(plan, sources, &counts));
    if gone > 0 {
        incomplete_reasons.push(format!(
            "{} gone when read again",
            count(
                gone,
                "record of a suspected group was",
                "records of suspected groups were"
            )
        ));
    }
    if conflicts > 0 {
        incomplete_reasons.push(format!(
            "{} other bytes in one source than in another (coverage.conflicts): \
             are these the same topic of the same cluster?",
            count(conflicts, "offset holds", "offsets hold")
        ));
    }
    let complete = incomplete_reasons.is_empty();
    let verdict = match (totals.groups, complete) {
        (0, true) => Verdict::Clean,
        (0, false) => Verdict::Incomplete,
        _ => Verdict::Duplicates,
    };
    Ok(AuditSummary {
        verdict,
        complete,
        incomplete_reasons,
        records_read: counts.records_read,
        records_audited: counts.records_audited,
        skipped: counts.skipped,
        distinct_keys,
        groups: totals.groups,
        extra_records: totals.extra_records,
        conflicting_groups: totals.conflicting_groups,
        uncompared_groups: totals.uncompared_groups,
        largest_group: totals.largest_group,
        amounts: totals.amounts(),
        amounts_unusable: totals.amounts_unusable,
        causes: totals.causes(),
        partitions: totals.partitions(episodes),
        audited_span: counts.audited_span,
        timestamp_types: counts.timestamp_types.clone(),
        extra_span: totals.extra_span,
        extra_per_minute: totals.extra_per_minute.clone(),
        warnings: warnings(plan, sources, &counts, &totals),
        subjects: totals.count_subjects()?,
    })
}

/// Every record delivered is audited or skipped, once.
fn check_sums(counts: &Counts, coverage: &Coverage) -> Result<(), AuditError> {
    let partitions = coverage
        .partitions
        .iter()
        .map(|partition| partition.records_read);
    let delivered: u64 = partitions
        .chain(coverage.files.iter().map(|file| file.records_read))
        .sum();
    let taken = counts.records_audited + counts.skipped.total();
    if delivered == counts.records_read && taken == counts.records_read {
        return Ok(());
    }
    Err(AuditError::Internal(format!(
        "{delivered} records delivered, {} read, {taken} audited or skipped",
        counts.records_read
    )))
}

fn coverage_reasons(coverage: &Coverage) -> Vec<String> {
    let mut reasons = Vec::new();
    for partition in &coverage.partitions {
        let name = &partition.topic_partition;
        for gap in partition
            .gaps
            .iter()
            .filter(|gap| !partition.is_gap_complete(gap))
        {
            reasons.push(format!(
                "{name}: [{}, {}) not read: {}",
                gap.start, gap.end, gap.reason
            ));
        }
        let is_explained = partition.gaps.iter().any(|gap| !gap.reason.is_complete());
        if partition.next_offset < partition.end_offset && !is_explained {
            let (next, end) = (partition.next_offset, partition.end_offset);
            reasons.push(format!("{name}: [{next}, {end}) not read"));
        }
    }
    for file in &coverage.files {
        if let Some(damage) = &file.damage {
            reasons.push(format!("{}: {damage}", file.path));
        }
    }
    reasons
}

/// What the records themselves leave open.
fn record_reasons(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    counts: &Counts,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let skipped = &counts.skipped;
    if skipped.undecodable > plan.acceptance.undecodable {
        let examples = counts.sample.undecodable.iter().map(|example| {
            let place = record_place(sources, example.split, example.position, example.line);
            format!("{place}: {}", example.what)
        });
        let examples: Vec<String> = examples.collect();
        reasons.push(format!(
            "{} undecodable, such as {}",
            count(skipped.undecodable, "record is", "records are"),
            examples.join("; ")
        ));
    }
    if counts.records_unplaced > 0 {
        reasons.push(format!(
            "{} no {} and cannot be placed by `{}`",
            count(counts.records_unplaced, "record has", "records have"),
            time_flag(plan).map_or("offset", |_| "timestamp"),
            time_flag(plan).unwrap_or("--from/--to")
        ));
    }
    let keyed = counts.records_audited + skipped.missing_key;
    if counts.records_audited == 0 && skipped.missing_key > 0 {
        reasons.push(no_key_reason(plan, counts));
    } else if counts.records_audited == 0 && !plan.acceptance.empty {
        let what = if counts.records_read == 0 {
            "no record was read"
        } else if skipped.filtered > 0 && skipped.filtered == skipped.total() {
            "no record was audited, `--where` leaves all of them out"
        } else {
            "no record was audited"
        };
        reasons.push(format!("{what}; `--allow-empty` accepts that"));
    }
    if let Some(rate) = plan.acceptance.missing_rate {
        let missing = ratio(skipped.missing_key, keyed);
        if missing > rate {
            reasons.push(format!(
                "{} of {keyed} records lack the dedup key, more than --max-missing allows",
                skipped.missing_key
            ));
        }
    }
    reasons
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a rate is compared"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn no_key_reason(plan: &AuditPlan, counts: &Counts) -> String {
    let fields: Vec<String> = plan
        .dedup_key
        .fields
        .iter()
        .map(|field| field.path.short())
        .collect();
    let paths = counts
        .sample
        .existing_paths
        .as_ref()
        .map(|(_, _, paths)| paths.as_slice());
    let paths = match paths {
        Some([]) | None => String::new(),
        Some(paths) => format!("; these paths exist: {}", paths.join(", ")),
    };
    format!(
        "none of {} has the dedup key `{}`{paths}",
        counted(counts.skipped.missing_key, "record"),
        fields.join(",")
    )
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn record_place(
    sources: &[Box<dyn RecordSource>],
    split: SplitId,
    position: u64,
    line: u64,
) -> String {
    match line {
        0 => place_name(sources, split, position),
        line => format!("{}: line {line}", split_name(sources, split)),
    }
}

fn split_name(sources: &[Box<dyn RecordSource>], split: SplitId) -> String {
    let source = sources
        .iter()
        .find(|source| source.splits().contains(&split));
    source.map(|source| source.name()).unwrap_or_default()
}

fn warnings(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    counts: &Counts,
    totals: &Totals,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let place = |split, position, line| record_place(sources, split, position, line);
    warnings.extend(counts.unjudged.warning(place));
    for (flag, path) in counts.unseen.iter().flatten() {
        // What is mapped may be why nothing was audited.
        if counts.records_audited > 0 || flag.starts_with("--map") && counts.records_read > 0 {
            let space = if flag.ends_with('=') { "" } else { " " };
            let path = path.short();
            warnings.push(format!(
                "`{flag}{space}{path}` matches nothing in any record"
            ));
        }
    }
    if plan.impact.amount.is_some() && plan.impact.currency.is_none() && totals.groups > 0 {
        warnings.push("amounts are summed without `--currency`: is there only one?".to_owned());
    }
    if totals.amounts_unusable > 0 {
        warnings.push(format!(
            "the amounts of {} are missing or no numbers and are in no sum",
            counted(totals.amounts_unusable, "extra record")
        ));
    }
    if counts.skipped.undecodable > 0 && counts.skipped.undecodable <= plan.acceptance.undecodable {
        warnings.push(format!(
            "{} undecodable, accepted by `--allow-undecodable`",
            count(counts.skipped.undecodable, "record is", "records are")
        ));
    }
    if totals.sums_overflow {
        warnings.push("a sum of amounts is past 28 digits and is too small here".to_owned());
    }
    warnings
}
