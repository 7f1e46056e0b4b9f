//! Counters for the progress line; no output of its own.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::record::RecordBlock;

/// What an audit is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading everything once.
    Collect,
    /// Sorting fingerprints.
    Group,
    /// Reading the records of suspected groups again.
    Revisit,
    /// Done, or writing the report.
    Report,
}

/// How far an audit has come; read by whoever draws the progress line.
#[derive(Debug, Default)]
pub struct AuditProgress {
    phase: AtomicU8,
    records_read: AtomicU64,
    bytes_read: AtomicU64,
    records_revisited: AtomicU64,
}

impl AuditProgress {
    /// Returns the phase.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Collect,
            1 => Phase::Group,
            2 => Phase::Revisit,
            _ => Phase::Report,
        }
    }

    /// Returns the records read so far in the first pass.
    pub fn records_read(&self) -> u64 {
        self.records_read.load(Ordering::Relaxed)
    }

    /// Returns the bytes of these records: keys, values and headers, unpacked.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Returns the records read again so far in the second pass.
    pub fn records_revisited(&self) -> u64 {
        self.records_revisited.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self, phase: Phase) {
        let number = match phase {
            Phase::Collect => 0,
            Phase::Group => 1,
            Phase::Revisit => 2,
            Phase::Report => 3,
        };
        self.phase.store(number, Ordering::Relaxed);
    }

    pub(super) fn add_read(&self, block: &RecordBlock) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (records, bytes) = (number(block.slots.len()), number(block.bytes.len()));
        self.records_read.fetch_add(records, Ordering::Relaxed);
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add_revisited(&self, records: usize) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        self.records_revisited.fetch_add(records, Ordering::Relaxed);
    }
}
