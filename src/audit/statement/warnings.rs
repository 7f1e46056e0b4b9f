//! What a reader of the report should know before trusting it.

use crate::audit::collect::Counts;
use crate::audit::groups::totals::Totals;
use crate::audit::plan::AuditPlan;
use crate::audit::statement::count;
use crate::audit::statement::places::record_place;
use crate::record::counted;
use crate::source::RecordSource;

/// Returns the warnings, one sentence each.
pub(super) fn warnings(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    counts: &Counts,
    totals: &Totals,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let place = |split, position, line| record_place(sources, split, position, line);
    warnings.extend(counts.unjudged.warning("--where", "left them out", place));
    warnings.extend(reversal_warnings(plan, sources, counts, totals));
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
    warnings.extend(zone_warning(plan, counts));
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
    if totals.amounts_left_out > 0 {
        warnings.push(format!(
            "the amounts of {} are in no sum: it would be past 28 digits, or `--currency` has \
             more than a thousand values",
            counted(totals.amounts_left_out, "extra record")
        ));
    }
    if totals.has_overflow() {
        let warning = "a sum of amounts by place or episode is past 28 digits and is too small";
        warnings.push(warning.to_owned());
    }
    warnings
}

fn reversal_warnings(
    plan: &AuditPlan,
    sources: &[Box<dyn RecordSource>],
    counts: &Counts,
    totals: &Totals,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let place = |split, position, line| record_place(sources, split, position, line);
    let unjudged = &counts.unjudged_reversals;
    warnings.extend(unjudged.warning("--reversal", "took them for none", place));
    if plan.reversal.is_some() && counts.reversals == 0 && counts.records_audited > 0 {
        warnings.push("`--reversal` matches no record".to_owned());
    }
    if totals.reversals.repeated > 0 {
        warnings.push(format!(
            "{} of another and took nothing back again",
            count(
                totals.reversals.repeated,
                "reversal is a copy",
                "reversals are copies"
            )
        ));
    }
    if plan.impact.amount.is_some() && totals.reversals.unusable > 0 {
        warnings.push(format!(
            "{} no usable amount and took nothing back",
            count(totals.reversals.unusable, "reversal has", "reversals have")
        ));
    }
    warnings
}

/// Times without a zone are read all the same: which one was taken is said once.
fn zone_warning(plan: &AuditPlan, counts: &Counts) -> Option<String> {
    let (path, _) = plan.mapping.timestamp.as_ref()?;
    let (path, times) = (path.short(), counted(counts.zoneless, "record"));
    let is_stated = counts.zoneless > 0 && plan.mapping.zone.is_none();
    is_stated.then(|| {
        format!(
            "`{path}` names no zone in {times}, and was read as UTC: `--tz ZONE` says otherwise"
        )
    })
}
