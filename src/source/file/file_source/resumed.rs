//! A file that an earlier run has read up to a place: only what follows is read in the first pass.

use std::sync::Arc;

use crate::record::RecordBlock;
use crate::source::file::file_source::{FileSource, Input};
use crate::source::file::revisit::FileRevisitor;
use crate::source::file::unpack::UnpackedStream;
use crate::source::file::unpack::compression::Compression;
use crate::source::{ReadError, RecordRevisitor, StopFlag};

impl FileSource {
    /// Returns whether reading can begin within the file: its records are told by their own bytes,
    /// and lie where the system can go to.
    fn can_resume(&self) -> bool {
        matches!(self.input, Input::Regular(_))
            && self.compression == Compression::Plain
            && self.cutter.layout.is_cut_alone()
    }

    /// Has the first pass begin at a place behind the header, if that can be.
    pub(super) fn resume(&mut self, byte_offset: u64, line: u64) -> bool {
        let is_within = match &self.input {
            Input::Regular(regular) => byte_offset <= regular.length(),
            Input::Pipe(_) => false,
        };
        let can_resume = is_within && self.can_resume();
        if can_resume {
            self.resumed = Some((byte_offset, line));
        }
        can_resume
    }

    /// Returns where a later run can go on.
    pub(super) fn place_to_resume(&self) -> Option<(u64, u64)> {
        let is_same = match &self.input {
            Input::Regular(regular) => regular.changes().damage.is_none(),
            Input::Pipe(_) => false,
        };
        let next = self.lock_pass().next_place();
        next.filter(|_| is_same && self.can_resume())
    }

    /// Returns a reader of the part read now, and of the one before it if that is asked for.
    pub(super) fn with_earlier_part<'a>(
        &'a self,
        later: FileRevisitor<'a>,
    ) -> Box<dyn RecordRevisitor + 'a> {
        Box::new(ResumedRevisitor {
            source: self,
            current: later,
            knows_all: false,
        })
    }

    /// Returns a reader of the whole file, whose chunks are told anew: their places were not kept.
    fn reader_of_all(&self) -> std::io::Result<FileRevisitor<'_>> {
        let Input::Regular(regular) = &self.input else {
            return Err(std::io::ErrorKind::Unsupported.into());
        };
        let limits = self.options.ahead_limits();
        let meter = Arc::default();
        let stream = UnpackedStream::packed(regular, self.compression, meter, limits)?;
        let mut chunker = self.chunker(stream).stopped_by(StopFlag::default());
        let mut bytes = Vec::new();
        while chunker.next_chunk(&mut bytes)?.is_some() {
            bytes.clear();
        }
        let (starts, end, _) = chunker.into_table();
        let source = self.chunk_bytes()?;
        Ok(FileRevisitor::new(
            &self.cutter,
            self.split,
            (starts, end),
            source,
        ))
    }
}

/// Reads records of both parts; the chunks of the earlier one are looked for only if one of its
/// records is wanted.
struct ResumedRevisitor<'a> {
    source: &'a FileSource,
    current: FileRevisitor<'a>,
    knows_all: bool,
}

impl RecordRevisitor for ResumedRevisitor<'_> {
    fn fetch(&mut self, positions: &[u64], block: &mut RecordBlock) -> Result<usize, ReadError> {
        let start = self.source.resumed.map_or(0, |(start, _)| start);
        let is_early = positions.first().is_some_and(|first| *first < start);
        if is_early && !self.knows_all {
            // What cannot be read any more is not there: the caller has its places.
            let Ok(all) = self.source.reader_of_all() else {
                block.clear(self.source.split);
                return Ok(positions.iter().take_while(|at| **at < start).count());
            };
            self.current = all;
            self.knows_all = true;
        }
        self.current.fetch(positions, block)
    }
}
