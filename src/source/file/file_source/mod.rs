//! One file, or standard input, as a source of records.

mod dump;
mod resumed;
mod telling;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::finding::FileCoverage;
use crate::record::{RecordBlock, SplitId, TopicPartition};
use crate::source::file::chunk::{ChunkLimits, Chunker};
use crate::source::file::cut::Cutter;
use crate::source::file::cut::envelope::opener::Scratch;
use crate::source::file::detect::Detected;
use crate::source::file::file_source::telling::detect_stream;
use crate::source::file::first_pass::{FirstPass, Unopened};
use crate::source::file::revisit::{ChunkBytes, FileRevisitor};
use crate::source::file::unpack::UnpackedStream;
use crate::source::file::unpack::compression::Compression;
use crate::source::file::unpack::length_u64;
use crate::source::file::unpack::pipe::PipeReader;
use crate::source::file::unpack::stored::{Changes, Meter, RegularFile, StoredReader};
use crate::source::file::walk;
use crate::source::file::{FileError, FileOptions};
use crate::source::{
    ReadError, RecordRevisitor, RecordSource, SourceProgress, SplitCoverage, StopFlag,
};

/// Files kept open between the passes, by split; the others are opened again.
const FILES_KEPT_OPEN: u32 = 64;

/// A block's spans hold 4 GiB; a line, what is unescaped from it and a chunk must fit.
const LINE_BYTES_LIMIT: usize = 1024 * 1024 * 1024;

enum Input {
    Regular(RegularFile),
    /// A pipe, with the file that keeps what came out of it.
    Pipe(Arc<File>),
}

/// Records of one file.
pub struct FileSource {
    name: String,
    split: SplitId,
    input: Input,
    compression: Compression,
    cutter: Cutter,
    format_reason: String,
    notes: Vec<String>,
    lacks_topic: bool,
    options: FileOptions,
    lead: (usize, u64),
    stop: StopFlag,
    meter: Arc<Meter>,
    records_read: AtomicU64,
    /// Byte offset and line at which the first pass begins, where an earlier run ended there.
    resumed: Option<(u64, u64)>,
    /// Why the file could not be read again.
    lost: OnceLock<String>,
    pass: Mutex<FirstPass>,
    /// What comes out of a pipe, where it is read whole before the first pass.
    piped: Mutex<Option<UnpackedStream>>,
    scratches: Mutex<Vec<Scratch>>,
}

impl FileSource {
    /// Opens a file, `-` for standard input, and tells its format.
    pub fn open(
        path: &Path,
        split: SplitId,
        options: &FileOptions,
        stop: StopFlag,
    ) -> Result<Self, FileError> {
        if walk::is_stdin(path) {
            return Self::open_pipe(path, io::stdin(), split, options, stop);
        }
        let as_error = |error| FileError::from_io(path, error);
        let file = File::open(path).map_err(as_error)?;
        let metadata = file.metadata().map_err(as_error)?;
        if metadata.is_dir() {
            return Err(FileError::NoFile(path.display().to_string()));
        }
        // Files that the system makes up, such as those below /proc, have no length.
        if !metadata.is_file() || metadata.len() == 0 {
            return Self::open_pipe(path, file, split, options, stop);
        }
        let is_kept = split.0 < FILES_KEPT_OPEN;
        let file = Arc::new(file);
        let regular = RegularFile::freeze(path, Arc::clone(&file), is_kept).map_err(as_error)?;
        let sampled = Arc::new(Meter::default());
        let stored = StoredReader::new(file, regular.length(), Arc::clone(&sampled));
        let (stream, _, detected) = detect_stream(path, stored, sampled, options)?;
        let meter = Arc::new(Meter::default());
        let input = Input::Regular(regular);
        let opened = Opened {
            name: path.display().to_string(),
            split,
            input,
            compression: stream.compression(),
            meter,
        };
        Ok(Self::new(opened, detected, options, stop))
    }

    /// Returns whether the file's records name their topics.
    pub fn names_topics(&self) -> bool {
        self.cutter.layout.format.has_offsets() && !self.lacks_topic
    }

