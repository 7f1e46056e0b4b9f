//! Transactions in a dump: what became of them is said by markers behind their records.

use std::collections::{BTreeMap, HashMap};

use memchr::memmem;

use crate::source::file::cut::text::batch_line::{field, number};
use crate::source::file::cut::text::dump_log::topic_partition;
use crate::source::file::cut::text::dump_log::{LINE_MARKS, head, invalid_end, is_old_batch};
use crate::source::file::mark_ends;
use crate::source::file::segment::statement::{aborted_note, markers_note, open_damage, open_note};
use crate::source::file::segment::transactions::{Fate, Transactions};
use crate::source::kafka::Isolation;
use crate::source::record_batch::ControlMarker;

/// The partition whose log a dump shows, where its folder is named for it.
pub(crate) type Log = Option<(String, i32)>;

/// What a batch line, or a record line of old versions, says of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchHead {
    offset: i64,
    producer_id: i64,
    is_transactional: bool,
    is_control: Option<bool>,
}

impl BatchHead {
    /// Reads the head of a line.
    pub(crate) fn of(line: &[u8]) -> Self {
        let offset = number(line, "baseOffset").or_else(|| number(line, "offset"));
        Self {
            offset: offset.unwrap_or_default(),
            producer_id: number(line, "producerId").unwrap_or(-1),
            is_transactional: field(line, "isTransactional") == Some("true"),
            is_control: field(line, "isControl").map(|word| word == "true"),
        }
    }

    /// Returns whether its records are none of a topic's.
    pub(crate) fn is_control(&self) -> bool {
        self.is_control == Some(true)
    }
}

/// The transactions of a dump.
#[derive(Debug, Default)]
pub(crate) struct DumpSurvey {
    logs: HashMap<Log, Transactions>,
    /// First offset and number of the records whose marker did not come yet, by producer id.
    pending: BTreeMap<(Log, i64), (i64, u64)>,
    aborted_records: u64,
    markers: u64,
    log: Log,
    batch: BatchHead,
    /// What the tool said of ends of logs that it could not read.
    invalid_ends: Vec<String>,
    /// What kept the dump from being looked through.
    end: Option<String>,
}

impl DumpSurvey {
    /// Looks at a chunk of whole batches; chunks come in order.
    pub(crate) fn take(&mut self, chunk: &[u8]) {
        mark_ends::for_each(chunk, LINE_MARKS, |place| {
            let text = chunk.get(place).unwrap_or_default();
            self.invalid_ends.extend(invalid_end(text));
            if text.starts_with(b"Dumping ") {
                (self.log, self.batch) = (topic_partition(text), BatchHead::default());
            } else if text.starts_with(b"baseOffset: ") {
                let line = text.split(|&byte| byte == b'\n').next();
                self.batch = BatchHead::of(line.unwrap_or_default());
            } else if is_old_batch(text) {
                self.batch = BatchHead::default();
            } else if text.starts_with(b"offset: ") {
                self.take_record(BatchHead::of(head(text)), text);
            } else if text.starts_with(b"| ") {
                self.take_record(self.batch, text);
            }
        });
    }

    fn take_record(&mut self, batch: BatchHead, text: &[u8]) {
        let offset = number(head(text), "offset").unwrap_or(batch.offset);
        let id = (self.log.clone(), batch.producer_id);
        if batch.is_control != Some(false)
            && let Some(marker) = marker(text)
        {
            let transactions = self.logs.entry(self.log.clone()).or_default();
            transactions.note_marker(batch.producer_id, offset, Some(marker));
            self.markers += 1;
            if let (Some((_, records)), ControlMarker::Abort) = (self.pending.remove(&id), marker) {
                self.aborted_records += records;
            }
        } else if batch.is_transactional && !batch.is_control() {
            let (_, records) = self.pending.entry(id).or_insert((offset, 0));
            *records += 1;
        }
    }

    /// Notes what kept the rest from being looked at.
    pub(crate) fn ended_by(mut self, damage: Option<String>) -> Self {
        self.end = damage;
        self
    }

    /// Returns what became of a batch's transaction.
    pub(crate) fn fate(&self, log: &Log, batch: &BatchHead) -> Fate {
        if !batch.is_transactional {
            return Fate::Committed;
        }
        let transactions = self.logs.get(log);
        transactions.map_or(Fate::Open, |of| of.fate_of(batch.producer_id, batch.offset))
    }

    /// Returns what keeps the dump from being complete.
    pub(crate) fn damage(&self, isolation: Isolation) -> Vec<String> {
        let mut damage = self.invalid_ends.clone();
        if isolation == Isolation::ReadCommitted {
            let open = self
                .pending
                .iter()
                .map(|((_, producer_id), (first, records))| {
                    open_damage(*producer_id, (*first, *records), "nothing in the dump")
                });
            damage.extend(open);
        }
        damage
    }

    /// Returns what kept the dump from being looked through for markers.
    pub(crate) fn end(&self) -> Option<&str> {
        self.end.as_deref()
    }

    /// Returns what else is to be said.
    pub(crate) fn notes(&self, isolation: Isolation) -> Vec<String> {
        let mut notes = Vec::new();
        if self.aborted_records > 0 {
            notes.push(aborted_note(self.aborted_records, isolation));
        }
        let open: u64 = self.pending.values().map(|(_, records)| records).sum();
        if isolation == Isolation::ReadUncommitted && open > 0 {
            notes.push(open_note(open));
        }
        if self.markers > 0 {
            notes.push(markers_note(self.markers));
        }
        notes
    }
}

