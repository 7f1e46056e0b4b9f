//! Opens files by content: text goes to [`FileSource`], the binary formats to their own sources.

pub(crate) mod earlier;
pub(crate) mod peek;
pub(crate) mod recognise;
mod sinks;
pub(crate) mod whole;

use std::collections::HashMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::record::SplitId;
use crate::source::file::container::avro::AvroFile;
#[cfg(feature = "parquet")]
use crate::source::file::container::parquet::ParquetFile;
use crate::source::file::container::{Container, ContainerSource};
use crate::source::file::opening::recognise::{Binary, Head};
use crate::source::file::opening::whole::WholeFile;
use crate::source::file::segment::{PartitionLog, SegmentFile, SegmentSource, names};
use crate::source::file::sink;
use crate::source::file::sink::{ColumnStore, SinkName};
use crate::source::file::unpack::UnpackedStream;
use crate::source::file::unpack::compression::Compression;
use crate::source::file::unpack::stored::{Meter, RegularFile, StoredReader};
use crate::source::file::walk;
use crate::source::file::{FileError, FileOptions, FileSource, Refusal, ValueMembers};
use crate::source::{RecordSource, StopFlag};

/// Bytes looked at to tell a segment by the checksum of its first batch.
const HEAD_BYTES: usize = 1024 * 1024;

/// Files kept open between the passes, by split; the others are opened again.
const FILES_KEPT_OPEN: u32 = 256;

/// Bytes of a compressed pipe looked at, so that some come out of every decoder.
const PACKED_HEAD_BYTES: usize = 256 * 1024;

/// A file that was opened.
pub struct OpenedFile {
    /// Its records.
    pub source: Box<dyn RecordSource>,
    /// Whether its records name their topics.
    pub names_topics: bool,
}

/// Opens files one after the other; segments of one partition find together.
pub struct FileOpener<'a> {
    options: &'a FileOptions,
    stop: StopFlag,
    logs: HashMap<PathBuf, Arc<PartitionLog>>,
    /// Where keys and headers of sinks are kept.
    columns: Arc<ColumnStore>,
    /// What the first pass looks into, where it is not whole values.
    members: Option<Arc<ValueMembers>>,
}

impl<'a> FileOpener<'a> {
    /// Returns an opener that reads files as `options` say.
    pub fn new(options: &'a FileOptions, stop: StopFlag) -> Self {
        Self {
            options,
            stop,
            logs: HashMap::new(),
            columns: Arc::new(ColumnStore::new(&options.spill_dir)),
            members: options.members.clone(),
        }
    }

    /// Opens a file, `-` for standard input.
    pub fn open(&mut self, path: &Path, split: SplitId) -> Result<OpenedFile, FileError> {
        let name = path.file_name().and_then(|name| name.to_str());
        match name.and_then(SinkName::parse).filter(|_| path.is_file()) {
            Some(name) => self.open_sink(path, name, split),
            None => match sink::tombstones(path) {
                Some(name) => self.open_tombstones(path, name, split),
                None => self.open_as_it_is(path, split),
            },
        }
    }

