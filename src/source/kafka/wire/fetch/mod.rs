//! The thread of one broker: the next fetch is in flight while the last answer is taken apart.

mod deliver;
mod request;
mod settle;
mod throttling;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use crate::source::kafka::ClientEvent;
use crate::source::kafka::FaultKind;
use crate::source::kafka::Isolation;
use crate::source::record_batch::{AbortedFilter, AbortedTransaction, peek_end};

use super::connection::{Connection, Pending};
use super::error::WireError;
use super::settings::Settings;
use super::state::Shared;
use deliver::{Deliverer, Fetched, Part};
use request::{Asked, TOPIC_IDS_FROM, plan, request};
use settle::{settle, settle_end, take_error};
use throttling::throttling_of;

/// Pause before a partition that gave nothing is asked again.
const EMPTY_PAUSE: Duration = Duration::from_millis(10);
/// The thread of one broker.
pub(super) struct Fetcher {
    broker: i32,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    deliverer: Deliverer,
    /// The partition that was asked for first last time.
    turn: usize,
    /// Whether the answer at hand is kept for the second pass.
    is_keeping: bool,
    failures: u32,
    told: Option<String>,
}

/// A fetch in flight.
struct InFlight {
    pending: Pending,
    version: i16,
    asked: Vec<Asked>,
}

/// Starts the thread of a broker, unless it has one.
pub(super) fn ensure(broker: i32, settings: &Arc<Settings>, shared: &Arc<Shared>) {
    if !shared.lock().fetching.insert(broker) {
        return;
    }
    let is_committed = settings.isolation == Isolation::ReadCommitted;
    let mut fetcher = Fetcher {
        broker,
        settings: Arc::clone(settings),
        shared: Arc::clone(shared),
        deliverer: Deliverer::new(settings, is_committed),
        turn: 0,
        is_keeping: false,
        failures: 0,
        told: None,
    };
    let name = format!("broker {broker}");
    let started = thread::Builder::new()
        .name(name)
        .spawn(move || fetcher.run());
    if let Err(error) = started {
        shared.lock().fetching.remove(&broker);
        shared.tell_cluster_fault(format!("no thread for broker {broker}: {error}"));
    }
}

impl Drop for Fetcher {
    /// Where the thread panics, its partitions are given up with a word instead of in silence.
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let mut state = self.shared.lock();
        for index in 0..state.partitions.len() {
            let Some(partition) = state.partitions.get(index) else {
                break;
            };
            if partition.is_reading && partition.leader == Some(self.broker) {
                let of = (index, partition.generation);
                let next = partition.next;
                let text = format!(
                    "internal error: the thread of broker {} failed",
                    self.broker
                );
                state.tell_fault(of, next, FaultKind::Refused, text);
            }
        }
        self.shared.ring();
    }
}

impl Fetcher {
    fn run(&mut self) {
        while !self.shared.lock().is_closed {
            if let Err(error) = self.session() {
                self.take_failure(&error);
            }
        }
    }

