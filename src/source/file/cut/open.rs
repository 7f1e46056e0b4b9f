//! Makes records of pieces, by what the layout says that they are.

use crate::record::{RecordBlock, RecordDefect, RecordSlot, Span};
use crate::source::file::chunk::{ChunkStart, newlines};
use crate::source::file::cut::envelope::opener::{Opener, Scratch};
use crate::source::file::cut::layout::Body;
use crate::source::file::cut::text::batch_line;
use crate::source::file::cut::text::console_line::{ConsoleShape, push_headers};
use crate::source::file::cut::text::dump_log::{LINE_MARKS, Segments};
use crate::source::file::cut::text::dump_log::{
    head, is_old_batch, parse, stray_start, topic_partition,
};
use crate::source::file::cut::text::dump_survey::{BatchHead, Log};
use crate::source::file::cut::text::{logfmt, otel, table};
use crate::source::file::cut::{Cutter, Piece, for_each_marked};
use crate::source::file::row_ends::RecordEnds;
use crate::source::file::segment::transactions::Fate;
use crate::source::file::unpack::length_u64;
use crate::source::kafka::Isolation;

impl Cutter {
    /// Adds what a piece holds: mostly one record.
    pub(super) fn open(
        &self,
        bytes: &[u8],
        piece: &Piece,
        block: &mut RecordBlock,
        scratch: &mut Scratch,
    ) {
        let whole = self.slot(piece.place.clone(), piece.position, piece.line);
        let mut slot = whole;
        if piece.is_stray && slot.defect.is_none() {
            slot.defect = Some(RecordDefect::InvalidText);
        }
        if slot.defect.is_some() {
            block.slots.push(slot);
            return;
        }
        let mut opener = Opener {
            line: bytes.get(piece.place.clone()).unwrap_or_default(),
            line_start: piece.place.start,
            appended_start: bytes.len(),
            scratch,
        };
        let topic = self.assume_topic.as_deref();
        let opened = match &self.layout.body {
            Body::Value | Body::Row(_) | Body::DumpedBatch(_) => Ok(()),
            Body::Envelope(kind) => opener.open_envelope(*kind, &mut slot, block, topic),
            Body::ConsoleLine(shape) => opener.open_console_line(*shape, &mut slot, block, topic),
            Body::Logfmt => opener.open_logfmt(&mut slot),
            Body::Event => opener.open_event(&mut slot),
            Body::TableRow(columns) => self.open_table_row(&mut opener, columns, &mut slot),
            Body::OtelLogs => {
                if opener.open_otel(piece, block) {
                    return;
                }
                Err(RecordDefect::InvalidText)
            }
        };
        if let Err(defect) = opened {
            slot = whole;
            slot.defect = Some(defect);
        }
        block.slots.push(slot);
    }

    fn open_table_row(
        &self,
        opener: &mut Opener<'_>,
        columns: &[Box<[u8]>],
        slot: &mut RecordSlot,
    ) -> Result<(), RecordDefect> {
        let RecordEnds::Rows { delimiter } = self.layout.ends else {
            return Err(RecordDefect::InvalidText);
        };
        let row = super::rows::row_at(opener.line, 0, delimiter);
        if row.cells != columns.len() {
            return Err(RecordDefect::InvalidEnvelope);
        }
        let from = opener.scratch.appended.len();
        let out = &mut opener.scratch.appended;
        if let Some(millis) = table::push_object(opener.line, delimiter, columns, out) {
            slot.timestamp_millis = millis;
        }
        slot.value = opener.appended_span(from);
        Ok(())
    }

    /// Adds the records of a chunk of a dump, with the stamps of the batch line above them.
    pub(super) fn cut_dump(
        &self,
        bytes: &[u8],
        (from, start): (usize, ChunkStart),
        segments: &Segments,
        block: &mut RecordBlock,
    ) {
        let mut place = segments.at(start.byte_offset);
        let mut batch = u32::MAX;
        let mut is_wanted = true;
        let mut add = |piece: &Piece, block: &mut RecordBlock| {
            let text = bytes.get(piece.place.clone()).unwrap_or_default();
            if text.starts_with(b"Dumping ") {
                (place, batch, is_wanted) = (topic_partition(text), u32::MAX, true);
            } else if text.starts_with(b"baseOffset: ") {
                let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
                let head = BatchHead::of(line);
                let fate = fate(segments, &place, &head);
                is_wanted = !head.is_control() && self.wants(fate);
                batch = batch_line::stamp(line).map_or(u32::MAX, |mut stamp| {
                    stamp.is_aborted = Some(fate == Fate::Aborted);
                    block.batches.push(stamp);
                    u32::try_from(block.batches.len() - 1).unwrap_or(u32::MAX)
                });
                return;
            }
            if text.starts_with(b"offset: ") {
                // Of Kafka 2.2 and older, each of which says itself what it belongs to, or a
                // message set, which is of no transaction.
                batch = u32::MAX;
                if is_old_batch(text) {
                    is_wanted = true;
                    return;
                }
                is_wanted = self.wants(fate(segments, &place, &BatchHead::of(head(text))));
            }
            if is_wanted && (text.starts_with(b"| ") || text.starts_with(b"offset: ")) {
                let topic = place.as_ref().map(|(topic, partition)| {
                    let topic = self.assume_topic.as_deref().unwrap_or(topic);
                    block.intern_topic_partition(topic, *partition)
                });
                self.add_dumped(piece, text, (topic.unwrap_or(u32::MAX), batch), block);
            }
        };
        for_each_marked(bytes, from, start, LINE_MARKS, |piece| {
            add(&piece, block);
            let text = bytes.get(piece.place.clone()).unwrap_or_default();
            if let Some(stray) = stray_start(text) {
                self.add_stray(&piece, bytes, stray, block);
            }
        });
    }

