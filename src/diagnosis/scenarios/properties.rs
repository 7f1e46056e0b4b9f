//! What holds for any stream of pairs.

use proptest::prelude::*;

use super::{History, diagnose};
use crate::diagnosis::{ContentHashes, CopyFacts, PairFacts, PairId, Reference};
use crate::finding::{Cause, Confidence, DeadLetterDialect, Evidence, NamedCoordinates};
use crate::record::{BatchStamp, Timestamp, TimestampType};

fn stamp() -> impl Strategy<Value = BatchStamp> {
    (0_i64..6, 0_u32..2, 1..4_i32, -1_i64..2, -1_i32..2).prop_map(
        |(base, crc, record_count, producer_id, base_sequence)| BatchStamp {
            base_offset: base * 4,
            last_offset: base * 4 + 3,
            crc,
            length: 100,
            record_count,
            producer_id,
            producer_epoch: 0,
            base_sequence,
            leader_epoch: base_sequence,
            is_transactional: producer_id == 1,
            is_aborted: None,
        },
    )
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let types = proptest::sample::select(vec![
        TimestampType::CreateTime,
        TimestampType::CreateTime,
        TimestampType::LogAppendTime,
        TimestampType::Unrecorded,
    ]);
    let millis = prop_oneof![9 => 0_i64..40_000, 1 => any::<i64>()];
    (millis, types).prop_map(|(millis, timestamp_type)| Timestamp {
        millis,
        timestamp_type,
    })
}

fn hash() -> impl Strategy<Value = Option<u128>> {
    prop_oneof![4 => Just(Some(1)), 1 => Just(Some(2)), 1 => Just(None)]
}

fn copy() -> impl Strategy<Value = CopyFacts> {
    let topic = proptest::sample::select(vec![Some("a"), Some("a"), Some("dc1.a"), None]);
    let offset = prop_oneof![9 => (0_i64..60).prop_map(Some), 1 => any::<i64>().prop_map(Some),
        1 => Just(None)];
    let named = (0_i64..60).prop_map(|offset| NamedCoordinates {
        dialect: DeadLetterDialect::Connect,
        topic: "a".to_owned(),
        partition: 0,
        offset,
    });
    (
        (topic, 0..2_i32, offset),
        proptest::option::weighted(0.9, timestamp()),
        (hash(), hash(), hash()),
        proptest::option::weighted(0.6, stamp()),
        proptest::option::weighted(0.1, any::<bool>()),
        proptest::option::weighted(0.1, named),
    )
        .prop_map(
            |(place, timestamp, hashes, batch, is_aborted, named)| CopyFacts {
                stored: None,
                topic: place.0.map(str::to_owned),
                partition: Some(place.1),
                offset: place.2,
                timestamp,
                content: ContentHashes {
                    key: hashes.0,
                    headers: hashes.1,
                    value: hashes.2,
                },
                leader_epoch: None,
                batch,
                is_aborted,
                named,
            },
        )
}

fn pairs() -> impl Strategy<Value = Vec<PairFacts>> {
    let differing = proptest::sample::select(vec!["value.attempt", "value.ts", "value.amount"]);
    let pair =
        (copy(), copy(), copy(), differing).prop_map(|(extra, copy, original, path)| PairFacts {
            id: PairId::default(),
            reference: Reference {
                original: original
                    .coordinates()
                    .map(|(topic, partition, offset)| (topic.to_owned(), partition, offset)),
                elsewhere: None,
                copy,
            },
            extra,
            differing: vec![path.to_owned()],
        });
    proptest::collection::vec(pair, 0..120).prop_map(|mut pairs| {
        pairs.sort_by_key(|pair| {
            let extra = &pair.extra;
            (extra.topic.clone(), extra.partition, extra.offset)
        });
        for (occurrence, pair) in (2..).zip(&mut pairs) {
            pair.id.occurrence = occurrence;
        }
        pairs
    })
}