    /// Tells of trouble with the broker, and waits before the next attempt.
    fn take_failure(&mut self, error: &WireError) {
        let text = error.to_string();
        let is_closed = self.shared.lock().is_closed;
        if !is_closed && self.told.as_ref() != Some(&text) {
            self.shared.tell_cluster_fault(text.clone());
            self.told = Some(text);
        }
        let wait = Duration::from_millis(50) * 2_u32.pow(self.failures.min(5));
        self.failures += 1;
        let mut state = self.shared.lock();
        state.sockets.remove(&self.broker);
        state.is_view_wanted = true;
        // What was in flight never comes: back to what was delivered.
        for partition in &mut state.partitions {
            if partition.leader == Some(self.broker) {
                partition.next_fetch = partition.next;
            }
        }
        self.shared.ring();
        let until = Instant::now() + wait;
        while !state.is_closed && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            state = self.shared.wait(state, left);
        }
    }

    /// Reads over one connection until it breaks or all ends.
    fn session(&mut self) -> Result<(), WireError> {
        // No connection before there is something to read.
        if self.wait_for_work().is_empty() {
            return Ok(());
        }
        let address = self.shared.lock().brokers.get(&self.broker).cloned();
        let Some((host, port)) = address else {
            let text = format!("broker {} is not known to the cluster", self.broker);
            return Err(WireError::Unreachable(text));
        };
        let deadline = Instant::now() + self.settings.setup_timeout;
        let mut connection = Connection::open(&self.settings, (&host, port), deadline)?;
        if let Some(handle) = connection.handle() {
            self.shared.lock().sockets.insert(self.broker, handle);
        }
        let mut in_flight: Option<InFlight> = None;
        loop {
            let current = if let Some(current) = in_flight.take() {
                current
            } else {
                let asked = self.wait_for_work();
                if asked.is_empty() || connection.is_expired() {
                    return Ok(());
                }
                self.send(&mut connection, asked)?
            };
            let silence_max = self.settings.socket_timeout + self.settings.fetch_wait;
            let (response, bytes) =
                connection.receive::<FetchRequest>(current.pending, silence_max)?;
            self.failures = 0;
            self.told = None;
            let throttling = throttling_of(&response);
            self.tell_throttling(throttling);
            if let Some(error) = ResponseError::try_from_code(response.error_code) {
                self.fail_all(&current, error);
                self.wait_out(throttling);
                continue;
            }
            self.note_fetched(&current, &response);
            if throttling.is_none() {
                let next = self.plan_now();
                if !next.is_empty() && !connection.is_expired() {
                    in_flight = Some(self.send(&mut connection, next)?);
                }
            }
            self.is_keeping = self.shared.kept.make_room(bytes.len());
            self.take_response(&current, &response, throttling.is_some());
            drop(response);
            connection.recycle(bytes);
            self.wait_out(throttling);
        }
    }

    /// Waits until there is something to ask the broker for; nothing once all ends.
    fn wait_for_work(&mut self) -> Vec<Asked> {
        let mut state = self.shared.lock();
        loop {
            if state.is_closed {
                return Vec::new();
            }
            let asked = plan(&mut state, self.broker, self.turn, &self.settings);
            if !asked.is_empty() {
                return asked;
            }
            let due = state.partitions.iter().filter_map(|partition| {
                let is_mine = partition.is_reading && partition.leader == Some(self.broker);
                partition.not_before.filter(|_| is_mine)
            });
            let now = Instant::now();
            let wait = due.min().map_or(Duration::from_secs(1), |due| {
                due.saturating_duration_since(now)
            });
            let wait = wait.clamp(Duration::from_millis(1), Duration::from_secs(1));
            state = self.shared.wait(state, wait);
        }
    }

    fn plan_now(&self) -> Vec<Asked> {
        plan(
            &mut self.shared.lock(),
            self.broker,
            self.turn,
            &self.settings,
        )
    }

    fn send(
        &mut self,
        connection: &mut Connection,
        asked: Vec<Asked>,
    ) -> Result<InFlight, WireError> {
        self.turn = asked.first().map_or(0, |asked| asked.partition);
        let (version, request) = request(connection, &asked, &self.settings)?;
        let deadline = Instant::now() + self.settings.socket_timeout;
        let pending = connection.send(&request, version, deadline)?;
        Ok(InFlight {
            pending,
            version,
            asked,
        })
    }

    fn fail_all(&self, current: &InFlight, error: ResponseError) {
        let mut state = self.shared.lock();
        for asked in &current.asked {
            take_error(&mut state, asked, error);
        }
        self.shared.ring();
    }

    /// Moves the partitions' next questions behind what has come, as far as lengths tell.
    fn note_fetched(&self, current: &InFlight, response: &FetchResponse) {
        let mut state = self.shared.lock();
        // Where nothing comes, or no answer at all, the same is not asked again at once.
        let soon = Instant::now() + EMPTY_PAUSE;
        for asked in &current.asked {
            if let Some(partition) = state.current((asked.partition, asked.generation)) {
                partition.not_before = Some(soon);
            }
        }
        for_each_partition(current, response, |asked, data| {
            let Some(partition) = state.current((asked.partition, asked.generation)) else {
                return;
            };
            let end = peek_end(data.records.as_deref().unwrap_or_default());
            if partition.next_fetch == asked.offset && data.error_code == 0 {
                partition.next_fetch = end.unwrap_or(asked.offset).max(asked.offset);
            }
            if partition.next_fetch != asked.offset {
                partition.not_before = None;
            }
        });
    }

    fn take_response(&mut self, current: &InFlight, response: &FetchResponse, throttled: bool) {
        let shared = Arc::clone(&self.shared);
        // A broker gives the first partition of a request at least one batch, if it has one. Of
        // the others an empty answer says nothing: the bytes may have gone to those before.
        let first = current.asked.first().filter(|_| !throttled);
        let first = first.map(|asked| asked.partition);
        for_each_partition(current, response, |asked, data| {
            if let Some(error) = ResponseError::try_from_code(data.error_code) {
                take_error(&mut shared.lock(), asked, error);
            } else if data.diverging_epoch.end_offset >= 0 && data.diverging_epoch.epoch >= 0 {
                let end = data.diverging_epoch.end_offset;
                let text = format!("records from offset {end} on were cut off after an election");
                let of = (asked.partition, asked.generation);
                let mut state = shared.lock();
                state.tell_fault(of, end, FaultKind::Truncated, text);
            } else {
                self.take_partition(asked, data, first == Some(asked.partition));
            }
        });
        self.shared.ring();
    }

    fn take_partition(&mut self, asked: &Asked, data: &PartitionData, had_its_turn: bool) {
        let of = (asked.partition, asked.generation);
        let mut state = self.shared.lock();
        let block = state.take_block();
        let Some(partition) = state.current(of) else {
            state.recycle(block);
            return;
        };
        if partition.next != asked.offset {
            // Another thread reads on from elsewhere; the next question starts where it is.
            partition.next_fetch = partition.next;
            state.recycle(block);
            return;
        }
        let is_committed = self.settings.isolation == Isolation::ReadCommitted;
        let limit = match data.last_stable_offset {
            stable if is_committed && stable >= 0 => stable,
            _ => data.high_watermark,
        };
        let topic_partition = partition.topic_partition.clone();
        let (end, spans) = (partition.end, Arc::clone(&partition.aborted_spans));
        drop(state);
        let records = data.records.clone().unwrap_or_default();
        let fetched = Fetched {
            topic_partition: &topic_partition,
            expected: asked.offset,
            end,
            limit,
            log_start_offset: data.log_start_offset,
            aborted: aborted_filter(data),
            spans: &spans,
            records: &records,
            is_kept: self.is_keeping,
        };
        let (shared, queue_bytes) = (Arc::clone(&self.shared), self.settings.queue_bytes);
        let (outcome, block) = self.deliverer.deliver(fetched, block, |part| {
            hand_on(&shared, of, part, queue_bytes);
            shared.lock().take_block()
        });
        let mut state = self.shared.lock();
        state.recycle(block);
        settle(&mut state, asked, &outcome);
        if outcome.obstacle.is_none() {
            settle_end(&mut state, asked, outcome.next, (limit, had_its_turn));
        }
    }
}

