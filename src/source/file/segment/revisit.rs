//! Reads single records of a segment again, by their offsets.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::record::{RecordBlock, SplitId, TopicPartition};
use crate::source::file::segment::batches::{BatchWalk, Piece};
use crate::source::file::segment::source::{ChunkPlace, UNPACKED_BYTES_MAX, name, start_block};
use crate::source::file::segment::transactions::{Fate, Transactions};
use crate::source::record_batch::{RecordBatch, RecordDecoder};
use crate::source::{ReadError, RecordRevisitor};

const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// Reads records of one segment again.
pub(super) struct SegmentRevisitor<'a> {
    split: SplitId,
    file: Arc<File>,
    length: u64,
    chunk_bytes: usize,
    /// The chunks of the first pass.
    places: Vec<ChunkPlace>,
    topic_partition: Option<TopicPartition>,
    transactions: &'a Transactions,
    decoder: RecordDecoder,
    /// Which chunk is at hand.
    current: Option<usize>,
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl<'a> SegmentRevisitor<'a> {
    /// Returns a reader of the records in the chunks that `places` lists.
    pub(super) fn new(
        split: SplitId,
        (file, length, chunk_bytes): (Arc<File>, u64, usize),
        places: Vec<ChunkPlace>,
        topic_partition: Option<TopicPartition>,
        transactions: &'a Transactions,
    ) -> Self {
        Self {
            split,
            file,
            length,
            chunk_bytes,
            places,
            topic_partition,
            transactions,
            decoder: RecordDecoder::new(UNPACKED_BYTES_MAX),
            current: None,
            bytes: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Adds the first of `positions` and those in the same batch; returns how many are dealt with.
    fn add(&mut self, positions: &[u64], block: &mut RecordBlock) -> io::Result<usize> {
        let offset = positions
            .first()
            .map_or(i64::MAX, |&first| as_offset(first));
        let after = self.places.partition_point(|&(_, floor)| floor <= offset);
        let Some(chunk) = after.checked_sub(1) else {
            return Ok(1);
        };
        self.read_chunk(chunk)?;
        let in_batch = |piece: &Piece| match piece {
            Piece::Data { header, payload } if header.offsets().contains(&offset) => {
                Some((*header, payload.clone()))
            }
            Piece::Data { .. } | Piece::Control { .. } | Piece::Damaged(_) => None,
        };
        let Some((header, payload)) = self.pieces.iter().find_map(in_batch) else {
            return Ok(1);
        };
        let end = header.offsets().end;
        let count = positions
            .iter()
            .take_while(|&&position| as_offset(position) < end)
            .count();
        let wanted = positions.get(..count).unwrap_or_default();
        let payload = self.bytes.get(payload).unwrap_or_default();
        let batch = RecordBatch::from_parts(header, payload);
        let topic_partition = name(self.topic_partition.as_ref(), block);
        let picked = self
            .decoder
            .pick_into(&batch, wanted, topic_partition, block);
        if picked.is_ok()
            && let Some(stamp) = block.batches.last_mut()
        {
            stamp.is_aborted = Some(self.transactions.fate(&header.stamp) == Fate::Aborted);
        }
        Ok(count.max(1))
    }

    fn read_chunk(&mut self, chunk: usize) -> io::Result<()> {
        if self.current == Some(chunk) {
            return Ok(());
        }
        self.current = None;
        let place = self.places.get(chunk).copied().unwrap_or_default();
        let file = Arc::clone(&self.file);
        let mut walk = BatchWalk::new(file, self.length, place, self.chunk_bytes);
        walk.next_chunk(&mut self.bytes, &mut self.pieces)?;
        self.current = Some(chunk);
        Ok(())
    }
}

impl RecordRevisitor for SegmentRevisitor<'_> {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        start_block(block, self.split);
        let mut done = 0;
        while let Some(rest) = positions.get(done..).filter(|rest| !rest.is_empty()) {
            if block.bytes.len() >= BLOCK_BYTES {
                break;
            }
            done += self.add(rest, block)?;
        }
        Ok(done)
    }
}

fn as_offset(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