/// Returns the marker that a record is.
fn marker(text: &[u8]) -> Option<ControlMarker> {
    let behind = text.get(head(text).len()..)?;
    let place = memmem::find(behind, b"] endTxnMarker: ")?;
    match field(behind.get(place + 2..)?, "endTxnMarker")? {
        "ABORT" => Some(ControlMarker::Abort),
        "COMMIT" => Some(ControlMarker::Commit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(offset: i64, producer_id: i64, kind: &str) -> String {
        format!(
            "baseOffset: {offset} lastOffset: {offset} count: 1 baseSequence: 0 lastSequence: 0 \
             producerId: {producer_id} producerEpoch: 0 partitionLeaderEpoch: 0 {kind} position: \
             0 CreateTime: 1 size: 82 magic: 2 compresscodec: none crc: 1 isvalid: true\n"
        )
    }

    fn data(offset: i64, producer_id: i64) -> String {
        let batch = batch(
            offset,
            producer_id,
            "isTransactional: true isControl: false",
        );
        format!(
            "{batch}| offset: {offset} CreateTime: 1 keySize: -1 valueSize: 2 sequence: 0 \
             headerKeys: [] payload: hi\n"
        )
    }

    fn control(offset: i64, producer_id: i64, word: &str) -> String {
        let batch = batch(offset, producer_id, "isTransactional: true isControl: true");
        format!(
            "{batch}| offset: {offset} CreateTime: 1 keySize: 4 valueSize: 6 sequence: -1 \
             headerKeys: [] endTxnMarker: {word} coordinatorEpoch: 0\n"
        )
    }

    fn head_at(offset: i64, producer_id: i64) -> BatchHead {
        BatchHead {
            offset,
            producer_id,
            is_transactional: true,
            is_control: Some(false),
        }
    }

    #[test]
    fn the_markers_of_each_log_decide_on_the_records_before_them() {
        let mut survey = DumpSurvey::default();
        survey.take("Dumping /d/t-0/00.log\n".as_bytes());
        for chunk in [
            data(0, 7),
            data(1, 8),
            control(2, 7, "ABORT"),
            data(3, 7),
            control(4, 8, "COMMIT"),
            control(5, 7, "COMMIT"),
            data(6, 9),
            data(7, 9),
        ] {
            survey.take(chunk.as_bytes());
        }
        let text = format!(
            "Dumping /d/t-1/00.log\n{}{}",
            data(0, 7),
            control(1, 7, "COMMIT")
        );
        survey.take(text.as_bytes());
        let log = |partition| Some(("t".to_owned(), partition));
        for (partition, offset, producer_id, fate) in [
            (0, 0, 7, Fate::Aborted),
            (0, 1, 8, Fate::Committed),
            (0, 3, 7, Fate::Committed),
            (0, 6, 9, Fate::Open),
            (1, 0, 7, Fate::Committed),
            (2, 0, 7, Fate::Open),
        ] {
            let found = survey.fate(&log(partition), &head_at(offset, producer_id));
            assert_eq!(found, fate, "{partition} {offset}");
        }
        let damage = survey.damage(Isolation::ReadCommitted);
        assert_eq!(damage.len(), 1);
        assert!(
            damage[0].contains("2 records of producer 9 from offset 6"),
            "{damage:?}"
        );
        assert!(survey.damage(Isolation::ReadUncommitted).is_empty());
        let notes = survey.notes(Isolation::ReadCommitted).join("; ");
        assert!(
            notes.contains("1 records of aborted transactions were left out"),
            "{notes}"
        );
        assert!(notes.contains("4 transaction markers"), "{notes}");
    }

    #[test]
    fn lines_of_old_versions_carry_their_producer_themselves() {
        let mut survey = DumpSurvey::default();
        let line = |offset: i64, behind: &str| {
            format!(
                "offset: {offset} position: 0 CreateTime: 1 isvalid: true keysize: 3 valuesize: 5 \
                 magic: 2 compresscodec: NONE producerId: 7 producerEpoch: 0 sequence: 4 \
                 isTransactional: true headerKeys: [] {behind}\n"
            )
        };
        let records = [
            line(0, "key: abc payload: producerId: 8"),
            line(1, "endTxnMarker: ABORT coordinatorEpoch: 0"),
            line(2, "key: abc payload: hello"),
        ];
        survey.take(records.concat().as_bytes());
        assert_eq!(
            survey.fate(&None, &BatchHead::of(head(records[0].as_bytes()))),
            Fate::Aborted
        );
        assert_eq!(
            survey.fate(&None, &BatchHead::of(head(records[2].as_bytes()))),
            Fate::Open
        );
        assert_eq!(survey.aborted_records, 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_text_is_surveyed(words in proptest::collection::vec(prop::sample::select(vec![
            "Dumping a/t-0/0.log", "\n", "baseOffset: ", "| offset: ", "offset: ", "7 ",
            "producerId: ", "isTransactional: true ", "isControl: true ", " headerKeys: [", "] ",
            "endTxnMarker: ", "ABORT ", "payload: ", "99999999999999999999 ",
        ]), 0..24)) {
            let mut survey = DumpSurvey::default();
            survey.take(words.concat().as_bytes());
            let _ = survey.notes(Isolation::ReadCommitted);
        }
    }
}
