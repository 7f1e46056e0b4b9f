//! One file, or standard input, as a source of records.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::finding::FileCoverage;
use crate::record::{RecordBlock, SplitId, TopicPartition};
use crate::source::file::chunk::{ChunkLimits, Chunker};
use crate::source::file::cut::Cutter;
use crate::source::file::cut::envelope::opener::Scratch;
use crate::source::file::cut::layout::Body;
use crate::source::file::detect;
use crate::source::file::detect::{Detected, Sample};
use crate::source::file::first_pass::FirstPass;
use crate::source::file::revisit::{ChunkBytes, FileRevisitor};
use crate::source::file::unpack::compression::Compression;
use crate::source::file::unpack::length_u64;
use crate::source::file::unpack::pipe::PipeReader;
use crate::source::file::unpack::stored::{Meter, RegularFile, StoredReader};
use crate::source::file::unpack::{StreamEnd, UnpackedStream};
use crate::source::file::walk;
use crate::source::file::{FileError, FileOptions, Refusal};
use crate::source::{
    ReadError, RecordRevisitor, RecordSource, SourceProgress, SplitCoverage, StopFlag,
};

/// Bytes looked at to tell the format.
const SAMPLE_BYTES: usize = 64 * 1024;

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
    pass: Mutex<FirstPass>,
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
        let spill_error = |error| FileError::Spill(name.clone(), error);
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
        let chunker = source.chunker(stream);
        *source.lock_pass() = FirstPass::Reading(Box::new(chunker));
        Ok(source)
    }

    fn new(opened: Opened, detected: Detected, options: &FileOptions, stop: StopFlag) -> Self {
        let mut options = options.clone();
        options.line_bytes_max = options.line_bytes_max.min(LINE_BYTES_LIMIT);
        let cutter = Cutter {
            layout: detected.layout,
            line_bytes_max: options.line_bytes_max,
            assume_topic: options.assume_topic.clone(),
        };
        Self {
            name: opened.name,
            split: opened.split,
            input: opened.input,
            compression: opened.compression,
            cutter,
            format_reason: detected.reason,
            notes: detected.notes,
            lacks_topic: detected.lacks_topic,
            options,
            lead: (detected.lead_bytes, detected.line),
            stop,
            meter: opened.meter,
            records_read: AtomicU64::new(0),
            pass: Mutex::new(FirstPass::NotStarted),
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
        let mut segments = None;
        if let Body::DumpedBatch(of_dump) = &self.cutter.layout.body {
            segments = Some(Arc::clone(of_dump));
        }
        Chunker::new(stream, ends, limits, self.lead, self.stop.clone()).noting(segments)
    }

    fn lock_pass(&self) -> MutexGuard<'_, FirstPass> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a regular file for the first pass.
    fn start(&self) -> io::Result<Chunker> {
        let meter = Arc::clone(&self.meter);
        let stream = match &self.input {
            Input::Regular(regular) if self.compression == Compression::Plain => {
                UnpackedStream::plain(regular, meter)?
            }
            Input::Regular(regular) => {
                let file = regular.open()?;
                let stored = StoredReader::new(file, regular.length(), Arc::clone(&meter));
                UnpackedStream::open(stored, self.compression, meter)?
            }
            Input::Pipe(_) => return Err(io::Error::other("a pipe is read once")),
        };
        Ok(self.chunker(stream))
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
        let (file, length) = match &self.input {
            Input::Regular(regular) => (regular.open()?, regular.length()),
            Input::Pipe(spool) => (Arc::clone(spool), self.meter.bytes()),
        };
        if self.compression == Compression::Plain {
            return Ok(ChunkBytes::ByPlace(file));
        }
        let stream = UnpackedStream::stored(file, length, self.compression)?;
        Ok(ChunkBytes::Forward(stream))
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
        let mut format_reason = self.format_reason.clone();
        if let Some(note) = outcome.note {
            format_reason = format!("{format_reason}; {note}");
        }
        vec![SplitCoverage::File(FileCoverage {
            path: self.name.clone(),
            format,
            format_reason,
            bytes: self.meter.bytes(),
            records_read: self.records_read.load(Ordering::Relaxed),
            damage: outcome.damage,
            notes: self.notes.clone(),
        })]
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        if split != self.split {
            let what = format!("`{}` was asked for a split of another source", self.name);
            return Err(ReadError::Internal(what));
        }
        let source = self
            .chunk_bytes()
            .map_err(|error| self.explain("read again", &error))?;
        let table = self.lock_pass().table();
        Ok(Box::new(FileRevisitor::new(
            &self.cutter,
            split,
            table,
            source,
        )))
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

/// Opens the stored bytes and tells compression and format; also returns the sample read.
fn detect_stream(
    path: &Path,
    stored: impl Read + Send + 'static,
    meter: Arc<Meter>,
    options: &FileOptions,
) -> Result<(UnpackedStream, Vec<u8>, Detected), FileError> {
    let name = path.display().to_string();
    let stream = UnpackedStream::detect(stored, meter)
        .map_err(|error| FileError::from_io(path, error))?
        .map_err(|compression| {
            let tool = compression.refused_for().unwrap_or_default();
            FileError::Refused(name.clone(), Refusal::Compressed(compression.name(), tool))
        })?;
    let mut stream = stream.with_limit(options.decompressed_bytes_max);
    let mut sample = Vec::new();
    let mut length = SAMPLE_BYTES;
    // A first line that is not whole tells little.
    while stream.end().is_none() && sample.len() < options.line_bytes_max {
        let missing = length.saturating_sub(sample.len());
        let spilled = |error| FileError::Spill(name.clone(), error);
        stream.read_into(&mut sample, missing).map_err(spilled)?;
        if !detect::is_short(&sample) {
            break;
        }
        length = sample.len() * 2;
    }
    let is_whole = stream.end() == Some(&StreamEnd::Whole);
    let bytes = sample.as_slice();
    let is_line = memchr::memchr(b'\n', bytes).is_some();
    if stream.end().is_some() && !is_whole && !is_line && detect::is_short(bytes) {
        return Ok((stream, sample, detect::nothing_whole()));
    }
    let detected = detect::detect(Sample { bytes, is_whole }, options.format)
        .map_err(|refusal| FileError::Refused(name, refusal))?;
    Ok((stream, sample, detected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RecordDefect, RecordView, TimestampType, ValueFormat};
    use crate::source::file::{FileFormat, FileOptions};
    use proptest::prelude::*;
    use std::io::{Cursor, Write};

    /// All that is known of one record.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Seen {
        position: u64,
        line: u64,
        coordinates: Option<String>,
        timestamp: Option<(i64, TimestampType)>,
        key: String,
        value: String,
        headers: Option<Vec<u8>>,
        batch: Option<String>,
        defect: Option<RecordDefect>,
    }

    fn seen(view: RecordView<'_>) -> Seen {
        let shown = |payload: crate::record::Payload<'_>| match payload.bytes() {
            Some(bytes) => format!("={}", bytes.escape_ascii()),
            None => format!("{payload:?}"),
        };
        let partition = view.topic_partition();
        let offset = view.offset();
        Seen {
            position: view.slot().position,
            line: view.slot().line,
            coordinates: partition.map(|partition| format!("{partition}@{offset:?}")),
            timestamp: view.timestamp().map(|at| (at.millis, at.timestamp_type)),
            key: shown(view.key()),
            value: shown(view.value()),
            headers: view.headers().map(|headers| headers.encoded().to_vec()),
            batch: view.batch().map(|batch| format!("{batch:?}")),
            defect: view.slot().defect,
        }
    }

    fn options(format: Option<FileFormat>, chunk_bytes: usize) -> FileOptions {
        let mut options = FileOptions::new(std::env::temp_dir());
        options.format = format;
        options.chunk_bytes = chunk_bytes;
        options
    }

    fn open(content: &[u8], options: &FileOptions) -> (FileSource, tempfile::NamedTempFile) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let source = FileSource::open(file.path(), SplitId(3), options, StopFlag::default());
        (source.unwrap(), file)
    }

    fn open_pipe(content: &[u8], options: &FileOptions) -> FileSource {
        let input = Cursor::new(content.to_vec());
        let stop = StopFlag::default();
        FileSource::open_pipe(Path::new("-"), input, SplitId(3), options, stop).unwrap()
    }

    fn drain(source: &FileSource) -> Vec<Seen> {
        let mut block = RecordBlock::default();
        let mut records = Vec::new();
        while source.next_block(&mut block).unwrap() {
            records.extend(block.views().map(seen));
        }
        records
    }

    fn coverage(source: &FileSource) -> FileCoverage {
        match source.coverage().remove(0) {
            SplitCoverage::File(coverage) => coverage,
            SplitCoverage::Partition(_) => panic!("a file has file coverage"),
        }
    }

    fn refusal(content: &[u8]) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let options = options(None, 1024);
        match FileSource::open(file.path(), SplitId(0), &options, StopFlag::default()) {
            Ok(source) => panic!("read as {}", coverage(&source).format),
            Err(error) => error.to_string(),
        }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::default();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Fetches some positions as the second pass does.
    fn fetch(source: &FileSource, positions: &[u64]) -> Vec<Seen> {
        let mut revisitor = source.revisit(SplitId(3)).unwrap();
        let mut block = RecordBlock::default();
        let mut records = Vec::new();
        let mut rest = positions;
        while !rest.is_empty() {
            let done = revisitor.fetch(rest, &mut block).unwrap();
            assert!(done > 0);
            rest = &rest[done..];
            records.extend(block.views().map(seen));
        }
        records
    }

    /// Splits at newlines, as plainly as it can be written.
    fn naive_lines(text: &[u8]) -> Vec<(u64, u64, String)> {
        let (mut lines, mut position) = (Vec::new(), 0);
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let value = line.strip_suffix(b"\r").unwrap_or(line);
            if !value.trim_ascii().is_empty() {
                let number = length_u64(index) + 1;
                lines.push((position, number, format!("={}", value.escape_ascii())));
            }
            position += length_u64(line.len()) + 1;
        }
        lines
    }

    fn quiet() -> ProptestConfig {
        ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(quiet())]

        #[test]
        fn lines_are_the_same_for_any_chunk_size(
            text in "[ab\"{}\t \r\n]{0,80}",
            chunk_bytes in 1_usize..40,
        ) {
            let options = options(Some(FileFormat::JsonLines), chunk_bytes);
            let (source, _file) = open(text.as_bytes(), &options);
            let piped = open_pipe(text.as_bytes(), &options);
            let records = drain(&source);
            let plain: Vec<_> = records
                .iter()
                .map(|seen| (seen.position, seen.line, seen.value.clone()))
                .collect();
            prop_assert_eq!(plain, naive_lines(text.as_bytes()));
            prop_assert_eq!(drain(&piped), records.clone());
            let coverage = coverage(&source);
            prop_assert!(coverage.is_complete());
            prop_assert_eq!(coverage.bytes, length_u64(text.len()));
            prop_assert_eq!(coverage.records_read, length_u64(records.len()));
        }

        #[test]
        fn rows_are_those_of_the_csv_crate_for_any_chunk_size(
            text in "[ab\",\r\n]{0,80}",
            chunk_bytes in 1_usize..40,
        ) {
            let text = format!("x,y\n{text}");
            let options = options(Some(FileFormat::Csv), chunk_bytes);
            let (source, _file) = open(text.as_bytes(), &options);
            let mut block = RecordBlock::default();
            let mut found = Vec::new();
            while source.next_block(&mut block).unwrap() {
                for view in block.views() {
                    let slot = view.slot();
                    let row = view.value().bytes().unwrap();
                    let place = usize::try_from(slot.position).unwrap();
                    prop_assert_eq!(&text.as_bytes()[place..place + row.len()], row);
                    let line = 1 + text[..place].matches('\n').count();
                    prop_assert_eq!(slot.line, length_u64(line));
                    let cells = crate::source::file::cut::rows::cells(row, b',');
                    let is_odd = slot.defect.is_some();
                    let is_open = slot.defect == Some(RecordDefect::InvalidText);
                    prop_assert!(is_open || is_odd == (cells.len() != 2), "{:?}", slot.defect);
                    found.push(cells);
                }
            }
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<Box<[u8]>>> = reader
                .byte_records()
                .map(|record| record.unwrap().iter().map(Box::from).collect())
                .collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn long_records_are_skipped_alike_for_any_chunk_size(
            text in "[a\",\r\n]{0,80}",
            chunk_bytes in 1_usize..40,
            is_csv: bool,
        ) {
            let format = if is_csv { FileFormat::Csv } else { FileFormat::JsonLines };
            let text = format!("x,y\n{text}");
            let mut few = options(Some(format), chunk_bytes);
            few.line_bytes_max = 6;
            let mut many = options(Some(format), 1000);
            many.line_bytes_max = 6;
            let (few, _few_file) = open(text.as_bytes(), &few);
            let (many, _many_file) = open(text.as_bytes(), &many);
            let records = drain(&few);
            prop_assert_eq!(&records, &drain(&many));
            prop_assert_eq!(coverage(&few).damage, coverage(&many).damage);
            let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
            prop_assert_eq!(&fetch(&few, &positions), &records);
            prop_assert_eq!(&fetch(&many, &positions), &records);
            for record in records {
                prop_assert!(record.value.len() <= 6 * 4 + 1);
            }
        }

        #[test]
        fn a_revisit_returns_the_bytes_of_the_first_pass(
            lines in proptest::collection::vec("[a\" \r]{0,12}", 0..60),
            chosen in proptest::collection::vec(any::<bool>(), 60),
            chunk_bytes in 1_usize..60,
        ) {
            let text = lines.join("\n").into_bytes();
            let zipped = zstd::encode_all(&text[..], 0).unwrap();
            let options = options(Some(FileFormat::JsonLines), chunk_bytes);
            let (plain, _plain_file) = open(&text, &options);
            let (packed, _packed_file) = open(&zipped, &options);
            let sources = [plain, packed, open_pipe(&text, &options), open_pipe(&zipped, &options)];
            let mut expected = None;
            for source in sources {
                let mut records = drain(&source);
                let mut keep = chosen.iter();
                records.retain(|_| *keep.next().unwrap());
                let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
                prop_assert_eq!(&fetch(&source, &positions), &records);
                let expected = expected.get_or_insert_with(|| records.clone());
                prop_assert_eq!(expected, &mut records);
            }
        }
    }

    fn numbered_lines(count: usize) -> Vec<u8> {
        let line = |number| {
            format!(
                "{{\"id\":{number},\"n\":\"{}\"}}\n",
                number * 7919 % 104_729
            )
        };
        (0..count).map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn an_archive_cut_anywhere_is_never_complete() {
        let text = numbered_lines(40);
        let mut options = options(None, 64);
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&text).unwrap();
        let zstd = zstd::encode_all(&text[..], 0).unwrap();
        for whole in [gzip(&text), zstd, lz4.finish().unwrap()] {
            let (source, _file) = open(&whole, &options);
            let all = drain(&source);
            assert_eq!(all.len(), 40);
            assert!(coverage(&source).is_complete(), "{:?}", coverage(&source));
            // The first byte of zstd alone is an opening parenthesis, those of lz4 are no text.
            let first_cut = match whole[0] {
                b'(' => 2,
                4 => 4,
                _ => 1,
            };
            for cut in first_cut..whole.len() {
                options.format = (cut % 2 == 0).then_some(FileFormat::JsonLines);
                let (source, _file) = open(&whole[..cut], &options);
                let piped = open_pipe(&whole[..cut], &options);
                let records = drain(&source);
                assert_eq!(records, all[..records.len()], "cut at {cut}");
                assert_eq!(drain(&piped), records);
                for source in [source, piped] {
                    let damage = coverage(&source).damage.expect("it is not complete");
                    assert!(
                        damage.contains("ends early after"),
                        "cut at {cut}: {damage}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_in_an_archive_is_damage_and_revisits_agree() {
        let text = numbered_lines(20_000);
        for mut whole in [gzip(&text), zstd::encode_all(&text[..], 0).unwrap()] {
            let middle = whole.len() / 2;
            whole[middle] ^= 0x10;
            let (source, _file) = open(&whole, &options(None, 5_000));
            let records = drain(&source);
            // A flip that decodes to other text is found by the checksum of gzip only.
            let is_gzip = whole.starts_with(b"\x1f");
            let damage = coverage(&source).damage;
            assert!(damage.is_some() || !is_gzip);
            assert!(
                records.len() > 1_000 || !is_gzip,
                "{} before {damage:?}",
                records.len()
            );
            let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
            assert_eq!(fetch(&source, &positions), records);
        }
    }

    #[test]
    fn members_may_end_within_a_line() {
        let text = numbered_lines(100);
        let (front, back) = text.split_at(1_001);
        let parts = [gzip(front), gzip(back), vec![0; 512]].concat();
        let frames = [front, back]
            .map(|part| zstd::encode_all(part, 0).unwrap())
            .concat();
        let (plain, _file) = open(&text, &options(None, 300));
        let expected = drain(&plain);
        for (packed, format) in [(parts, "jsonl+gzip"), (frames, "jsonl+zstd")] {
            let (source, _file) = open(&packed, &options(None, 300));
            assert_eq!(drain(&source), expected);
            let coverage = coverage(&source);
            assert_eq!((coverage.format.as_str(), coverage.damage), (format, None));
            assert_eq!(coverage.bytes, length_u64(packed.len()));
        }
    }

    #[test]
    fn several_threads_read_every_record_once() {
        let text = numbered_lines(5_000);
        let packed = gzip(&text);
        for content in [text, packed] {
            let (source, _file) = open(&content, &options(None, 700));
            let (again, _again_file) = open(&content, &options(None, 1 << 20));
            let found = Mutex::new(Vec::new());
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| found.lock().unwrap().extend(drain(&source)));
                }
            });
            let mut found = found.into_inner().unwrap();
            found.sort();
            assert_eq!(found, drain(&again));
            assert_eq!(coverage(&source).records_read, 5_000);
        }
    }

    #[test]
    fn a_line_over_the_limit_is_one_bad_record() {
        let long = "x".repeat(1_000_000);
        let text = format!("{{\"a\":1}}\n\"{long}\"\r\n{{\"a\":2}}\n{long}");
        let mut options = options(Some(FileFormat::JsonLines), 4_096);
        options.line_bytes_max = 10_000;
        let (source, _file) = open(text.as_bytes(), &options);
        let mut block = RecordBlock::default();
        let mut records = Vec::new();
        while source.next_block(&mut block).unwrap() {
            assert!(
                block.bytes.capacity() < 100_000,
                "{}",
                block.bytes.capacity()
            );
            records.extend(block.views().map(seen));
        }
        let shape: Vec<_> = records
            .iter()
            .map(|seen| (seen.line, seen.defect))
            .collect();
        let too_long = Some(RecordDefect::TooLong);
        assert_eq!(shape, [(1, None), (2, too_long), (3, None), (4, too_long)]);
        assert!(coverage(&source).is_complete());
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_counted() {
        let (source, _file) = open(b"\xef\xbb\xbf{\"a\":1}\r\n{\"a\":2}", &options(None, 5));
        let records = drain(&source);
        let places: Vec<_> = records
            .iter()
            .map(|seen| (seen.position, seen.line))
            .collect();
        assert_eq!(places, [(3, 1), (12, 2)]);
        assert_eq!(records[0].value, "={\\\"a\\\":1}");
        let (source, _file) = open(b"\xef\xbb\xbfid;n\r\n\r\n1;2\r\n3;4;5\n", &options(None, 5));
        let records = drain(&source);
        let shape: Vec<_> = records
            .iter()
            .map(|seen| (seen.line, seen.defect))
            .collect();
        assert_eq!(shape, [(3, None), (4, Some(RecordDefect::WrongCellCount))]);
        let mut block = RecordBlock::default();
        assert!(!source.next_block(&mut block).unwrap());
        let columns: Arc<[Box<[u8]>]> = Arc::from([&b"id"[..], b"n"].map(Box::from));
        let delimiter = b';';
        assert_eq!(block.value_format, ValueFormat::Csv { delimiter, columns });
    }

    #[test]
    fn an_open_quote_is_damage_that_names_its_line() {
        let (source, _file) = open(b"id,n\n1,2\n3,\"4\n5,6\n", &options(None, 4));
        let records = drain(&source);
        assert_eq!(records.len(), 2);
        assert_eq!(records[1].defect, Some(RecordDefect::InvalidText));
        assert!(
            coverage(&source)
                .damage
                .unwrap()
                .contains("starts in line 3")
        );
    }

    #[test]
    fn kcat_envelopes_are_opened() {
        let lines = [
            r#"{"topic":"orders","partition":0,"offset":7,"tstype":"create","ts":1602611620140,"#,
            r#""broker":-1,"headers":["h","1","h",null,"a\"b",""],"key":"k\u00e9\ud83d\ude00","#,
            r#""payload":"{\n  \"a\" : 1}"}#"#,
            r#"{"topic":"orders","partition":4,"offset":0,"key":"","payload":"plain"}#"#,
            r#"{"topic":"t","partition":0,"offset":7,"tstype":"logappend","ts":1700000000000,"#,
            r#""broker":1,"key":null,"payload":null}#"#,
            r#"{"topic":"t","partition":0,"offset":8,"tstype":"create","unknown":"ts","key":"k","#,
            r#""payload":{"a":[1,"]"]},"value_schema_id":3}#"#,
            r#"{"topic":"t","partition":0,"offset":9,"key":null,"key_error":"no schema","#,
            r#""payload":null,"payload_error":"no schema"}#"#,
            r#"{"topic":"t","partition":0,"offset":10,"tstype":"unknown","ts":-1,"payload":"x"}"#,
        ];
        let text = lines.concat().replace("}#", "}\n");
        let (source, _file) = open(text.as_bytes(), &options(None, 100));
        let records = drain(&source);
        assert_eq!(coverage(&source).format, "kcat");
        assert!(
            records.iter().all(|record| record.defect.is_none()),
            "{records:?}"
        );
        let first = &records[0];
        assert_eq!(first.coordinates.as_deref(), Some("orders-0@Some(7)"));
        assert_eq!(
            first.timestamp,
            Some((1_602_611_620_140, TimestampType::CreateTime))
        );
        assert_eq!(
            first.key,
            format!("={}", "k\u{e9}\u{1f600}".as_bytes().escape_ascii())
        );
        assert_eq!(
            first.value,
            format!("={}", b"{\n  \"a\" : 1}".escape_ascii())
        );
        assert_eq!(
            first.headers.as_deref(),
            Some(&b"\x02h\x021\x02h\x01\x06a\"b\x00"[..])
        );
        let values: Vec<_> = records[1..]
            .iter()
            .map(|record| record.value.as_str())
            .collect();
        let nested = "={\\\"a\\\":[1,\\\"]\\\"]}";
        assert_eq!(values, ["=plain", "Null", nested, "Unrecorded", "=x"]);
        let keys: Vec<_> = records[1..]
            .iter()
            .map(|record| record.key.as_str())
            .collect();
        assert_eq!(keys, ["=", "Null", "=k", "Unrecorded", "Null"]);
        assert_eq!(records[1].headers.as_deref(), Some(&b""[..]));
        let times: Vec<_> = records[1..].iter().map(|record| record.timestamp).collect();
        let appended = Some((1_700_000_000_000, TimestampType::LogAppendTime));
        assert_eq!(times, [None, appended, None, None, None]);
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        assert_eq!(fetch(&source, &positions), records);
    }

    fn values(records: &[Seen]) -> Vec<&str> {
        records.iter().map(|record| record.value.as_str()).collect()
    }

    #[test]
    fn documents_that_are_not_one_per_line_have_their_places() {
        let array = b"\xef\xbb\xbf [\n  {\"a\": 1},\n\n  {\n    \"a\": 2\n  }\n]\n[{\"a\":3}]";
        let (source, _file) = open(array, &options(None, 3));
        let records = drain(&source);
        let places: Vec<_> = records
            .iter()
            .map(|seen| (seen.position, seen.line))
            .collect();
        assert_eq!(places, [(8, 2), (21, 4), (41, 8)]);
        assert_eq!(records[2].value, "={\\\"a\\\":3}");
        assert!(coverage(&source).is_complete(), "{:?}", coverage(&source));
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        assert_eq!(fetch(&source, &positions), records);
    }

    #[test]
    fn what_is_never_closed_is_damage() {
        for (text, count, damage) in [
            (
                "[{\"a\":1},\n{\"a\":2}",
                2,
                "the JSON array is never closed",
            ),
            (
                "[{\"a\":1},\n{\"a\":2},\n",
                2,
                "the JSON array is never closed",
            ),
            (
                "[{\"a\":1},\n{\"a\":",
                2,
                "starts in line 2 opens the JSON document",
            ),
            (
                "{\n\"a\":1}\n{\"a\":",
                2,
                "starts in line 3 opens the JSON document",
            ),
        ] {
            for chunk_bytes in [1, 7, 1000] {
                let (source, _file) = open(text.as_bytes(), &options(None, chunk_bytes));
                assert_eq!(drain(&source).len(), count, "{text}");
                let found = coverage(&source).damage.unwrap_or_default();
                assert!(found.contains(damage), "{text}: {found}");
            }
        }
        for text in ["[]", "[\n]\n", "[{\"a\":1}]", "[{\"a\":1}]\n\n"] {
            let (source, _file) = open(text.as_bytes(), &options(None, 2));
            drain(&source);
            assert_eq!(coverage(&source).damage, None, "{text}");
        }
    }

    #[test]
    fn every_format_is_read_alike_in_any_pieces() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
        let list = walk::expand(&[folder]).unwrap();
        let mut read = 0;
        for path in list.paths {
            let name = path.file_name().and_then(|name| name.to_str());
            if !name.is_some_and(|name| name.starts_with("charges.")) {
                continue;
            }
            let content = std::fs::read(&path).unwrap();
            let open = |chunk_bytes| {
                let small = options(None, chunk_bytes);
                FileSource::open(&path, SplitId(3), &small, StopFlag::default())
            };
            let Ok(whole) = open(1 << 20) else {
                continue;
            };
            let records = drain(&whole);
            assert_eq!(records.len(), 12, "{}", path.display());
            assert!(records.iter().all(|record| record.defect.is_none()));
            let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
            for chunk_bytes in [1, 7, 100, 1000] {
                let source = open(chunk_bytes).unwrap();
                assert_eq!(drain(&source), records, "{} {chunk_bytes}", path.display());
                assert_eq!(fetch(&source, &positions), records, "{}", path.display());
                assert!(coverage(&source).is_complete(), "{}", path.display());
            }
            let piped = open_pipe(&content, &options(None, 50));
            assert_eq!(drain(&piped), records, "{}", path.display());
            assert_eq!(fetch(&piped, &positions), records, "{}", path.display());
            read += 1;
        }
        assert_eq!(read, 32);
    }

    #[test]
    fn records_of_a_dump_have_the_stamps_of_their_batch() {
        let batch = "producerId: 9 producerEpoch: 1 partitionLeaderEpoch: 4 isTransactional: true";
        let end = "size: 101 magic: 2 compresscodec: none crc: 79 isvalid: true";
        let sizes = "keySize: -1 valueSize: 1 sequence: 5 headerKeys: []";
        let text = [
            "Dumping d/orders-3/0.log\nLog starting offset: 0\n",
            "baseOffset: 6 lastOffset: 7 count: 2 baseSequence: 5 lastSequence: 6 ",
            &format!("{batch} isControl: false position: 0 CreateTime: 12 {end}\n"),
            &format!("| offset: 6 CreateTime: 11 {sizes} payload: a\n"),
            &format!("| offset: 7 CreateTime: 12 {sizes} payload: b\n"),
            "baseOffset: 8 lastOffset: 8 count: 1 baseSequence: -1 lastSequence: -1 ",
            &format!("{batch} isControl: true position: 101 CreateTime: 13 {end}\n"),
            "| offset: 8 CreateTime: 13 keySize: 4 valueSize: 6 sequence: -1 headerKeys: [] ",
            "endTxnMarker: COMMIT coordinatorEpoch: 0\n",
        ]
        .concat();
        let (source, _file) = open(text.as_bytes(), &options(None, 40));
        let records = drain(&source);
        let places: Vec<_> = records
            .iter()
            .map(|seen| seen.coordinates.as_deref())
            .collect();
        assert_eq!(places, [Some("orders-3@Some(6)"), Some("orders-3@Some(7)")]);
        assert_eq!(values(&records), ["=a", "=b"]);
        for record in fetch(&source, &[records[1].position]) {
            assert_eq!(record, records[1]);
            let batch = record.batch.unwrap();
            for stamp in [
                "base_offset: 6",
                "crc: 79",
                "producer_id: 9",
                "base_sequence: 5",
            ] {
                assert!(batch.contains(stamp), "{batch}");
            }
        }
    }

    /// What kcat 1.7.1 wrote of a tombstone, a binary payload and headers with and without value.
    #[test]
    fn what_kcat_wrote_comes_back_byte_for_byte() {
        let lines: [&[u8]; 4] = [
            br#"{"topic":"orders","partition":0,"offset":0,"tstype":"create","ts":1795505444976,"#,
            br#""broker":1,"headers":["h","1","h","","n",null],"key":"k1","payload":"{\"a\":1}"}"#,
            b"\n{\"topic\":\"orders\",\"partition\":0,\"offset\":1,\"tstype\":\"create\",\
              \"ts\":1795505444986,\"broker\":1,\"key\":\"k2\",\"payload\":null}\n",
            b"{\"topic\":\"orders\",\"partition\":0,\"offset\":2,\"tstype\":\"create\",\
              \"ts\":1795505444997,\"broker\":1,\"key\":null,\
              \"payload\":\"\xff\xfe\\u0001bin\\ttab\"}\n",
        ];
        let (source, _file) = open(&lines.concat(), &options(None, 64));
        let records = drain(&source);
        assert_eq!(coverage(&source).format, "kcat");
        let values = values(&records);
        let first = "={\\\"a\\\":1}";
        assert_eq!(values, [first, "Null", "=\\xff\\xfe\\x01bin\\ttab"]);
        let headers = records[0].headers.as_deref();
        assert_eq!(headers, Some(&b"\x02h\x021\x02h\x00\x02n\x01"[..]));
        assert!(records.iter().all(|record| record.defect.is_none()));
    }

    #[test]
    fn lines_that_are_no_envelopes_are_defects_with_their_bytes() {
        let good = br#"{"topic":"t","partition":0,"offset":1,"key":null,"payload":"#;
        let cases: [(&[u8], Option<RecordDefect>); 8] = [
            (b"\"\xff\x00\"}", None),
            (b"\"\\q\"}", Some(RecordDefect::InvalidText)),
            (b"\"\\ud800\"}", Some(RecordDefect::InvalidText)),
            (b"\"x\"", Some(RecordDefect::InvalidText)),
            (b"\"x\"} 1", Some(RecordDefect::InvalidText)),
            (b"1,\"other\":2}", Some(RecordDefect::InvalidEnvelope)),
            (b"1,\"topic\":\"t\"}", Some(RecordDefect::InvalidEnvelope)),
            (
                b"1,\"headers\":[\"a\"]}",
                Some(RecordDefect::InvalidHeaders),
            ),
        ];
        let mut text = Vec::new();
        for (end, _) in cases {
            text.extend_from_slice(&[&good[..], end, b"\n"].concat());
        }
        let (source, _file) = open(&text, &options(Some(FileFormat::Kcat), 1 << 20));
        let records = drain(&source);
        let defects: Vec<_> = records.iter().map(|record| record.defect).collect();
        assert_eq!(defects, cases.map(|case| case.1));
        assert_eq!(records[0].value, "=\\xff\\x00");
        let line = [&good[..], cases[1].0].concat();
        assert_eq!(records[1].value, format!("={}", line.escape_ascii()));
        assert_eq!(records[1].coordinates, None);
    }

    #[test]
    fn formats_are_told_by_content() {
        let envelope = br#"{"topic":"t","partition":0,"offset":1,"payload":"x"}"#;
        let document = br#"{"topic":"t","partition":0,"offset":1,"payload":"x","id":1}"#;
        let mixed = [&envelope[..], b"\n", document].concat();
        let long = format!("{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(100_000));
        let cases: [(&[u8], &str); 21] = [
            (b"[\n {\"a\":1},\n {\"a\":2}\n]\n", "json"),
            (b"[{\"a\":1},{\"a\":2}]", "json"),
            (b"{\n \"a\": 1\n}\n", "json"),
            (b"{ \"a\": 1,\n \"b\": 2 }\n", "json"),
            (b"{\"a\":1}{\"a\":2}\n{\"a\":3}", "json"),
            (b"{\"a\":1}\nnull\n{\n\"a\":2}\n", "json"),
            (b"{\"a\":1}\n{\"a\":\n{\"a\":2}\n", "jsonl"),
            (
                b"k1:{\"a\":1,\"b\":2}\nk2:\n:{\"a\":3,\"b\":4}\n",
                "console-consumer",
            ),
            (b"[]", "json"),
            (b"", "jsonl"),
            (b"\n \n", "jsonl"),
            (envelope, "kcat"),
            (document, "jsonl"),
            (&mixed, "jsonl"),
            (long.as_bytes(), "jsonl"),
            (b"[1,2]\n[3]\n", "jsonl"),
            (b"oops\n{\"a\":1}\n{\"a\":2}\n", "jsonl"),
            (b"id,amount\n1,2\n", "csv"),
            (b"id;amount\n1;2,5\n", "csv"),
            (b"id\tamount\n1\t2,5\n", "tsv"),
            (b"id,text\n1,\"a\nb\"\n", "csv"),
        ];
        for (content, format) in cases {
            let (source, _file) = open(content, &options(None, 1024));
            let shown = content[..content.len().min(40)].escape_ascii().to_string();
            assert_eq!(coverage(&source).format, format, "{shown}");
            drain(&source);
            assert!(coverage(&source).is_complete(), "{shown}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused_with_the_way_out() {
        let utf16: Vec<u8> = "{\"a\":1}\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let cases: [(&[u8], &str); 6] = [
            (&utf16, "iconv"),
            (b"\xff\xfe{\x00", "iconv"),
            (b"PK\x03\x04......", "unzip -p"),
            (b"PAR1....", "a Parquet file"),
            (
                b"17,2024-01-01,x\n18,2024-01-02,y\n",
                "without a header row",
            ),
            (
                b"hello \x1b[31m\nworld\n",
                "its first line is 11 bytes that begin with a letter",
            ),
        ];
        for (content, hint) in cases {
            let message = refusal(content);
            assert!(message.contains(hint), "{message}");
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_stated() {
        let text = numbered_lines(10);
        let (source, file) = open(&text[..text.len() - 3], &options(None, 50));
        let mut grown = std::fs::OpenOptions::new()
            .append(true)
            .open(file.path())
            .unwrap();
        grown.write_all(b"9\"}\nmore\n").unwrap();
        assert_eq!(drain(&source).len(), 9);
        let read = coverage(&source);
        assert!(read.is_complete());
        let note = "9 bytes were appended since the scan began, and not read";
        assert!(read.format_reason.contains(note), "{}", read.format_reason);

        let (source, file) = open(&text, &options(None, 50));
        file.as_file().set_len(101).unwrap();
        let records = drain(&source);
        assert_eq!(records.len(), naive_lines(&text[..101]).len() - 1);
        let damage = coverage(&source).damage.unwrap();
        assert!(
            damage.starts_with("file shrank while it was read"),
            "{damage}"
        );
        assert!(damage.contains("are no whole line"), "{damage}");
    }

    #[test]
    fn a_stop_ends_the_file_between_records() {
        let text = numbered_lines(100);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&text).unwrap();
        let (stop, small) = (StopFlag::default(), options(None, 200));
        let source = FileSource::open(file.path(), SplitId(3), &small, stop.clone()).unwrap();
        let mut block = RecordBlock::default();
        assert!(source.next_block(&mut block).unwrap());
        let read = block.bytes.len();
        stop.stop();
        assert!(!source.next_block(&mut block).unwrap());
        let damage = coverage(&source).damage;
        assert_eq!(damage, Some(format!("interrupted at byte {read}")));
        let progress = source.progress();
        assert!(progress.done > 0 && progress.total == length_u64(text.len()));
    }

    #[test]
    fn a_pipe_whose_writer_waits_can_be_stopped() {
        let (reader, mut writer) = io::pipe().unwrap();
        let text = numbered_lines(10_000);
        let stop = StopFlag::default();
        let feeder = std::thread::spawn(move || {
            writer.write_all(&text).unwrap();
            writer
        });
        let options = options(None, 1 << 20);
        let path = Path::new("-");
        let source = FileSource::open_pipe(path, reader, SplitId(3), &options, stop.clone());
        let source = source.unwrap();
        let writer = feeder.join().unwrap();
        stop.stop();
        drain(&source);
        let damage = coverage(&source).damage.unwrap();
        assert!(damage.starts_with("interrupted at byte"), "{damage}");
        drop(writer);
    }

    #[test]
    fn what_a_pipe_gave_before_a_stop_is_read() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&numbered_lines(20)).unwrap();
        let stop = StopFlag::default();
        let stopped = stop.clone();
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            stopped.stop();
        });
        let (path, small) = (Path::new("-"), options(None, 1 << 20));
        let source = FileSource::open_pipe(path, reader, SplitId(3), &small, stop).unwrap();
        assert_eq!(drain(&source).len(), 20);
        assert!(coverage(&source).damage.is_some());
        stopper.join().unwrap();
        drop(writer);
    }

    #[test]
    fn a_file_without_a_length_is_read() {
        let path = Path::new("/proc/self/status");
        let tsv = options(Some(FileFormat::Tsv), 1 << 20);
        let source = FileSource::open(path, SplitId(3), &tsv, StopFlag::default()).unwrap();
        assert!(!drain(&source).is_empty());
    }

    #[test]
    fn a_pipe_named_as_a_file_is_read_twice() {
        let (reader, mut writer) = io::pipe().unwrap();
        let text = numbered_lines(20);
        let packed = gzip(&text);
        let feeder = std::thread::spawn(move || writer.write_all(&packed).unwrap());
        let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let list = walk::expand(&[path.into()]).unwrap();
        assert_eq!(list.notes, [""; 0]);
        let small = options(None, 100);
        let path = &list.paths[0];
        let source = FileSource::open(path, SplitId(3), &small, StopFlag::default()).unwrap();
        let records = drain(&source);
        feeder.join().unwrap();
        assert_eq!(records.len(), 20);
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        assert_eq!(fetch(&source, &positions), records);
        assert_eq!(fetch(&source, &positions[7..9]), records[7..9]);
        assert!(coverage(&source).is_complete());
        let SourceProgress { done, total } = source.progress();
        assert!(done > 0 && total == 0);
    }

    #[test]
    fn a_file_replaced_before_its_turn_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "{}\n").unwrap();
        let options = options(None, 100);
        let late = SplitId(FILES_KEPT_OPEN);
        let source = FileSource::open(&path, late, &options, StopFlag::default()).unwrap();
        let kept = FileSource::open(&path, SplitId(0), &options, StopFlag::default()).unwrap();
        std::fs::write(folder.path().join("new"), "{\"a\":1}\n").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert!(drain(&source).is_empty());
        let damage = coverage(&source).damage.unwrap();
        assert_eq!(
            damage,
            "cannot be opened again: it was replaced by another file"
        );
        assert_eq!(drain(&kept)[0].value, "={}");
        assert!(coverage(&kept).is_complete());
    }

    proptest! {
        #![proptest_config(quiet())]

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(
            start in prop::sample::select(vec![
                &b""[..],
                b"\x1f\x8b\x08\x00",
                b"\x28\xb5\x2f\xfd",
                b"\xef\xbb\xbf",
                b"{\"topic\":",
                b"a,b\n",
                b"[{\"a\":1},",
                b"{\"events\":[{\"message\":\"x\",\"timestamp\":1}",
                b"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{},",
                b"a=1 b=2\n",
                b"CreateTime:1\tPartition:0\tOffset:0\tx\n",
                b"Dumping t-0/0.log\nbaseOffset: 0\n| offset: 0 keySize: -1 valueSize: 1 payload: ",
                b"\x04\x22\x4d\x18",
                b"\xff\x06\x00\x00sNaPpY",
                b"BZh91AY&SY",
                b"\xfd7zXZ\x00\x00\x04",
            ]),
            rest in proptest::collection::vec(any::<u8>(), 0..60),
            format in prop::option::of(prop::sample::select(FileFormat::ALL.to_vec())),
            chunk_bytes in 1_usize..20,
        ) {
            let content = [start, &rest].concat();
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&content).unwrap();
            let options = options(format, chunk_bytes);
            let stop = StopFlag::default();
            if let Ok(source) = FileSource::open(file.path(), SplitId(3), &options, stop) {
                let records = drain(&source);
                let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
                prop_assert_eq!(&fetch(&source, &positions), &records);
                prop_assert_eq!(coverage(&source).records_read, length_u64(records.len()));
            }
        }

        #[test]
        fn documents_are_the_same_for_any_chunk_size(
            text in "[a1\"{}\\[\\],: \n]{0,60}",
            chunk_bytes in 1_usize..40,
            is_array: bool,
        ) {
            let text = if is_array { format!("[{{{text}") } else { text };
            let many = options(Some(FileFormat::Json), 1000);
            let few = options(Some(FileFormat::Json), chunk_bytes);
            let (few, _few_file) = open(text.as_bytes(), &few);
            let (many, _many_file) = open(text.as_bytes(), &many);
            let records = drain(&few);
            prop_assert_eq!(&records, &drain(&many));
            prop_assert_eq!(coverage(&few).damage.is_some(), coverage(&many).damage.is_some());
            let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
            prop_assert_eq!(&fetch(&few, &positions), &records);
            prop_assert_eq!(&fetch(&many, &positions), &records);
        }

        #[test]
        fn rows_are_revisited_as_they_were_read(
            text in "[ab\",\r\n]{0,80}",
            chunk_bytes in 1_usize..40,
        ) {
            let text = format!("x,y\n{text}");
            let options = options(Some(FileFormat::Csv), chunk_bytes);
            let (source, _file) = open(text.as_bytes(), &options);
            let records = drain(&source);
            let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
            prop_assert_eq!(&fetch(&source, &positions), &records);
            // Where no record starts, none is returned.
            let between: Vec<u64> = (0..length_u64(text.len()))
                .filter(|place| !positions.contains(place))
                .collect();
            let strangers = fetch(&source, &between);
            prop_assert!(strangers.iter().all(|seen| !positions.contains(&seen.position)));
        }
    }

    #[test]
    fn a_limit_on_unpacked_bytes_is_damage() {
        let mut limited = options(None, 1 << 20);
        limited.decompressed_bytes_max = Some(10_000_000);
        let bomb = gzip(&b"{\"a\":1}\n".repeat(2_000_000));
        let (source, _file) = open(&bomb, &limited);
        assert_eq!(drain(&source).len(), 1_250_000);
        assert!(coverage(&source).damage.unwrap().contains("10,000,000"));
    }
}
