//! Names of places in the sources, for people.

use crate::record::SplitId;
use crate::source::PositionUnit;
use crate::source::RecordSource;

/// Returns the partition and offset of a place, or its file and what is known there.
pub(super) fn place_name(
    sources: &[Box<dyn RecordSource>],
    split: SplitId,
    position: u64,
) -> String {
    let Some(source) = sources
        .iter()
        .find(|source| source.splits().contains(&split))
    else {
        return String::new();
    };
    if let Some(topic_partition) = source.topic_partition(split) {
        return format!("{topic_partition}@{position}");
    }
    let name = source.name();
    match source.position_unit() {
        PositionUnit::ByteOffset => format!("{name}: byte {position}"),
        PositionUnit::Offset => format!("{name}: offset {position}"),
        PositionUnit::Number => format!("{name}: record {}", position + 1),
    }
}

/// Returns the line of a record where it has one, else its place.
pub(in crate::audit) fn record_place(
    sources: &[Box<dyn RecordSource>],
    split: SplitId,
    position: u64,
    line: u64,
) -> String {
    match line {
        0 => place_name(sources, split, position),
        line => format!("{}: line {line}", split_name(sources, split)),
    }
}

fn split_name(sources: &[Box<dyn RecordSource>], split: SplitId) -> String {
    let source = sources
        .iter()
        .find(|source| source.splits().contains(&split));
    source.map(|source| source.name()).unwrap_or_default()
}
