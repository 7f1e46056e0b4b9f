//! Runs and bursts as episodes: numbered in the order of time, the worst first.

use super::Run;
use crate::diagnosis::DiagnosisContext;
use crate::diagnosis::judge::RETRY_MILLIS_MAX;
use crate::diagnosis::pair::TimeKind;
use crate::finding::{Cause, Episode, OffsetLinks};

/// Offsets to the end of a partition within which a run may have been cut off by it: markers.
const RUN_END_OFFSETS: i64 = 2;

/// Offsets to the end of a partition within which a burst without times may have gone on.
const BURST_END_OFFSETS: i64 = 64;

/// Time to the end of the range within which an episode may have gone on.
const END_MILLIS: i64 = 60_000;

/// Returns the episodes, most extra records first, and the number of each run's episode.
///
/// Groups, amounts and links are left for whoever walks the groups to fill in.
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
        links: OffsetLinks::default(),
    }
}

/// Returns whether an episode was still going on at the end of the range.
///
/// A run lies there in one piece: it went on only where nothing but it follows in its partition and
/// where the other partitions are not far ahead in time. A burst has gaps: only time tells that
/// nothing of it came for a while. Where one of the two is not known, the other decides.
fn is_ongoing(run: &Run, context: &DiagnosisContext) -> bool {
    let place = run.topic.clone().zip(run.partition);
    let end = place.and_then(|place| context.end_offsets.get(&place).copied());
    let offsets_left = end
        .zip(run.extra_offsets.as_ref())
        .map(|(end, extras)| end.saturating_sub(extras.end));
    let millis_since = context
        .last_timestamp_millis
        .zip(run.extra_times)
        .map(|(last, span)| last.saturating_sub(span.last_millis));
    let is_within = |limit_millis: i64| millis_since.map(|since| since <= limit_millis);
    let is_near = |limit: i64| offsets_left.map(|left| left <= limit);
    if run.is_burst {
        let is_near_end = is_near(BURST_END_OFFSETS);
        return is_within(END_MILLIS).or(is_near_end).unwrap_or(false);
    }
    match is_near(RUN_END_OFFSETS) {
        Some(is_at_end) => is_at_end && is_within(patience_millis(run)).unwrap_or(true),
        None => is_within(END_MILLIS).unwrap_or(false),
    }
}

/// Returns how far the range may go on in time after a run at the end of its partition.
fn patience_millis(run: &Run) -> i64 {
    match run.class.time {
        // A repeat with its first `CreateTime` looks older than it is, by as long as it took.
        TimeKind::Kept | TimeKind::UnknownEqual => RETRY_MILLIS_MAX,
        TimeKind::Later | TimeKind::UnknownLater | TimeKind::Appended | TimeKind::Missing => {
            END_MILLIS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::pair::{CopyFacts, PairFacts, PairFeatures, PairId, Reference};
    use crate::record::{Timestamp, TimestampType};

    const START_MILLIS: i64 = 1_000_000;

    fn copy(offset: i64, millis: Option<i64>) -> CopyFacts {
        CopyFacts {
            topic: Some("charges".to_owned()),
            partition: Some(0),
            offset: Some(offset),
            timestamp: millis.map(|millis| Timestamp {
                millis,
                timestamp_type: TimestampType::CreateTime,
            }),
            ..CopyFacts::default()
        }
    }

    /// Returns a run of ten whose extra records lie at 100 to 109, made at `millis`.
    fn run(millis: Option<i64>, is_burst: bool) -> Run {
        let pair = |index: i64| PairFacts {
            id: PairId::default(),
            extra: copy(100 + index, millis),
            reference: Reference {
                copy: copy(50 + index, Some(START_MILLIS)),
                original: None,
                elsewhere: None,
            },
            differing: Vec::new(),
        };
        let mut run = Run::new(&PairFeatures::new(&pair(0)), &pair(0));
        run.is_burst = is_burst;
        for index in 0..10 {
            run.add(&pair(index), &PairFeatures::new(&pair(index)));
        }
        run
    }

    fn context(end_offset: Option<i64>, last_millis: Option<i64>) -> DiagnosisContext {
        DiagnosisContext {
            end_offsets: end_offset
                .map(|end| (("charges".to_owned(), 0), end))
                .into_iter()
                .collect(),
            last_timestamp_millis: last_millis,
            ..DiagnosisContext::default()
        }
    }

    #[test]
    fn a_run_goes_on_where_neither_offsets_nor_time_follow() {
        let later = START_MILLIS + 5000;
        let run = run(Some(later), false);
        let goes_on = |end, last| is_ongoing(&run, &context(end, last));
        assert!(goes_on(Some(110), Some(later)));
        assert!(goes_on(Some(112), Some(later + END_MILLIS)), "markers");
        assert!(!goes_on(Some(113), Some(later)), "others follow");
        assert!(
            !goes_on(Some(110), Some(later + END_MILLIS + 1)),
            "its partition is silent, the others went on for a minute"
        );
        assert!(goes_on(Some(110), None));
        assert!(goes_on(None, Some(later)));
        assert!(!goes_on(None, Some(later + END_MILLIS + 1)));
        assert!(!goes_on(None, None));
    }

    #[test]
    fn a_repeat_with_its_first_time_is_given_as_long_as_producers_retry() {
        let run = run(Some(START_MILLIS), false);
        let goes_on = |last| is_ongoing(&run, &context(Some(110), Some(last)));
        assert!(goes_on(START_MILLIS + RETRY_MILLIS_MAX));
        assert!(!goes_on(START_MILLIS + RETRY_MILLIS_MAX + 1));
    }

    #[test]
    fn a_burst_goes_on_by_time_and_by_offsets_only_without_it() {
        let later = START_MILLIS + 5000;
        let burst = run(Some(later), true);
        let goes_on = |end, last| is_ongoing(&burst, &context(end, last));
        assert!(goes_on(Some(5000), Some(later + END_MILLIS)));
        assert!(!goes_on(Some(110), Some(later + END_MILLIS + 1)));
        assert!(goes_on(Some(110 + BURST_END_OFFSETS), None));
        assert!(!goes_on(Some(111 + BURST_END_OFFSETS), None));
        let timeless = run(None, true);
        assert!(is_ongoing(&timeless, &context(Some(110), Some(later))));
    }
}
