//! Which cells of a CSV row the paths into the value name.

use std::sync::Arc;

use crate::decode::csv_row::cell_value;
use crate::decode::csv_row::cells;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::PathStep;

/// The wanted columns, found anew whenever the header row changes.
#[derive(Debug, Default)]
pub(super) struct WantedColumns {
    /// Names asked for, each with its slot.
    names: Vec<(usize, Box<str>)>,
    /// The header row that the rest belongs to.
    header_row: Option<Arc<[Box<[u8]>]>>,
    /// Places of wanted columns with their slots, in the order of the row.
    places: Vec<(usize, usize)>,
    /// Slots of names that the header row has more than once.
    repeated: Vec<usize>,
}

impl WantedColumns {
    /// Returns the columns that the paths name which lie one step inside the value.
    pub(super) fn new(paths: &[FieldPath]) -> Self {
        let mut names = Vec::new();
        for (slot, path) in paths
            .iter()
            .enumerate()
            .filter(|(_, path)| path.is_in_value())
        {
            if let [PathStep::Member(name)] = &*path.steps {
                names.push((slot, name.clone()));
            }
        }
        Self {
            names,
            ..Self::default()
        }
    }

    /// Puts the cells of `row` into their slots, which hold `Missing` so far.
    pub(super) fn read<'a>(
        &mut self,
        row: &'a [u8],
        delimiter: u8,
        header_row: &Arc<[Box<[u8]>]>,
        out: &mut [FieldValue<'a>],
    ) {
        self.find(header_row);
        for &slot in &self.repeated {
            put(slot, FieldValue::Undecodable, out);
        }
        let mut cells = cells(row, delimiter);
        let mut next_place = 0;
        let mut value = FieldValue::Missing;
        for &(place, slot) in &self.places {
            if place >= next_place {
                let Some(cell) = cells.nth(place - next_place) else {
                    return;
                };
                value = cell_value(cell);
                next_place = place + 1;
            }
            put(slot, value, out);
        }
    }

    /// Finds the wanted columns in the header row, unless they are known.
    fn find(&mut self, header_row: &Arc<[Box<[u8]>]>) {
        let known = self.header_row.as_ref();
        if known.is_some_and(|known| Arc::ptr_eq(known, header_row)) {
            return;
        }
        self.places.clear();
        self.repeated.clear();
        for (slot, name) in &self.names {
            let is_named = |column: &[u8]| column == name.as_bytes();
            let mut places = (0..)
                .zip(header_row.iter())
                .filter(|(_, column)| is_named(column));
            match (places.next(), places.next()) {
                (Some((place, _)), None) => self.places.push((place, *slot)),
                (Some(_), Some(_)) => self.repeated.push(*slot),
                (None, _) => {}
            }
        }
        self.places.sort_unstable();
        self.header_row = Some(Arc::clone(header_row));
    }
}

fn put<'a>(slot: usize, value: FieldValue<'a>, out: &mut [FieldValue<'a>]) {
    if let Some(place) = out.get_mut(slot) {
        *place = value;
    }
}