/// Returns whether the page allows to be certain of a producer's retry.
fn may_be_certain(pair: &PairFacts) -> bool {
    let (left, right) = (&pair.reference.copy, &pair.extra);
    let is_create_time = |copy: &CopyFacts| {
        let timestamp_type = copy.timestamp.map(|timestamp| timestamp.timestamp_type);
        timestamp_type == Some(TimestampType::CreateTime)
    };
    let is_repeated = left.batch.zip(right.batch).is_some_and(|(left, right)| {
        left.base_offset != right.base_offset
            && (left.crc, left.length, left.record_count)
                == (right.crc, right.length, right.record_count)
            && left.record_count >= 2
            && left.producer_id == -1
            && right.producer_id == -1
    });
    is_repeated
        && left.topic == right.topic
        && left.partition == right.partition
        && left.timestamp == right.timestamp
        && is_create_time(left)
        && is_create_time(right)
        && left.content == right.content
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 200, ..ProptestConfig::default()
    })]

    #[test]
    fn every_pair_gets_one_diagnosis_and_certain_only_as_allowed(pairs in pairs()) {
        let context = History::default().context();
        let diagnosed = diagnose(pairs.clone(), context);
        prop_assert_eq!(diagnosed.by_extra.len(), pairs.len());
        let extra: u64 = diagnosed.episodes.iter().map(|episode| episode.extra_records).sum();
        prop_assert_eq!(extra, u64::try_from(pairs.len()).unwrap());
        for pair in &pairs {
            let diagnosis = &diagnosed.by_extra[&pair.id];
            if diagnosis.confidence == Some(Confidence::Certain) {
                prop_assert_eq!(diagnosis.cause, Cause::ProducerRetry);
                prop_assert!(may_be_certain(pair));
                prop_assert!(diagnosis.contradicting.is_empty());
            }
            if diagnosis.cause == Cause::ConsumerReplay {
                let named = [&pair.extra, &pair.reference.copy].map(|copy| copy.named.clone());
                let is_named = named.iter().all(Option::is_some);
                let is_doubted = diagnosis.contradicting.contains(&Evidence::ReplayOrResend);
                prop_assert!(is_named || is_doubted);
                prop_assert!(is_named || diagnosis.confidence == Some(Confidence::Weak));
            }
            prop_assert_eq!(
                diagnosis.confidence.is_none(), diagnosis.cause == Cause::Undetermined
            );
            let episode = diagnosed.episodes.iter().find(|one| one.id == diagnosis.episode);
            prop_assert_eq!(episode.unwrap().cause, diagnosis.cause);
            for evidence in diagnosis.supporting.iter().chain(&diagnosis.contradicting) {
                prop_assert!(!evidence.to_string().is_empty());
            }
        }
    }

    #[test]
    fn the_order_of_partitions_changes_nothing(pairs in pairs(), pivot in 0..4_usize) {
        let place = |pair: &PairFacts| (pair.extra.topic.clone(), pair.extra.partition);
        let mut places: Vec<_> = pairs.iter().map(place).collect();
        places.dedup();
        if !places.is_empty() {
            let length = places.len();
            places.rotate_left(pivot % length);
        }
        let mut turned = pairs.clone();
        turned.sort_by_key(|pair| places.iter().position(|known| *known == place(pair)));
        let context = History::default().context();
        prop_assert_eq!(diagnose(pairs, context.clone()), diagnose(turned, context));
    }

    #[test]
    fn the_broker_s_equal_times_never_make_a_retry(pairs in pairs()) {
        let mut pairs = pairs;
        for pair in &mut pairs {
            for copy in [&mut pair.extra, &mut pair.reference.copy] {
                copy.timestamp = Some(Timestamp {
                    millis: 5,
                    timestamp_type: TimestampType::LogAppendTime,
                });
                copy.batch = None;
            }
        }
        let diagnosed = diagnose(pairs, History::default().context());
        for diagnosis in diagnosed.by_extra.values() {
            prop_assert_ne!(diagnosis.cause, Cause::ProducerRetry);
        }
    }
}

#[test]
fn runs_without_end_are_held_in_bounded_state() {
    let mut diagnoser = crate::diagnosis::Diagnoser::new(History::default().context());
    let mut template = History::default();
    template
        .write("charges", 0, &[1], 0)
        .write("charges", 0, &[1], 9);
    let template = template.pairs().remove(0);
    let (mut marks, mut waiting_most) = (0_usize, 0_usize);
    for number in 0..40_000_i64 {
        // Pairs of two neighbours, each far from the last two.
        let mut pair = template.clone();
        let extra = (number / 2) * 1000 + number % 2;
        pair.extra.offset = Some(extra);
        pair.reference.copy.offset = Some(extra - 500);
        diagnoser.push(pair);
        while diagnoser.next_mark().is_some() {
            marks += 1;
        }
        let pushed = usize::try_from(number + 1).unwrap();
        waiting_most = waiting_most.max(pushed - marks);
    }
    assert!(waiting_most <= 16, "{waiting_most}");
    let (diagnoses, rest) = diagnoser.finish();
    assert_eq!(marks + rest.len(), 40_000);
    assert!(
        diagnoses.episodes().len() < 1100,
        "{}",
        diagnoses.episodes().len()
    );
}
