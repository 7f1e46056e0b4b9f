//! Looks at the first record from an offset on, where a range needs to know its timestamp.

use std::time::Instant;

use crate::record::{RecordBlock, SplitId};
use crate::source::kafka::ClientEvent;
use crate::source::kafka::ClusterClient;
use crate::source::kafka::FaultKind;
use crate::source::kafka::KafkaError;

use super::permissions::unreadable;

/// Where to look: index of the partition, first offset, first offset not looked at.
pub(super) type Place = (usize, i64, i64);

/// Offset and timestamp of a record.
pub(super) type Found = (i64, Option<i64>);

/// Returns the first record of each place, as far as one comes before the deadline. Fails where a
/// topic, of which `topic` has the name, may not be read: librdkafka may not tell that again.
pub(super) fn first_records<'a>(
    client: &mut dyn ClusterClient,
    places: &[Place],
    topic: impl Fn(usize) -> Option<&'a str>,
    deadline: Instant,
) -> Result<Vec<Option<Found>>, KafkaError> {
    let mut found = vec![None; places.len()];
    for &(partition, start, end) in places {
        client.read_from(partition, start, end)?;
    }
    let mut open: Vec<usize> = (0..places.len()).collect();
    let mut block = RecordBlock::default();
    while !open.is_empty() && Instant::now() < deadline {
        block.clear(SplitId(0));
        let wait = deadline.saturating_duration_since(Instant::now());
        let event = client.poll(wait, &mut block)?;
        if let Some((topic, text)) = refused(&event, &topic) {
            return Err(unreadable(&[topic], text));
        }
        let Some((partition, is_over)) = concerned(&event) else {
            continue;
        };
        let place = places.iter().position(|place| place.0 == partition);
        let Some((index, &(_, start, _))) = place.and_then(|at| Some((at, places.get(at)?))) else {
            continue;
        };
        let first = block.slots.iter().find(|slot| slot.offset >= start);
        if let (Some(slot), Some(answer)) = (first, found.get_mut(index)) {
            let millis = slot.timestamp_millis;
            *answer = Some((slot.offset, (millis != i64::MIN).then_some(millis)));
        }
        if is_over || first.is_some() {
            open.retain(|&other| other != index);
            client.pause(partition)?;
        }
    }
    for (partition, ..) in open.iter().filter_map(|&index| places.get(index)) {
        client.pause(*partition)?;
    }
    Ok(found)
}

/// Returns the topic that may not be read by what an event tells, and the broker's words.
fn refused<'a, 'b>(
    event: &'b ClientEvent,
    topic: impl Fn(usize) -> Option<&'a str>,
) -> Option<(&'a str, &'b str)> {
    match event {
        ClientEvent::Fault {
            partition,
            kind: FaultKind::Forbidden,
            text,
            ..
        } => Some((topic(*partition)?, text)),
        ClientEvent::Records { .. }
        | ClientEvent::End { .. }
        | ClientEvent::Fault { .. }
        | ClientEvent::Nothing
        | ClientEvent::Throttled { .. }
        | ClientEvent::ClusterFault(_) => None,
    }
}

/// Returns the partition that an event is about, and whether nothing more will come of it.
fn concerned(event: &ClientEvent) -> Option<(usize, bool)> {
    match event {
        ClientEvent::Records { partition, .. } => Some((*partition, false)),
        ClientEvent::End { partition, .. } => Some((*partition, true)),
        ClientEvent::Fault {
            partition, kind, ..
        } => Some((*partition, *kind != FaultKind::Transient)),
        ClientEvent::Nothing | ClientEvent::Throttled { .. } | ClientEvent::ClusterFault(_) => None,
    }
}
