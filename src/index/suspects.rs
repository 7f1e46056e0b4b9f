//! Compares the buckets in parallel and puts the suspects into the order of reading.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::DuplicateIndex;
use super::IndexError;
use super::IndexWriter;
use super::Occurrence;
use super::group::GroupWalk;
use super::occurrence::Place;
use super::places::PlaceMerge;
use super::repeats::Repeats;
use super::writer::BucketPart;
use crate::sorted_run::FixedRecord;
use crate::sorted_run::FixedSorter;
use crate::sorted_run::RunReader;
use crate::sorted_run::SortedFixed;
use crate::sorted_run::SpillFile;
use crate::sorted_run::stored_len;
use crate::threads::on_threads;

/// The places of all suspects, by split and then by position, and what was counted on the way.
#[derive(Debug)]
pub struct Suspects {
    distinct_fingerprints: u64,
    occurrences: u64,
    total: u64,
    places: PlaceMerge,
}

impl Suspects {
    /// Returns how many different fingerprints there are.
    pub fn distinct_fingerprints(&self) -> u64 {
        self.distinct_fingerprints
    }

    /// Returns a sorter for suspects.
    pub fn sorter(dir: &Path, memory_bytes: usize) -> SuspectSorter {
        SuspectSorter(FixedSorter::new(dir, memory_bytes))
    }

    /// Returns how many occurrences were added.
    pub fn occurrences(&self) -> u64 {
        self.occurrences
    }

    /// Returns how many suspects there are in all, whether or not they were taken already.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// Puts suspects into the order of reading.
#[derive(Debug)]
pub struct SuspectSorter(FixedSorter<Place>);

impl SuspectSorter {
    /// Adds a suspect.
    pub fn push(&mut self, suspect: &Occurrence) -> Result<(), IndexError> {
        Ok(self.0.push(Place(*suspect))?)
    }

    /// Returns all of them; `counts` are the fingerprints and occurrences that they are of.
    pub fn finish(self, counts: (u64, u64)) -> Result<Suspects, IndexError> {
        Ok(Suspects {
            distinct_fingerprints: counts.0,
            occurrences: counts.1,
            total: self.0.count(),
            places: PlaceMerge::start(vec![self.0.finish()?])?,
        })
    }
}

impl Iterator for Suspects {
    type Item = Result<Occurrence, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.places.next()?;
        Some(
            place
                .map(|Place(occurrence)| occurrence)
                .map_err(IndexError::from),
        )
    }
}

/// One bucket of all writers.
pub(super) struct Bucket {
    chunks: Vec<Vec<Occurrence>>,
    /// Where the rest is: the number of the file, and the readers of its runs.
    runs: Vec<(usize, RunReader)>,
    pub(super) occurrences: u64,
}

/// What the workers share while they compare.
struct Comparison<'a> {
    files: Vec<Option<SpillFile>>,
    /// Smallest first: workers take from the end, so that the longest work begins first.
    buckets: Mutex<Vec<Bucket>>,
    within_millis: Option<i64>,
    spill_dir: &'a Path,
    /// Memory of each worker to compare a bucket in.
    scratch_bytes: usize,
    /// Memory of each worker for the places of suspects.
    place_bytes: usize,
}

/// What one worker found.
struct Findings {
    distinct_fingerprints: u64,
    occurrences: u64,
    suspects: u64,
    places: SortedFixed<Place>,
}

pub(super) fn find(
    index: &DuplicateIndex,
    mut writers: Vec<IndexWriter>,
    within_millis: Option<i64>,
) -> Result<Suspects, IndexError> {
    let has_spilled = writers.iter().any(IndexWriter::has_spilled);
    if has_spilled {
        // The memory is worth more for whole buckets than for parts of all.
        writers.iter_mut().try_for_each(IndexWriter::flush)?;
    }
    let held_bytes = writers.iter().map(IndexWriter::held_bytes).sum();
    let scratch_bytes = index.budget.share(7, 8).saturating_sub(held_bytes) / index.workers;
    let (mut buckets, files) = gather(writers);
    buckets.sort_by_key(|bucket| bucket.occurrences);
    let comparison = Comparison {
        files,
        buckets: Mutex::new(buckets),
        within_millis,
        spill_dir: &index.spill_dir,
        scratch_bytes,
        place_bytes: index.worker_share(1, 8),
    };
    let findings = on_threads(index.workers, |_| comparison.work());
    let findings = findings.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Suspects {
        distinct_fingerprints: findings
            .iter()
            .map(|found| found.distinct_fingerprints)
            .sum(),
        occurrences: findings.iter().map(|found| found.occurrences).sum(),
        total: findings.iter().map(|found| found.suspects).sum(),
        places: PlaceMerge::start(findings.into_iter().map(|found| found.places).collect())?,
    })
}

/// Puts the parts of each bucket together, buckets in the order of their fingerprints.
pub(super) fn gather(writers: Vec<IndexWriter>) -> (Vec<Bucket>, Vec<Option<SpillFile>>) {
    let mut parts_by_writer = Vec::new();
    let mut files = Vec::new();
    for writer in writers {
        let (parts, file) = writer.into_parts();
        parts_by_writer.push(parts.into_iter());
        files.push(file);
    }
    let mut buckets = Vec::new();
    loop {
        let parts: Vec<BucketPart> = parts_by_writer
            .iter_mut()
            .filter_map(Iterator::next)
            .collect();
        if parts.is_empty() {
            break;
        }
        buckets.push(Bucket::of(parts));
    }
    (buckets, files)
}

