//! What the threads of the wire reader share: partitions, brokers, and the queue to the caller.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::record::{RecordBlock, RecordSlot, TopicPartition};
use crate::source::kafka::ClientEvent;
use crate::source::kafka::FaultKind;
use crate::source::kafka::KeptBatches;
use crate::source::record_batch::AbortedSpans;

use super::control::{BrokerAddress, ClusterView};

/// Emptied blocks kept for use again.
const SPARE_BLOCKS_MAX: usize = 16;
/// Blocks that one large record made larger are given back.
const SPARE_BLOCK_BYTES_MAX: usize = 16 << 20;

/// One partition as the threads see it.
#[derive(Debug)]
pub(super) struct PartitionState {
    pub(super) topic_partition: TopicPartition,
    pub(super) topic_id: Option<[u8; 16]>,
    pub(super) leader: Option<i32>,
    pub(super) leader_epoch: i32,
    /// Counts the times that the caller moved it; what belongs to an earlier one is dropped.
    pub(super) generation: u64,
    pub(super) is_reading: bool,
    /// Next offset that was not delivered.
    pub(super) next: i64,
    /// Next offset to ask for: ahead of `next` while an answer is taken apart.
    pub(super) next_fetch: i64,
    pub(super) end: i64,
    /// Leader epoch of the last batch read here, −1 before the first.
    pub(super) read_epoch: i32,
    /// End of the log that was told of last.
    pub(super) told_end: Option<i64>,
    /// Answers in a row that held nothing although there should be records.
    pub(super) empty_answers: u32,
    /// When the first of them came.
    pub(super) empty_since: Option<Instant>,
    /// Bytes to ask for, where one batch takes more than usual.
    pub(super) bytes_wanted: i32,
    /// When it may be asked for again after trouble.
    pub(super) not_before: Option<Instant>,
    pub(super) troubles: u32,
    pub(super) told_trouble: Option<String>,
    /// What is known of aborted transactions, where records of theirs are read.
    pub(super) aborted_spans: Arc<Mutex<AbortedSpans>>,
}

impl PartitionState {
    /// Returns a partition that is not read yet.
    pub(super) fn new(topic_partition: TopicPartition) -> Self {
        Self {
            topic_partition,
            topic_id: None,
            leader: None,
            leader_epoch: -1,
            generation: 0,
            is_reading: false,
            next: 0,
            next_fetch: 0,
            end: 0,
            read_epoch: -1,
            told_end: None,
            empty_answers: 0,
            empty_since: None,
            bytes_wanted: 0,
            not_before: None,
            troubles: 0,
            told_trouble: None,
            aborted_spans: Arc::default(),
        }
    }

    /// Moves the partition: what is under way for it becomes void.
    pub(super) fn restart(&mut self, is_reading: bool, offset: i64, end: i64) {
        self.generation += 1;
        self.is_reading = is_reading;
        self.next = offset;
        self.next_fetch = offset;
        self.end = end;
        self.read_epoch = -1;
        self.told_end = None;
        self.empty_answers = 0;
        self.empty_since = None;
        self.bytes_wanted = 0;
        self.not_before = None;
        self.troubles = 0;
        self.told_trouble = None;
        self.known_aborted().interrupt();
    }

    /// Locks what is known of aborted transactions.
    pub(super) fn known_aborted(&self) -> MutexGuard<'_, AbortedSpans> {
        let spans = self.aborted_spans.lock();
        spans.unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts off the next question after trouble, longer each time.
    pub(super) fn back_off(&mut self) {
        let wait = Duration::from_millis(50) * 2_u32.pow(self.troubles.min(5));
        self.troubles += 1;
        self.not_before = Some(Instant::now() + wait);
    }
}

/// One event on its way to the caller.
struct Delivery {
    event: ClientEvent,
    block: Option<RecordBlock>,
    /// Partition and generation that it belongs to.
    of: Option<(usize, u64)>,
    bytes: usize,
}

