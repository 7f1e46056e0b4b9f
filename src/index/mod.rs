//! Finds the fingerprints that occur more than once, exactly, within a memory budget.

mod budget;
mod group;
mod occurrence;
mod places;
mod repeats;
mod sorted;
mod suspects;
mod writer;

pub use budget::{MEMORY_MIN_BYTES, MemoryBudget};
pub use occurrence::{NO_TIMESTAMP, Occurrence, Seen};
pub use sorted::compare;
pub use suspects::{SuspectSorter, Suspects};
pub use writer::IndexWriter;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the index could not be kept.
#[derive(Debug, Error)]
pub enum IndexError {
    /// The disk refused, or gave back something else; the text names the directory and bytes.
    #[error("cannot keep the index of dedup keys: {0}")]
    Disk(#[from] io::Error),
    /// Not even the least memory was to be had.
    #[error("cannot keep the index of dedup keys: no memory for {bytes} bytes")]
    OutOfMemory {
        /// What was asked for.
        bytes: usize,
    },
}

/// All fingerprints of an audit, kept by one [`IndexWriter`] for each worker.
///
/// The index never decides that two records are the same: it names suspects, never too few.
#[derive(Clone, Debug)]
pub struct DuplicateIndex {
    budget: MemoryBudget,
    spill_dir: PathBuf,
    workers: usize,
}

impl DuplicateIndex {
    /// Returns an index for `workers` writers that spills, if it has to, into `spill_dir`.
    pub fn new(budget: MemoryBudget, spill_dir: &Path, workers: usize) -> Self {
        Self {
            budget,
            spill_dir: spill_dir.to_owned(),
            workers: workers.max(1),
        }
    }

    /// Returns a writer for one worker, which may use its part of three quarters of the budget.
    pub fn writer(&self) -> IndexWriter {
        IndexWriter::new(&self.spill_dir, self.worker_share(3, 4))
    }

    /// Compares all that the writers took, on one thread for each worker.
    ///
    /// Suspects are all occurrences whose fingerprint another has too; with `within_millis`, only
    /// if one of these is at most that far away in time.
    pub fn finish(
        self,
        writers: Vec<IndexWriter>,
        within_millis: Option<i64>,
    ) -> Result<Suspects, IndexError> {
        suspects::find(&self, writers, within_millis)
    }

    /// Returns one worker's part of a fraction of the budget.
    fn worker_share(&self, numerator: u64, denominator: u64) -> usize {
        self.budget.share(numerator, denominator) / self.workers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::{BTreeMap, BTreeSet};
    use std::thread;

    use proptest::prelude::*;

    use crate::finding::Fingerprint;
    use crate::record::SplitId;

    #[derive(Debug, PartialEq)]
    struct Answer {
        distinct_fingerprints: u64,
        occurrences: u64,
        places: Vec<(SplitId, u64)>,
    }

    fn naive(occurrences: &[Occurrence], within_millis: Option<i64>) -> Answer {
        let mut groups: BTreeMap<Fingerprint, Vec<&Occurrence>> = BTreeMap::new();
        for occurrence in occurrences.iter().filter(|of| !of.is_reversal) {
            groups
                .entry(occurrence.fingerprint)
                .or_default()
                .push(occurrence);
        }
        let are_close = |left: &Occurrence, right: &Occurrence| match within_millis {
            None => true,
            Some(millis) => {
                left.timestamp_millis != NO_TIMESTAMP
                    && right.timestamp_millis != NO_TIMESTAMP
                    && i128::from(left.timestamp_millis) - i128::from(right.timestamp_millis)
                        <= i128::from(millis)
                    && i128::from(right.timestamp_millis) - i128::from(left.timestamp_millis)
                        <= i128::from(millis)
            }
        };
        let mut places = Vec::new();
        let mut suspected = BTreeSet::new();
        for group in groups.values() {
            for (number, occurrence) in group.iter().enumerate() {
                let mut others = group
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != number);
                if others.any(|(_, other)| are_close(occurrence, other)) {
                    places.push((occurrence.split, occurrence.position));
                    suspected.insert(occurrence.fingerprint);
                }
            }
        }
        let reversals = occurrences.iter().filter(|of| of.is_reversal);
        let reversals = reversals.filter(|of| suspected.contains(&of.fingerprint));
        places.extend(reversals.map(|of| (of.split, of.position)));
        places.sort_unstable();
        Answer {
            distinct_fingerprints: u64::try_from(groups.len()).unwrap(),
            occurrences: u64::try_from(occurrences.len()).unwrap(),
            places,
        }
    }

