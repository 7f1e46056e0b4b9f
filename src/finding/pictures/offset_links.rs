//! Which original each extra record of an episode repeats, in few enough links to be drawn.

use std::collections::BTreeMap;

/// Links that are kept of one episode.
const LINKS_MAX: usize = 64;

/// Pairs of an original's and its repeat's offset: all of a few, and of many one in each of equal
/// stretches of the repeats, whatever the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetLinks {
    stretch: i64,
    /// The first repeat of each stretch, and its original.
    links: BTreeMap<i64, (i64, i64)>,
}

impl Default for OffsetLinks {
    fn default() -> Self {
        Self {
            stretch: 1,
            links: BTreeMap::new(),
        }
    }
}

impl OffsetLinks {
    /// Adds the link of one extra record.
    pub fn add(&mut self, original_offset: i64, extra_offset: i64) {
        self.keep((extra_offset, original_offset));
        while self.links.len() > LINKS_MAX {
            self.stretch = self.stretch.saturating_mul(2);
            for (_, link) in std::mem::take(&mut self.links) {
                self.keep(link);
            }
        }
    }

    /// Returns the offsets of original and repeat, ascending by the repeat.
    pub fn pairs(&self) -> impl Iterator<Item = (i64, i64)> {
        self.links
            .values()
            .map(|(extra, original)| (*original, *extra))
    }

    fn keep(&mut self, link: (i64, i64)) {
        let kept = self.links.entry(link.0.div_euclid(self.stretch));
        let kept = kept.or_insert(link);
        *kept = (*kept).min(link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(extras: impl Iterator<Item = i64>) -> OffsetLinks {
        let mut links = OffsetLinks::default();
        extras.for_each(|extra| links.add(extra.saturating_sub(36), extra));
        links
    }

    #[test]
    fn few_links_are_all_kept() {
        let kept: Vec<_> = links([50, 40, 45].into_iter()).pairs().collect();
        assert_eq!(kept, [(4, 40), (9, 45), (14, 50)]);
    }

    #[test]
    fn of_many_links_the_same_few_are_kept_in_any_order() {
        let forward = links(-3..100_000);
        assert_eq!(links((-3..100_000).rev()), forward);
        let kept: Vec<_> = forward.pairs().collect();
        assert!((LINKS_MAX / 2..=LINKS_MAX).contains(&kept.len()));
        assert_eq!(kept[0], (-39, -3));
        assert!(kept.iter().all(|(original, extra)| extra - original == 36));
    }

    #[test]
    fn offsets_at_both_ends_have_their_links() {
        let ends = [i64::MIN, i64::MAX].into_iter();
        let kept: Vec<_> = links(ends.chain(0..1_000)).pairs().collect();
        assert_eq!(kept[0].1, i64::MIN);
        assert!(kept.len() <= LINKS_MAX);
    }
}