    /// Reads a pipe; it is kept as stored in a file that has no name.
    pub fn open_pipe(
        path: &Path,
        input: impl Read + Send + 'static,
        split: SplitId,
        options: &FileOptions,
        stop: StopFlag,
    ) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let spill_error = |error| FileError::spill(path, options, error);
        let spool = tempfile::tempfile_in(&options.spill_dir).map_err(spill_error)?;
        let spool = Arc::new(spool);
        let meter = Arc::new(Meter::default());
        let (kept, counted) = (Arc::clone(&spool), Arc::clone(&meter));
        let pipe = PipeReader::start(input, kept, counted, stop.clone())
            .map_err(|error| FileError::Io(name.clone(), error))?;
        let (mut stream, sample, detected) =
            detect_stream(path, pipe, Arc::clone(&meter), options)?;
        stream.put_back(sample);
        let opened = Opened {
            name,
            split,
            compression: stream.compression(),
            input: Input::Pipe(spool),
            meter,
        };
        let source = Self::new(opened, detected, options, stop);
        if source.dump().is_some() {
            source.keep_pipe(stream);
        } else {
            let chunker = source.chunker(stream);
            *source.lock_pass() = FirstPass::Reading(Box::new(chunker));
        }
        Ok(source)
    }

    fn new(opened: Opened, detected: Detected, options: &FileOptions, stop: StopFlag) -> Self {
        let mut options = options.clone();
        options.line_bytes_max = options.line_bytes_max.min(LINE_BYTES_LIMIT);
        let cutter = Cutter {
            layout: detected.layout,
            line_bytes_max: options.line_bytes_max,
            assume_topic: options.assume_topic.clone(),
            isolation: options.isolation,
        };
        let mut notes = detected.notes;
        if opened.compression == Compression::Snappy {
            let note = "snappy framing has no end mark: a file cut between two chunks looks whole";
            notes.push(note.to_owned());
        }
        Self {
            name: opened.name,
            split: opened.split,
            input: opened.input,
            compression: opened.compression,
            cutter,
            format_reason: detected.reason,
            notes,
            lacks_topic: detected.lacks_topic,
            options,
            lead: (detected.lead_bytes, detected.line),
            stop,
            meter: opened.meter,
            records_read: AtomicU64::new(0),
            resumed: None,
            lost: OnceLock::new(),
            pass: Mutex::new(FirstPass::NotStarted),
            piped: Mutex::default(),
            scratches: Mutex::new(Vec::new()),
        }
    }

    fn chunker(&self, stream: UnpackedStream) -> Chunker {
        let limits = ChunkLimits {
            chunk_bytes: self.options.chunk_bytes.max(1),
            line_bytes_max: self.options.line_bytes_max,
        };
        let stream = stream.with_limit(self.options.decompressed_bytes_max);
        let ends = self.cutter.layout.ends;
        Chunker::new(stream, ends, limits, self.lead, self.stop.clone())
            .in_parts(self.cutter.layout.is_cut_alone())
    }

    fn lock_pass(&self) -> MutexGuard<'_, FirstPass> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a file for the first pass.
    fn start(&self) -> Result<Chunker, Unopened> {
        let opened = self
            .survey_dump()
            .and_then(|()| self.stream(Arc::clone(&self.meter)));
        let stream = opened.map_err(|error| match &self.input {
            Input::Regular(_) => Unopened::Lost(error),
            Input::Pipe(_) => Unopened::Unkept(error),
        })?;
        let segments = self.dump().cloned();
        let chunker = self.chunker(stream).noting(segments);
        Ok(match self.resumed {
            Some(place) => chunker.going_on_at(place),
            None => chunker,
        })
    }

    /// Opens the stored bytes from their start; `meter` counts those of a regular file.
    fn stream(&self, meter: Arc<Meter>) -> io::Result<UnpackedStream> {
        match &self.input {
            Input::Regular(regular) if self.compression == Compression::Plain => {
                let stream = UnpackedStream::plain(regular, meter)?;
                stream.starting_at(self.resumed.map_or(0, |(byte_offset, _)| byte_offset))
            }
            Input::Regular(regular) => {
                let limits = self.options.ahead_limits();
                UnpackedStream::packed(regular, self.compression, meter, limits)
            }
            Input::Pipe(spool) => {
                let length = self.meter.bytes();
                UnpackedStream::stored(Arc::clone(spool), length, self.compression)
            }
        }
    }

    /// Says whose bytes an error is about, and what for they were wanted.
    fn explain(&self, purpose: &str, error: &io::Error) -> ReadError {
        let name = &self.name;
        ReadError::Io(io::Error::new(
            error.kind(),
            format!("{purpose} `{name}`: {error}"),
        ))
    }

    fn chunk_bytes(&self) -> io::Result<ChunkBytes> {
        if self.compression != Compression::Plain {
            return Ok(ChunkBytes::Forward(self.stream(Arc::default())?));
        }
        Ok(ChunkBytes::ByPlace(match &self.input {
            Input::Regular(regular) => regular.open()?,
            Input::Pipe(spool) => Arc::clone(spool),
        }))
    }

    fn scratches(&self) -> MutexGuard<'_, Vec<Scratch>> {
        self.scratches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordSource for FileSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn splits(&self) -> Vec<SplitId> {
        vec![self.split]
    }

    fn topic_partition(&self, _split: SplitId) -> Option<TopicPartition> {
        None
    }

    fn can_repeat_coordinates(&self) -> bool {
        self.cutter.layout.format.has_offsets()
    }

    fn store_members(&self, _split: SplitId) -> Option<&[String]> {
        self.cutter.layout.store_members()
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        block.clear(self.split);
        block.value_format = self.cutter.layout.value_format();
        let taken = self
            .lock_pass()
            .take_chunk(&mut block.bytes, || self.start());
        let keep = "keep for the second pass the bytes of";
        let Some(start) = taken.map_err(|error| self.explain(keep, &error))? else {
            return Ok(false);
        };
        let mut scratch = self.scratches().pop().unwrap_or_default();
        self.cutter.cut(block, 0, start, &mut scratch);
        self.scratches().push(scratch);
        let count = length_u64(block.slots.len());
        self.records_read.fetch_add(count, Ordering::Relaxed);
        Ok(true)
    }

    fn go_on_at(&mut self, byte_offset: u64, line: u64) -> bool {
        self.resume(byte_offset, line)
    }

    fn next_place(&self) -> Option<(u64, u64)> {
        self.place_to_resume()
    }

    fn progress(&self) -> SourceProgress {
        let done = self.meter.bytes();
        match &self.input {
            Input::Regular(regular) => SourceProgress {
                done: done.min(regular.length()),
                total: regular.length(),
            },
            Input::Pipe(_) => SourceProgress { done, total: 0 },
        }
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        let outcome = self.lock_pass().outcome();
        let mut format = self.cutter.layout.format.name().to_owned();
        if self.compression != Compression::Plain {
            format = format!("{format}+{}", self.compression.name());
        }
        let changes = match &self.input {
            Input::Regular(regular) => regular.changes(),
            Input::Pipe(_) => Changes::default(),
        };
        let mut format_reason = self.format_reason.clone();
        let note = outcome.note.or(changes.grown);
        for note in note.into_iter().chain(changes.note) {
            format_reason = format!("{format_reason}; {note}");
        }
        let damage = outcome.damage.or_else(|| self.lost.get().cloned());
        let damage = damage.or(changes.damage);
        vec![SplitCoverage::File(FileCoverage {
            path: self.name.clone(),
            format,
            format_reason,
            bytes: self.meter.bytes(),
            records_read: self.records_read.load(Ordering::Relaxed),
            damage: self.damage_of_dump(damage),
            notes: self.notes_with_dump(),
        })]
    }

    fn can_revisit_at_once(&self) -> bool {
        self.compression == Compression::Plain && self.resumed.is_none()
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        if split != self.split {
            let what = format!("`{}` was asked for a split of another source", self.name);
            return Err(ReadError::Internal(what));
        }
        let source = match (self.chunk_bytes(), &self.input) {
            (Ok(source), _) => source,
            (Err(error), Input::Regular(_)) => {
                self.lost
                    .get_or_init(|| format!("cannot be opened again: {error}"));
                return Ok(Box::new(LostFile { split }));
            }
            (Err(error), Input::Pipe(_)) => return Err(self.explain("read again", &error)),
        };
        let table = self.lock_pass().table();
        let later = FileRevisitor::new(&self.cutter, split, table, source);
        Ok(match self.resumed {
            Some(_) => self.with_earlier_part(later),
            None => Box::new(later),
        })
    }
}

/// A file that was there in the first pass alone: none of its records is found again.
struct LostFile {
    split: SplitId,
}

impl RecordRevisitor for LostFile {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        block.clear(self.split);
        Ok(positions.len())
    }
}

/// What is known of a file before its format.
struct Opened {
    name: String,
    split: SplitId,
    input: Input,
    compression: Compression,
    meter: Arc<Meter>,
}
