//! The occurrences of a group on their way to the report: in memory while few, on disk when many.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::audit::detail::{AmountText, Detail};
use crate::audit::groups::verdicts::{Verdict, Verdicts};
use crate::finding::OccurrenceList;
use crate::finding::ReportedRecord;
use crate::finding::ReversedAmount;
use crate::impact::{ReversalBalance, plain_decimal};
use crate::record::lossless_text;
use crate::sorted_run::encoding;

/// Bytes of the length in front of an item.
const LENGTH_BYTES: usize = 4;

/// Bytes of occurrences that a group carries with it; more go to the spool file.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Where the occurrences of a group are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Spooled {
    /// With the group: details one after the other, each behind its length.
    Inline(#[serde(with = "encoding::byte_string")] Vec<u8>),
    /// In the spool file.
    InFile {
        /// Number of the spool.
        spool: usize,
        /// Where they begin.
        start: u64,
        /// Their length in bytes.
        length: u64,
    },
}

/// The files of all spools, by number.
pub(super) type SpoolFiles = Arc<[Option<File>]>;

/// A temporary file for the occurrences of large groups.
pub(super) struct OccurrenceSpool {
    number: usize,
    file: Option<File>,
    dir: std::path::PathBuf,
    end: u64,
    with_values: bool,
}

impl OccurrenceSpool {
    pub(super) fn new(dir: &Path, number: usize, with_values: bool) -> Self {
        Self {
            number,
            file: None,
            dir: dir.to_owned(),
            end: 0,
            with_values,
        }
    }

    /// Appends bytes to the file; returns where they begin.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.dir)?),
        };
        file.write_all(bytes)?;
        let start = self.end;
        self.end += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(start)
    }

    /// Returns the file for reading, once all groups are finished.
    pub(super) fn into_file(self) -> Option<File> {
        self.file
    }

    /// Returns the file for reading, where this is the only spool.
    pub(super) fn into_files(self) -> SpoolFiles {
        Arc::new([self.file])
    }

    /// Returns what was appended, so many bytes from `start` on.
    pub(super) fn spooled(&self, start: u64, length: u64) -> Spooled {
        Spooled::InFile {
            spool: self.number,
            start,
            length,
        }
    }
}

/// The occurrences of one group while they arrive.
#[derive(Default)]
pub(super) struct SpooledRecord {
    buffer: Vec<u8>,
    start: Option<u64>,
    length: u64,
}

impl SpooledRecord {
    /// Takes the next occurrence.
    pub(super) fn add(&mut self, detail: &Detail, spool: &mut OccurrenceSpool) -> io::Result<()> {
        self.encode(detail, spool.with_values);
        if self.buffer.len() > INLINE_BYTES_MAX {
            self.flush(spool)
        } else {
            Ok(())
        }
    }

    fn encode(&mut self, detail: &Detail, with_values: bool) {
        push_item(&mut self.buffer, &detail.for_report(with_values));
    }

    fn flush(&mut self, spool: &mut OccurrenceSpool) -> io::Result<()> {
        let start = spool.append(&self.buffer)?;
        self.start.get_or_insert(start);
        self.length += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn finish(mut self, spool: &mut OccurrenceSpool) -> io::Result<Spooled> {
        let Some(start) = self.start else {
            return Ok(Spooled::Inline(self.buffer));
        };
        self.flush(spool)?;
        Ok(spool.spooled(start, self.length))
    }
}

/// Appends an item behind its length.
pub(super) fn push_item<T: Serialize>(buffer: &mut Vec<u8>, item: &T) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; LENGTH_BYTES]);
    let encoded = postcard::to_extend(item, std::mem::take(buffer));
    *buffer = encoded.expect("an item can be encoded");
    let length = u32::try_from(buffer.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
    if let Some(place) = buffer.get_mut(start..start + LENGTH_BYTES) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Walks the details of a group's occurrences, the original first.
pub(super) fn walk_details<'a>(
    records: &'a Spooled,
    files: &'a [Option<File>],
) -> impl Iterator<Item = io::Result<Detail>> + 'a {
    walk_items(records, files)
}