/// Returns the bytes that a block keeps from being used for anything else.
fn held_bytes(block: &RecordBlock) -> usize {
    block.bytes.len() + block.slots.len() * size_of::<RecordSlot>()
}

/// What the threads share.
#[derive(Default)]
pub(super) struct State {
    pub(super) partitions: Vec<PartitionState>,
    pub(super) brokers: BTreeMap<i32, BrokerAddress>,
    /// Brokers that have a thread.
    pub(super) fetching: BTreeSet<i32>,
    /// Sockets to be shut down when all ends.
    pub(super) sockets: BTreeMap<i32, TcpStream>,
    pub(super) is_closed: bool,
    pub(super) is_view_wanted: bool,
    queue: VecDeque<Delivery>,
    queue_bytes: usize,
    spare_blocks: Vec<RecordBlock>,
}

/// The shared state with its bell: rung whenever something changed.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) bell: Condvar,
    /// What is read once and wanted again.
    pub(super) kept: Arc<KeptBatches>,
}

impl Shared {
    /// Locks the state.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all who wait.
    pub(super) fn ring(&self) {
        self.bell.notify_all();
    }

    /// Waits until something changed, or for `wait`.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        wait: Duration,
    ) -> MutexGuard<'a, State> {
        let result = self.bell.wait_timeout(state, wait);
        result.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Hands an event of a partition to the caller as soon as the queue has room. Returns false
    /// where the caller moved the partition meanwhile.
    pub(super) fn hand_on(
        &self,
        of: (usize, u64),
        event: ClientEvent,
        block: RecordBlock,
        queue_bytes_max: usize,
    ) -> bool {
        let bytes = held_bytes(&block);
        let mut state = self.lock();
        loop {
            if state.is_closed || !state.is_current(of) {
                state.recycle(block);
                return false;
            }
            if state.queue.is_empty() || state.queue_bytes + bytes <= queue_bytes_max {
                break;
            }
            state = self.wait(state, Duration::from_secs(1));
        }
        state.push(event, Some(block), Some(of), bytes);
        self.ring();
        true
    }

    /// Tells of trouble with a broker or the cluster.
    pub(super) fn tell_cluster_fault(&self, text: String) {
        let mut state = self.lock();
        state.push(ClientEvent::ClusterFault(text), None, None, 0);
        self.ring();
    }

    /// Ends all threads; those within a wait on a socket too.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for socket in state.sockets.values() {
            drop(socket.shutdown(Shutdown::Both));
        }
        self.ring();
    }

    /// Waits for the next event that still counts and swaps its records into `block`.
    pub(super) fn next_event(&self, wait: Duration, block: &mut RecordBlock) -> ClientEvent {
        let deadline = Instant::now() + wait;
        let mut state = self.lock();
        loop {
            if let Some(delivery) = state.pop() {
                self.ring();
                if let Some(delivered) = delivery.block {
                    let emptied = std::mem::replace(block, delivered);
                    state.recycle(emptied);
                }
                return delivery.event;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return ClientEvent::Nothing;
            }
            state = self.wait(state, left);
        }
    }
}

impl State {
    /// Returns whether a partition was not moved since.
    pub(super) fn is_current(&self, (partition, generation): (usize, u64)) -> bool {
        let state = self.partitions.get(partition);
        state.is_some_and(|state| state.generation == generation)
    }

    /// Returns the partition if it was not moved since.
    pub(super) fn current(
        &mut self,
        (partition, generation): (usize, u64),
    ) -> Option<&mut PartitionState> {
        let state = self.partitions.get_mut(partition);
        state.filter(|state| state.generation == generation)
    }

    /// Returns an empty block, used before where there is one.
    pub(super) fn take_block(&mut self) -> RecordBlock {
        self.spare_blocks.pop().unwrap_or_default()
    }

    /// Takes a block back for use again.
    pub(super) fn recycle(&mut self, mut block: RecordBlock) {
        let is_usual = block.bytes.capacity() <= SPARE_BLOCK_BYTES_MAX;
        if is_usual && self.spare_blocks.len() < SPARE_BLOCKS_MAX {
            block.clear(block.split);
            self.spare_blocks.push(block);
        }
    }