impl Bucket {
    fn of(parts: Vec<BucketPart>) -> Self {
        let mut bucket = Self {
            chunks: Vec::new(),
            runs: Vec::new(),
            occurrences: 0,
        };
        for (file, part) in parts.into_iter().enumerate() {
            let in_memory: usize = part.chunks.iter().map(Vec::len).sum();
            bucket.occurrences += part.spilled + stored_len(in_memory);
            bucket.chunks.extend(part.chunks);
            bucket
                .runs
                .extend(part.runs.into_iter().map(|run| (file, RunReader::new(run))));
        }
        bucket
    }

    /// Calls `each` with every occurrence, in any order, and frees memory as it goes.
    pub(super) fn drain(
        self,
        files: &[Option<SpillFile>],
        mut each: impl FnMut(Occurrence) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for chunk in self.chunks {
            chunk.into_iter().try_for_each(&mut each)?;
        }
        for (file, mut reader) in self.runs {
            let Some(Some(file)) = files.get(file) else {
                continue;
            };
            while reader.next_block(file)? {
                let mut records = reader.items().chunks_exact(Occurrence::BYTES);
                records.try_for_each(|bytes| each(Occurrence::read(bytes)))?;
            }
        }
        Ok(())
    }
}

impl Comparison<'_> {
    /// Compares buckets until none is left.
    fn work(&self) -> Result<Findings, IndexError> {
        let mut walk = GroupWalk::new(self.within_millis);
        let mut places = FixedSorter::new(self.spill_dir, self.place_bytes);
        let mut scratch = Scratch::default();
        while let Some(bucket) = self.next_bucket() {
            let done = self.compare(bucket, &mut scratch, &mut walk, &mut |suspect| {
                Ok(places.push(Place(*suspect))?)
            });
            if let Err(error) = done {
                // The audit fails, so the other workers need not go on.
                self.buckets
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clear();
                return Err(error);
            }
        }
        drop(scratch);
        let (distinct_fingerprints, occurrences) = walk.counts();
        Ok(Findings {
            distinct_fingerprints,
            occurrences,
            suspects: places.count(),
            places: places.finish()?,
        })
    }

    fn next_bucket(&self) -> Option<Bucket> {
        self.buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    /// Walks over the bucket; `suspect` is called with the suspects.
    fn compare(
        &self,
        bucket: Bucket,
        scratch: &mut Scratch,
        walk: &mut GroupWalk,
        suspect: &mut impl FnMut(&Occurrence) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        if self.has_room(scratch, bucket.occurrences) {
            return scratch.compare(bucket, &self.files, walk, suspect);
        }
        *scratch = Scratch::default();
        let mut sorter = FixedSorter::new(self.spill_dir, self.scratch_bytes);
        bucket.drain(&self.files, |occurrence| Ok(sorter.push(occurrence)?))?;
        for occurrence in sorter.finish()? {
            walk.next(occurrence?, suspect)?;
        }
        Ok(())
    }

    /// Returns whether so many occurrences, all of them repeated, are within the worker's share.
    fn has_room(&self, scratch: &mut Scratch, occurrences: u64) -> bool {
        let Ok(wanted) = usize::try_from(occurrences) else {
            return false;
        };
        let bytes = wanted.saturating_mul(size_of::<Occurrence>());
        bytes.saturating_add(Repeats::bytes_for(wanted)) <= self.scratch_bytes
            && scratch.reserve(wanted)
    }
}

/// Memory of one worker to compare buckets in.
#[derive(Default)]
struct Scratch {
    repeats: Repeats,
    occurrences: Vec<Occurrence>,
}

impl Scratch {
    /// Makes room for the occurrences and the table of a bucket, if the system gives it.
    fn reserve(&mut self, wanted: usize) -> bool {
        if wanted > self.occurrences.capacity() {
            self.occurrences = Vec::new();
        }
        self.occurrences.try_reserve_exact(wanted).is_ok() && self.repeats.start(wanted).is_ok()
    }

    /// Sorts only what may be repeated: most occurrences are not, and are counted.
    fn compare(
        &mut self,
        mut bucket: Bucket,
        files: &[Option<SpillFile>],
        walk: &mut GroupWalk,
        suspect: &mut impl FnMut(&Occurrence) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let Self {
            repeats,
            occurrences,
        } = self;
        let chunks = std::mem::take(&mut bucket.chunks);
        let all = bucket.occurrences;
        bucket.drain(files, |occurrence| {
            occurrences.push(occurrence);
            Ok(())
        })?;
        chunks
            .iter()
            .flatten()
            .chain(&*occurrences)
            .for_each(|occurrence| repeats.add(occurrence));
        // A reversal alone is no dedup key, so it is not for counting.
        let is_looked_at =
            |occurrence: &Occurrence| occurrence.is_reversal || repeats.is_repeated(occurrence);
        occurrences.retain(is_looked_at);
        for chunk in chunks {
            let repeated = chunk.into_iter().filter(is_looked_at);
            occurrences.extend(repeated);
        }
        walk.count_single(all - stored_len(occurrences.len()));
        occurrences.sort_unstable();
        occurrences
            .drain(..)
            .try_for_each(|occurrence| walk.next(occurrence, suspect))
    }
}
