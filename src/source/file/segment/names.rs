//! What the names in a broker's data folder say.

use crate::record::TopicPartition;

/// Digits of a segment's name.
const OFFSET_DIGITS: usize = 20;

/// Files beside segments, by how their names end.
const COMPANION_ENDS: [&str; 12] = [
    ".index",
    ".timeindex",
    ".txnindex",
    ".snapshot",
    ".checkpoint",
    ".deleted",
    ".cleaned",
    ".swap",
    "-checkpoint",
    ".metadata",
    ".properties",
    "quorum-state",
];

/// Topics that brokers keep for themselves.
const INTERNAL_TOPICS: [&str; 5] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
    "__cluster_metadata",
    "__remote_log_metadata",
];

/// What a folder is to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolderKind {
    /// It holds the log of one partition.
    Partition,
    /// The same, of a topic that brokers keep for themselves.
    Internal,
    /// The log of a partition that is on its way out or to another folder.
    Leaving,
    /// It holds the folders of partitions.
    Data,
    /// None of these.
    Other,
}

impl FolderKind {
    /// Returns what a folder is, by its name and those in it.
    pub(crate) fn of<'a>(name: &str, mut inside: impl Iterator<Item = &'a str> + Clone) -> Self {
        if inside.clone().any(|name| name == "meta.properties") {
            return Self::Data;
        }
        if !inside.any(is_segment) {
            return Self::Other;
        }
        let is_leaving = |end| {
            name.strip_suffix(end)
                .is_some_and(|name| name.contains('.'))
        };
        if ["-delete", "-future", "-stray"].into_iter().any(is_leaving) {
            return Self::Leaving;
        }
        match topic_partition(name) {
            Some(of) if INTERNAL_TOPICS.contains(&&*of.topic) => Self::Internal,
            Some(_) => Self::Partition,
            None => Self::Other,
        }
    }
}

/// Returns the topic partition that a folder's name stands for.
pub(crate) fn topic_partition(folder: &str) -> Option<TopicPartition> {
    const TOPIC_BYTES_MAX: usize = 249;
    let (topic, number) = folder.rsplit_once('-')?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_topic = (1..=TOPIC_BYTES_MAX).contains(&topic.len()) && topic.bytes().all(is_legal);
    let is_number = number == "0" || !number.starts_with('0');
    if !is_topic || !is_number || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(TopicPartition {
        topic: topic.into(),
        partition: number.parse().ok()?,
    })
}

/// Returns the first offset that a segment's name tells, compressed or not.
pub(crate) fn base_offset(file: &str) -> Option<i64> {
    let (digits, end) = file.split_at_checked(OFFSET_DIGITS)?;
    let is_log = end == ".log" || end.starts_with(".log.");
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_log || !is_number || is_companion(file) {
        return None;
    }
    digits.parse().ok()
}

/// Returns whether a file has the name of a segment as brokers write it.
pub(crate) fn is_segment(file: &str) -> bool {
    const NAME_BYTES: usize = OFFSET_DIGITS + 4;
    file.len() == NAME_BYTES && base_offset(file).is_some()
}

/// Returns whether a file is one that brokers keep beside segments.
pub(crate) fn is_companion(file: &str) -> bool {
    COMPANION_ENDS.iter().any(|end| file.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_for_topic_and_partition() {
        for (folder, topic, partition) in [
            ("orders-0", "orders", 0),
            ("a-b.c_d-12", "a-b.c_d", 12),
            ("__consumer_offsets-49", "__consumer_offsets", 49),
        ] {
            let found = topic_partition(folder).unwrap();
            assert_eq!((&*found.topic, found.partition), (topic, partition));
        }
        for folder in [
            "orders",
            "orders-",
            "-0",
            "or ders-0",
            "2026-01",
            "a-99999999999",
            "a-1x",
        ] {
            assert_eq!(topic_partition(folder), None, "{folder}");
        }
    }

    #[test]
    fn segments_are_named_for_their_first_offset() {
        assert_eq!(base_offset("00000000000000000042.log"), Some(42));
        assert_eq!(base_offset("00000000000000000042.log.gz"), Some(42));
        for name in [
            "00000000000000000042.log.deleted",
            "00000000000000000042.index",
            "0000000000000000042.log",
            "99999999999999999999.log",
            "server.log",
        ] {
            assert_eq!(base_offset(name), None, "{name}");
        }
    }

    #[test]
    fn folders_are_told_by_name_and_content() {
        let log = "00000000000000000000.log";
        for (name, inside, kind) in [
            (
                "orders-0",
                [log, "partition.metadata"],
                FolderKind::Partition,
            ),
            ("orders-0", ["app.log", "b.log"], FolderKind::Other),
            ("__consumer_offsets-3", [log, log], FolderKind::Internal),
            ("orders-0.5f3c-delete", [log, log], FolderKind::Leaving),
            ("orders-delete", [log, log], FolderKind::Other),
            ("kafka", ["meta.properties", "x"], FolderKind::Data),
            ("evidence", [log, log], FolderKind::Other),
        ] {
            assert_eq!(FolderKind::of(name, inside.into_iter()), kind, "{name}");
        }
    }
}
