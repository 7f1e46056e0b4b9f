//! What has to be stated about a segment: damage, what was left out, what is missing behind it.

use std::collections::BTreeMap;

use crate::record::grouped;
use crate::source::file::segment::batches::{DamageKind, DamagedPiece};
use crate::source::file::segment::partition_log::Missing;
use crate::source::kafka::Isolation;
use crate::source::record_batch::{BatchHeader, DamageReason};

/// Damaged places that are listed; more are counted.
const LISTED_MAX: usize = 20;

/// What was met in a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    /// Damaged places by byte, with what is wrong.
    damaged: BTreeMap<u64, String>,
    damaged_count: u64,
    aborted_records: u64,
    /// First offset and records of open transactions, by producer id.
    open: BTreeMap<i64, (i64, u64)>,
    unused_bytes: u64,
    control_batches: u64,
    /// What ended the reading early.
    pub(super) end: Option<String>,
}

impl Statement {
    /// Notes bytes that cannot be read.
    pub(super) fn note_damage(&mut self, damaged: &DamagedPiece) {
        let place = format!("byte {}", grouped(damaged.position));
        let offsets = damaged
            .offsets
            .as_ref()
            .map_or_else(String::new, |offsets| {
                format!(" (offsets [{}, {}))", offsets.start, offsets.end)
            });
        let length = grouped(damaged.length);
        let text = match &damaged.kind {
            DamageKind::Unused => {
                self.unused_bytes += damaged.length;
                return;
            }
            DamageKind::Truncated(needed) => {
                let needed = grouped(*needed);
                format!("truncated within a record batch at {place}: {length} of {needed} bytes")
            }
            DamageKind::Batch(reason) => {
                format!("record batch at {place}{offsets}, {length} bytes: {reason}")
            }
        };
        self.list(damaged.position, text);
    }

    /// Notes a batch whose records cannot be had although its checksum is right.
    pub(super) fn note_undecoded(&mut self, header: &BatchHeader, reason: &DamageReason) {
        let byte = grouped(header.position);
        let offsets = header.offsets();
        let (start, end) = (offsets.start, offsets.end);
        let text = format!("record batch at byte {byte} (offsets [{start}, {end})): {reason}");
        self.list(header.position, text);
    }

    fn list(&mut self, position: u64, text: String) {
        self.damaged_count += 1;
        self.damaged.insert(position, text);
        if self.damaged.len() > LISTED_MAX {
            self.damaged.pop_last();
        }
    }

    /// Notes a batch of an aborted transaction.
    pub(super) fn note_aborted(&mut self, header: &BatchHeader) {
        self.aborted_records += records(header);
    }

    /// Notes a batch of an open transaction.
    pub(super) fn note_open(&mut self, header: &BatchHeader) {
        let first = header.stamp.base_offset;
        let open = self
            .open
            .entry(header.stamp.producer_id)
            .or_insert((first, 0));
        open.0 = open.0.min(first);
        open.1 += records(header);
    }

    /// Notes a transaction marker.
    pub(super) fn note_control(&mut self) {
        self.control_batches += 1;
    }

    /// Returns what keeps the segment from being complete.
    pub(super) fn damage(&self, isolation: Isolation, missing: Option<&Missing>) -> Option<String> {
        let mut parts: Vec<String> = self.damaged.values().cloned().collect();
        let listed = u64::try_from(parts.len()).unwrap_or(u64::MAX);
        if self.damaged_count > listed {
            parts.push(format!(
                "and {} more damaged places",
                self.damaged_count - listed
            ));
        }
        if isolation == Isolation::ReadCommitted {
            parts.extend(self.open.iter().map(|(producer_id, (first, records))| {
                open_damage(*producer_id, (*first, *records), "no segment at hand")
            }));
        }
        if let Some(missing) = missing.filter(|missing| !missing.may_be_compacted) {
            let Missing {
                start, end, next, ..
            } = missing;
            parts.push(format!(
                "offsets [{start}, {end}) are neither in it nor in the next segment, `{next}`"
            ));
        }
        parts.extend(self.end.clone());
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Returns what else is to be said.
    pub(super) fn notes(&self, isolation: Isolation, missing: Option<&Missing>) -> Vec<String> {
        let mut notes = Vec::new();
        let is_committed = isolation == Isolation::ReadCommitted;
        if self.aborted_records > 0 {
            notes.push(aborted_note(self.aborted_records, isolation));
        }
        if !is_committed && !self.open.is_empty() {
            notes.push(open_note(
                self.open.values().map(|(_, records)| records).sum(),
            ));
        }
        if self.control_batches > 0 {
            notes.push(markers_note(self.control_batches));
        }
        if self.unused_bytes > 0 {
            let bytes = grouped(self.unused_bytes);
            notes.push(format!(
                "the last {bytes} bytes are zeros, allocated in advance"
            ));
        }
        if let Some(missing) = missing.filter(|missing| missing.may_be_compacted) {
            let Missing {
                start, end, next, ..
            } = missing;
            notes.push(format!(
                "offsets [{start}, {end}) before `{next}` are in no segment; compaction leaves \
                 such holes, and this partition has others"
            ));
        }
        notes
    }
}

/// States records that were left out because `nothing` says what became of their transaction.
pub(crate) fn open_damage(producer_id: i64, (first, records): (i64, u64), nothing: &str) -> String {
    format!(
        "open-transaction: {records} records of producer {producer_id} from offset {first} on \
         were left out, {nothing} says whether it was committed"
    )
}

/// States records of aborted transactions.
pub(crate) fn aborted_note(records: u64, isolation: Isolation) -> String {
    let fate = match isolation {
        Isolation::ReadCommitted => "left out",
        Isolation::ReadUncommitted => "read",
    };
    let records = grouped(records);
    format!("{records} records of aborted transactions were {fate}")
}

/// States records of open transactions that were read.
pub(crate) fn open_note(records: u64) -> String {
    let records = grouped(records);
    format!("{records} records of open transactions were read")
}

/// States transaction markers.
pub(crate) fn markers_note(markers: u64) -> String {
    let markers = grouped(markers);
    format!("{markers} transaction markers were passed over")
}

fn records(header: &BatchHeader) -> u64 {
    u64::try_from(header.stamp.record_count).unwrap_or_default()
}
