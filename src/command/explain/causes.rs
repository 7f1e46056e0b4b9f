//! Why the extras exist: what the report concluded, and what the records themselves rule out.

use crate::audit::RecalledRecord;
use crate::record::TimestampType;
use crate::report::explain::{ExplainedCause, ExplainedCopy};
use crate::report::read::ReadGroup;

/// Returns the causes of the extras that are shown, in the order in which they come up.
pub(super) fn of(
    group: &ReadGroup,
    copies: &[ExplainedCopy],
    records: &[Option<&RecalledRecord>],
) -> Vec<ExplainedCause> {
    let mut causes: Vec<ExplainedCause> = Vec::new();
    let extras = group.records.iter().enumerate().skip(1);
    for (index, record) in extras {
        let code = record.cause.as_ref().unwrap_or(&group.cause);
        let is_same = |known: &&mut ExplainedCause| {
            known.cause == *code && known.confidence == record.confidence
        };
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        if let Some(known) = causes.iter_mut().find(is_same) {
            known.extras.push(number);
            known.episodes.extend(record.episode);
            known.episodes.sort_unstable();
            known.episodes.dedup();
            continue;
        }
        let is_of_group = *code == group.cause;
        causes.push(ExplainedCause {
            extras: vec![number],
            cause: code.clone(),
            confidence: record.confidence.clone(),
            episodes: record.episode.into_iter().collect(),
            evidence: match &record.evidence {
                Some(evidence) => Some(evidence.clone()),
                None => is_of_group.then(|| group.evidence.clone()),
            },
            contrary: record.contrary.as_ref().unwrap_or(&group.contrary).clone(),
            ruled_out: ruled_out(code, copies, records, index),
        });
    }
    causes
}

/// Says of other causes what one look at the two records shows; runs are beyond one group.
fn ruled_out(
    code: &str,
    copies: &[ExplainedCopy],
    records: &[Option<&RecalledRecord>],
    index: usize,
) -> Vec<String> {
    let (Some(original), Some(extra)) = (copies.first(), copies.get(index)) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let mut add = |cause: &str, reason: &str| {
        if code != cause {
            out.push(format!("{cause}: {reason}"));
        }
    };
    let partitions = original
        .topic_partition
        .as_ref()
        .zip(extra.topic_partition.as_ref());
    let is_create_time = [original, extra]
        .iter()
        .all(|copy| copy.timestamp_type == TimestampType::CreateTime);
    let times = original.timestamp_millis.zip(extra.timestamp_millis);
    if partitions.is_some_and(|(from, to)| from != to) {
        add("producer-retry", "it would be in the same partition");
    } else if let Some((from, to)) = times.filter(|_| is_create_time) {
        if from == to {
            add("application-resend", "CreateTime would differ");
        } else {
            add("producer-retry", "CreateTime would be equal");
        }
    }
    if partitions.is_some_and(|(from, to)| from.0 == to.0) {
        add("mirror-copy", "one topic");
    }
    let heads = records.first().copied().flatten();
    let both = heads.zip(records.get(index).copied().flatten());
    let is_unnamed = |record: &RecalledRecord| record.headers.is_some() && record.named.is_none();
    if both.is_some_and(|(from, to)| is_unnamed(from) && is_unnamed(to)) {
        add("dead-letter-copy", "no header names the other copy");
    }
    out
}
