//! Two reports compared: what is new, grown and gone; of the groups only ids are held.

mod reach;

use std::io;

use xxhash_rust::xxh3::xxh3_128;

use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::Coverage;
use crate::finding::DuplicateGroup;
use crate::finding::RedactionKind;
use crate::report::{ReportHead, ReportWriter};

/// How a group stands in the newer report to the older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    New,
    /// It has more extra records than the so many that it had.
    Grown(u64),
    /// It has fewer extra records than the so many that it had.
    Shrunk(u64),
    /// It is not there any more, although its records were read again.
    Gone,
    /// It is not there, but not all of its records were read again.
    NotRead,
}

impl Change {
    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grown(_) => "grown",
            Self::Shrunk(_) => "shrunk",
            Self::Gone => "gone",
            Self::NotRead => "not-read",
        }
    }

    /// Returns the extra records that it had, if they are others than it has.
    pub fn was_extra(self) -> Option<u64> {
        match self {
            Self::Grown(was) | Self::Shrunk(was) => Some(was),
            Self::New | Self::Gone | Self::NotRead => None,
        }
    }
}

/// Groups by how they changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Were not there.
    pub new: u64,
    /// Have more extra records.
    pub grown: u64,
    /// Have fewer.
    pub shrunk: u64,
    /// Are not there any more.
    pub gone: u64,
    /// Are not there, and were not read again.
    pub not_read: u64,
    /// Have as many extra records as before.
    pub same: u64,
}

impl ChangeCounts {
    fn count(&mut self, change: Change) {
        let counter = match change {
            Change::New => &mut self.new,
            Change::Grown(_) => &mut self.grown,
            Change::Shrunk(_) => &mut self.shrunk,
            Change::Gone => &mut self.gone,
            Change::NotRead => &mut self.not_read,
        };
        *counter += 1;
    }
}

/// All of a stored report but its episodes and groups.
#[derive(Clone, Debug)]
pub struct StoredHead {
    /// How it was made.
    pub header: AuditHeader,
    /// What it came to.
    pub summary: AuditSummary,
    /// What was read.
    pub coverage: Coverage,
}

impl From<&ReportHead<'_>> for StoredHead {
    fn from(head: &ReportHead<'_>) -> Self {
        Self {
            header: head.header.clone(),
            summary: head.summary.clone(),
            coverage: head.coverage.clone(),
        }
    }
}

/// Both reports, with what has to be known before they are compared.
#[derive(Clone, Debug)]
pub struct DiffHead {
    /// The older one.
    pub old: StoredHead,
    /// The newer one.
    pub new: StoredHead,
    /// In what they differ beside their groups, one sentence each.
    pub notes: Vec<String>,
}

/// Shows what changed.
pub trait DiffWriter {
    /// Writes what comes before the groups.
    fn begin(&mut self, head: &DiffHead) -> io::Result<()>;

    /// Writes one group that changed: those of the newer report, then what is gone.
    fn change(&mut self, group: &DuplicateGroup, change: Change) -> io::Result<()>;

    /// Writes what comes after the groups, and flushes.
    fn end(&mut self, counts: ChangeCounts) -> io::Result<()>;
}

struct KnownGroup {
    id: u128,
    extra: u64,
    is_found: bool,
}

/// Collects the older report.
#[derive(Default)]
pub struct OldReport {
    head: Option<StoredHead>,
    groups: Vec<KnownGroup>,
}

impl ReportWriter for OldReport {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        self.head = Some(report.into());
        Ok(())
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        self.groups.push(KnownGroup {
            id: xxh3_128(group.id.as_bytes()),
            extra: group.extra,
            is_found: false,
        });
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.groups.sort_unstable_by_key(|group| group.id);
        Ok(())
    }
}

/// Compares the newer report with the older one.
pub struct Comparison<'w> {
    old: OldReport,
    new: Option<StoredHead>,
    writer: &'w mut dyn DiffWriter,
    counts: ChangeCounts,
    mismatch: Option<String>,
    /// Whoever reads what is written has seen enough; the counts are still wanted.
    is_closed: bool,
}

impl<'w> Comparison<'w> {
    /// Returns a comparison with an older report that was read to its end.
    pub fn new(old: OldReport, writer: &'w mut dyn DiffWriter) -> Self {
        Self {
            old,
            new: None,
            writer,
            counts: ChangeCounts::default(),
            mismatch: None,
            is_closed: false,
        }
    }

