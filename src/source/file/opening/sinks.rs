//! Opens files of sinks with what their paths, their neighbours and their siblings say.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::record::{RecordBlock, SplitId};
use crate::source::RecordSource;
use crate::source::file::opening::{FileOpener, OpenedFile};
use crate::source::file::sink::siblings::SiblingPath;
use crate::source::file::sink::wrapping::Json;
use crate::source::file::sink::{Sibling, SinkName, SinkNaming, SinkSource, Wrapping};
use crate::source::file::{FileError, FileFormat};

/// Split of what is read once beside a file: it is not kept open, and no record is reported of it.
const READ_ONCE: SplitId = SplitId(u32::MAX);

impl FileOpener<'_> {
    /// Opens a file whose name is that of a sink's.
    pub(super) fn open_sink(
        &mut self,
        path: &Path,
        name: SinkName,
        split: SplitId,
    ) -> Result<OpenedFile, FileError> {
        match name.naming {
            SinkNaming::Confluent => self.open_confluent(path, name, split),
            SinkNaming::Aiven => {
                // What stands around records is told by all members.
                let members = self.members.take();
                let opened = self.open_aiven(path, name, split);
                self.members = members;
                opened
            }
        }
    }

    fn open_confluent(
        &mut self,
        path: &Path,
        name: SinkName,
        split: SplitId,
    ) -> Result<OpenedFile, FileError> {
        let opened = self.open_as_it_is(path, split)?;
        if opened.names_topics {
            return Ok(opened);
        }
        let counted = self.open_as_it_is(path, READ_ONCE)?;
        let siblings = SiblingPath::all_of(path).into_iter();
        let siblings = siblings.map(|found| self.open_sibling(found)).collect();
        let end = end_of(path, &name);
        let source = SinkSource::new(opened.source, counted.source, name, end)
            .with_siblings(siblings, Arc::clone(&self.columns));
        Ok(placed(source))
    }

    /// Opens the keys of tombstones, whose values are null.
    pub(super) fn open_tombstones(
        &mut self,
        path: &Path,
        name: SinkName,
        split: SplitId,
    ) -> Result<OpenedFile, FileError> {
        let Some(keys) = SiblingPath::of_keys(path) else {
            return self.open_as_it_is(path, split);
        };
        let wrapping = Wrapping::Tombstone(Json(keys.is_json));
        let inner = self.open_beside(&keys, split)?.source;
        Ok(placed(SinkSource::wrapped(inner, name, wrapping)))
    }

    /// Opens a file of keys or headers: lines, or a container.
    fn open_beside(&self, found: &SiblingPath, split: SplitId) -> Result<OpenedFile, FileError> {
        let mut options = self.options.clone();
        options.format = (!found.is_container).then_some(FileFormat::JsonLines);
        options.members = None;
        FileOpener::new(&options, self.stop.clone()).open_as_it_is(&found.path, split)
    }

    /// A sibling that cannot be opened is damage of the file that it belongs to.
    fn open_sibling(&self, found: SiblingPath) -> Sibling {
        let source = self
            .open_beside(&found, READ_ONCE)
            .map(|opened| opened.source);
        found.opened(source.map_err(|error| error.to_string()))
    }

    /// Any file may be called so: what its records say, or their number, has to agree.
    fn open_aiven(
        &mut self,
        path: &Path,
        name: SinkName,
        split: SplitId,
    ) -> Result<OpenedFile, FileError> {
        let opened = self.open_as_it_is(path, split);
        if opened.as_ref().is_ok_and(|opened| opened.names_topics) {
            return opened;
        }
        if let Ok(opened) = &opened
            && let Some(wrapping) = wrapping(&*opened.source, name.start)
        {
            let inner = self.open_as_it_is(path, split)?.source;
            return Ok(placed(SinkSource::wrapped(inner, name, wrapping)));
        }
        if self.options.format.is_none()
            && let Some(rows) = self.open_rows(path, &name, split)
        {
            return Ok(rows);
        }
        // Its first block was looked at.
        drop(opened?);
        if let Some(end) = end_of(path, &name) {
            let inner = self.open_as_it_is(path, split)?.source;
            let counted = self.open_as_it_is(path, READ_ONCE)?.source;
            let source = SinkSource::new(inner, counted, name, Some(end));
            if source.has_offsets() {
                return Ok(placed(source));
            }
        }
        self.open_as_it_is(path, split)
    }

    /// Opens rows without a header row, where the first of them has the offset of the name.
    fn open_rows(&self, path: &Path, name: &SinkName, split: SplitId) -> Option<OpenedFile> {
        let mut options = self.options.clone();
        options.format = Some(FileFormat::CsvNoHeader);
        options.members = None;
        let mut opener = FileOpener::new(&options, self.stop.clone());
        let looked_at = opener.open_as_it_is(path, split).ok()?;
        let wrapping = wrapping(&*looked_at.source, name.start)?;
        let inner = opener.open_as_it_is(path, split).ok()?.source;
        Some(placed(SinkSource::wrapped(inner, name.clone(), wrapping)))
    }
}

/// Returns what stands around the records of a source, of which a block is read.
fn wrapping(source: &dyn RecordSource, start: i64) -> Option<Wrapping> {
    let mut block = RecordBlock::default();
    while source.next_block(&mut block).ok()? {
        if !block.slots.is_empty() {
            return Wrapping::of(&block, start);
        }
    }
    None
}

/// Returns the offset behind the last record, by the file's name or where the next file starts.
fn end_of(path: &Path, name: &SinkName) -> Option<i64> {
    name.end.or_else(|| {
        let real = fs::canonicalize(path).ok()?;
        name.next_start(real.parent()?)
    })
}

fn placed(source: SinkSource) -> OpenedFile {
    OpenedFile {
        source: Box::new(source),
        names_topics: true,
    }
}
