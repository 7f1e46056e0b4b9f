//! One Avro file: blocks of records, read in order and found again by the numbers in them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::record::grouped;
use crate::record::{RecordBlock, RecordSlot};
use crate::source::StopFlag;
use crate::source::file::container::avro::blocks::{AvroError, Block, BlockWalk, Header};
use crate::source::file::container::{Container, DamageList, NumberFinder};
use crate::source::file::opening::whole::WholeFile;
use crate::source::file::unpack::length_u64;
use crate::typed_value::avro::DatumWriter;

const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// Where a chunk starts in the file, and the records before it.
type ChunkPlace = (u64, u64);

/// One Avro file.
pub(crate) struct AvroFile {
    whole: WholeFile,
    header: Header,
    chunk_bytes: usize,
    record_bytes_max: usize,
    stop: StopFlag,
    position: AtomicU64,
    pass: Mutex<Pass>,
}

#[derive(Default)]
struct Pass {
    state: PassState,
    places: Vec<ChunkPlace>,
    /// Damaged places by byte.
    damaged: DamageList,
    /// What ended the reading early.
    end: Option<String>,
}

#[derive(Default)]
enum PassState {
    #[default]
    NotStarted,
    Reading(BlockWalk),
    Ended,
}

impl AvroFile {
    /// Reads the header; fails where the file cannot be read or is none.
    pub(crate) fn open(
        whole: WholeFile,
        (chunk_bytes, record_bytes_max): (usize, usize),
        stop: StopFlag,
    ) -> io::Result<Result<Self, AvroError>> {
        let file = whole.open()?;
        let header = match Header::read(&file, whole.length())? {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(Self {
            whole,
            header,
            chunk_bytes: chunk_bytes.max(1),
            record_bytes_max,
            stop,
            position: AtomicU64::new(0),
            pass: Mutex::default(),
        }))
    }

    fn lock_pass(&self) -> MutexGuard<'_, Pass> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn walk(&self, place: Option<ChunkPlace>) -> io::Result<BlockWalk> {
        let file = (self.whole.open()?, self.whole.length());
        Ok(BlockWalk::new(file, &self.header, place, self.chunk_bytes))
    }

    /// Takes the next blocks; returns false at the end.
    fn take_chunk(&self, bytes: &mut Vec<u8>, blocks: &mut Vec<Block>) -> bool {
        let mut pass = self.lock_pass();
        if matches!(pass.state, PassState::NotStarted) {
            pass.state = match self.walk(None) {
                Ok(walk) => PassState::Reading(walk),
                Err(error) => {
                    pass.end = Some(format!("cannot be opened again: {error}"));
                    PassState::Ended
                }
            };
        }
        let PassState::Reading(walk) = &mut pass.state else {
            return false;
        };
        let place = walk.place();
        let byte = grouped(place.0);
        let is_end = place.0 >= self.whole.length();
        if is_end || self.stop.is_stopped() {
            pass.end = (!is_end).then(|| format!("interrupted at byte {byte}"));
            pass.state = PassState::Ended;
            return false;
        }
        match walk.next_chunk(bytes, blocks) {
            Ok(damage) => {
                let (position, _) = walk.place();
                self.position.store(position, Ordering::Relaxed);
                pass.places.push(place);
                if let Some(damage) = damage {
                    pass.damaged.note(place.0, damage);
                }
                true
            }
            Err(error) => {
                pass.end = Some(format!("cannot be read at byte {byte}: {error}"));
                pass.state = PassState::Ended;
                false
            }
        }
    }

    /// Unpacks one block and adds those of its records that are wanted.
    fn add_block(
        &self,
        (stored, block): (&[u8], &Block),
        unpacked: &mut Vec<u8>,
        out: &mut RecordBlock,
        mut is_wanted: impl FnMut(u64) -> bool,
    ) -> Result<(), String> {
        unpacked.clear();
        let packed = stored.get(block.packed.clone()).unwrap_or_default();
        self.header.codec.unpack(packed, unpacked)?;
        let mut rest = unpacked.as_slice();
        let writer = DatumWriter::new(&self.header.schema, self.record_bytes_max);
        for index in 0..block.count {
            // A record takes a byte at least, or there is nothing in it to audit.
            if rest.is_empty() {
                let there = grouped(index);
                return Err(format!(
                    "it has {there} of {} records",
                    grouped(block.count)
                ));
            }
            let number = block.first_number.saturating_add(index);
            let start = out.bytes.len();
            let left = rest.len();
            let written = writer.write(&mut rest, &mut out.bytes);
            written.map_err(|error| format!("record {}: {error}", number + 1))?;
            if rest.len() == left {
                return Err("its records take no bytes".to_owned());
            }
            let taken = out.bytes.len() + out.slots.len() * size_of::<RecordSlot>();
            if taken > self.record_bytes_max.saturating_add(BLOCK_BYTES * 128) {
                return Err("its records take too much memory".to_owned());
            }
            if is_wanted(number) {
                let mut slot = RecordSlot::new(number);
                slot.line = number + 1;
                slot.value = crate::record::Span::new(start, out.bytes.len());
                out.slots.push(slot);
            } else {
                out.bytes.truncate(start);
            }
        }
        match rest.len() {
            0 => Ok(()),
            left => Err(format!(
                "{} bytes are left behind its records",
                grouped(length_u64(left))
            )),
        }
    }
}

