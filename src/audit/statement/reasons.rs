//! Why an audit is not complete: what was not read, and what the records leave open.

use crate::audit::collect::Counts;
use crate::audit::plan::AuditPlan;
use crate::audit::statement::places::record_place;
use crate::audit::statement::{count, time_flag};
use crate::finding::Coverage;
use crate::record::{counted, grouped};
use crate::source::RecordSource;

/// Returns what was not read.
pub(super) fn coverage_reasons(coverage: &Coverage) -> Vec<String> {
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
pub(super) fn record_reasons(
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
                "{} of {} lack the dedup key, more than --max-missing allows",
                grouped(skipped.missing_key),
                counted(keyed, "record")
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
