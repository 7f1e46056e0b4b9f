//! The wire reader: the seam to the brokers in our own hands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;

use crate::record::{RecordBlock, TopicPartition};
use crate::source::kafka::ClientEvent;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::KeptBatches;
use crate::source::kafka::LogBounds;
use crate::source::kafka::NO_ACCESS;
use crate::source::kafka::PartitionListing;
use crate::source::kafka::Properties;
use crate::source::kafka::TopicError;
use crate::source::kafka::TopicListing;
use crate::source::kafka::client::{EARLIEST, LATEST};

use super::control::{ClusterView, Control, TopicView};
use super::fetch;
use super::settings::{Settings, lacking};
use super::state::{PartitionState, Shared};
use super::watcher;

/// How long to wait before a question that a broker cannot answer yet is put again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// A client that talks to the brokers itself: no group, no commit, nothing made.
pub struct WireClient {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    control: Control,
    partitions: Vec<TopicPartition>,
    has_watcher: bool,
}

impl WireClient {
    /// Returns a client as the spec asks for; brokers are first talked to when asked something.
    pub fn new(spec: &KafkaSpec) -> Result<Self, KafkaError> {
        let settings = Arc::new(Settings::from_spec(spec)?);
        Ok(Self {
            control: Control::new(Arc::clone(&settings)),
            shared: Self::unread(&settings),
            settings,
            partitions: Vec::new(),
            has_watcher: false,
        })
    }

    /// Returns the state in which nothing is read.
    fn unread(settings: &Settings) -> Arc<Shared> {
        Arc::new(Shared {
            kept: Arc::new(settings.keep()),
            ..Shared::default()
        })
    }

    /// Returns the property that this client cannot serve, if there is one.
    pub fn lacking(properties: &Properties) -> Option<String> {
        lacking(properties)
    }

    /// Puts one question about each partition to the partitions' leaders, again while they
    /// cannot answer yet and time is left.
    fn ask_leaders(
        &mut self,
        partitions: &[usize],
        questions: &[(i64, i8)],
        deadline: Instant,
    ) -> Result<(ClusterView, Vec<Answers>), KafkaError> {
        let mut answers: Vec<Answers> = vec![Err("no answer".to_owned()); partitions.len()];
        let mut open: Vec<usize> = (0..partitions.len()).collect();
        let mut view = ClusterView::default();
        while !open.is_empty() {
            match self.control.cluster_view(Some(&self.topics()), deadline) {
                Ok(now) => view = now,
                Err(error) => {
                    // Each partition fails for itself: while a scan runs, that is no end of it.
                    for place in open {
                        set(&mut answers, place, Err(error.to_string()));
                    }
                    break;
                }
            }
            let mut by_leader: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
            let mut still_open = Vec::new();
            for place in open {
                let of = partitions
                    .get(place)
                    .and_then(|&at| self.partitions.get(at));
                let Some(of) = of else {
                    return Err(KafkaError::Internal("no such partition".to_owned()));
                };
                match leader_of(&view, of) {
                    Ok(leader) => by_leader.entry(leader).or_default().push(place),
                    Err((text, can_change)) => {
                        set(&mut answers, place, Err(text));
                        if can_change {
                            still_open.push(place);
                        }
                    }
                }
            }
            for (leader, places) in by_leader {
                let asked: Vec<usize> = places
                    .iter()
                    .filter_map(|&place| partitions.get(place).copied())
                    .collect();
                let answered = self.ask_leader(leader, &asked, questions, deadline);
                for (place, answer) in places.into_iter().zip(answered) {
                    if matches!(answer, Err((_, true))) {
                        still_open.push(place);
                    }
                    set(&mut answers, place, answer.map_err(|(text, _)| text));
                }
            }
            open = still_open;
            if Instant::now() + ASK_AGAIN >= deadline {
                break;
            }
            if !open.is_empty() {
                thread::sleep(ASK_AGAIN);
            }
        }
        Ok((view, answers))
    }

