//! Runs and bursts as episodes: numbered in the order of time, the worst first.

use super::Run;
use crate::diagnosis::DiagnosisContext;
use crate::finding::{Cause, Episode};

/// Offsets to the end of a partition within which a run may have been cut off by it: markers.
const RUN_END_OFFSETS: i64 = 2;

/// Offsets to the end of a partition within which a burst may have gone on.
const BURST_END_OFFSETS: i64 = 64;

/// Time to the end of the range within which a burst may have gone on.
const END_MILLIS: i64 = 60_000;

/// Returns the episodes, most extra records first, and the number of each run's episode.
///
/// Groups and amounts are left for whoever walks the groups to fill in.
pub(crate) fn episodes(
    runs: &[Run],
    causes: &[Cause],
    context: &DiagnosisContext,
) -> (Vec<Episode>, Vec<u64>) {
    let mut order: Vec<(usize, &Run, Cause)> = runs
        .iter()
        .zip(causes)
        .enumerate()
        .map(|(index, (run, cause))| (index, run, *cause))
        .collect();
    order.sort_by_key(|(index, run, cause)| {
        let start = run.extra_offsets.as_ref().map(|range| range.start);
        let first = run.extra_times.map(|span| span.first_millis);
        // What has no timestamp comes last.
        let time = (first.is_none(), first);
        (
            time,
            run.topic.clone(),
            run.partition,
            start,
            *cause,
            *index,
        )
    });
    let mut numbers = vec![0; runs.len()];
    let mut episodes = Vec::with_capacity(runs.len());
    for (id, (index, run, cause)) in (1..).zip(order) {
        if let Some(number) = numbers.get_mut(index) {
            *number = id;
        }
        episodes.push(episode(id, run, cause, context));
    }
    episodes.sort_by_key(|episode| (std::cmp::Reverse(episode.extra_records), episode.id));
    (episodes, numbers)
}

fn episode(id: u64, run: &Run, cause: Cause, context: &DiagnosisContext) -> Episode {
    let original = run.original_place.clone();
    let (original_topic, original_partition) = original.unzip();
    Episode {
        id,
        cause,
        topic: run.topic.clone(),
        partition: run.partition,
        groups: 0,
        extra_records: run.pairs,
        first_timestamp_millis: run.extra_times.map(|span| span.first_millis),
        last_timestamp_millis: run.extra_times.map(|span| span.last_millis),
        original_topic,
        original_partition,
        original_offsets: run.original_offsets.clone(),
        extra_offsets: run.extra_offsets.clone(),
        amounts: Vec::new(),
        is_ongoing: is_ongoing(run, context),
    }
}

/// A run is over once other records follow it; a burst, once nothing of it came for a while.
fn is_ongoing(run: &Run, context: &DiagnosisContext) -> bool {
    let place = run.topic.clone().zip(run.partition);
    let end = place.and_then(|place| context.end_offsets.get(&place).copied());
    let left = end
        .zip(run.extra_offsets.as_ref())
        .map(|(end, extras)| end.saturating_sub(extras.end));
    let near_end = if run.is_burst {
        BURST_END_OFFSETS
    } else {
        RUN_END_OFFSETS
    };
    if left.is_some_and(|left| left <= near_end) {
        return true;
    }
    let since = context
        .last_timestamp_millis
        .zip(run.extra_times)
        .map(|(last, span)| last.saturating_sub(span.last_millis));
    (run.is_burst || left.is_none()) && since.is_some_and(|since| since <= END_MILLIS)
}
