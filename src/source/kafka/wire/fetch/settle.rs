//! What an answer means for a partition: how far it came, its end, and its troubles.

use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;

use crate::source::kafka::FaultKind;
use crate::source::kafka::wire::state::State;

use super::deliver::{Obstacle, Outcome};
use super::request::Asked;

/// Empty answers in a row from which a log's tail is taken to hold nothing.
const EMPTY_ANSWERS_MAX: u32 = 3;
/// How long they have to go on: a broker that has moved records to other storage answers empty,
/// too, until it has them back.
const EMPTY_TIME_MIN: Duration = Duration::from_secs(4);
/// A batch that takes more is not asked for again.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Notes how far a partition has come, and what stops it.
pub(super) fn settle(state: &mut State, asked: &Asked, outcome: &Outcome) {
    let of = (asked.partition, asked.generation);
    let Some(partition) = state.current(of) else {
        return;
    };
    partition.next = outcome.next;
    if partition.next_fetch != outcome.next {
        partition.next_fetch = outcome.next;
    }
    partition.read_epoch = partition.read_epoch.max(outcome.leader_epoch);
    if outcome.next > asked.offset {
        partition.empty_answers = 0;
        partition.empty_since = None;
        partition.bytes_wanted = 0;
        partition.troubles = 0;
        partition.not_before = None;
    }
    match &outcome.obstacle {
        Some(Obstacle::NeedsBytes(needed)) if *needed <= BATCH_BYTES_MAX => {
            let needed = i32::try_from(*needed).unwrap_or(i32::MAX);
            let is_new = needed > partition.bytes_wanted;
            partition.bytes_wanted = needed.max(partition.bytes_wanted);
            if !is_new {
                partition.empty_answers += 1;
                partition.back_off();
            }
            if partition.empty_answers > EMPTY_ANSWERS_MAX {
                let text = format!("the record batch of {needed} bytes never comes whole");
                state.tell_fault(of, outcome.next, FaultKind::CorruptBatch, text);
            }
        }
        Some(Obstacle::NeedsBytes(needed)) => {
            let text = format!("a record batch that says it has {needed} bytes");
            state.tell_fault(of, outcome.next, FaultKind::CorruptBatch, text);
        }
        Some(Obstacle::DamagedTail(text)) if outcome.next == asked.offset => {
            // Room for what follows the batch, to see where it ends.
            let is_tried = partition.bytes_wanted > 0;
            partition.bytes_wanted = partition.bytes_wanted.max(4 << 20).saturating_mul(2);
            if is_tried && partition.bytes_wanted > 1 << 28 {
                state.tell_fault(of, outcome.next, FaultKind::CorruptBatch, text.clone());
            }
        }
        Some(Obstacle::DamagedTail(_)) | None => {}
        Some(Obstacle::Corrupt(text)) => {
            state.tell_fault(of, outcome.next, FaultKind::CorruptBatch, text.clone());
        }
    }
}

/// Tells of the log's end, and of a tail that holds nothing.
pub(super) fn settle_end(
    state: &mut State,
    asked: &Asked,
    next: i64,
    (limit, had_its_turn): (i64, bool),
) {
    let of = (asked.partition, asked.generation);
    let Some(partition) = state.current(of) else {
        return;
    };
    if next >= limit {
        state.tell_end(of, limit);
        return;
    }
    if next == asked.offset && had_its_turn {
        // Nothing came although the log goes on: it may have no record before its end.
        partition.empty_answers += 1;
        partition.back_off();
        let since = *partition.empty_since.get_or_insert_with(Instant::now);
        if partition.empty_answers > EMPTY_ANSWERS_MAX && since.elapsed() >= EMPTY_TIME_MIN {
            let answers = partition.empty_answers;
            partition.empty_answers = 0;
            partition.empty_since = None;
            let text = format!(
                "the broker gave no record from offset {next} to its end {limit}, asked {answers} \
                 times: taken for empty"
            );
            state.tell_fault(of, next, FaultKind::SteppedOver, text);
            state.tell_end(of, limit);
        }
    }
}

pub(super) fn take_error(state: &mut State, asked: &Asked, error: ResponseError) {
    let of = (asked.partition, asked.generation);
    let Some(partition) = state.current(of) else {
        return;
    };
    partition.next_fetch = partition.next;
    let offset = partition.next;
    let text = error.to_string();
    if error == ResponseError::OffsetOutOfRange {
        if partition.read_epoch >= 0 {
            // The leader may just not know the epoch any more: asked once more without it.
            partition.read_epoch = -1;
        } else {
            state.tell_fault(of, offset, FaultKind::OutOfRange, text);
        }
    } else if is_forbidden(error) {
        state.tell_fault(of, offset, FaultKind::Forbidden, text);
    } else if is_refusal(error) {
        state.tell_fault(of, offset, FaultKind::Refused, text);
    } else {
        // Leaders move, topics go and come, brokers start: the cluster is asked again.
        partition.back_off();
        state.tell_fault(of, offset, FaultKind::Transient, text);
        state.is_view_wanted = true;
    }
}

fn is_forbidden(error: ResponseError) -> bool {
    matches!(
        error,
        ResponseError::TopicAuthorizationFailed | ResponseError::ClusterAuthorizationFailed
    )
}

fn is_refusal(error: ResponseError) -> bool {
    matches!(
        error,
        ResponseError::GroupAuthorizationFailed
            | ResponseError::UnsupportedCompressionType
            | ResponseError::InvalidTopicException
            | ResponseError::UnsupportedVersion
    )
}