/// Walks items that stand one behind the other, each behind its length.
pub(super) fn walk_items<'a, T: DeserializeOwned + 'a>(
    items: &'a Spooled,
    files: &'a [Option<File>],
) -> impl Iterator<Item = io::Result<T>> + 'a {
    let mut reader: Box<dyn Read + 'a> = match items {
        Spooled::Inline(bytes) => Box::new(bytes.as_slice()),
        Spooled::InFile {
            spool,
            start,
            length,
        } => match files.get(*spool) {
            Some(Some(file)) => {
                let position = *start;
                let reader = BufReader::with_capacity(1 << 16, ReadAt { file, position });
                Box::new(reader.take(*length))
            }
            Some(None) | None => Box::new(io::empty()),
        },
    };
    std::iter::from_fn(move || read_item(&mut reader).transpose())
}

/// Occurrences read back for the report.
pub(super) struct SpooledList {
    pub(super) records: Spooled,
    pub(super) verdicts: Verdicts,
    pub(super) balance: ReversalBalance,
    pub(super) files: SpoolFiles,
    pub(super) shows_values: bool,
    pub(super) shows_amounts: bool,
}

impl OccurrenceList for SpooledList {
    fn walk(&self) -> Box<dyn Iterator<Item = io::Result<ReportedRecord>> + '_> {
        let verdicts = std::iter::once(Ok(None)).chain(self.verdicts.walk().map(|of| of.map(Some)));
        let details = walk_details(&self.records, &self.files);
        let mut balance = self.balance.clone();
        Box::new((1_u64..).zip(details).zip(verdicts).map(
            move |((occurrence, detail), verdict)| {
                let (detail, verdict) = (detail?, verdict?);
                let reversal = reversal_of(&detail, verdict.as_ref(), &mut balance);
                Ok(ReportedRecord {
                    reversal,
                    ..self.reported(occurrence, detail, verdict)
                })
            },
        ))
    }
}

/// Reads from a place of its own, so that lists over one file do not disturb each other.
struct ReadAt<'a> {
    file: &'a File,
    position: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += u64::try_from(read).unwrap_or(u64::MAX);
        Ok(read)
    }
}

fn read_item<T: DeserializeOwned>(reader: &mut dyn Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match reader.read(&mut length)? {
        0 => return Ok(None),
        read => reader.read_exact(length.get_mut(read..).unwrap_or_default())?,
    }
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    let mut encoded = vec![0; length];
    reader.read_exact(&mut encoded)?;
    postcard::from_bytes(&encoded)
        .map(Some)
        .map_err(io::Error::other)
}

/// Sets an extra record's amount against the reversals of its group, as the totals do.
fn reversal_of(
    extra: &Detail,
    verdict: Option<&Verdict>,
    balance: &mut ReversalBalance,
) -> Option<ReversedAmount> {
    let is_copy = verdict?.cause.is_copy_by_design();
    let AmountText::Decimal(amount) = extra.amount else {
        return None;
    };
    let reversed = (!is_copy).then(|| balance.take(extra.currency.as_deref(), amount))?;
    Some(ReversedAmount {
        reversed: plain_decimal(reversed),
        net: plain_decimal(amount - reversed),
    })
}

impl SpooledList {
    fn reported(
        &self,
        occurrence: u64,
        detail: Detail,
        verdict: Option<Verdict>,
    ) -> ReportedRecord {
        let amount = match &detail.amount {
            AmountText::Decimal(amount) if self.shows_amounts => Some(plain_decimal(*amount)),
            AmountText::Decimal(_) | AmountText::NotAsked | AmountText::Unusable => None,
        };
        ReportedRecord {
            occurrence,
            timestamp_type: detail.timestamp_type,
            topic: detail.topic,
            partition: detail.partition,
            offset: detail.offset,
            timestamp_millis: detail.timestamp_millis,
            cause: verdict.as_ref().map(|verdict| verdict.cause),
            confidence: verdict.as_ref().and_then(|verdict| verdict.confidence),
            episode: verdict.as_ref().map(|verdict| verdict.episode),
            texts: verdict.and_then(|verdict| verdict.texts),
            key: detail.key.as_deref().map(lossless_text),
            file: detail.file,
            line: detail.line,
            byte_offset: detail.has_byte_offset.then_some(detail.position),
            amount,
            reversal: None,
            currency: detail.currency,
            subject: detail.subject,
            value: detail
                .value
                .as_deref()
                .filter(|_| self.shows_values)
                .map(lossless_text),
        }
    }
}
