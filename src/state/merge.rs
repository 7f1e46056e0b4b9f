//! Merges entries that are in order, and decides which files of a state become one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::StateError;
use super::entry::Entry;
use super::manifest::RunFile;

/// Places of which nothing is remembered but where to go on, so that names that are new every night
/// do not fill a state.
const IDLE_PLACES_MAX: usize = 10_000;

/// Entries in order.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<Entry, StateError>> + 'a>;

/// How far a partition or file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceEnd {
    /// Up to this position.
    Position(u64),
    /// Nothing of what this run has read of it counts.
    Nothing,
}

/// Which entries stay.
#[derive(Clone, Debug, Default)]
pub struct Keeping {
    /// Start of this run, milliseconds since the epoch.
    pub now_millis: i64,
    /// What was read before this is dropped, milliseconds since the epoch.
    pub since_millis: i64,
    /// How far this run has read each place.
    pub ends: HashMap<u32, PlaceEnd>,
    /// Whether a place ends before what an earlier run has read of it.
    pub is_cut: bool,
    /// Places that were read whole again: what earlier runs have read of them stays only if it was
    /// read again.
    pub reread: HashSet<u32>,
    /// Places that are no longer there: forgotten once nothing that was read of them is remembered.
    pub gone: HashSet<u32>,
}

impl Keeping {
    /// Returns whether entries other than the oldest may go, so that all have to be looked at.
    pub(super) fn is_selective(&self) -> bool {
        self.is_cut || !self.reread.is_empty()
    }

    /// Drops places of which no entry stays: others that have their name now, those that are gone,
    /// and, of too many, those that were read longest ago, of one run those that were known first.
    /// `of` returns a place's number, whether it is current, and when it was read.
    pub(super) fn forget_places<T>(
        &self,
        places: &mut Vec<T>,
        of: impl Fn(&T) -> (u32, bool, i64),
    ) {
        let is_remembered = |place: &T| of(place).2 >= self.since_millis;
        places.retain(|place| {
            let (number, is_current, _) = of(place);
            is_remembered(place) || is_current && !self.gone.contains(&number)
        });
        let idle = places.iter().filter(|place| !is_remembered(place));
        // All that one run has read has one time, so the number decides too.
        let age = |place: &T| (of(place).2, of(place).0);
        let mut idle: Vec<(i64, u32)> = idle.map(age).collect();
        idle.sort_unstable_by_key(|age| Reverse(*age));
        if let Some(&first_out) = idle.get(IDLE_PLACES_MAX) {
            places.retain(|place| is_remembered(place) || age(place) > first_out);
        }
    }

    fn keeps(&self, entry: &Entry) -> bool {
        let is_within = match self.ends.get(&entry.place) {
            None => true,
            Some(PlaceEnd::Position(end)) => entry.position < *end,
            Some(PlaceEnd::Nothing) => entry.read_millis != self.now_millis,
        };
        is_within && entry.read_millis >= self.since_millis
    }

    /// Returns whether an entry needs another reading beside it to stay.
    fn is_doubted(&self, entry: &Entry) -> bool {
        entry.read_millis < self.now_millis && self.reread.contains(&entry.place)
    }

    /// Calls `each` with the entries that stay, in order; of two readings of one record the earlier
    /// one stays.
    pub(super) fn each_kept(
        &self,
        rows: Vec<Entries<'_>>,
        mut each: impl FnMut(Entry) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut merge = EntryMerge::start(rows)?;
        let mut held: Option<Entry> = None;
        while let Some(entry) = merge.next()? {
            if !self.keeps(&entry) {
                continue;
            }
            match held.take() {
                Some(earlier) if earlier.is_read_again(&entry) => {
                    each(earlier)?;
                    continue;
                }
                Some(earlier) if !self.is_doubted(&earlier) => each(earlier)?,
                Some(_) | None => {}
            }
            held = Some(entry);
        }
        match held {
            Some(last) if !self.is_doubted(&last) => each(last),
            Some(_) | None => Ok(()),
        }
    }
}

/// Walks over several rows of entries as one.
struct EntryMerge<'a> {
    rows: Vec<Entries<'a>>,
    first: BinaryHeap<Reverse<(Entry, usize)>>,
}

impl<'a> EntryMerge<'a> {
    fn start(rows: Vec<Entries<'a>>) -> Result<Self, StateError> {
        let mut merge = Self {
            first: BinaryHeap::with_capacity(rows.len()),
            rows,
        };
        for (row, entries) in merge.rows.iter_mut().enumerate() {
            if let Some(entry) = entries.next() {
                merge.first.push(Reverse((entry?, row)));
            }
        }
        Ok(merge)
    }

    /// Returns the next entry of all.
    fn next(&mut self) -> Result<Option<Entry>, StateError> {
        let Some(Reverse((entry, row))) = self.first.pop() else {
            return Ok(None);
        };
        if let Some(next) = self.rows.get_mut(row).and_then(Iterator::next) {
            self.first.push(Reverse((next?, row)));
        }
        Ok(Some(entry))
    }
}

