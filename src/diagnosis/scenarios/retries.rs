//! Producers that send again after a lost acknowledgement.

use super::{History, NO_IDS, Producer, keys};
use crate::finding::{Cause, Confidence, Evidence};
use crate::record::TimestampType;

/// Writes batches of `size` records with the numbers given, as `0 1 2 2 1 3`.
fn batches(numbers: &[u64], size: u64) -> History {
    let mut history = History::default();
    for number in numbers {
        let start = number * size;
        let millis = 1000 + i64::try_from(start).unwrap();
        history.write_batch(&keys(start, start + size), millis, NO_IDS);
    }
    history
}

const JAVA: [u64; 13] = [0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 6, 7];
const LIBRDKAFKA: [u64; 12] = [0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6];

fn without_batches(history: History) -> History {
    history.shown_as(|facts| facts.batch = None)
}

#[test]
fn blocks_that_come_back_reversed_are_a_java_producers_retry() {
    for size in [1, 2, 9] {
        let extra = usize::try_from(5 * size).unwrap();
        let diagnosed = without_batches(batches(&JAVA, size)).diagnosed();
        let strong = Some(Confidence::Strong);
        diagnosed.assert_all(Cause::ProducerRetry, strong, extra);
        let blocks = Evidence::RunReversed {
            pairs: 5 * size,
            blocks: 5,
        };
        assert!(diagnosed.of(size, 2).supporting.contains(&blocks));
        let [episode] = diagnosed.episodes.as_slice() else {
            panic!("{:?}", diagnosed.episodes);
        };
        let start = i64::try_from(size).unwrap();
        assert_eq!(episode.original_offsets, Some(start..6 * start));
        assert_eq!(episode.extra_offsets, Some(6 * start..11 * start));
    }
}

#[test]
fn two_in_flight_come_back_as_two_blocks() {
    let diagnosed = without_batches(batches(&[0, 1, 2, 2, 1, 3], 4)).diagnosed();
    let strong = Some(Confidence::Strong);
    diagnosed.assert_all(Cause::ProducerRetry, strong, 8);
}

#[test]
fn repeated_batches_without_producer_ids_are_certain() {
    for numbers in [&JAVA[..], &LIBRDKAFKA[..], &[0, 1, 1, 2]] {
        let diagnosed = batches(numbers, 3).diagnosed();
        let certain = Some(Confidence::Certain);
        diagnosed.assert_all(Cause::ProducerRetry, certain, diagnosed.by_extra.len());
        assert!(
            diagnosed
                .by_extra
                .values()
                .all(|one| one.contradicting.is_empty())
        );
    }
}

#[test]
fn forward_runs_without_batches_name_what_looks_the_same() {
    let diagnosed = without_batches(batches(&LIBRDKAFKA, 8)).diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Weak), 40);
    let first = diagnosed.of(8, 2);
    assert_eq!(first.contradicting, [Evidence::KeptTimestampsPossible]);
    assert!(first.supporting.contains(&Evidence::RunForward {
        pairs: 40,
        distance: Some(40)
    }));
}

#[test]
fn records_put_into_new_batches_on_the_way_are_strong() {
    let mut history = batches(&[0, 1], 4);
    // The four records of batch 1 come back with eight new ones; their CreateTime is kept.
    history.write_batch(&keys(4, 16), 1004, NO_IDS);
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Strong), 4);
}

#[test]
fn a_batch_that_repeats_among_others_that_do_not_is_not_certain() {
    let mut history = batches(&[0, 1, 2, 3], 3);
    // A mirror that keeps timestamps starts again; one of its batches comes out the same.
    history.write_batch(&keys(0, 3), 1000, NO_IDS);
    history.write_batch(&keys(3, 8), 1003, NO_IDS);
    history.write_batch(&keys(8, 12), 1008, NO_IDS);
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Strong), 12);
    let repeated = diagnosed.of(1, 2);
    assert_eq!(repeated.contradicting, [Evidence::BatchesDiffer]);
    let is_repeat = |evidence: &Evidence| matches!(evidence, Evidence::RepeatedBatch { .. });
    assert!(repeated.supporting.iter().any(is_repeat));
}

#[test]
fn a_part_of_a_batch_that_comes_again_was_sent_by_the_application() {
    let mut history = batches(&[0, 1, 2], 20);
    // The application sets the timestamps itself and sends two records again.
    history.write_batch(&[7], 1007, NO_IDS);
    history.write_batch(&keys(100, 120), 2000, NO_IDS);
    history.write_batch(&[33], 1033, NO_IDS);
    history.write_batch(&keys(200, 220), 3000, NO_IDS);
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Weak), 2);
    let part = Evidence::PartOfBatch { record_count: 20 };
    assert!(diagnosed.of(7, 2).supporting.contains(&part));
}

#[test]
fn single_records_in_single_batches_are_never_certain() {
    let diagnosed = batches(&[0, 1, 1, 2], 1).diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Strong), 1);
    let diagnosed = without_batches(batches(&[0, 1, 1, 2], 1)).diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Weak), 1);
    let against = &diagnosed.of(1, 2).contradicting;
    assert!(against.contains(&Evidence::OwnTimestampsPossible));
}

