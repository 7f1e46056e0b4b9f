//! What the pictures of a report are drawn from, so that a stored report can be drawn again.

use std::io;
use std::io::Write;

use crate::finding::AuditSummary;
use crate::finding::Episode;
use crate::finding::OverTime;
use crate::report::json::output::JsonOutput;

/// Writes extra records over time by cause and by
/// partition.
pub(super) fn pictures<W: Write>(
    json: &mut JsonOutput<W>,
    summary: &AuditSummary,
) -> io::Result<()> {
    over_time(
        json,
        "causes_over_time",
        &summary.causes_over_time,
        |json, cause| json.member("cause", cause.code()),
    )?;
    let partitions = &summary.partitions_over_time;
    over_time(json, "partitions_over_time", partitions, |json, place| {
        json.member("topic", &*place.topic)?;
        json.member("partition", &place.partition)
    })
}

/// Steps without an extra record are left out.
fn over_time<W: Write, K: Clone + Ord>(
    json: &mut JsonOutput<W>,
    name: &str,
    over_time: &OverTime<K>,
    mut of: impl FnMut(&mut JsonOutput<W>, &K) -> io::Result<()>,
) -> io::Result<()> {
    json.name(name)?;
    json.open("{")?;
    json.member("step_seconds", &over_time.step_seconds())?;
    json.name("steps")?;
    json.open("[")?;
    for (second, counted, extra_records) in over_time.counts() {
        json.item()?;
        json.open("{")?;
        json.timestamp("start", Some(second.saturating_mul(1_000)))?;
        of(json, counted)?;
        json.member("extra_records", &extra_records)?;
        json.close("}")?;
    }
    json.close("]")?;
    json.close("}")
}

/// Writes the links of an episode.
pub(super) fn links<W: Write>(json: &mut JsonOutput<W>, episode: &Episode) -> io::Result<()> {
    json.name("links")?;
    json.open("[")?;
    for (original_offset, extra_offset) in episode.links.pairs() {
        json.item()?;
        json.open("{")?;
        json.member("original_offset", &original_offset)?;
        json.member("extra_offset", &extra_offset)?;
        json.close("}")?;
    }
    json.close("]")
}