    /// Returns why the two cannot be compared, if so.
    pub fn mismatch(&self) -> Option<&str> {
        self.mismatch.as_deref()
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut dyn DiffWriter) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        match write(self.writer) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Returns what finds the groups that are gone, in the older report read again.
    pub fn gone(self) -> GoneGroups<'w> {
        GoneGroups { comparison: self }
    }
}

impl ReportWriter for Comparison<'_> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        let new = StoredHead::from(report);
        self.new = Some(new.clone());
        let Some(old) = self.old.head.clone() else {
            return Ok(());
        };
        self.mismatch = mismatch(&old.header, &new.header);
        if self.mismatch.is_some() {
            return Ok(());
        }
        let notes = reach::notes(&old, &new);
        self.write(|writer| writer.begin(&DiffHead { old, new, notes }))
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        if self.mismatch.is_some() {
            return Ok(());
        }
        let id = xxh3_128(group.id.as_bytes());
        let place = self.old.groups.binary_search_by_key(&id, |known| known.id);
        let known = place.ok().and_then(|at| self.old.groups.get_mut(at));
        let change = match known {
            None => Change::New,
            Some(known) => {
                known.is_found = true;
                match group.extra.cmp(&known.extra) {
                    std::cmp::Ordering::Greater => Change::Grown(known.extra),
                    std::cmp::Ordering::Less => Change::Shrunk(known.extra),
                    std::cmp::Ordering::Equal => {
                        self.counts.same += 1;
                        return Ok(());
                    }
                }
            }
        };
        self.counts.count(change);
        self.write(|writer| writer.change(group, change))
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ids are fingerprints of the dedup key, so that of another key, or of hidden ones, says nothing.
fn mismatch(old: &AuditHeader, new: &AuditHeader) -> Option<String> {
    if old.by != new.by {
        let by = |header: &AuditHeader| header.by.join(",");
        return Some(format!(
            "the dedup keys differ: --by {} and --by {}",
            by(old),
            by(new)
        ));
    }
    if old.redaction == new.redaction && old.redaction.is_none_or(RedactionKind::has_same_ids) {
        return None;
    }
    Some(
        "their dedup keys are hidden in different ways, so that no group is known again".to_owned(),
    )
}

/// Finds the groups that are gone.
pub struct GoneGroups<'w> {
    comparison: Comparison<'w>,
}

impl GoneGroups<'_> {
    /// Returns how many groups changed.
    pub fn counts(&self) -> ChangeCounts {
        self.comparison.counts
    }
}