    /// Adds the part of a piece that belongs to no dump, from `start` on.
    fn add_stray(&self, piece: &Piece, bytes: &[u8], start: usize, block: &mut RecordBlock) {
        let place = piece.place.start + start..piece.place.end;
        let before = bytes
            .get(piece.place.start..place.start)
            .unwrap_or_default();
        let line = piece.line + newlines(before);
        let mut slot = self.slot(place, piece.position + length_u64(start), line);
        slot.defect.get_or_insert(RecordDefect::InvalidEnvelope);
        block.slots.push(slot);
    }

    /// Returns whether records of such a transaction are read.
    fn wants(&self, fate: Fate) -> bool {
        fate == Fate::Committed || self.isolation == Isolation::ReadUncommitted
    }

    fn add_dumped(
        &self,
        piece: &Piece,
        text: &[u8],
        (topic_partition, batch): (u32, u32),
        block: &mut RecordBlock,
    ) {
        let mut slot = self.slot(piece.place.clone(), piece.position, piece.line);
        if slot.defect.is_some() {
            block.slots.push(slot);
            return;
        }
        let inside = |place: std::ops::Range<usize>| {
            Span::new(
                piece.place.start + place.start,
                piece.place.start + place.end,
            )
        };
        match parse(text) {
            Ok(None) => return,
            Ok(Some(record)) => {
                (slot.topic_partition, slot.batch) = (topic_partition, batch);
                slot.offset = record.offset;
                if let Some((millis, kind)) = record.timestamp {
                    (slot.timestamp_millis, slot.timestamp_type) = (millis, kind);
                }
                if !record.hides_key {
                    slot.key = record.key.map_or(Span::NULL, inside);
                }
                slot.value = record.value.map_or(Span::NULL, inside);
            }
            Err(defect) => slot.defect = Some(defect),
        }
        block.slots.push(slot);
    }
}

fn fate(segments: &Segments, log: &Log, batch: &BatchHead) -> Fate {
    let survey = segments.survey();
    survey.map_or(Fate::Committed, |survey| survey.fate(log, batch))
}

impl Opener<'_> {
    fn open_console_line(
        &mut self,
        shape: ConsoleShape,
        slot: &mut RecordSlot,
        block: &mut RecordBlock,
        assume_topic: Option<&str>,
    ) -> Result<(), RecordDefect> {
        let line = self.line;
        let parsed = shape.parse(line).ok_or(RecordDefect::InvalidEnvelope)?;
        if let Some((millis, kind)) = parsed.timestamp {
            (slot.timestamp_millis, slot.timestamp_type) = (millis, kind);
        }
        slot.offset = parsed.offset.unwrap_or(-1);
        if let (Some(topic), Some(partition)) = (assume_topic, parsed.partition) {
            slot.topic_partition = block.intern_topic_partition(topic, partition);
        }
        // The tool writes null as a word, which a value that is this word cannot be told from.
        let payload = |place: &std::ops::Range<usize>| match line.get(place.clone()) {
            Some(b"null") => Span::NULL,
            // kcat writes nothing for null.
            Some(b"") if shape.separator != b'\t' => Span::NULL,
            _ => self.line_span(place),
        };
        let places = [Some(&parsed.value), parsed.key.as_ref()];
        [slot.value, slot.key] = places.map(|place| place.map_or(Span::UNRECORDED, payload));
        if let Some(headers) = parsed.headers {
            let from = self.scratch.appended.len();
            push_headers(
                line.get(headers).unwrap_or_default(),
                &mut self.scratch.appended,
            );
            slot.headers = self.appended_span(from);
        }
        Ok(())
    }

    fn open_logfmt(&mut self, slot: &mut RecordSlot) -> Result<(), RecordDefect> {
        let from = self.scratch.appended.len();
        if !logfmt::push_object(self.line, &mut self.scratch.appended) {
            self.scratch.appended.truncate(from);
            return Err(RecordDefect::InvalidText);
        }
        slot.value = self.appended_span(from);
        Ok(())
    }

    /// Adds the log records of a document; returns whether it is one.
    fn open_otel(&mut self, piece: &Piece, block: &mut RecordBlock) -> bool {
        let line = self.line;
        let slots_before = block.slots.len();
        let appended_before = self.scratch.appended.len();
        let mut number = piece.line;
        let mut counted = 0;
        let appended_start = self.appended_start;
        let is_valid = otel::for_each_record(line, &mut self.scratch.appended, |record| {
            let position = piece.position + length_u64(record.place.start);
            let mut slot = RecordSlot::new(position);
            let between = line.get(counted..record.place.start).unwrap_or_default();
            number += newlines(between);
            counted = record.place.start;
            slot.line = number;
            slot.timestamp_millis = record.millis.unwrap_or(i64::MIN);
            match record.object {
                Some(object) => {
                    let end = appended_start + object.end;
                    slot.value = Span::new(appended_start + object.start, end);
                }
                None => slot.defect = Some(RecordDefect::InvalidText),
            }
            block.slots.push(slot);
        });
        if !is_valid {
            block.slots.truncate(slots_before);
            self.scratch.appended.truncate(appended_before);
        }
        is_valid
    }
}
