//! Puts the suspects of all workers into the order of reading.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use super::occurrence::Place;
use crate::sorted_run::SortedFixed;

/// Merges what the workers sorted; an error ends it.
#[derive(Debug)]
pub(super) struct PlaceMerge {
    sorted: Vec<SortedFixed<Place>>,
    /// The first place of each worker that has any left.
    first: BinaryHeap<Reverse<(Place, usize)>>,
}

impl PlaceMerge {
    pub(super) fn start(sorted: Vec<SortedFixed<Place>>) -> io::Result<Self> {
        let mut merge = Self {
            first: BinaryHeap::with_capacity(sorted.len()),
            sorted,
        };
        for (worker, places) in merge.sorted.iter_mut().enumerate() {
            if let Some(place) = places.next() {
                merge.first.push(Reverse((place?, worker)));
            }
        }
        Ok(merge)
    }
}

impl Iterator for PlaceMerge {
    type Item = io::Result<Place>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((place, worker)) = self.first.pop()?;
        match self.sorted.get_mut(worker).and_then(Iterator::next) {
            Some(Ok(next)) => self.first.push(Reverse((next, worker))),
            Some(Err(error)) => {
                self.first.clear();
                return Some(Err(error));
            }
            None => {}
        }
        Some(Ok(place))
    }
}
