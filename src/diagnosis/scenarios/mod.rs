//! Synthetic histories: a log is written, its duplicates are paired and diagnosed.

mod copies;
mod incidents;
mod properties;
mod replays;
mod retries;
mod sends;

use std::collections::BTreeMap;

use crate::diagnosis::{
    ContentHashes, CopyFacts, CopyHistory, Diagnoser, DiagnosisContext, MajorityDiagnosis,
    PairFacts, PairId, Verdict,
};
use crate::finding::{Cause, Confidence, Diagnosis, Episode};
use crate::record::{BatchStamp, Timestamp, TimestampType};

/// One record that is written.
#[derive(Clone, Debug)]
struct Written {
    dedup_key: u64,
    facts: CopyFacts,
    differing: Vec<String>,
}

/// A log of several topics.
#[derive(Clone, Debug, Default)]
struct History {
    records: Vec<Written>,
    ends: BTreeMap<(String, i32), i64>,
    batches: u32,
}

/// The producer of a batch.
#[derive(Clone, Copy, Debug)]
struct Producer {
    id: i64,
    epoch: i16,
    base_sequence: i32,
}

const NO_IDS: Producer = Producer {
    id: -1,
    epoch: -1,
    base_sequence: -1,
};

impl History {
    /// Writes records with consecutive keys, one timestamp each, from `millis` on.
    fn write(&mut self, topic: &str, partition: i32, keys: &[u64], millis: i64) -> &mut Self {
        for (index, key) in (0..).zip(keys) {
            self.write_one(topic, partition, *key, millis + index);
        }
        self
    }

    fn write_one(&mut self, topic: &str, partition: i32, key: u64, millis: i64) -> &mut Written {
        let end = self.ends.entry((topic.to_owned(), partition)).or_default();
        let offset = *end;
        *end += 1;
        let facts = CopyFacts {
            topic: Some(topic.to_owned()),
            partition: Some(partition),
            offset: Some(offset),
            timestamp: Some(Timestamp {
                millis,
                timestamp_type: TimestampType::CreateTime,
            }),
            content: ContentHashes {
                key: Some(u128::from(key)),
                headers: Some(7),
                value: Some(u128::from(key)),
            },
            ..CopyFacts::default()
        };
        self.records.push(Written {
            dedup_key: key,
            facts,
            differing: Vec::new(),
        });
        self.records.last_mut().unwrap()
    }

    /// Writes records as one batch of a producer; equal keys and times give equal CRCs.
    fn write_batch(&mut self, keys: &[u64], millis: i64, producer: Producer) -> &mut Self {
        let base_offset = self.end("charges", 0);
        let count = i32::try_from(keys.len()).unwrap();
        let crc = keys.iter().fold(producer.id ^ millis, |crc, key| {
            crc.wrapping_mul(31)
                .wrapping_add(i64::try_from(*key).unwrap())
        });
        self.batches += 1;
        for (index, key) in (0..).zip(keys) {
            let record = self.write_one("charges", 0, *key, millis + index);
            record.facts.batch = Some(BatchStamp {
                base_offset,
                last_offset: base_offset + i64::from(count) - 1,
                crc: u32::try_from(crc & 0xffff_ffff).unwrap(),
                length: 61 + 40 * count,
                record_count: count,
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                base_sequence: producer.base_sequence,
                leader_epoch: 3,
                is_transactional: false,
                is_aborted: None,
            });
        }
        self
    }

    fn end(&self, topic: &str, partition: i32) -> i64 {
        let end = self.ends.get(&(topic.to_owned(), partition));
        end.copied().unwrap_or_default()
    }

    /// Changes all records, as another source would show them.
    fn shown_as(mut self, change: impl Fn(&mut CopyFacts)) -> Self {
        for record in &mut self.records {
            change(&mut record.facts);
        }
        self
    }

