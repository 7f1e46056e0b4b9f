//! Tells aborted records, which librdkafka does not mark: under `read_committed` they do not come.

use std::time::{Duration, Instant};

use super::LibrdkafkaClient;
use crate::record::{RecordBlock, TopicPartition};
use crate::source::kafka::ClientEvent;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::FaultKind;
use crate::source::kafka::Isolation;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::LogBounds;

/// Offsets further ahead than this are read by a seek.
const NEAR_OFFSETS: i64 = 20_000;

/// Longest wait for one event.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// A second client that reads committed records only, made when it is asked for first.
#[derive(Default)]
pub(super) struct CommittedReader {
    /// What to make it from; nothing where aborted records do not come in the first place.
    spec: Option<KafkaSpec>,
    client: Option<Box<LibrdkafkaClient>>,
}

impl CommittedReader {
    pub(super) fn new(spec: &KafkaSpec) -> Self {
        let spec = match spec.isolation {
            Isolation::ReadCommitted => None,
            Isolation::ReadUncommitted => Some(KafkaSpec {
                isolation: Isolation::ReadCommitted,
                ..spec.clone()
            }),
        };
        Self { spec, client: None }
    }

    /// Returns those of `offsets` whose records do not come, though they lie within the log and
    /// below the last stable offset; what cannot be read is not among them.
    pub(super) fn absent_among(
        &mut self,
        partitions: impl Iterator<Item = TopicPartition>,
        partition: usize,
        offsets: &[i64],
        patience: Duration,
    ) -> Result<Vec<i64>, KafkaError> {
        let Some(spec) = &self.spec else {
            return Ok(Vec::new());
        };
        let client = match &mut self.client {
            Some(client) => client,
            none => {
                let mut client = LibrdkafkaClient::new(spec)?;
                client.assign(&partitions.collect::<Vec<_>>())?;
                none.insert(Box::new(client))
            }
        };
        let Some(before) = bounds(client, partition, patience)? else {
            return Ok(Vec::new());
        };
        let stable = offsets.partition_point(|offset| *offset < before.last_stable_offset);
        let mut reading = Reading {
            rest: offsets.get(..stable).unwrap_or_default(),
            absent: Vec::new(),
            reads_from: None,
        };
        reading.run(client, partition, patience)?;
        client.pause(partition)?;
        // What retention took in between did not come either.
        let after = bounds(client, partition, patience)?;
        let log_start = after.map_or(i64::MAX, |bounds| bounds.log_start_offset);
        reading.absent.retain(|offset| *offset >= log_start);
        Ok(reading.absent)
    }
}

fn bounds(
    client: &mut LibrdkafkaClient,
    partition: usize,
    wait: Duration,
) -> Result<Option<LogBounds>, KafkaError> {
    let answer = client.log_bounds(&[partition], wait)?.pop();
    Ok(answer.and_then(Result::ok))
}

/// Offsets of one partition while it is read.
struct Reading<'a> {
    /// Offsets not told yet, ascending.
    rest: &'a [i64],
    absent: Vec<i64>,
    /// Where the client reads on, if it does.
    reads_from: Option<i64>,
}

impl Reading<'_> {
    fn run(
        &mut self,
        client: &mut LibrdkafkaClient,
        partition: usize,
        patience: Duration,
    ) -> Result<(), KafkaError> {
        let mut block = RecordBlock::default();
        let mut last_event = Instant::now();
        while let Some(&next) = self.rest.first()
            && last_event.elapsed() <= patience
        {
            let is_near = |from: i64| from <= next && next - from <= NEAR_OFFSETS;
            if !self.reads_from.is_some_and(is_near) {
                client.read_from(partition, next, i64::MAX)?;
                self.reads_from = Some(next);
            }
            block.clear(block.split);
            match client.poll(POLL_WAIT, &mut block)? {
                ClientEvent::Records { partition: of, .. } if of == partition => {
                    self.take(&block);
                }
                ClientEvent::End {
                    partition: of,
                    offset,
                } if of == partition => self.end(offset),
                ClientEvent::Fault {
                    partition: of,
                    kind,
                    ..
                } if of == partition && kind != FaultKind::Transient => self.pass_over_one(),
                // It will answer, later.
                ClientEvent::Throttled { .. } => {}
                ClientEvent::Nothing
                | ClientEvent::Records { .. }
                | ClientEvent::End { .. }
                | ClientEvent::Fault { .. }
                | ClientEvent::ClusterFault(_) => continue,
            }
            last_event = Instant::now();
        }
        Ok(())
    }

    fn take(&mut self, block: &RecordBlock) {
        for slot in &block.slots {
            self.pass_absent(slot.offset);
            if self.rest.first() == Some(&slot.offset) {
                self.pass_over_one();
            }
        }
        let last = block.slots.last().map(|slot| slot.offset + 1);
        self.reads_from = last.or(self.reads_from);
    }

    /// The log ends here: what did not come before does not come.
    fn end(&mut self, offset: i64) {
        self.pass_absent(offset);
        // An end before what is wanted is another log's.
        if self.reads_from.is_some_and(|from| from >= offset) {
            self.pass_over_one();
        }
        self.reads_from = None;
    }

    fn pass_absent(&mut self, below: i64) {
        let count = self.rest.partition_point(|offset| *offset < below);
        let (absent, rest) = self.rest.split_at(count);
        self.absent.extend_from_slice(absent);
        self.rest = rest;
    }

    fn pass_over_one(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordSlot;

    fn reading(rest: &[i64]) -> Reading<'_> {
        Reading {
            rest,
            absent: Vec::new(),
            reads_from: rest.first().copied(),
        }
    }

    fn block(offsets: &[i64]) -> RecordBlock {
        let mut block = RecordBlock::default();
        for &offset in offsets {
            let mut slot = RecordSlot::new(0);
            slot.offset = offset;
            block.slots.push(slot);
        }
        block
    }

    #[test]
    fn what_is_read_past_and_does_not_come_is_absent() {
        let mut reading = reading(&[3, 5, 6, 9, 12]);
        reading.take(&block(&[4, 5, 7, 8]));
        assert_eq!(
            (&*reading.absent, reading.rest),
            (&[3, 6][..], &[9, 12][..])
        );
        reading.end(11);
        assert_eq!(
            (&*reading.absent, reading.rest),
            (&[3, 6, 9][..], &[12][..])
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_absent() {
        let mut reading = reading(&[3, 5]);
        reading.pass_over_one();
        reading.reads_from = Some(5);
        reading.end(5);
        assert!(reading.absent.is_empty() && reading.rest.is_empty());
    }
}
