//! Random traffic with several incidents at once, of which the cause of each extra is known.

use std::collections::BTreeMap;

use super::{Diagnosed, History, NO_IDS, Producer, diagnose};
use crate::finding::{Cause, Confidence};
use crate::record::BatchStamp;

const PARTITIONS: i32 = 3;
const END_MILLIS: i64 = 900_000;

/// Numbers that look random; the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        i64::try_from((mixed ^ (mixed >> 31)) >> 2).unwrap() % limit
    }
}

/// A record on its way: dedup key, `CreateTime`, and why it is sent again, if it is.
type Sent = (u64, i64, Option<Cause>);

#[derive(Clone, Debug)]
struct Batch {
    append_millis: i64,
    records: Vec<Sent>,
}

/// One producer's batches for one partition, in the order of appending.
type Lane = Vec<Batch>;

/// Returns batches of new records until the end.
fn traffic(dice: &mut Dice, next_key: &mut u64, records_max: i64) -> Lane {
    let mut lane = Vec::new();
    let mut now = dice.below(300);
    while now < END_MILLIS {
        let count = 1 + dice.below(records_max);
        let record = |index: i64| {
            *next_key += 1;
            (*next_key, now - 50 + index, None)
        };
        lane.push(Batch {
            append_millis: now,
            records: (0..count).map(record).collect(),
        });
        now += 100 + dice.below(400);
    }
    lane
}

/// Holds back what would be appended from `from` to `until`.
fn hold_back(lane: &mut Lane, from: i64, until: i64) {
    for batch in lane.iter_mut() {
        if (from..until).contains(&batch.append_millis) {
            batch.append_millis = until + 1 + (batch.append_millis - from) / 100;
        }
    }
}

fn because(records: &[Sent], cause: Cause) -> Vec<Sent> {
    records
        .iter()
        .map(|sent| (sent.0, sent.1, Some(cause)))
        .collect()
}

/// The acknowledgements of the last batches before `lost` are lost.
fn lose_acks(lane: &mut Lane, lost: i64, in_flight: usize, is_java: bool, wait: i64) {
    let before: Vec<Batch> = lane
        .iter()
        .filter(|batch| batch.append_millis <= lost)
        .cloned()
        .collect();
    let again = lost + wait;
    hold_back(lane, lost + 1, again);
    let last = &before[before.len().saturating_sub(in_flight)..];
    let mut repeats: Vec<Vec<Sent>> = last
        .iter()
        .map(|batch| because(&batch.records, Cause::ProducerRetry))
        .collect();
    if is_java {
        repeats.reverse();
    } else if wait > 1000 {
        // librdkafka fills new batches.
        repeats = repeats.concat().chunks(25).map(<[Sent]>::to_vec).collect();
    }
    for (index, records) in repeats.into_iter().enumerate() {
        lane.push(Batch {
            append_millis: again - 10 + i64::try_from(index).unwrap(),
            records,
        });
    }
    lane.sort_by_key(|batch| batch.append_millis);
}

/// The process that writes the lane is killed and works through what it had not committed.
fn kill(lane: &mut Lane, killed: i64, since_commit: i64) {
    let uncommitted: Vec<Sent> = lane
        .iter()
        .filter(|batch| (killed - since_commit..=killed).contains(&batch.append_millis))
        .flat_map(|batch| batch.records.clone())
        .collect();
    let back = killed + 8000;
    for batch in lane.iter_mut() {
        if (killed + 1..back + 500).contains(&batch.append_millis) {
            let later = back + 500 + (batch.append_millis - killed) / 100 - batch.append_millis;
            batch.append_millis += later;
            batch.records.iter_mut().for_each(|sent| sent.1 += later);
        }
    }
    for (index, chunk) in (0..).zip(uncommitted.chunks(50)) {
        let now = back + 20 * index;
        let again = because(chunk, Cause::ConsumerReplay);
        let renewed = (0..)
            .zip(again)
            .map(|(place, sent)| (sent.0, now - 5 + place / 10, sent.2));
        lane.push(Batch {
            append_millis: now,
            records: renewed.collect(),
        });
    }
    lane.sort_by_key(|batch| batch.append_millis);
}

/// The application sends one in `every` again after `wait`, while it goes on sending.
fn resend(dice: &mut Dice, lane: &mut Lane, every: i64, wait: i64, span: (i64, i64)) {
    let mut resends: Vec<(i64, u64)> = Vec::new();
    for batch in lane.iter() {
        for (key, _, cause) in &batch.records {
            let is_hit = (span.0..span.1).contains(&batch.append_millis) && dice.below(every) == 0;
            if is_hit && cause.is_none() {
                resends.push((batch.append_millis + wait + dice.below(30), *key));
            }
        }
    }
    for (now, key) in resends {
        let batch = lane.iter_mut().find(|batch| batch.append_millis >= now);
        if let Some(batch) = batch {
            let sent = (key, now, Some(Cause::ApplicationResend));
            batch.records.push(sent);
        }
    }
}

/// Causes that were made, by topic, partition and offset.
type Truth = BTreeMap<(String, i32, i64), Cause>;

