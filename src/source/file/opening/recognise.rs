//! Tells the binary formats by the first bytes of a file.

use std::path::Path;

use crate::source::file::FileFormat;
use crate::source::file::container::avro;
#[cfg(feature = "parquet")]
use crate::source::file::container::parquet;
use crate::source::file::segment::names;
use crate::source::record_batch::{BatchEvent, BatchReader, find_batch};

/// Bytes that tell every binary format but a segment for certain.
pub(crate) const FIRST_BYTES: usize = 64;

/// A binary format, with why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    /// A segment of Kafka's log.
    Segment(String),
    /// An Avro object container file.
    Avro(String),
    /// A Parquet file.
    #[cfg(feature = "parquet")]
    Parquet(String),
}

/// The first bytes of a file, and its name.
pub(crate) struct Head<'a> {
    bytes: &'a [u8],
    is_named_segment: bool,
}

impl<'a> Head<'a> {
    /// Returns the head of the file at `path`.
    pub(crate) fn of(path: &Path, bytes: &'a [u8]) -> Self {
        let name = path.file_name().and_then(|name| name.to_str());
        let base_offset = name.and_then(names::base_offset);
        Self {
            bytes,
            is_named_segment: base_offset.is_some(),
        }
    }

    /// Returns whether a record batch may start here: no text has a zero as its first byte.
    pub(crate) fn may_be_segment(&self) -> bool {
        const BATCH_BYTES_MIN: i32 = 14;
        let Some((offset, rest)) = self.bytes.split_first_chunk::<8>() else {
            return self.bytes.is_empty() && self.is_named_segment;
        };
        let length = rest.first_chunk::<4>().map(|of| i32::from_be_bytes(*of));
        let has_length = length.is_none_or(|length| length >= BATCH_BYTES_MIN);
        let has_magic = self.bytes.get(16).is_none_or(|&magic| magic <= 2);
        let (pairs, _) = offset.as_chunks::<2>();
        let is_wide_text = pairs
            .iter()
            .all(|pair| matches!(pair, [0, wide] if *wide != 0));
        let has_offset = offset.first() == Some(&0) && !is_wide_text;
        (has_offset && has_length && has_magic) || self.is_named_segment
    }

    /// Returns why this is a segment, where it is one.
    fn segment_reason(&self) -> Option<String> {
        if !self.may_be_segment() {
            return None;
        }
        if self.bytes.is_empty() {
            return Some("an empty file with the name of a segment".to_owned());
        }
        let starts_binary = self.bytes.len() > 16 && self.bytes.first() == Some(&0);
        match BatchReader::new(self.bytes, 0).next()? {
            BatchEvent::Data(batch) => return Some(whole_batch(batch.header.magic)),
            BatchEvent::Control { header, .. } => return Some(whole_batch(header.magic)),
            BatchEvent::Incomplete { .. } if starts_binary => {
                let reason = "the first bytes are the header of a record batch";
                return Some(reason.to_owned());
            }
            BatchEvent::Damaged(_) if starts_binary && self.is_named_segment => {
                let reason = "the name is that of a segment, the first record batch is damaged";
                return Some(reason.to_owned());
            }
            BatchEvent::Incomplete { .. } | BatchEvent::Damaged(_) => {}
        }
        let later = find_batch(self.bytes, 0)?;
        Some(format!(
            "at byte {later} is a record batch whose checksum is right"
        ))
    }
}

fn whole_batch(magic: i8) -> String {
    format!("the first bytes are a record batch of magic {magic} whose checksum is right")
}

/// Returns the binary format of a file: the one `forced`, or by content.
pub(crate) fn binary(head: &Head<'_>, forced: Option<FileFormat>) -> Option<Binary> {
    let asked = "as asked for with `--format`".to_owned();
    match forced {
        Some(FileFormat::Segment) => Some(Binary::Segment(asked)),
        Some(FileFormat::Avro) => Some(Binary::Avro(asked)),
        #[cfg(feature = "parquet")]
        Some(FileFormat::Parquet) => Some(Binary::Parquet(asked)),
        Some(_) => None,
        None if head.bytes.starts_with(avro::MAGIC) => Some(Binary::Avro(
            "the first bytes are those of an Avro file".to_owned(),
        )),
        #[cfg(feature = "parquet")]
        None if head.bytes.starts_with(parquet::MAGIC) => Some(Binary::Parquet(
            "the first bytes are those of a Parquet file".to_owned(),
        )),
        None => head.segment_reason().map(Binary::Segment),
    }
}