impl ReportWriter for GoneGroups<'_> {
    fn begin(&mut self, _: &ReportHead<'_>) -> io::Result<()> {
        Ok(())
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        let comparison = &mut self.comparison;
        let id = xxh3_128(group.id.as_bytes());
        let groups = &comparison.old.groups;
        let place = groups.binary_search_by_key(&id, |known| known.id).ok();
        let known = place.and_then(|at| groups.get(at));
        if known.is_none_or(|known| known.is_found) {
            return Ok(());
        }
        let mut change = Change::Gone;
        for record in group.records.walk() {
            let record = record?;
            let new = comparison.new.as_ref();
            if new.is_none_or(|new| !reach::was_read(new, &record)) {
                change = Change::NotRead;
                break;
            }
        }
        comparison.counts.count(change);
        comparison.write(|writer| writer.change(group, change))
    }

    fn end(&mut self) -> io::Result<()> {
        let counts = self.comparison.counts;
        self.comparison.write(|writer| writer.end(counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{GapReason, KeyText, OffsetGap};
    use crate::report::sample::{Sample, group, record, sample};

    #[derive(Default)]
    struct Shown {
        notes: Vec<String>,
        changes: Vec<(String, Change)>,
        counts: ChangeCounts,
    }

    impl DiffWriter for Shown {
        fn begin(&mut self, head: &DiffHead) -> io::Result<()> {
            self.notes.clone_from(&head.notes);
            Ok(())
        }

        fn change(&mut self, group: &DuplicateGroup, change: Change) -> io::Result<()> {
            self.changes.push((group.id.clone(), change));
            Ok(())
        }

        fn end(&mut self, counts: ChangeCounts) -> io::Result<()> {
            self.counts = counts;
            Ok(())
        }
    }

    fn report(groups: &[(&str, i64)]) -> Sample {
        let mut sample = sample();
        let of = |(id, extra): &(&str, i64)| {
            let at = 88_000 + 10 * i64::try_from(id.len()).unwrap();
            let mut group = group(
                KeyText::Null,
                (0..=*extra)
                    .map(|n| record(1 + n.unsigned_abs(), at + n, 0))
                    .collect(),
            );
            group.id = (*id).to_owned();
            group
        };
        sample.groups = groups.iter().map(of).collect();
        sample
    }

    fn compared(old: &Sample, new: &Sample) -> Result<Shown, String> {
        let mut shown = Shown::default();
        let mut known = OldReport::default();
        old.write(&mut known);
        let mut comparison = Comparison::new(known, &mut shown);
        new.write(&mut comparison);
        if let Some(mismatch) = comparison.mismatch() {
            return Err(mismatch.to_owned());
        }
        old.write(&mut comparison.gone());
        Ok(shown)
    }

    fn changes(shown: &Shown) -> Vec<(&str, Change)> {
        let changes = shown.changes.iter();
        changes.map(|(id, change)| (&**id, *change)).collect()
    }

    #[test]
    fn groups_are_new_grown_shrunk_or_gone_by_their_id() {
        let mut old = report(&[("g_a", 3), ("g_b", 2), ("g_c", 1), ("g_d", 1)]);
        let mut new = report(&[("g_e", 9), ("g_b", 3), ("g_a", 1), ("g_c", 1)]);
        old.header.from_millis = None;
        new.header.from_millis = None;
        let shown = compared(&old, &new).unwrap();
        let expected = [
            ("g_e", Change::New),
            ("g_b", Change::Grown(2)),
            ("g_a", Change::Shrunk(3)),
            ("g_d", Change::Gone),
        ];
        assert_eq!(changes(&shown), expected);
        let counts = ChangeCounts {
            new: 1,
            grown: 1,
            shrunk: 1,
            gone: 1,
            not_read: 0,
            same: 1,
        };
        assert_eq!(shown.counts, counts);
        assert_eq!(shown.notes, [""; 0]);
    }

    #[test]
    fn what_was_not_read_again_is_not_called_gone() {
        let mut old = report(&[("g_a", 1)]);
        old.header.from_millis = None;
        let gone = |change: &dyn Fn(&mut Sample)| {
            let mut new = report(&[]);
            new.header.from_millis = None;
            change(&mut new);
            let shown = compared(&old, &new).unwrap();
            (changes(&shown)[0].1, shown.notes.len())
        };
        assert_eq!(gone(&|_| {}), (Change::Gone, 0));
        assert_eq!(
            gone(&|new| new.coverage.partitions[1].start_offset = 88_031),
            (Change::NotRead, 1)
        );
        assert_eq!(
            gone(&|new| {
                new.coverage.partitions.remove(1);
            }),
            (Change::NotRead, 1)
        );
        assert_eq!(
            gone(&|new| new.header.from_millis = Some(1)),
            (Change::NotRead, 1)
        );
        let gap = |reason| OffsetGap {
            start: 88_030,
            end: 88_031,
            reason,
        };
        assert_eq!(
            gone(&|new| new.coverage.partitions[1]
                .gaps
                .push(gap(GapReason::Corrupt))),
            (Change::NotRead, 0)
        );
        assert_eq!(
            gone(&|new| new.coverage.partitions[1]
                .gaps
                .push(gap(GapReason::Compacted))),
            (Change::Gone, 0)
        );
        assert_eq!(gone(&|new| new.summary.complete = false), (Change::Gone, 1));
    }

    #[test]
    fn reports_whose_ids_cannot_match_are_not_compared() {
        let old = report(&[]);
        let mut new = report(&[]);
        new.header.by = vec!["key".to_owned()];
        assert!(compared(&old, &new).err().unwrap().contains("--by key"));
        let hidden = |redaction| {
            let mut sample = report(&[]);
            sample.header.redaction = Some(redaction);
            sample
        };
        let (hash, other) = (RedactionKind::Hash(Some(1)), RedactionKind::Hash(Some(2)));
        assert!(compared(&hidden(hash), &hidden(hash)).is_ok());
        for (old, new) in [
            (report(&[]), hidden(hash)),
            (hidden(hash), hidden(other)),
            (
                hidden(RedactionKind::Hash(None)),
                hidden(RedactionKind::Hash(None)),
            ),
            (hidden(RedactionKind::Mask), hidden(RedactionKind::Mask)),
        ] {
            assert!(compared(&old, &new).is_err());
        }
    }
}
