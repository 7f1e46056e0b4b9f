//! Whether the fields that were named exist, and what stands where they do not.

use serde::{Deserialize, Serialize};

use crate::audit::plan::AuditPlan;
use crate::audit::unread::UnreadReasons;
use crate::decode;
use crate::decode::FieldReader;
use crate::finding::SkipReason;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::RecordView;
use crate::record::SplitId;

/// Examples of undecodable records kept for the message.
const EXAMPLES_MAX: usize = 3;

/// Paths listed where a dedup key was found nowhere.
pub(super) const PATHS_MAX: usize = 30;

/// Looks for the fields beside the dedup key until each was seen once.
#[derive(Debug)]
pub(super) struct FieldProbe {
    wanted: Vec<(String, FieldPath)>,
    reader: Option<FieldReader>,
}

impl FieldProbe {
    pub(super) fn new(plan: &AuditPlan) -> Self {
        let impact = &plan.impact;
        let named = [
            ("--amount", &impact.amount),
            ("--currency", &impact.currency),
            ("--subject", &impact.subject),
        ];
        let mut wanted: Vec<_> = named
            .into_iter()
            .filter_map(|(flag, path)| Some((flag.to_owned(), path.clone()?)))
            .collect();
        let ignored = plan.dedup_key.ignore.iter().cloned();
        wanted.extend(ignored.map(|path| ("--ignore".to_owned(), path)));
        let mut probe = Self {
            wanted,
            reader: None,
        };
        probe.rebuild();
        probe
    }

    fn rebuild(&mut self) {
        let paths: Vec<_> = self.wanted.iter().map(|(_, path)| path.clone()).collect();
        self.reader = (!paths.is_empty()).then(|| FieldReader::new(paths));
    }

    /// Looks at one record; costs nothing once every field was seen.
    #[inline]
    pub(super) fn look(&mut self, view: RecordView<'_>) {
        if self.reader.is_some() {
            self.search(view);
        }
    }

    fn search(&mut self, view: RecordView<'_>) {
        let Some(reader) = &mut self.reader else {
            return;
        };
        let mut values = vec![FieldValue::Missing; self.wanted.len()];
        reader.read(view, &mut values);
        // What cannot be decoded shows nothing of what stands there.
        let is_found = |value: &FieldValue<'_>| {
            !matches!(value, FieldValue::Missing | FieldValue::Undecodable)
        };
        if !values.iter().any(is_found) {
            return;
        }
        let mut found = values.iter().map(is_found);
        self.wanted.retain(|_| !found.next().unwrap_or(false));
        self.rebuild();
    }

    /// Returns the fields that were never seen: flag and path.
    pub(super) fn unseen(self) -> Vec<(String, FieldPath)> {
        self.wanted
    }
}

/// One undecodable record, for the message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct UndecodableExample {
    pub(super) split: SplitId,
    pub(super) position: u64,
    pub(super) line: u64,
    pub(super) what: String,
}

/// The place of a record, and its paths; nothing where not all of it was at hand.
pub(super) type ExistingPaths = (SplitId, u64, Option<Vec<String>>);

/// The first undecodable records, and the paths of the first record without the dedup key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) undecodable: Vec<UndecodableExample>,
    /// Those of them that lack a schema, or do not fit theirs.
    pub(super) unread: UnreadReasons,
    pub(super) existing_paths: Option<ExistingPaths>,
}

impl Sample {
    /// Keeps what a message needs of a skipped record.
    pub(super) fn note(
        &mut self,
        view: RecordView<'_>,
        reason: SkipReason,
        fields: &mut FieldReader,
    ) {
        let place = (view.block().split, view.slot().position);
        match reason {
            SkipReason::Undecodable => self.note_undecodable(view, fields),
            SkipReason::MissingKey => {
                let is_first = |(split, position, _): &ExistingPaths| (*split, *position) > place;
                if self.existing_paths.as_ref().is_none_or(is_first) {
                    let is_whole = !view.block().is_partial;
                    let paths = is_whole.then(|| decode::existing_paths(view, PATHS_MAX));
                    self.existing_paths = Some((place.0, place.1, paths));
                }
            }
            SkipReason::OutsideRange
            | SkipReason::SameRecord
            | SkipReason::Tombstone
            | SkipReason::Filtered => {}
        }
    }

    fn note_undecodable(&mut self, view: RecordView<'_>, fields: &mut FieldReader) {
        self.unread.note(view);
        let place = (view.block().split, view.slot().position);
        let is_later = |kept: &UndecodableExample| (kept.split, kept.position) > place;
        if self.undecodable.len() >= EXAMPLES_MAX && !self.undecodable.iter().any(is_later) {
            return;
        }
        self.undecodable.push(UndecodableExample {
            split: place.0,
            position: place.1,
            line: view.slot().line,
            what: fields
                .explain(view)
                .unwrap_or_else(|| "cannot be decoded".to_owned()),
        });
        self.trim();
    }

    /// Returns the splits of all examples.
    pub(super) fn splits_mut(&mut self) -> Vec<&mut SplitId> {
        let undecodable = self
            .undecodable
            .iter_mut()
            .map(|example| &mut example.split);
        let paths = self.existing_paths.iter_mut().map(|(split, ..)| split);
        undecodable.chain(paths).collect()
    }

