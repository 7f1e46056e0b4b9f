//! Finds out before the first record is read whether the topics may be read at all.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::record::RecordBlock;
use crate::source::kafka::ClientEvent;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::FaultKind;
use crate::source::kafka::KafkaError;

use super::PartitionPlan;

/// The question whether topics may be read, under way.
pub(in crate::source::kafka) struct PermissionCheck {
    deadline: Instant,
    asked: Vec<usize>,
    /// Partitions without an answer, with their topics.
    open: BTreeMap<usize, String>,
    answers: Answers,
}

impl PermissionCheck {
    /// Asks about the topics of all plans; answers are waited for until `wait` is over.
    pub(in crate::source::kafka) fn begin(
        client: &mut dyn ClusterClient,
        plans: &[PartitionPlan],
        wait: Duration,
    ) -> Result<Self, KafkaError> {
        // Permissions are those of topics: one partition of each will do.
        let mut topics = BTreeSet::new();
        let mut open = BTreeMap::new();
        for (index, plan) in plans.iter().enumerate() {
            let topic = &*plan.topic_partition.topic;
            if topics.insert(topic) {
                let (start, end) = last_offset(plan);
                client.read_from(index, start, end)?;
                open.insert(index, topic.to_owned());
            }
        }
        Ok(Self {
            deadline: Instant::now() + wait,
            asked: open.keys().copied().collect(),
            open,
            answers: Answers::default(),
        })
    }

    /// Returns whether nothing more is waited for.
    pub(in crate::source::kafka) fn is_over(&self) -> bool {
        self.open.is_empty() || Instant::now() >= self.deadline
    }

    /// Waits for the next event and takes it in; what comes into the block is of no use.
    pub(in crate::source::kafka) fn poll(
        &mut self,
        client: &mut dyn ClusterClient,
        wait: Duration,
        block: &mut RecordBlock,
    ) -> Result<(), KafkaError> {
        let event = client.poll(wait, block)?;
        if let Some(partition) = self.answers.take(event)
            && let Some(topic) = self.open.remove(&partition)
            && let Some(text) = self.answers.refusal.take()
        {
            self.answers.forbidden.push((topic, text));
        }
        Ok(())
    }

    /// Fails where a topic may not be read, and says what the user lacks. Returns what the client
    /// told meanwhile and will not tell again.
    pub(in crate::source::kafka) fn finish(
        self,
        client: &mut dyn ClusterClient,
    ) -> Result<Vec<ClientEvent>, KafkaError> {
        for partition in self.asked {
            client.pause(partition)?;
        }
        match self.answers.error() {
            Some(error) => Err(error),
            None => Ok(self.answers.told),
        }
    }
}

/// Returns a range that gives an answer at once: the last record, or where there is none the end.
fn last_offset(plan: &PartitionPlan) -> (i64, i64) {
    let end = plan.readable_end;
    if end > plan.bounds.log_start_offset {
        (end - 1, end)
    } else {
        (end, end + 1)
    }
}

/// What the client answers.
#[derive(Default)]
struct Answers {
    /// Why the partition answered about last may not be read.
    refusal: Option<String>,
    /// Topics that may not be read, with the broker's words.
    forbidden: Vec<(String, String)>,
    told: Vec<ClientEvent>,
}

impl Answers {
    /// Takes an event in, and returns the partition that it answers for.
    fn take(&mut self, event: ClientEvent) -> Option<usize> {
        self.refusal = None;
        match event {
            ClientEvent::Records { partition, .. } | ClientEvent::End { partition, .. } => {
                Some(partition)
            }
            ClientEvent::Fault {
                kind: FaultKind::Transient,
                ..
            }
            | ClientEvent::Nothing => None,
            ClientEvent::Fault {
                partition,
                kind,
                text,
                ..
            } => {
                // Whatever else is wrong comes again when the partition is read.
                self.refusal = (kind == FaultKind::Forbidden).then_some(text);
                Some(partition)
            }
            event @ (ClientEvent::Throttled { .. } | ClientEvent::ClusterFault(_)) => {
                self.told.push(event);
                None
            }
        }
    }

    fn error(&self) -> Option<KafkaError> {
        let (_, text) = self.forbidden.first()?;
        let names: Vec<&str> = self.forbidden.iter().map(|(topic, _)| &**topic).collect();
        Some(unreadable(&names, text))
    }
}

/// Returns the refusal to read topics, with what the user lacks.
pub(super) fn unreadable(topics: &[&str], text: &str) -> KafkaError {
    let (noun, pronoun) = match topics {
        [_] => ("topic", "it"),
        _ => ("topics", "them"),
    };
    KafkaError::Cluster(format!(
        "the {noun} {} cannot be read: {}; the user needs the ACL operation Read on {pronoun}",
        topics.join(", "),
        text.trim_end_matches('.')
    ))
}