/// Parts the files of a state into those that stay and those that become one with `fresh` new
/// entries: the files that stay differ in size by so much that there are few of them, and that
/// an entry is seldom written again. Those all of whose entries are from before `keep_millis` are
/// in neither; those that hold too many of such are written again.
pub(super) fn choose(
    runs: &[RunFile],
    fresh: u64,
    keep_millis: i64,
) -> (Vec<RunFile>, Vec<RunFile>) {
    let kept = runs
        .iter()
        .filter(|run| run.last_read_millis >= keep_millis);
    let (mut merged, mut staying): (Vec<RunFile>, Vec<RunFile>) = kept
        .cloned()
        .partition(|run| run.first_read_millis < keep_millis);
    staying.sort_by_key(|run| Reverse(run.entries));
    let mut together = fresh + merged.iter().map(|run| run.entries).sum::<u64>();
    while let Some(smallest) = staying.pop_if(|run| run.entries <= together.saturating_mul(2)) {
        together += smallest.entries;
        merged.push(smallest);
    }
    (staying, merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Fingerprint;

    fn entry(position: u64, read_millis: i64) -> Entry {
        Entry {
            fingerprint: Fingerprint([position, 0]),
            is_reversal: false,
            timestamp_millis: 0,
            place: 3,
            position,
            read_millis,
        }
    }

    fn kept(keeping: &Keeping, rows: &[&[(u64, i64)]]) -> Vec<(u64, i64)> {
        let rows = rows
            .iter()
            .map(|row| -> Entries<'_> { Box::new(row.iter().map(|of| Ok(entry(of.0, of.1)))) });
        let mut kept = Vec::new();
        let each = |entry: Entry| {
            kept.push((entry.position, entry.read_millis));
            Ok(())
        };
        keeping.each_kept(rows.collect(), each).unwrap();
        kept
    }

    #[test]
    fn of_a_place_read_again_stays_what_was_read_again_as_the_earlier_run_read_it() {
        let rows: [&[(u64, i64)]; 2] = [&[(1, 5), (2, 5), (4, 6)], &[(2, 9), (3, 9), (4, 9)]];
        let mut keeping = Keeping {
            now_millis: 9,
            ..Keeping::default()
        };
        let all = [(1, 5), (2, 5), (3, 9), (4, 6)];
        assert_eq!(kept(&keeping, &rows), all);
        keeping.reread.insert(3);
        assert_eq!(kept(&keeping, &rows), all[1..]);
        keeping.ends.insert(3, PlaceEnd::Position(3));
        assert_eq!(kept(&keeping, &rows), [(2, 5)]);
        keeping.reread.clear();
        keeping.ends.insert(3, PlaceEnd::Nothing);
        keeping.since_millis = 6;
        assert_eq!(kept(&keeping, &rows), [(4, 6)]);
    }

    fn run(entries: u64, first_read_millis: i64, last_read_millis: i64) -> RunFile {
        RunFile {
            number: 0,
            entries,
            bytes: 0,
            first_read_millis,
            last_read_millis,
        }
    }

    #[test]
    fn files_are_few_and_what_is_forgotten_goes() {
        let mut runs: Vec<RunFile> = Vec::new();
        let mut most = 0;
        for night in 0..2000 {
            let (mut staying, merged) = choose(&runs, 100, night - 300);
            let of_merged = merged.iter().map(|run| run.entries).sum::<u64>();
            let first = merged.iter().map(|run| run.first_read_millis).min();
            let first = first.unwrap_or(night).max(night - 300);
            staying.push(run(100 + of_merged, first, night));
            // Nothing outlives the window by more than the file that it lies in.
            assert!(
                staying
                    .iter()
                    .all(|run| run.last_read_millis >= night - 300)
            );
            most = most.max(staying.len());
            runs = staying;
        }
        assert!(most <= 16, "{most}");
    }

    #[test]
    fn places_are_forgotten_when_they_are_gone_or_too_many() {
        let keeping = Keeping {
            since_millis: 50,
            gone: HashSet::from([1, 3]),
            ..Keeping::default()
        };
        // Numbers with whether they are current, and when they were read.
        let places = [
            (0, true, 10),
            (1, true, 10),
            (2, false, 10),
            (3, true, 60),
            (4, false, 60),
        ];
        let kept = |places: &[(u32, bool, i64)]| {
            let mut places = places.to_vec();
            keeping.forget_places(&mut places, |place| *place);
            let numbers: Vec<u32> = places.iter().map(|place| place.0).collect();
            numbers
        };
        assert_eq!(kept(&places), [0, 3, 4]);
        let many = u32::try_from(IDLE_PLACES_MAX).unwrap() + 5;
        let places: Vec<_> = (10..10 + many)
            .map(|at| (at, true, i64::from(at) - 50_000))
            .collect();
        let kept = kept(&places);
        assert_eq!((kept.len(), kept[0]), (IDLE_PLACES_MAX, 15));
    }

    #[test]
    fn of_too_many_places_that_one_run_has_read_as_many_stay_as_may() {
        let keeping = Keeping {
            since_millis: 50,
            ..Keeping::default()
        };
        let many = u32::try_from(IDLE_PLACES_MAX).unwrap() + 5;
        // One was read before, one is remembered, and all others were read at once.
        let mut places: Vec<_> = (2..2 + many).map(|at| (at, true, 40)).collect();
        places.extend([(0, true, 39), (1, true, 50)]);
        keeping.forget_places(&mut places, |place| *place);
        let mut numbers: Vec<u32> = places.iter().map(|place| place.0).collect();
        numbers.sort_unstable();
        let expected: Vec<u32> = [1].into_iter().chain(7..2 + many).collect();
        assert_eq!(numbers, expected);
        assert_eq!(numbers.len(), IDLE_PLACES_MAX + 1);
    }

    #[test]
    fn a_large_file_is_left_alone_by_a_small_run() {
        let (staying, merged) = choose(&[run(1_000_000, 5, 5), run(10, 6, 6)], 20, 0);
        assert_eq!((staying.len(), merged.len()), (1, 1));
        let (staying, merged) = choose(&[run(1_000_000, 5, 5)], 1, 6);
        assert_eq!((staying.len(), merged.len()), (0, 0));
    }
}