    /// Adds what another worker kept.
    pub(super) fn add(&mut self, other: Self) {
        self.unread.add(&other.unread);
        self.undecodable.extend(other.undecodable);
        self.trim();
        let place = |paths: &ExistingPaths| (paths.0, paths.1);
        self.existing_paths = [self.existing_paths.take(), other.existing_paths]
            .into_iter()
            .flatten()
            .min_by_key(place);
    }

    /// Returns examples, by their `place`s, and the reasons that concern schemas.
    pub(super) fn undecodable_text(&self, place: impl Fn(&UndecodableExample) -> String) -> String {
        let examples = self.undecodable.iter();
        let examples = examples.map(|example| format!("{}: {}", place(example), example.what));
        let mut text = examples.collect::<Vec<_>>().join("; ");
        if let Some(reasons) = self.unread.text() {
            text.push_str("; of all of them: ");
            text.push_str(&reasons);
        }
        text
    }

    fn trim(&mut self) {
        self.undecodable.sort_unstable();
        self.undecodable.truncate(EXAMPLES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordBlock;
    use crate::record::RecordSlot;

    fn block(split: u32, values: &[&str]) -> RecordBlock {
        let mut block = RecordBlock::default();
        block.clear(SplitId(split));
        for (position, value) in (0..).zip(values) {
            let value = block.push_bytes(value.as_bytes());
            block.slots.push(RecordSlot {
                value,
                line: position + 1,
                ..RecordSlot::new(position)
            });
        }
        block
    }

    #[test]
    fn fields_that_no_record_has_are_named_with_their_option() {
        let mut plan = AuditPlan::sample(&["id"]);
        let path = |text: &str| FieldPath::parse(text).unwrap();
        plan.impact.amount = Some(path("amount"));
        plan.impact.subject = Some(path("customer"));
        plan.dedup_key.ignore = vec![path("sent_at")];
        let unseen = |values: &[&str]| -> Vec<String> {
            let mut probe = FieldProbe::new(&plan);
            block(0, values).views().for_each(|view| probe.look(view));
            let named = probe.unseen().into_iter();
            named
                .map(|(flag, path)| format!("{flag} {}", path.short()))
                .collect()
        };
        let all = ["--amount amount", "--subject customer", "--ignore sent_at"];
        assert_eq!(unseen(&[]), all);
        assert_eq!(unseen(&["{}", "no json", r#"{"amounts":1}"#]), all);
        assert_eq!(unseen(&[r#"{"customer":null}"#]), [all[0], all[2]]);
        let apart = [r#"{"amount":1}"#, r#"{"sent_at":2}"#, r#"{"customer":3}"#];
        assert_eq!(unseen(&apart), [""; 0]);
    }

    /// Notes all records of a block as skipped for one reason.
    fn noted(sample: &mut Sample, block: &RecordBlock, reason: SkipReason) {
        let mut fields = FieldReader::new(vec![FieldPath::parse("id").unwrap()]);
        for view in block.views() {
            let mut values = [FieldValue::Missing];
            fields.read(view, &mut values);
            sample.note(view, reason, &mut fields);
        }
    }

    #[test]
    fn the_first_undecodable_records_are_kept_whatever_the_order_of_the_workers() {
        let bad = ["{", "[1", "\"", "{\"id\"", "nul"];
        let later = block(1, &bad);
        let earlier = block(0, &bad[..2]);
        let mut one = Sample::default();
        noted(&mut one, &later, SkipReason::Undecodable);
        noted(&mut one, &earlier, SkipReason::Undecodable);
        let mut other = Sample::default();
        noted(&mut other, &earlier, SkipReason::Undecodable);
        let mut joined = Sample::default();
        noted(&mut joined, &later, SkipReason::Undecodable);
        joined.add(other);
        assert_eq!(joined.undecodable, one.undecodable);
        let places = one.undecodable.iter();
        let places: Vec<(u32, u64)> = places.map(|of| (of.split.0, of.line)).collect();
        assert_eq!(places, [(0, 1), (0, 2), (1, 1)]);
        assert!(one.undecodable.iter().all(|of| !of.what.is_empty()));
    }

    #[test]
    fn the_paths_of_the_first_record_without_the_dedup_key_are_kept() {
        let mut sample = Sample::default();
        noted(
            &mut sample,
            &block(3, &[r#"{"b":1}"#]),
            SkipReason::MissingKey,
        );
        let mut other = Sample::default();
        let first = block(2, &[r#"{"a":{"c":1}}"#, r#"{"z":1}"#]);
        noted(&mut other, &first, SkipReason::MissingKey);
        noted(&mut other, &block(0, &["{}"]), SkipReason::Filtered);
        sample.add(other);
        let (split, position, paths) = sample.existing_paths.unwrap();
        assert_eq!((split, position), (SplitId(2), 0));
        let paths = paths.unwrap();
        let has = |path: &str| paths.iter().any(|found| found == path);
        assert!(
            has("value.a.c") && !has("value.z") && !has("value.b"),
            "{paths:?}"
        );
    }
}
