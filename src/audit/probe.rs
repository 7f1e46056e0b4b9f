//! Whether the fields that were named exist, and what stands where they do not.

use crate::audit::plan::AuditPlan;
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
const PATHS_MAX: usize = 30;

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
        if values.iter().all(|value| *value == FieldValue::Missing) {
            return;
        }
        let mut found = values.iter().map(|value| *value != FieldValue::Missing);
        self.wanted.retain(|_| !found.next().unwrap_or(false));
        self.rebuild();
    }

    /// Returns the fields that were never seen: flag and path.
    pub(super) fn unseen(self) -> Vec<(String, FieldPath)> {
        self.wanted
    }
}

/// One undecodable record, for the message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UndecodableExample {
    pub(super) split: SplitId,
    pub(super) position: u64,
    pub(super) line: u64,
    pub(super) what: String,
}

/// The first undecodable records, and the paths of the first record without the dedup key.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) undecodable: Vec<UndecodableExample>,
    pub(super) existing_paths: Option<(SplitId, u64, Vec<String>)>,
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
                let is_first = |(split, position, _): &(SplitId, u64, Vec<String>)| {
                    (*split, *position) > place
                };
                if self.existing_paths.as_ref().is_none_or(is_first) {
                    let paths = decode::existing_paths(view, PATHS_MAX);
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

    /// Adds what another worker kept.
    pub(super) fn add(&mut self, other: Self) {
        self.undecodable.extend(other.undecodable);
        self.trim();
        let place = |paths: &(SplitId, u64, Vec<String>)| (paths.0, paths.1);
        self.existing_paths = [self.existing_paths.take(), other.existing_paths]
            .into_iter()
            .flatten()
            .min_by_key(place);
    }

    fn trim(&mut self) {
        self.undecodable.sort_unstable();
        self.undecodable.truncate(EXAMPLES_MAX);
    }
}