/// Makes an incident; the batches of the three producers hold up to `sizes` records.
fn incident(seed: u64, sizes: [i64; 3]) -> (History, Truth) {
    let mut dice = Dice(seed);
    let (mut history, mut truth, mut next_key) = (History::default(), Truth::new(), 0);
    let lost: Vec<i64> = (1..7)
        .map(|number| number * 100_000 + dice.below(60_000))
        .collect();
    let killed: Vec<i64> = (1..4)
        .map(|number| number * 220_000 + dice.below(60_000))
        .collect();
    let waits: Vec<i64> = lost
        .iter()
        .map(|_| [40, 30_000][usize::try_from(dice.below(2)).unwrap()])
        .collect();
    let in_flight: Vec<usize> = lost
        .iter()
        .map(|_| usize::try_from(1 + dice.below(5)).unwrap())
        .collect();
    let since_commit = 1500 + dice.below(3500);
    for partition in 0..PARTITIONS {
        let mut java = traffic(&mut dice, &mut next_key, sizes[0]);
        let mut librdkafka = traffic(&mut dice, &mut next_key, sizes[1]);
        let mut processor = traffic(&mut dice, &mut next_key, sizes[2]);
        resend(&mut dice, &mut java, 40, 5000, (100_000, 400_000));
        resend(&mut dice, &mut librdkafka, 900, 1700, (0, END_MILLIS));
        for (index, millis) in lost.iter().enumerate() {
            let lane = if index % 2 == 0 {
                &mut java
            } else {
                &mut librdkafka
            };
            lose_acks(
                lane,
                *millis,
                in_flight[index],
                index % 2 == 0,
                waits[index],
            );
        }
        for millis in &killed {
            kill(&mut processor, *millis, since_commit);
        }
        let lanes = [(0, java), (1, librdkafka), (2, processor)];
        let mut batches: Vec<(i64, i64, Vec<Sent>)> = lanes
            .into_iter()
            .flat_map(|(lane, batches)| {
                batches
                    .into_iter()
                    .map(move |batch| (batch.append_millis, lane, batch.records))
            })
            .collect();
        batches.sort_by_key(|batch| batch.0);
        for (_, lane, records) in batches {
            write(&mut history, &mut truth, partition, &records, lane);
        }
    }
    (history, truth)
}

fn write(history: &mut History, truth: &mut Truth, partition: i32, records: &[Sent], lane: i64) {
    let base_offset = history.end("charges", partition);
    let record_count = i32::try_from(records.len()).unwrap();
    // The processor is idempotent, and its restarts give it new ids.
    let producer = if lane == 2 {
        let id = records.first().map_or(0, |sent| sent.1 / 220_000);
        let base_sequence = i32::try_from(base_offset).unwrap();
        Producer {
            id,
            epoch: 0,
            base_sequence,
        }
    } else {
        NO_IDS
    };
    let crc = records.iter().fold(lane, |crc, (key, millis, _)| {
        crc.wrapping_mul(31)
            .wrapping_add(i64::try_from(*key).unwrap())
            .wrapping_mul(31)
            ^ millis
    });
    for (key, millis, cause) in records {
        let record = history.write_one("charges", partition, *key, *millis);
        record.facts.batch = Some(BatchStamp {
            base_offset,
            last_offset: base_offset + i64::from(record_count) - 1,
            crc: u32::try_from(crc & 0xffff_ffff).unwrap(),
            length: 61 + 40 * record_count,
            record_count,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            base_sequence: producer.base_sequence,
            leader_epoch: 0,
            is_transactional: false,
            is_aborted: None,
        });
        if let Some(cause) = cause {
            truth.insert(
                (
                    "charges".to_owned(),
                    partition,
                    record.facts.offset.unwrap(),
                ),
                *cause,
            );
        }
    }
}

/// Returns how often each cause was given for each cause that was made.
fn confusion(history: &History, truth: &Truth) -> BTreeMap<(Cause, Cause), u64> {
    let pairs = history.pairs();
    let Diagnosed { by_extra, .. } = diagnose(pairs.clone(), history.context());
    let (mut confusion, mut swapped) = (BTreeMap::new(), 0);
    for pair in &pairs {
        let (topic, partition, offset) = pair.extra.coordinates().unwrap();
        // Where a copy made later carries an earlier time, the record first made is the extra.
        let Some(made) = truth.get(&(topic.to_owned(), partition, offset)) else {
            swapped += 1;
            continue;
        };
        let given = &by_extra[&pair.id];
        assert!(
            given.confidence != Some(Confidence::Certain) || given.cause == *made,
            "certain and wrong: {made:?} {given:?}"
        );
        *confusion.entry((*made, given.cause)).or_default() += 1;
    }
    assert!(swapped * 100 < pairs.len(), "{swapped} of {}", pairs.len());
    confusion
}

fn share_right(confusion: &BTreeMap<(Cause, Cause), u64>) -> (u64, u64) {
    let right = confusion.iter().filter(|((made, given), _)| made == given);
    (
        right.map(|(_, count)| count).sum(),
        confusion.values().sum(),
    )
}

#[test]
fn incidents_mixed_in_busy_partitions_get_their_causes() {
    let (mut by_topic, mut by_segment) = (BTreeMap::new(), BTreeMap::new());
    let sizes = [[30, 12, 10], [150, 60, 5], [3, 3, 40], [5, 5, 2]];
    for (seed, sizes) in (0..).zip(sizes) {
        let (history, truth) = incident(seed, sizes);
        for (cell, count) in confusion(&history, &truth) {
            *by_segment.entry(cell).or_default() += count;
        }
        let history = history.shown_as(|facts| facts.batch = None);
        for (cell, count) in confusion(&history, &truth) {
            *by_topic.entry(cell).or_default() += count;
        }
    }
    let (right, all) = share_right(&by_topic);
    assert!(right * 1000 >= all * 980, "{right} of {all}: {by_topic:#?}");
    let (right, all) = share_right(&by_segment);
    assert!(
        right * 1000 >= all * 999,
        "{right} of {all}: {by_segment:#?}"
    );
}