#[test]
fn a_third_copy_is_an_episode_of_its_own_with_the_first_originals() {
    let diagnosed = batches(&[0, 1, 1, 1, 2], 36).diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Certain), 72);
    let offsets = |index: usize| {
        let episode = &diagnosed.episodes[index];
        (
            episode.original_offsets.clone(),
            episode.extra_offsets.clone(),
        )
    };
    assert_eq!(diagnosed.episodes.len(), 2);
    assert_eq!(offsets(0), (Some(36..72), Some(72..108)));
    assert_eq!(offsets(1), (Some(36..72), Some(108..144)));
}

#[test]
fn two_lost_acks_are_two_episodes() {
    let diagnosed = batches(&[0, 1, 1, 2, 3, 3, 4, 5, 6], 20).diagnosed();
    assert_eq!(diagnosed.episodes.len(), 2);
    assert!(diagnosed.episodes.iter().all(|episode| !episode.is_ongoing));
    let cut = batches(&[0, 1, 1, 2, 3, 3], 20).diagnosed();
    let ongoing: Vec<bool> = cut
        .episodes
        .iter()
        .map(|episode| episode.is_ongoing)
        .collect();
    assert_eq!(ongoing, [false, true]);
}

#[test]
fn one_sequence_appended_twice_is_a_retry_and_two_sequences_are_not() {
    let producer = |base_sequence| Producer {
        id: 4,
        epoch: 0,
        base_sequence,
    };
    let mut history = History::default();
    history.write_batch(&keys(0, 5), 1000, producer(0));
    history.write_batch(&keys(0, 5), 1000, producer(0));
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Strong), 5);

    let mut history = History::default();
    history.write_batch(&keys(0, 5), 1000, producer(0));
    history.write_batch(&keys(0, 5), 1000, producer(5));
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Weak), 5);

    let mut history = History::default();
    history.write_batch(&keys(0, 5), 1000, producer(0));
    let next_epoch = Producer {
        epoch: 1,
        ..producer(0)
    };
    history.write_batch(&keys(0, 5), 1000, next_epoch);
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Strong), 5);
}

#[test]
fn two_copies_in_one_batch_are_two_sends() {
    let mut history = History::default();
    history.write_batch(&[1, 2, 1, 3], 1000, NO_IDS);
    history = history.shown_as(|facts| {
        facts.timestamp.as_mut().unwrap().millis = 1000;
    });
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Strong), 1);
}

#[test]
fn equal_times_prove_nothing_where_the_broker_set_them() {
    for numbers in [&JAVA[..], &LIBRDKAFKA[..], &[0, 1, 1, 2]] {
        let history = batches(numbers, 3).shown_as(|facts| {
            facts.timestamp.as_mut().unwrap().timestamp_type = TimestampType::LogAppendTime;
        });
        let diagnosed = history.diagnosed();
        diagnosed.assert_all(Cause::Undetermined, None, diagnosed.by_extra.len());
        let missing = &diagnosed.by_extra.values().next().unwrap().contradicting;
        assert_eq!(missing, &[Evidence::LogAppendTime]);
    }
}

#[test]
fn without_timestamps_or_coordinates_the_report_says_what_is_missing() {
    let history = without_batches(batches(&LIBRDKAFKA, 3));
    let timeless = history.clone().shown_as(|facts| facts.timestamp = None);
    let diagnosed = timeless.diagnosed();
    diagnosed.assert_all(Cause::Undetermined, None, 15);
    let missing = [Evidence::NoTimestamps, Evidence::NoBatches];
    assert_eq!(diagnosed.of(3, 2).contradicting, missing);

    let placeless = history.shown_as(|facts| {
        (facts.topic, facts.partition, facts.offset) = (None, None, None);
    });
    let diagnosed = placeless.diagnosed();
    diagnosed.assert_all(Cause::Undetermined, None, 15);
    let missing = [Evidence::NoCoordinates, Evidence::NoBatches];
    assert_eq!(diagnosed.of(3, 2).contradicting, missing);
}

#[test]
fn times_that_go_back_along_the_log_are_not_the_brokers() {
    let unrecorded = |history: History| {
        without_batches(history).shown_as(|facts| {
            facts.timestamp.as_mut().unwrap().timestamp_type = TimestampType::Unrecorded;
        })
    };
    let diagnosed = unrecorded(batches(&LIBRDKAFKA, 3)).diagnosed();
    diagnosed.assert_all(Cause::ProducerRetry, Some(Confidence::Weak), 15);
    let diagnosed = unrecorded(batches(&[0, 1, 1, 2], 1)).diagnosed();
    diagnosed.assert_all(Cause::Undetermined, None, 1);
}

#[test]
fn a_repeat_after_the_retry_time_is_no_plain_retry() {
    let mut history = History::default();
    for key in 0..40 {
        let millis = 20_000 * i64::try_from(key).unwrap();
        history.write_one("charges", 0, key, millis);
    }
    for key in 0..40 {
        let millis = 20_000 * i64::try_from(key).unwrap();
        history.write_one("charges", 0, key, millis);
    }
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), 40);
}