    /// Returns the pairs sorted as the diagnosis takes them.
    fn pairs(&self) -> Vec<PairFacts> {
        let mut groups: BTreeMap<u64, Vec<&Written>> = BTreeMap::new();
        for record in &self.records {
            groups.entry(record.dedup_key).or_default().push(record);
        }
        let mut pairs = Vec::new();
        for (key, mut copies) in groups {
            copies.sort_by_key(|copy| {
                let facts = &copy.facts;
                let millis = facts.timestamp.map(|timestamp| timestamp.millis);
                (millis, facts.topic.clone(), facts.partition, facts.offset)
            });
            let mut history = CopyHistory::default();
            for (occurrence, copy) in (1..).zip(copies) {
                let Some(reference) = history.take(&copy.facts) else {
                    continue;
                };
                pairs.push(PairFacts {
                    id: PairId {
                        fingerprint: [key, 0],
                        part: 1,
                        occurrence,
                    },
                    extra: copy.facts.clone(),
                    reference,
                    differing: copy.differing.clone(),
                });
            }
        }
        pairs.sort_by_key(|pair| {
            let extra = &pair.extra;
            (extra.topic.clone(), extra.partition, extra.offset, pair.id)
        });
        pairs
    }

    fn context(&self) -> DiagnosisContext {
        let topics = self.ends.keys().map(|(topic, _)| topic.clone());
        let times = self
            .records
            .iter()
            .filter_map(|record| record.facts.timestamp);
        DiagnosisContext {
            topics: topics.collect(),
            end_offsets: self.ends.clone(),
            last_timestamp_millis: times.map(|timestamp| timestamp.millis).max(),
        }
    }

    fn diagnosed(&self) -> Diagnosed {
        diagnose(self.pairs(), self.context())
    }
}

/// What came of a history.
#[derive(Debug, PartialEq)]
struct Diagnosed {
    by_extra: BTreeMap<PairId, Diagnosis>,
    episodes: Vec<Episode>,
}

fn diagnose(pairs: Vec<PairFacts>, context: DiagnosisContext) -> Diagnosed {
    let mut diagnoser = Diagnoser::new(context);
    let mut marks = Vec::new();
    for pair in pairs {
        diagnoser.push(pair);
        marks.extend(std::iter::from_fn(|| diagnoser.next_mark()));
    }
    let (diagnoses, rest) = diagnoser.finish();
    marks.extend(rest);
    let mut by_extra = BTreeMap::new();
    for mark in &marks {
        let encoded = postcard::to_stdvec(mark).unwrap();
        let mark = postcard::from_bytes(&encoded).unwrap();
        let diagnosis = diagnoses.diagnosis(&mark);
        let verdict = verdict_of(&diagnosis);
        assert_eq!(diagnoses.verdict(&mark), verdict, "{diagnosis:#?}");
        let before = by_extra.insert(mark_id(&mark), diagnosis);
        assert!(before.is_none(), "one diagnosis for each extra record");
    }
    Diagnosed {
        by_extra,
        episodes: diagnoses.episodes().to_vec(),
    }
}

fn verdict_of(diagnosis: &Diagnosis) -> Verdict {
    Verdict {
        cause: diagnosis.cause,
        confidence: diagnosis.confidence,
        episode: diagnosis.episode,
    }
}

fn mark_id(mark: &crate::diagnosis::PairMark) -> PairId {
    mark.id
}

impl Diagnosed {
    /// Returns how many extra records have each cause and confidence.
    fn counts(&self) -> BTreeMap<(Cause, Option<Confidence>), usize> {
        let mut counts = BTreeMap::new();
        for diagnosis in self.by_extra.values() {
            *counts
                .entry((diagnosis.cause, diagnosis.confidence))
                .or_default() += 1;
        }
        counts
    }

    fn assert_all(&self, cause: Cause, confidence: Option<Confidence>, extra: usize) {
        assert_eq!(
            self.counts(),
            BTreeMap::from([((cause, confidence), extra)]),
            "{:#?}",
            self.by_extra.values().next()
        );
    }

    fn of(&self, key: u64, occurrence: u64) -> &Diagnosis {
        let wanted = PairId {
            fingerprint: [key, 0],
            part: 1,
            occurrence,
        };
        &self.by_extra[&wanted]
    }

    fn cause_of_group(&self, key: u64) -> Cause {
        let mut majority = MajorityDiagnosis::default();
        for (id, diagnosis) in &self.by_extra {
            if id.fingerprint == [key, 0] {
                majority.add(verdict_of(diagnosis), || diagnosis.clone());
            }
        }
        majority.into_diagnosis().unwrap().cause
    }
}

/// Returns the keys `start..end`.
fn keys(start: u64, end: u64) -> Vec<u64> {
    (start..end).collect()
}
