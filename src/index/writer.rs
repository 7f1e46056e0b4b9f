//! Takes the occurrences of one worker, parted by the first byte of their fingerprint.

use std::path::{Path, PathBuf};

use super::IndexError;
use super::Occurrence;
use crate::finding::Fingerprint;
use crate::sorted_run::FixedRecord;
use crate::sorted_run::Run;
use crate::sorted_run::SpillFile;

/// Equal fingerprints share a bucket, so that each bucket can be compared on its own.
pub(super) const BUCKETS: usize = 256;

/// The largest chunk, and with little memory the largest share of it in chunks half empty.
const MOST_CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_PER_BUCKET: usize = 4;
const LEAST_CHUNK_LEN: usize = 4;

/// Kept free to write to disk with where the system gives less memory than the budget.
const RESERVE_BYTES: usize = 256 * 1024;

/// Occurrences of one bucket in memory. Chunks never grow, so none is ever copied.
pub(super) type Chunk = Vec<Occurrence>;

/// What one worker has seen of one bucket.
#[derive(Debug, Default)]
pub(super) struct BucketPart {
    /// In memory, in any order.
    pub(super) chunks: Vec<Chunk>,
    /// In the worker's file, in any order.
    pub(super) runs: Vec<Run>,
    /// Occurrences in `runs`.
    pub(super) spilled: u64,
}

/// Takes the occurrences of one worker, without locks.
#[derive(Debug)]
pub struct IndexWriter {
    /// The chunk of each bucket that is being filled; apart from the rest to stay in the cache.
    open: Box<[Chunk; BUCKETS]>,
    parts: Box<[BucketPart; BUCKETS]>,
    /// Chunks to be used again after they were written to disk.
    free: Vec<Chunk>,
    chunks: usize,
    most_chunks: usize,
    chunk_len: usize,
    reserve: Vec<u8>,
    dir: PathBuf,
    file: Option<SpillFile>,
}

impl IndexWriter {
    pub(super) fn new(dir: &Path, memory_bytes: usize) -> Self {
        let occurrence_bytes = size_of::<Occurrence>();
        let chunk_bytes = memory_bytes / (BUCKETS * CHUNKS_PER_BUCKET);
        let chunk_len = (chunk_bytes.min(MOST_CHUNK_BYTES) / occurrence_bytes).max(LEAST_CHUNK_LEN);
        Self {
            open: Box::new([const { Vec::new() }; BUCKETS]),
            parts: Box::new(std::array::from_fn(|_| BucketPart::default())),
            free: Vec::new(),
            chunks: 0,
            most_chunks: (memory_bytes / (chunk_len * occurrence_bytes)).max(1),
            chunk_len,
            reserve: Vec::with_capacity(RESERVE_BYTES),
            dir: dir.to_owned(),
            file: None,
        }
    }

    /// Adds one occurrence; only a fault of the disk can make it fail.
    #[inline]
    pub fn add(&mut self, occurrence: Occurrence) -> Result<(), IndexError> {
        let bucket = bucket_of(occurrence.fingerprint);
        if let Some(chunk) = self.open.get_mut(bucket)
            && chunk.len() < chunk.capacity()
        {
            chunk.push(occurrence);
            return Ok(());
        }
        self.add_to_new_chunk(bucket, occurrence)
    }

    #[cold]
    #[inline(never)]
    fn add_to_new_chunk(
        &mut self,
        bucket: usize,
        occurrence: Occurrence,
    ) -> Result<(), IndexError> {
        let mut chunk = self.empty_chunk()?;
        chunk.push(occurrence);
        if let (Some(open), Some(part)) = (self.open.get_mut(bucket), self.parts.get_mut(bucket)) {
            let full = std::mem::replace(open, chunk);
            if full.capacity() > 0 {
                part.chunks.push(full);
            }
        }
        Ok(())
    }

    fn empty_chunk(&mut self) -> Result<Chunk, IndexError> {
        if let Some(chunk) = self.free.pop() {
            return Ok(chunk);
        }
        let mut chunk = Chunk::new();
        if self.chunks < self.most_chunks && chunk.try_reserve_exact(self.chunk_len).is_ok() {
            self.chunks += 1;
            return Ok(chunk);
        }
        self.reserve = Vec::new();
        self.spill()?;
        if self.chunks < self.most_chunks {
            self.settle_for_less();
        }
        self.free.pop().ok_or(IndexError::OutOfMemory {
            bytes: self.chunk_len * size_of::<Occurrence>(),
        })
    }

    /// Gives a quarter back, which others need too, and does not ask for it again.
    fn settle_for_less(&mut self) {
        self.most_chunks = (self.chunks - self.chunks / 4).max(1);
        self.free.truncate(self.most_chunks);
        self.chunks = self.free.len();
    }

    /// Writes all chunks to disk, one run for each bucket, and frees them for use.
    fn spill(&mut self) -> Result<(), IndexError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(SpillFile::create(&self.dir)?),
        };
        for (open, part) in self.open.iter_mut().zip(self.parts.iter_mut()) {
            if open.capacity() > 0 {
                part.chunks.push(std::mem::take(open));
            }
            if part.chunks.is_empty() {
                continue;
            }
            let mut writer = file.begin_run();
            for occurrence in part.chunks.iter().flatten() {
                occurrence.write(writer.item(Occurrence::BYTES)?);
                part.spilled += 1;
            }
            part.runs.push(writer.finish()?);
            for mut chunk in part.chunks.drain(..) {
                chunk.clear();
                // Where there is no memory for the list, the chunk's own is given back.
                if self.free.try_reserve(1).is_ok() {
                    self.free.push(chunk);
                } else {
                    self.chunks -= 1;
                }
            }
        }
        Ok(())
    }

    /// Returns whether anything is on disk.
    pub(super) fn has_spilled(&self) -> bool {
        self.file.is_some()
    }

    /// Returns the memory taken by chunks.
    pub(super) fn held_bytes(&self) -> usize {
        self.chunks * self.chunk_len * size_of::<Occurrence>()
    }

    /// Writes what is in memory to disk and gives the memory back.
    pub(super) fn flush(&mut self) -> Result<(), IndexError> {
        if self.chunks > 0 {
            self.spill()?;
        }
        self.free = Vec::new();
        self.chunks = 0;
        Ok(())
    }

    /// Returns the parts of all buckets in order, and the file that their runs are in.
    pub(super) fn into_parts(mut self) -> (Box<[BucketPart; BUCKETS]>, Option<SpillFile>) {
        for (open, part) in self.open.iter_mut().zip(self.parts.iter_mut()) {
            part.chunks.push(std::mem::take(open));
        }
        (self.parts, self.file)
    }
}

#[inline]
fn bucket_of(fingerprint: Fingerprint) -> usize {
    let Fingerprint([high, _]) = fingerprint;
    let [first, ..] = high.to_be_bytes();
    usize::from(first)
}

#[cfg(test)]
impl IndexWriter {
    /// Flips one bit on disk, as a bad disk would.
    pub(super) fn flip_bit(&self, place: u64) {
        self.file.as_ref().unwrap().flip_bit(place);
    }
}