    /// Tells of trouble with a partition. After any kind but `Transient` and
    /// `SteppedOver` it is read no more; the same transient trouble is told of once.
    pub(super) fn tell_fault(
        &mut self,
        of: (usize, u64),
        offset: i64,
        kind: FaultKind,
        text: String,
    ) {
        let Some(partition) = self.current(of) else {
            return;
        };
        if kind == FaultKind::SteppedOver {
            // Reading goes on, and each such batch is told of.
        } else if kind == FaultKind::Transient {
            if partition.told_trouble.as_ref() == Some(&text) {
                return;
            }
            partition.told_trouble = Some(text.clone());
        } else {
            partition.is_reading = false;
        }
        let event = ClientEvent::Fault {
            partition: of.0,
            offset,
            kind,
            text,
        };
        self.push(event, None, Some(of), 0);
    }

    /// Tells that the log ends here for now, once for each end.
    pub(super) fn tell_end(&mut self, of: (usize, u64), offset: i64) {
        let Some(partition) = self.current(of) else {
            return;
        };
        if partition.told_end == Some(offset) {
            return;
        }
        partition.told_end = Some(offset);
        let event = ClientEvent::End {
            partition: of.0,
            offset,
        };
        self.push(event, None, Some(of), 0);
    }

    /// Takes in what the cluster says of itself: leaders, epochs, topic ids.
    pub(super) fn take_view(&mut self, view: &ClusterView) {
        if !view.brokers.is_empty() {
            self.brokers.clone_from(&view.brokers);
        }
        for index in 0..self.partitions.len() {
            let Some(partition) = self.partitions.get_mut(index) else {
                break;
            };
            let of = (index, partition.generation);
            let Some(topic) = view.topic(&partition.topic_partition.topic) else {
                continue;
            };
            let is_other = matches!(
                (partition.topic_id, topic.topic_id),
                (Some(known), Some(now)) if known != now
            );
            if is_other && partition.is_reading {
                let text = "the topic was deleted and made again".to_owned();
                self.tell_fault(of, -1, FaultKind::Recreated, text);
                continue;
            }
            partition.topic_id = partition.topic_id.or(topic.topic_id);
            let trouble = match view.partition(&partition.topic_partition) {
                Some(now) if now.leader_epoch >= 0 && now.leader_epoch < partition.leader_epoch => {
                    // Metadata of a broker that lags behind; the next will know.
                    None
                }
                Some(now) => {
                    if partition.leader != now.leader {
                        // What was asked of the old leader may never come.
                        partition.next_fetch = partition.next;
                    }
                    partition.leader = now.leader;
                    partition.leader_epoch = now.leader_epoch;
                    match (now.leader, now.error) {
                        (None, Some(error)) => Some(format!("no leader: {error}")),
                        (None, None) => Some("no leader".to_owned()),
                        (Some(_), _) => None,
                    }
                }
                None => {
                    partition.leader = None;
                    let error = topic.error.map(|error| error.to_string());
                    Some(error.unwrap_or_else(|| "no such partition".to_owned()))
                }
            };
            if let Some(text) = trouble.filter(|_| partition.is_reading) {
                self.tell_fault(of, -1, FaultKind::Transient, text);
            }
        }
    }

    /// Puts an event into the queue to the caller.
    pub(super) fn push(
        &mut self,
        event: ClientEvent,
        block: Option<RecordBlock>,
        of: Option<(usize, u64)>,
        bytes: usize,
    ) {
        self.queue_bytes += bytes;
        self.queue.push_back(Delivery {
            event,
            block,
            of,
            bytes,
        });
    }

    fn pop(&mut self) -> Option<Delivery> {
        while let Some(delivery) = self.queue.pop_front() {
            self.queue_bytes -= delivery.bytes;
            if delivery.of.is_none_or(|of| self.is_current(of)) {
                return Some(delivery);
            }
            if let Some(block) = delivery.block {
                self.recycle(block);
            }
        }
        None
    }
}