    /// Returns for each partition the answers to all questions, or why not and whether that
    /// may change.
    fn ask_leader(
        &mut self,
        leader: i32,
        partitions: &[usize],
        questions: &[(i64, i8)],
        deadline: Instant,
    ) -> Vec<Result<Vec<i64>, (String, bool)>> {
        let of: Vec<TopicPartition> = partitions
            .iter()
            .filter_map(|&partition| self.partitions.get(partition).cloned())
            .collect();
        let of: Vec<&TopicPartition> = of.iter().collect();
        let mut results: Vec<Result<Vec<i64>, (String, bool)>> = vec![Ok(Vec::new()); of.len()];
        for &question in questions {
            match self.control.offsets(leader, question, &of, deadline) {
                Ok(answers) => {
                    for (result, answer) in results.iter_mut().zip(answers) {
                        match (result.as_mut(), answer) {
                            (Ok(offsets), Ok(offset)) => offsets.push(offset),
                            (Ok(_), Err(error)) => *result = Err(explain(error)),
                            (Err(_), _) => {}
                        }
                    }
                }
                Err(error) => {
                    let can_change = !error.is_final();
                    return vec![Err((error.to_string(), can_change)); of.len()];
                }
            }
        }
        results
    }

    fn topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = self
            .partitions
            .iter()
            .map(|of| of.topic.to_string())
            .collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// Starts the thread that keeps an eye on leaders and topics, once.
    fn ensure_watcher(&mut self) -> Result<(), KafkaError> {
        if self.has_watcher {
            return Ok(());
        }
        watcher::start(&self.settings, &self.shared, self.topics())?;
        self.has_watcher = true;
        Ok(())
    }
}

/// The answers about one partition, or why there are none.
type Answers = Result<Vec<i64>, String>;

fn set(answers: &mut [Answers], place: usize, answer: Answers) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = answer;
    }
}

impl ClusterClient for WireClient {
    fn list_topics(
        &mut self,
        names: Option<&[String]>,
        wait: Duration,
    ) -> Result<Vec<TopicListing>, KafkaError> {
        let view = self.control.cluster_view(names, Instant::now() + wait)?;
        Ok(view.topics.iter().map(listing_of).collect())
    }

