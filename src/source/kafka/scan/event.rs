//! What happens to a partition, and what is to be done about it.

use std::time::Duration;

use crate::finding::OffsetGap;
use crate::record::RecordSlot;
use crate::source::kafka::FaultKind;
use crate::source::kafka::LogBounds;

/// What happened to a partition.
#[derive(Debug)]
pub enum ScanEvent<'a> {
    /// The scan begins.
    Start,
    /// The client delivered records; those that do not count are taken out of the slots.
    Records {
        /// The records.
        slots: &'a mut Vec<RecordSlot>,
        /// Offsets without records, with reasons.
        absent: &'a [OffsetGap],
        /// Offset that comes next, where the client says.
        next_offset: Option<i64>,
    },
    /// The log ends at this offset for now.
    End(i64),
    /// Trouble, as in [`crate::source::kafka::ClientEvent::Fault`].
    #[expect(missing_docs, reason = "see there")]
    Fault {
        kind: FaultKind,
        offset: i64,
        text: &'a str,
    },
    /// The broker will say nothing for as long, to keep to a quota, and says so in these words.
    Throttled(Duration, &'a str),
    /// The answer to [`ScanAction::AskBounds`].
    Bounds(LogBounds),
    /// No answer to [`ScanAction::AskBounds`], and why.
    NoBounds(&'a str),
    /// Time passed and nothing else happened.
    Tick,
    /// The user ends the scan.
    Stop,
}

/// What is to be done for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanAction {
    /// Nothing.
    None,
    /// Read from this offset, whatever was read before.
    Read(i64),
    /// Ask for the log's bounds.
    AskBounds,
    /// Read the partition no more.
    Finish,
}

/// The clock of a scan: time spent waiting for the cluster, so that a slow audit is no stall.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScanClock {
    /// Time waited since the scan began.
    pub now: Duration,
    /// When any partition last got on.
    pub last_progress: Duration,
}
