//! A file whose bytes can be read at any place: as it lies, or unpacked into one without a name.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use crate::source::file::unpack::compression::Compression;
use crate::source::file::unpack::stored::{Changes, Meter, RegularFile};
use crate::source::file::unpack::{StreamEnd, UnpackedStream, length_u64};
use crate::source::file::{FileError, FileOptions};

/// A file whose bytes can be read at any place.
#[derive(Debug)]
pub(crate) struct WholeFile {
    /// Path as typed or walked; `-` is standard input.
    pub(crate) name: String,
    /// How it is stored.
    pub(crate) compression: Compression,
    /// What kept it from being unpacked whole.
    pub(crate) damage: Option<String>,
    length: u64,
    /// Bytes as stored, where they are unpacked.
    stored_bytes: Option<u64>,
    bytes: Bytes,
    /// The file that the bytes were unpacked from.
    packed: Option<RegularFile>,
}

#[derive(Debug)]
enum Bytes {
    Regular(RegularFile),
    Unpacked(Arc<File>),
}

impl WholeFile {
    /// Returns a regular file as it lies.
    pub(crate) fn regular(path: &Path, file: RegularFile) -> Self {
        Self {
            name: path.display().to_string(),
            compression: Compression::Plain,
            damage: None,
            length: file.length(),
            stored_bytes: None,
            bytes: Bytes::Regular(file),
            packed: None,
        }
    }

    /// Remembers the file that the bytes were unpacked from.
    pub(crate) fn unpacked_from(self, packed: RegularFile) -> Self {
        Self {
            packed: Some(packed),
            ..self
        }
    }

    /// Unpacks a stream, of which `head` was read, into a file without a name.
    pub(crate) fn unpacked(
        path: &Path,
        (mut stream, meter): (UnpackedStream, &Meter),
        head: Vec<u8>,
        options: &FileOptions,
    ) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let spilled = |error: io::Error| FileError::spill(path, options, error);
        let file = tempfile::tempfile_in(&options.spill_dir).map_err(spilled)?;
        let mut bytes = head;
        let mut length = 0;
        loop {
            (&file).write_all(&bytes).map_err(spilled)?;
            length += length_u64(bytes.len());
            bytes.clear();
            if stream.end().is_some() {
                break;
            }
            stream
                .read_into(&mut bytes, options.chunk_bytes.max(1))
                .map_err(spilled)?;
        }
        let is_packed = stream.compression() != Compression::Plain;
        let stored_bytes = is_packed.then(|| meter.bytes());
        let damage = match stream.end() {
            Some(StreamEnd::Damaged(what)) => Some(what.clone()),
            Some(StreamEnd::Interrupted) => Some("interrupted before it was read".to_owned()),
            Some(StreamEnd::Whole) | None => None,
        };
        Ok(Self {
            name,
            compression: stream.compression(),
            damage,
            length,
            stored_bytes,
            bytes: Bytes::Unpacked(Arc::new(file)),
            packed: None,
        })
    }

    /// Returns the length of the bytes, frozen when the file was opened.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the bytes as stored of which `read` were read as they are unpacked.
    pub(crate) fn stored(&self, read: u64) -> u64 {
        self.stored_bytes.unwrap_or(read)
    }

    /// Returns the file, to be read by place.
    pub(crate) fn open(&self) -> io::Result<Arc<File>> {
        match &self.bytes {
            Bytes::Regular(file) => file.open(),
            Bytes::Unpacked(file) => Ok(Arc::clone(file)),
        }
    }

    /// Returns the name of a format with that of the compression.
    pub(crate) fn format(&self, format: &str) -> String {
        match self.compression {
            Compression::Plain => format.to_owned(),
            compression @ (Compression::Gzip
            | Compression::Zstd
            | Compression::Lz4
            | Compression::LegacyLz4
            | Compression::Snappy
            | Compression::Bzip2
            | Compression::Xz
            | Compression::Zip) => format!("{format}+{}", compression.name()),
        }
    }

    /// Returns what became of the file since it was opened.
    pub(crate) fn changes(&self) -> Changes {
        match (&self.bytes, &self.packed) {
            (Bytes::Regular(file), _) | (Bytes::Unpacked(_), Some(file)) => file.changes(),
            (Bytes::Unpacked(_), None) => Changes::default(),
        }
    }
}