    fn assign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        self.shared.close();
        self.shared = Self::unread(&self.settings);
        self.has_watcher = false;
        self.partitions = partitions.to_vec();
        let states = partitions.iter().cloned().map(PartitionState::new);
        self.shared.lock().partitions = states.collect();
        Ok(())
    }

    fn log_bounds(
        &mut self,
        partitions: &[usize],
        wait: Duration,
    ) -> Result<Vec<Result<LogBounds, String>>, KafkaError> {
        // In this order the end never lies below the last stable offset.
        let questions = [(EARLIEST, 0), (LATEST, 1), (LATEST, 0)];
        let deadline = Instant::now() + wait;
        let (view, answers) = self.ask_leaders(partitions, &questions, deadline)?;
        let mut state = self.shared.lock();
        state.take_view(&view);
        let of = |&partition: &usize| self.partitions.get(partition);
        let bounds = partitions.iter().map(of).zip(answers);
        Ok(bounds
            .map(|(of, answer)| {
                let topic = of.and_then(|of| view.topic(&of.topic));
                match answer?.as_slice() {
                    &[log_start_offset, last_stable_offset, high_watermark] => Ok(LogBounds {
                        log_start_offset,
                        high_watermark,
                        last_stable_offset,
                        topic_id: topic.and_then(|topic| topic.topic_id),
                    }),
                    _ => Err("no answer".to_owned()),
                }
            })
            .collect())
    }

    fn offsets_for_timestamp(
        &mut self,
        partitions: &[usize],
        millis: i64,
        wait: Duration,
    ) -> Result<Vec<Result<Option<i64>, String>>, KafkaError> {
        let deadline = Instant::now() + wait;
        // Times before 1970 would be taken for one of the names of an end.
        let question = (millis.max(0), self.settings.isolation_level());
        let (_, answers) = self.ask_leaders(partitions, &[question], deadline)?;
        let first = |answer: Answers| {
            let offset = answer?.first().copied();
            Ok(offset.filter(|&offset| offset >= 0))
        };
        Ok(answers.into_iter().map(first).collect())
    }

    fn log_bytes(
        &mut self,
        partitions: &[usize],
        wait: Duration,
    ) -> Result<Vec<Option<u64>>, KafkaError> {
        let deadline = Instant::now() + wait;
        let mut by_leader: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        let state = self.shared.lock();
        for (place, &partition) in partitions.iter().enumerate() {
            let leader = state.partitions.get(partition).and_then(|of| of.leader);
            if let Some(leader) = leader {
                by_leader.entry(leader).or_default().push(place);
            }
        }
        drop(state);
        let mut sizes = vec![None; partitions.len()];
        for (leader, places) in by_leader {
            let of = |&place: &usize| self.partitions.get(*partitions.get(place)?);
            let asked: Vec<&TopicPartition> = places.iter().filter_map(of).collect();
            // What cannot be asked is not known; an estimate fails nothing.
            let answers = self.control.log_sizes(leader, &asked, deadline);
            for (place, answer) in places.into_iter().zip(answers.into_iter().flatten()) {
                if let Some(size) = sizes.get_mut(place) {
                    *size = answer;
                }
            }
        }
        Ok(sizes)
    }

    fn read_from(&mut self, partition: usize, offset: i64, end: i64) -> Result<(), KafkaError> {
        self.ensure_watcher()?;
        let leader = {
            let mut state = self.shared.lock();
            let Some(state_of) = state.partitions.get_mut(partition) else {
                return Err(KafkaError::Internal("no such partition".to_owned()));
            };
            state_of.restart(true, offset, end);
            let leader = state_of.leader;
            state.is_view_wanted |= leader.is_none();
            leader
        };
        if let Some(leader) = leader {
            fetch::ensure(leader, &self.settings, &self.shared);
        }
        self.shared.ring();
        Ok(())
    }

    fn pause(&mut self, partition: usize) -> Result<(), KafkaError> {
        let mut state = self.shared.lock();
        if let Some(state_of) = state.partitions.get_mut(partition) {
            let (next, end) = (state_of.next, state_of.end);
            state_of.restart(false, next, end);
        }
        self.shared.ring();
        Ok(())
    }

    fn poll(&mut self, wait: Duration, block: &mut RecordBlock) -> Result<ClientEvent, KafkaError> {
        Ok(self.shared.next_event(wait, block))
    }

    fn end_keeping(&mut self) -> Option<Arc<KeptBatches>> {
        self.shared.kept.end();
        Some(Arc::clone(&self.shared.kept))
    }

    fn is_aborted(&self, partition: usize, producer_id: i64, offset: i64) -> bool {
        let state = self.shared.lock();
        let partition = state.partitions.get(partition);
        partition.is_some_and(|of| of.known_aborted().contains(producer_id, offset))
    }
}

impl Drop for WireClient {
    fn drop(&mut self) {
        // Threads within a bounded wait end behind it; nobody waits for them.
        self.shared.close();
    }
}

fn listing_of(view: &TopicView) -> TopicListing {
    let error = view.error.map(|error| {
        if error == ResponseError::UnknownTopicOrPartition {
            TopicError::Unknown
        } else if error == ResponseError::TopicAuthorizationFailed {
            TopicError::Refused(NO_ACCESS.to_owned())
        } else {
            TopicError::Refused(error.to_string())
        }
    });
    let partitions = view.partitions.iter().map(|partition| PartitionListing {
        partition: partition.partition,
        leader: partition.leader,
        error: partition
            .error
            .filter(|_| partition.leader.is_none())
            .map(|error| error.to_string()),
    });
    TopicListing {
        topic: view.topic.clone(),
        error,
        partitions: partitions.collect(),
    }
}

/// Returns the leader of a partition, or why there is none and whether that may change.
fn leader_of(view: &ClusterView, of: &TopicPartition) -> Result<i32, (String, bool)> {
    let topic = view.topic(&of.topic);
    if let Some(error) = topic.and_then(|topic| topic.error) {
        return Err(explain(error));
    }
    match view.partition(of) {
        None => Err(("no such partition".to_owned(), true)),
        Some(partition) => partition.leader.ok_or_else(|| {
            let error = partition.error.map(|error| error.to_string());
            (error.unwrap_or_else(|| "no leader".to_owned()), true)
        }),
    }
}

fn explain(error: ResponseError) -> (String, bool) {
    let can_change = error != ResponseError::TopicAuthorizationFailed
        && (error.is_retriable() || error == ResponseError::NotLeaderOrFollower);
    (error.to_string(), can_change)
}
