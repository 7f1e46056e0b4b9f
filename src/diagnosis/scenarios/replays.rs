//! Consumers that work through their input again.

use super::{History, NO_IDS, keys};
use crate::diagnosis::CopyFacts;
use crate::finding::{Cause, Confidence, DeadLetterDialect, Evidence, NamedCoordinates};
use crate::record::BatchStamp;

/// A stretch of each partition comes again, `repeats` times.
fn replay(partitions: i32, length: u64, repeats: i64) -> History {
    let mut history = History::default();
    let of = |partition: i32| 10_000 * u64::try_from(partition).unwrap();
    for partition in 0..partitions {
        let start = of(partition);
        history.write("charges", partition, &keys(start, start + 500), 1_000_000);
    }
    for repeat in 1..=repeats {
        for partition in 0..partitions {
            let start = of(partition) + 500 - length;
            let again = keys(start, start + length);
            history.write("charges", partition, &again, 1_000_000 + 30_000 * repeat);
        }
    }
    for partition in 0..partitions {
        let start = of(partition) + 500;
        history.write("charges", partition, &keys(start, start + 200), 1_200_000);
    }
    history
}

#[test]
fn a_stretch_that_comes_again_in_several_partitions_is_a_replay() {
    let diagnosed = replay(3, 60, 1).diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), 180);
    let together = Evidence::PartitionsTogether {
        partitions: 3,
        pairs: 180,
    };
    assert!(diagnosed.of(499, 2).supporting.contains(&together));
    assert_eq!(diagnosed.episodes.len(), 3);
    assert!(diagnosed.episodes.iter().all(|episode| !episode.is_ongoing));
}

#[test]
fn short_stretches_count_where_several_partitions_saw_them() {
    let diagnosed = replay(3, 4, 1).diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), 12);
    let diagnosed = replay(1, 4, 1).diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Weak), 4);
    let against = &diagnosed.of(499, 2).contradicting;
    assert!(against.contains(&Evidence::ReplayOrResend));
}

#[test]
fn a_short_stretch_that_catches_up_at_once_is_a_replay() {
    let mut history = History::default();
    for key in 0..40 {
        history.write_one("charges", 0, key, 1000 * i64::try_from(key).unwrap());
    }
    history.write("charges", 0, &keys(35, 40), 47_000);
    history.write("charges", 0, &keys(40, 50), 47_100);
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), 5);
}

/// A restarted application that sends its list again and a restarted consumer leave one log:
/// the same order, in all partitions at once, under a new producer id.
#[test]
fn no_stretch_alone_tells_a_replay_from_a_list_sent_again() {
    let of_restarted = |facts: &mut CopyFacts| {
        let (offset, millis) = (facts.offset.unwrap(), facts.timestamp.unwrap().millis);
        facts.batch = Some(BatchStamp {
            base_offset: offset,
            last_offset: offset,
            crc: u32::try_from(millis).unwrap(),
            length: 100,
            record_count: 1,
            producer_id: millis / 10_000,
            producer_epoch: 0,
            base_sequence: i32::try_from(offset).unwrap(),
            leader_epoch: 0,
            is_transactional: false,
            is_aborted: None,
        });
    };
    for (partitions, shown) in [(1, 200), (3, 600)] {
        let history = replay(partitions, 200, 1);
        let with_batches = history.clone().shown_as(of_restarted);
        for history in [history, with_batches] {
            let diagnosed = history.diagnosed();
            diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), shown);
            for diagnosis in diagnosed.by_extra.values() {
                let against = &diagnosis.contradicting;
                assert!(against.contains(&Evidence::ReplayOrResend), "{against:?}");
            }
        }
    }
}

#[test]
fn a_counter_of_attempts_makes_a_stretch_an_application_s() {
    let mut history = replay(3, 60, 1);
    for record in &mut history.records {
        let millis = record.facts.timestamp.unwrap().millis;
        record.facts.content.value = Some(u128::try_from(millis).unwrap());
        record.differing = vec!["value.attempt".to_owned()];
    }
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Strong), 180);
}

#[test]
fn headers_that_name_the_input_make_a_stretch_a_replay() {
    let history = replay(3, 60, 1).shown_as(|facts| {
        facts.named = Some(NamedCoordinates {
            dialect: DeadLetterDialect::Connect,
            topic: "orders".to_owned(),
            partition: facts.partition.unwrap(),
            offset: i64::try_from(facts.content.value.unwrap()).unwrap(),
        });
    });
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Strong), 180);
    let against = &diagnosed.of(499, 2).contradicting;
    assert!(!against.contains(&Evidence::ReplayOrResend), "{against:?}");
}

#[test]
fn three_restarts_are_three_episodes_in_each_partition() {
    let diagnosed = replay(2, 80, 3).diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), 480);
    assert_eq!(diagnosed.episodes.len(), 6);
    let originals = Some(420..500);
    assert!(
        diagnosed
            .episodes
            .iter()
            .all(|one| one.original_offsets == originals)
    );
}

#[test]
fn new_times_in_the_output_do_not_hide_a_replay() {
    let mut history = replay(2, 80, 1);
    for record in &mut history.records {
        let millis = record.facts.timestamp.unwrap().millis;
        record.facts.content.value = Some(u128::try_from(millis).unwrap());
        record.differing = vec!["value.processed_at".to_owned()];
    }
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), 160);
}

#[test]
fn one_writer_of_several_that_catches_up_is_told_by_its_pace() {
    let mut history = History::default();
    for key in 0..300 {
        history.write_one(
            "charges",
            0,
            key,
            1_000_000 + 100 * i64::try_from(key).unwrap(),
        );
    }
    for key in (0..300).filter(|key| key % 3 == 0) {
        let millis = 1_040_000 + 5 * i64::try_from(key).unwrap();
        history.write_one("charges", 0, key, millis);
        history.write("charges", 0, &[1000 + 2 * key, 1001 + 2 * key], millis);
    }
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), 100);
}

#[test]
fn repeats_in_other_partitions_are_told_by_their_shape() {
    let mut history = History::default();
    history.write("charges", 0, &keys(0, 100), 1_000_000);
    history.write("charges", 1, &keys(1000, 1100), 1_000_000);
    history.write("charges", 1, &keys(60, 100), 1_030_000);
    history.write("charges", 0, &[1050], 1_030_000);
    let diagnosed = history.diagnosed();
    assert_eq!(diagnosed.of(70, 2).cause, Cause::ConsumerReplay);
    assert_eq!(diagnosed.of(1050, 2).cause, Cause::ApplicationResend);
}

#[test]
fn a_stretch_that_begins_in_the_middle_of_a_batch_is_a_replay() {
    let mut history = History::default();
    history.write_batch(&keys(0, 100), 1_000_000, NO_IDS);
    history.write_batch(&keys(60, 100), 1_009_000, NO_IDS);
    history.write_batch(&keys(100, 150), 1_010_000, NO_IDS);
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Weak), 40);
}