/// Hands a part on, damage first. Once its records are delivered, they may be wanted again.
fn hand_on(shared: &Shared, of: (usize, u64), part: Part, queue_bytes: usize) {
    if shared.lock().is_current(of) {
        shared.kept.keep(of.0, part.kept);
    }
    for text in part.damage {
        shared
            .lock()
            .tell_fault(of, part.next_offset, FaultKind::SteppedOver, text);
    }
    let event = ClientEvent::Records {
        partition: of.0,
        next_offset: Some(part.next_offset),
        absent: part.absent,
    };
    shared.hand_on(of, event, part.block, queue_bytes);
}

fn aborted_filter(data: &PartitionData) -> AbortedFilter {
    let named = data.aborted_transactions.iter().flatten();
    AbortedFilter::new(
        named
            .map(|transaction| AbortedTransaction {
                producer_id: transaction.producer_id.0,
                first_offset: transaction.first_offset,
            })
            .collect(),
    )
}

fn for_each_partition(
    current: &InFlight,
    response: &FetchResponse,
    mut act: impl FnMut(&Asked, &PartitionData),
) {
    // Answers mostly come in the order of the questions.
    let mut place = 0;
    for topic in &response.responses {
        for data in &topic.partitions {
            let is_it = |asked: &&Asked| {
                let is_topic = if current.version >= TOPIC_IDS_FROM {
                    asked.topic_id == Some(*topic.topic_id.as_bytes())
                } else {
                    **topic.topic == *asked.topic
                };
                is_topic && asked.number == data.partition_index
            };
            let in_order = current.asked.get(place).filter(is_it);
            place += 1;
            if let Some(asked) = in_order.or_else(|| current.asked.iter().find(is_it)) {
                act(asked, data);
            }
        }
    }
}