    /// Adds a part of the occurrences from each of `workers` threads.
    fn indexed(
        occurrences: &[Occurrence],
        within_millis: Option<i64>,
        budget_bytes: u64,
        workers: usize,
    ) -> Answer {
        let dir = tempfile::tempdir().unwrap();
        let index =
            DuplicateIndex::new(MemoryBudget::from_bytes(budget_bytes), dir.path(), workers);
        let part = occurrences.len().div_ceil(workers).max(1);
        let writers = thread::scope(|scope| {
            let threads: Vec<_> = occurrences
                .chunks(part)
                .map(|part| {
                    let mut writer = index.writer();
                    scope.spawn(move || {
                        part.iter()
                            .try_for_each(|&occurrence| writer.add(occurrence))
                            .unwrap();
                        writer
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let mut suspects = index.finish(writers, within_millis).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let place = |suspect: Occurrence| (suspect.split, suspect.position);
        let places: Vec<_> = suspects
            .by_ref()
            .map(|suspect| place(suspect.unwrap()))
            .collect();
        assert_eq!(suspects.total(), u64::try_from(places.len()).unwrap());
        Answer {
            distinct_fingerprints: suspects.distinct_fingerprints(),
            occurrences: suspects.occurrences(),
            places,
        }
    }

    fn mixed(number: u64) -> u64 {
        let number = (number ^ (number >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (number ^ (number >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }

    /// `keys` fingerprints spread evenly, or as a weak hash would: in one bucket.
    fn occurrences(keys: &[u64], times: &[i64], is_weak: bool) -> Vec<Occurrence> {
        keys.iter()
            .zip(times)
            .enumerate()
            .map(|(number, (&key, &timestamp_millis))| {
                let number = u64::try_from(number).unwrap();
                Occurrence {
                    is_reversal: false,
                    fingerprint: if is_weak {
                        Fingerprint([0, key % 16])
                    } else {
                        Fingerprint([mixed(key + 1), mixed(key.wrapping_mul(77))])
                    },
                    timestamp_millis,
                    split: SplitId(u32::try_from(mixed(number) % 5).unwrap()),
                    position: number,
                    seen: Seen::Now,
                }
            })
            .collect()
    }

    /// Distinct, equal, and skewed keys.
    fn keys() -> impl Strategy<Value = Vec<u64>> {
        let key = prop_oneof![
            Just(0_u64),
            0..10_u64,
            0..2000_u64,
            any::<u64>().prop_map(|key| key >> 1)
        ];
        prop_oneof![
            proptest::collection::vec(key, 0..3000),
            proptest::collection::vec(Just(5_u64), 0..3000),
            (0..3000_u64).prop_map(|count| (0..count).collect()),
        ]
    }

    fn time() -> impl Strategy<Value = i64> {
        prop_oneof![
            0..500_i64,
            Just(NO_TIMESTAMP),
            Just(NO_TIMESTAMP - 1),
            Just(i64::MIN)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            cases: 100,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_memory_and_any_workers_give_the_suspects_of_a_plain_map(
            keys in keys(),
            times in proptest::collection::vec(time(), 3000),
            within_millis in proptest::option::of(0..20_i64),
            budget_bytes in prop_oneof![Just(0_u64), 0..200_000_u64, Just(1 << 24)],
            workers in 1..4_usize,
            is_weak: bool,
            reversals in proptest::collection::vec(proptest::bool::weighted(0.1), 3000),
        ) {
            let mut occurrences = occurrences(&keys, &times, is_weak);
            for (occurrence, is_reversal) in occurrences.iter_mut().zip(reversals) {
                occurrence.is_reversal = is_reversal;
            }
            prop_assert_eq!(
                indexed(&occurrences, within_millis, budget_bytes, workers),
                naive(&occurrences, within_millis)
            );
        }
    }

    #[test]
    fn one_key_for_all_records_is_streamed() {
        let keys = vec![1; 300_000];
        let times: Vec<i64> = (0..300_000).map(|number| number % 1000 * 10).collect();
        let all = occurrences(&keys, &times, false);
        let answer = indexed(&all, Some(5), 1 << 20, 2);
        assert_eq!(answer.distinct_fingerprints, 1);
        assert_eq!(answer.places.len(), 300_000);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let index =
            DuplicateIndex::new(MemoryBudget::from_bytes(0), Path::new("/nowhere/at/all"), 1);
        let mut writer = index.writer();
        let all = occurrences(&[1, 2, 3, 4], &[0; 4], false);
        let error = all.iter().find_map(|&one| writer.add(one).err()).unwrap();
        let text = error.to_string();
        assert!(text.contains("/nowhere/at/all"), "{text}");
    }

    #[test]
    fn a_damaged_spill_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let index = DuplicateIndex::new(MemoryBudget::from_bytes(50_000), dir.path(), 1);
        let mut writer = index.writer();
        let keys: Vec<u64> = (0..5000).collect();
        for one in occurrences(&keys, &vec![0; 5000], false) {
            writer.add(one).unwrap();
        }
        writer.flip_bit(5000);
        let error = index.finish(vec![writer], None).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}
