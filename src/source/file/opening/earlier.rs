//! A file of which nothing is read in the first pass: an earlier run has read all of it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::finding::FileCoverage;
use crate::record::{RecordBlock, SplitId, TopicPartition};
use crate::source::earlier::NothingLeft;
use crate::source::file::{FileOpener, FileOptions};
use crate::source::{PositionUnit, ReadError, RecordRevisitor, RecordSource};
use crate::source::{SourceProgress, SplitCoverage, StopFlag};

/// A file that is only read again, and opened only for that.
pub struct EarlierFile {
    path: PathBuf,
    split: SplitId,
    has_byte_offsets: bool,
    options: FileOptions,
    /// What is said of it, where it is among the files to read.
    coverage: Option<FileCoverage>,
    /// Whether it is still the file that was read.
    is_there: bool,
    opened: OnceLock<Option<Box<dyn RecordSource>>>,
}

impl EarlierFile {
    /// Returns a file that is among those to read, and has not changed.
    pub fn unchanged(path: &Path, split: SplitId, options: &FileOptions, format: &str) -> Self {
        let coverage = FileCoverage {
            path: path.display().to_string(),
            format: format.to_owned(),
            format_reason: "unchanged since an earlier run has read it".to_owned(),
            bytes: 0,
            records_read: 0,
            damage: None,
            notes: Vec::new(),
        };
        Self {
            coverage: Some(coverage),
            ..Self::unasked(path, split, options, true)
        }
    }

    /// Returns a file that is not among those to read; one that is not there has nothing.
    pub fn unasked(path: &Path, split: SplitId, options: &FileOptions, is_there: bool) -> Self {
        Self {
            path: path.to_owned(),
            split,
            has_byte_offsets: true,
            options: options.clone(),
            coverage: None,
            is_there,
            opened: OnceLock::new(),
        }
    }

    /// Returns the file with what its positions count.
    #[must_use]
    pub fn with_byte_offsets(self, has_byte_offsets: bool) -> Self {
        Self {
            has_byte_offsets,
            ..self
        }
    }

    /// Opens the file and passes over its records: only then can they be read again.
    fn open(&self) -> Option<Box<dyn RecordSource>> {
        let mut opener = FileOpener::new(&self.options, StopFlag::default());
        let opened = opener.open(&self.path, self.split).ok()?;
        let mut block = RecordBlock::default();
        while opened.source.next_block(&mut block).ok()? {}
        Some(opened.source)
    }
}

impl RecordSource for EarlierFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn splits(&self) -> Vec<SplitId> {
        vec![self.split]
    }

    fn topic_partition(&self, _split: SplitId) -> Option<TopicPartition> {
        None
    }

    fn store_members(&self, split: SplitId) -> Option<&[String]> {
        self.opened.get()?.as_ref()?.store_members(split)
    }

    fn position_unit(&self) -> PositionUnit {
        if self.has_byte_offsets {
            PositionUnit::ByteOffset
        } else {
            PositionUnit::Number
        }
    }

    fn next_block(&self, block: &mut RecordBlock) -> Result<bool, ReadError> {
        block.clear(self.split);
        Ok(false)
    }

    fn progress(&self) -> SourceProgress {
        SourceProgress::default()
    }

    fn coverage(&self) -> Vec<SplitCoverage> {
        let coverage = self.coverage.iter().cloned();
        coverage.map(SplitCoverage::File).collect()
    }

    fn revisit(&self, split: SplitId) -> Result<Box<dyn RecordRevisitor + '_>, ReadError> {
        if !self.is_there {
            return Ok(Box::new(NothingLeft(split)));
        }
        match self.opened.get_or_init(|| self.open()) {
            Some(source) => source.revisit(split),
            None => Ok(Box::new(NothingLeft(split))),
        }
    }
}
