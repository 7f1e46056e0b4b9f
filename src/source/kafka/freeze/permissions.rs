//! Finds out before the first record is read whether the topics may be read at all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::record::{RecordBlock, SplitId};
use crate::source::kafka::ClientEvent;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::FaultKind;
use crate::source::kafka::KafkaError;

use super::PartitionPlan;

/// Fails where a topic may not be read, and says what the user lacks. Returns what the client told
/// meanwhile and will not tell again.
pub(in crate::source::kafka) fn check_permissions(
    client: &mut dyn ClusterClient,
    plans: &[PartitionPlan],
    wait: Duration,
) -> Result<Vec<ClientEvent>, KafkaError> {
    let deadline = Instant::now() + wait;
    // Permissions are those of topics: one partition of each will do.
    let mut open: BTreeMap<usize, &str> = BTreeMap::new();
    for (index, plan) in plans.iter().enumerate() {
        let topic = &*plan.topic_partition.topic;
        if open.values().all(|&known| known != topic) {
            let (start, end) = last_offset(plan);
            client.read_from(index, start, end)?;
            open.insert(index, topic);
        }
    }
    let asked: Vec<usize> = open.keys().copied().collect();
    let mut answers = Answers::default();
    let mut block = RecordBlock::default();
    while !open.is_empty() && Instant::now() < deadline {
        block.clear(SplitId(0));
        let wait = deadline.saturating_duration_since(Instant::now());
        let event = client.poll(wait, &mut block)?;
        if let Some(partition) = answers.take(event)
            && let Some(topic) = open.remove(&partition)
            && let Some(text) = answers.refusal.take()
        {
            answers.forbidden.push((topic.to_owned(), text));
        }
    }
    for partition in asked {
        client.pause(partition)?;
    }
    match answers.error() {
        Some(error) => Err(error),
        None => Ok(answers.told),
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
        let (noun, pronoun) = match names.as_slice() {
            [_] => ("topic", "it"),
            _ => ("topics", "them"),
        };
        Some(KafkaError::Cluster(format!(
            "the {noun} {} cannot be read: {}; the user needs the ACL operation Read on \
             {pronoun}",
            names.join(", "),
            text.trim_end_matches('.')
        )))
    }
}
