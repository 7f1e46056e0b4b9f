//! Partitions and files that the state knows, and where to go on in them.

use serde::{Deserialize, Serialize};

/// A topic partition that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPlace {
    /// Number by which entries name it.
    pub place: u32,
    /// The topic.
    pub topic: String,
    /// The topic's id, where the cluster told it.
    pub topic_id: Option<[u8; 16]>,
    /// The partition.
    pub partition: i32,
    /// The offset that is read next.
    pub next_offset: i64,
    /// Whether it is the partition of that name, rather than one of a topic that was deleted.
    pub is_current: bool,
    /// Start of the last run that read it, milliseconds since the epoch.
    pub read_millis: i64,
}

/// What tells a file from another that has its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// Device that it lies on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// How many of its first bytes are hashed.
    pub head_bytes: u64,
    /// Their hash.
    pub head_hash: u64,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlace {
    /// Number by which entries name it.
    pub place: u32,
    /// Path, the last that it was read by.
    pub path: String,
    /// Device and number of the folder that the path led to, where the path, as text, leads there.
    #[serde(default)]
    pub folder: Option<(u64, u64)>,
    /// What tells it from others.
    pub identity: FileIdentity,
    /// Its size when it was read.
    pub size: u64,
    /// Time of its last change by then, nanoseconds since the epoch.
    pub modified_nanos: i64,
    /// The byte that is read next, and its line, where reading can go on within the file.
    pub next: Option<(u64, u64)>,
    /// Its format.
    pub format: String,
    /// Whether positions are byte offsets.
    pub has_byte_offsets: bool,
    /// Whether it is the file of that name, rather than one that was replaced.
    pub is_current: bool,
    /// Start of the last run that read it, milliseconds since the epoch.
    pub read_millis: i64,
}
