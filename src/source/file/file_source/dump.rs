//! Dumps of a log are looked through once for transaction markers before their records are read.

use std::io;
use std::sync::{Arc, PoisonError};

use crate::source::file::cut::layout::Body;
use crate::source::file::cut::text::dump_log::Segments;
use crate::source::file::cut::text::dump_survey::DumpSurvey;
use crate::source::file::file_source::FileSource;
use crate::source::file::unpack::UnpackedStream;
use crate::source::file::unpack::stored::Meter;

impl FileSource {
    /// Returns the segments of a dump; nothing where the file is none.
    pub(super) fn dump(&self) -> Option<&Arc<Segments>> {
        match &self.cutter.layout.body {
            Body::DumpedBatch(segments) => Some(segments),
            Body::Value
            | Body::Row(_)
            | Body::Envelope(_)
            | Body::ConsoleLine(_)
            | Body::Logfmt
            | Body::OtelLogs
            | Body::Event
            | Body::TableRow(_) => None,
        }
    }

    /// Keeps a pipe until it is looked through.
    pub(super) fn keep_pipe(&self, stream: UnpackedStream) {
        let mut piped = self.piped.lock().unwrap_or_else(PoisonError::into_inner);
        *piped = Some(stream);
    }

    /// Looks through a dump; a pipe is read to its end, and again from where it was kept.
    pub(super) fn survey_dump(&self) -> io::Result<()> {
        let Some(segments) = self.dump() else {
            return Ok(());
        };
        let piped = {
            let mut piped = self.piped.lock().unwrap_or_else(PoisonError::into_inner);
            piped.take()
        };
        let stream = match piped {
            Some(stream) => stream,
            None => self.stream(Arc::new(Meter::default()))?,
        };
        let mut chunker = self.chunker(stream);
        let mut survey = DumpSurvey::default();
        let mut bytes = Vec::new();
        while chunker.next_chunk(&mut bytes)?.is_some() {
            survey.take(&bytes);
            bytes.clear();
        }
        let (_, _, outcome) = chunker.into_table();
        segments.set_survey(survey.ended_by(outcome.damage));
        Ok(())
    }

    /// Returns what keeps a file from being complete, with what its transactions add.
    pub(super) fn damage_of_dump(&self, damage: Option<String>) -> Option<String> {
        let Some(survey) = self.dump().and_then(|segments| segments.survey()) else {
            return damage;
        };
        let first = damage.or_else(|| survey.end().map(str::to_owned));
        let mut parts = survey.damage(self.options.isolation);
        parts.extend(first);
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Returns what a format loses, with what is to be said of transactions.
    pub(super) fn notes_with_dump(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        let survey = self.dump().and_then(|segments| segments.survey());
        notes.extend(
            survey
                .iter()
                .flat_map(|survey| survey.notes(self.options.isolation)),
        );
        notes
    }
}