    fn open_as_it_is(&mut self, path: &Path, split: SplitId) -> Result<OpenedFile, FileError> {
        if walk::is_stdin(path) {
            return self.open_pipe(path, io::stdin(), split);
        }
        let as_error = |error| FileError::from_io(path, error);
        let file = File::open(path).map_err(as_error)?;
        let metadata = file.metadata().map_err(as_error)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return self.open_pipe(path, file, split);
        }
        if metadata.is_file()
            && let Some((whole, binary)) = self.open_binary(path, file, split)?
        {
            return self.source(path, whole, binary, split);
        }
        let source = FileSource::open(path, split, self.options, self.stop.clone())?;
        Ok(text(source))
    }

    /// Returns the bytes of a regular file whose format is a binary one.
    fn open_binary(
        &self,
        path: &Path,
        file: File,
        split: SplitId,
    ) -> Result<Option<(WholeFile, Binary)>, FileError> {
        let as_error = |error| FileError::from_io(path, error);
        let is_kept = split.0 < FILES_KEPT_OPEN;
        let file = Arc::new(file);
        let regular = RegularFile::freeze(path, Arc::clone(&file), is_kept).map_err(as_error)?;
        let meter = Arc::new(Meter::default());
        let stored = StoredReader::new(file, regular.length(), Arc::clone(&meter));
        let counted = Arc::clone(&meter);
        // What is not unpacked is refused by those who read text.
        let Ok(mut stream) = UnpackedStream::detect(stored, meter).map_err(as_error)? else {
            return Ok(None);
        };
        let limit = self.options.decompressed_bytes_max;
        stream = stream.with_limit(limit);
        let mut bytes = Vec::new();
        let unread = |error| FileError::spill(path, self.options, error);
        stream
            .read_into(&mut bytes, recognise::FIRST_BYTES)
            .map_err(unread)?;
        if Head::of(path, &bytes).may_be_segment() {
            stream.read_into(&mut bytes, HEAD_BYTES).map_err(unread)?;
        }
        let Some(binary) = recognise::binary(&Head::of(path, &bytes), self.options.format) else {
            return Ok(None);
        };
        let whole = if stream.compression() == Compression::Plain {
            WholeFile::regular(path, regular)
        } else {
            WholeFile::unpacked(path, (stream, &counted), bytes, self.options)?
                .unpacked_from(regular)
        };
        Ok(Some((whole, binary)))
    }

    /// Opens what can be read only once.
    pub(crate) fn open_pipe(
        &mut self,
        path: &Path,
        input: impl Read + Send + 'static,
        split: SplitId,
    ) -> Result<OpenedFile, FileError> {
        let as_error = |error| FileError::from_io(path, error);
        let (head, input) = self.peek(input, recognise::FIRST_BYTES).map_err(as_error)?;
        let (head, input) = if Compression::of(&head) == Compression::Plain {
            (head, input)
        } else {
            let (head, input) = self.peek(input, PACKED_HEAD_BYTES).map_err(as_error)?;
            (unpacked_head(head), input)
        };
        let Some(binary) = recognise::binary(&Head::of(path, &head), self.options.format) else {
            let stop = self.stop.clone();
            let source = FileSource::open_pipe(path, input, split, self.options, stop)?;
            return Ok(text(source));
        };
        let meter = Arc::new(Meter::default());
        let counted = Counted(input, Arc::clone(&meter));
        let Ok(stream) = UnpackedStream::detect(counted, Arc::clone(&meter)).map_err(as_error)?
        else {
            return Err(as_error(io::ErrorKind::Unsupported.into()));
        };
        let stream = stream.with_limit(self.options.decompressed_bytes_max);
        let whole = WholeFile::unpacked(path, (stream, &meter), Vec::new(), self.options)?;
        self.source(path, whole, binary, split)
    }

    /// Returns the first bytes of an input, and the whole of it.
    fn peek(
        &self,
        input: impl Read + Send + 'static,
        length: usize,
    ) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
        let (head, rest) = peek::peek(input, length, &self.stop)?;
        let whole = io::Cursor::new(head.clone()).chain(rest);
        Ok((head, Box::new(whole)))
    }

    /// Returns the source of a binary format.
    fn source(
        &mut self,
        path: &Path,
        whole: WholeFile,
        binary: Binary,
        split: SplitId,
    ) -> Result<OpenedFile, FileError> {
        let stop = self.stop.clone();
        let limits = (self.options.chunk_bytes, self.options.line_bytes_max);
        #[cfg(feature = "parquet")]
        let looked_into = (self.members.as_deref(), self.options.threads);
        match binary {
            Binary::Segment(reason) => Ok(self.segment(path, whole, reason, split)),
            Binary::Avro(reason) => AvroFile::open(whole, limits, stop)
                .map_err(|error| FileError::from_io(path, error))?
                .map(|file| OpenedFile::container(split, reason, file))
                .map_err(|error| refused(path, &error)),
            #[cfg(feature = "parquet")]
            Binary::Parquet(reason) => ParquetFile::open(whole, looked_into, stop)
                .map_err(|error| FileError::from_io(path, error))
                .map(|file| OpenedFile::container(split, reason, file)),
        }
    }

    fn segment(
        &mut self,
        path: &Path,
        whole: WholeFile,
        reason: String,
        split: SplitId,
    ) -> OpenedFile {
        let real = fs::canonicalize(path).ok();
        let folder = real.as_deref().and_then(Path::parent);
        let name = real.as_deref().and_then(Path::file_name);
        let base_offset = name.and_then(|name| names::base_offset(name.to_str()?));
        let new_log = || Arc::new(PartitionLog::new(folder));
        let mut log = match folder {
            Some(folder) => Arc::clone(self.logs.entry(folder.to_owned()).or_insert_with(new_log)),
            None => new_log(),
        };
        if log.topic_partition.is_none() {
            // Nothing says that segments in such a folder are of one partition.
            log = new_log();
        }
        let file = Arc::new(SegmentFile { whole, base_offset });
        log.add(Arc::clone(&file));
        let names_topics = log.topic_partition.is_some();
        let how = (self.options.isolation, self.options.chunk_bytes);
        let stop = self.stop.clone();
        OpenedFile {
            source: Box::new(SegmentSource::new(split, (file, reason), log, how, stop)),
            names_topics,
        }
    }
}

/// Returns the first bytes that come out of the first bytes of a compressed stream.
fn unpacked_head(head: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let input = io::Cursor::new(head);
    if let Ok(Ok(mut stream)) = UnpackedStream::detect(input, Arc::default()) {
        // A head is cut, and ends in an error behind what it tells.
        drop(stream.read_into(&mut bytes, recognise::FIRST_BYTES));
    }
    bytes
}

/// Counts what is read.
struct Counted<R>(R, Arc<Meter>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.add(count);
        Ok(count)
    }
}

impl OpenedFile {
    fn container(split: SplitId, reason: String, file: impl Container + 'static) -> Self {
        Self {
            source: Box::new(ContainerSource::new(split, reason, file)),
            names_topics: false,
        }
    }
}

fn refused(path: &Path, error: &impl ToString) -> FileError {
    let refusal = Refusal::Unreadable(error.to_string());
    FileError::Refused(path.display().to_string(), refusal)
}

fn text(source: FileSource) -> OpenedFile {
    OpenedFile {
        names_topics: source.names_topics(),
        source: Box::new(source),
    }
}
