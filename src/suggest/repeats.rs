//! How records look that repeat a value: like duplicates, or like other records of one thing.

use crate::finding::suggestion::RepeatLook;
use crate::suggest::column::{Column, Kind, ratio};
use crate::suggest::name::Role;
use crate::suggest::sample::Sample;

/// Times this far apart are close.
const CLOSE_MILLIS: u64 = 15 * 60_000;

/// Records this far apart are neighbours.
const ADJACENT_MAX: u64 = 10;

/// Share of new values above which a field is made anew for each record.
const MADE_ANEW: f64 = 0.9;

/// The sample by columns.
pub(super) struct Table<'a> {
    pub(super) sample: &'a Sample,
    pub(super) kinds: Vec<Kind>,
    cells: Vec<Vec<Option<u64>>>,
    /// Columns that agree in all copies of one thing, however it was sent again.
    stable: Vec<usize>,
}

/// What the records that have a dedup key look like.
pub(super) struct KeyLook {
    pub(super) present: usize,
    pub(super) distinct: usize,
    pub(super) look: RepeatLook,
    /// Records that repeat it and look like duplicates, each with the one before.
    pub(super) alike: Vec<(usize, usize)>,
}

impl KeyLook {
    pub(super) fn uniqueness(&self) -> f64 {
        ratio(self.distinct, self.present)
    }

    /// Returns the share of repeats that look like duplicates; none where nothing repeats.
    pub(super) fn alike_share(&self) -> Option<f64> {
        let repeats = self.present - self.distinct;
        (repeats > 0).then(|| ratio(self.alike.len(), repeats))
    }
}

impl<'a> Table<'a> {
    pub(super) fn new(sample: &'a Sample) -> Self {
        let kinds: Vec<Kind> = sample.columns.iter().map(Column::kind).collect();
        let is_stable = |(_, (column, kind)): &(usize, (&_, &Kind))| {
            let column: &Column = column;
            let is_volatile = match column.role {
                Role::Attempt | Role::Time | Role::HandlingTime => true,
                Role::Identity
                | Role::SomeId
                | Role::Entity
                | Role::Amount
                | Role::Currency
                | Role::Other => **kind == Kind::Time,
            };
            !is_volatile && column.uniqueness() < MADE_ANEW
        };
        let columns = sample.columns.iter().zip(&kinds).enumerate();
        let stable = columns.filter(is_stable).map(|(index, _)| index).collect();
        Self {
            sample,
            cells: sample.table(),
            stable,
            kinds,
        }
    }

    pub(super) fn value(&self, column: usize, row: usize) -> Option<u64> {
        *self.cells.get(column)?.get(row)?
    }

    /// Returns one hash for each record that has all the columns.
    fn keys(&self, columns: &[usize]) -> Vec<(u64, usize)> {
        let mut keys = Vec::with_capacity(self.sample.len());
        'rows: for row in 0..self.sample.len() {
            let mut key = 0_u64;
            for &column in columns {
                let Some(value) = self.value(column, row) else {
                    continue 'rows;
                };
                key = (key.rotate_left(23) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            }
            keys.push((key, row));
        }
        keys
    }

    /// Returns how many different values the columns have together, and in how many records.
    pub(super) fn count(&self, columns: &[usize]) -> (usize, usize) {
        let mut keys: Vec<u64> = self.keys(columns).iter().map(|(key, _)| *key).collect();
        let present = keys.len();
        keys.sort_unstable();
        keys.dedup();
        (keys.len(), present)
    }

    /// Returns how records look that have the same values in the columns.
    pub(super) fn look(&self, columns: &[usize]) -> KeyLook {
        let mut keys = self.keys(columns);
        keys.sort_unstable();
        let mut found = KeyLook {
            present: keys.len(),
            distinct: keys.len(),
            look: RepeatLook::default(),
            alike: Vec::new(),
        };
        for pair in keys.windows(2) {
            let &[(key, earlier), (next, later)] = pair else {
                continue;
            };
            if key == next {
                found.distinct -= 1;
                self.note(earlier, later, columns, &mut found);
            }
        }
        found
    }

    fn note(&self, earlier: usize, later: usize, columns: &[usize], found: &mut KeyLook) {
        let records = &self.sample.records;
        let (Some(one), Some(other)) = (records.get(earlier), records.get(later)) else {
            return;
        };
        let look = &mut found.look;
        let is_identical = one.payload == other.payload;
        look.records += 1;
        look.identical += u64::from(is_identical);
        if let (Some(from), Some(to)) = (one.timestamp_millis, other.timestamp_millis) {
            let close = look.close.get_or_insert(0);
            *close += u64::from(from.abs_diff(to) <= CLOSE_MILLIS);
        }
        if let (Some(from), Some(to)) = (one.partition, other.partition) {
            let same = look.same_partition.get_or_insert(0);
            *same += u64::from(from == to);
        }
        let is_same_source = one.partition == other.partition;
        let is_near = one.place.abs_diff(other.place) <= ADJACENT_MAX;
        look.adjacent += u64::from(is_same_source && is_near);
        if is_identical || self.is_alike(earlier, later, columns) {
            look.alike += 1;
            found.alike.push((earlier, later));
        }
    }

    /// Returns whether two records agree in what does not change when one thing is sent again.
    fn is_alike(&self, one: usize, other: usize, columns: &[usize]) -> bool {
        let compared = self.stable.iter().filter(|of| !columns.contains(of));
        let (mut all, mut differing) = (0, 0);
        for &column in compared {
            let (left, right) = (self.value(column, one), self.value(column, other));
            if left.is_none() && right.is_none() {
                continue;
            }
            all += 1;
            differing += usize::from(left != right);
        }
        all > 0 && differing * 10 <= all
    }
}