impl Container for AvroFile {
    fn format(&self) -> &'static str {
        "avro"
    }

    fn whole(&self) -> &WholeFile {
        &self.whole
    }

    fn read_next(&self, block: &mut RecordBlock) -> bool {
        let (mut bytes, mut blocks) = (Vec::new(), Vec::new());
        if !self.take_chunk(&mut bytes, &mut blocks) {
            return false;
        }
        let mut unpacked = Vec::new();
        for stored in &blocks {
            let added = self.add_block((&bytes, stored), &mut unpacked, block, |_| true);
            if let Err(what) = added {
                let what = format!("block at byte {}: {what}", grouped(stored.position));
                self.lock_pass().damaged.note(stored.position, what);
            }
        }
        true
    }

    fn bytes_done(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    fn damage(&self) -> Vec<String> {
        let pass = self.lock_pass();
        let mut damage = pass.damaged.lines("damaged places");
        damage.extend(pass.end.clone());
        if !matches!(pass.state, PassState::Ended) {
            damage.push("not read to its end".to_owned());
        }
        damage
    }

    fn finder(&self) -> Box<dyn NumberFinder + '_> {
        Box::new(AvroFinder {
            file: self,
            places: self.lock_pass().places.clone(),
            current: None,
            bytes: Vec::new(),
            blocks: Vec::new(),
            unpacked: Vec::new(),
        })
    }
}

/// Reads records of one Avro file again, by their numbers.
struct AvroFinder<'a> {
    file: &'a AvroFile,
    places: Vec<ChunkPlace>,
    /// Which chunk is at hand.
    current: Option<usize>,
    bytes: Vec<u8>,
    blocks: Vec<Block>,
    unpacked: Vec<u8>,
}

impl NumberFinder for AvroFinder<'_> {
    /// Adds the first of `positions` and those in the same block.
    fn add(&mut self, positions: &[u64], out: &mut RecordBlock) -> io::Result<usize> {
        let first = positions.first().copied().unwrap_or_default();
        // Of chunks without records, the last starts with the same number.
        let after = self.places.partition_point(|&(_, number)| number <= first);
        let Some(chunk) = after.checked_sub(1) else {
            return Ok(1);
        };
        if self.current != Some(chunk) {
            self.current = None;
            let mut walk = self.file.walk(self.places.get(chunk).copied())?;
            walk.next_chunk(&mut self.bytes, &mut self.blocks)?;
            self.current = Some(chunk);
        }
        let end_of = |block: &Block| block.first_number.saturating_add(block.count);
        let found = self.blocks.iter().find(|block| first < end_of(block));
        let Some(block) = found.filter(|block| block.first_number <= first) else {
            return Ok(1);
        };
        let end = end_of(block);
        let count = positions
            .iter()
            .take_while(|&&position| position < end)
            .count();
        let wanted = positions.get(..count).unwrap_or_default();
        // What was damaged in the first pass is so again.
        drop(
            self.file
                .add_block((&self.bytes, block), &mut self.unpacked, out, |number| {
                    wanted.binary_search(&number).is_ok()
                }),
        );
        Ok(count.max(1))
    }
}
