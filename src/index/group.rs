//! Walks over occurrences in order and picks those that are suspected duplicates.

use super::IndexError;
use super::NO_TIMESTAMP;
use super::Occurrence;
use super::Seen;
use crate::finding::Fingerprint;

/// Suspects that are held back; a fingerprint with more is looked at anyway.
const TOLD_MAX: usize = 4096;

/// Looks at sorted occurrences one by one, and holds the last, and some of which was told.
#[derive(Debug)]
pub(super) struct GroupWalk {
    within_millis: Option<u64>,
    last: Option<Last>,
    /// The last occurrence, reversals too.
    previous: Option<Occurrence>,
    /// Fingerprint of the last suspect.
    suspected: Option<Fingerprint>,
    /// Suspects of the fingerprint at hand while an earlier run has told of all of them.
    told: Vec<Occurrence>,
    /// The last fingerprint with a suspect of which no earlier run has told.
    news: Option<Fingerprint>,
    distinct_fingerprints: u64,
    occurrences: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    occurrence: Occurrence,
    is_suspect: bool,
}

impl GroupWalk {
    pub(super) fn new(within_millis: Option<i64>) -> Self {
        Self {
            within_millis: within_millis.map(|millis| u64::try_from(millis).unwrap_or(0)),
            last: None,
            previous: None,
            suspected: None,
            told: Vec::new(),
            news: None,
            distinct_fingerprints: 0,
            occurrences: 0,
        }
    }

    /// Returns how many fingerprints and occurrences were seen.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.distinct_fingerprints, self.occurrences)
    }

    /// Counts occurrences whose fingerprints none other has.
    pub(super) fn count_single(&mut self, occurrences: u64) {
        self.distinct_fingerprints += occurrences;
        self.occurrences += occurrences;
    }

    /// Looks at the next occurrence in order; `suspect` is called with those that are decided, and
    /// only if a run has not told of all of them.
    #[inline]
    pub(super) fn next(
        &mut self,
        occurrence: Occurrence,
        suspect: &mut impl FnMut(&Occurrence) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let fingerprint = occurrence.fingerprint;
        let (mut told, mut news) = (std::mem::take(&mut self.told), self.news);
        if told
            .first()
            .is_some_and(|first| first.fingerprint != fingerprint)
        {
            told.clear();
        }
        let decided = self.decide(occurrence, &mut |decided| {
            let is_told = decided.seen == Seen::Before && news != Some(fingerprint);
            if is_told && told.len() < TOLD_MAX {
                told.push(*decided);
                return Ok(());
            }
            news = Some(fingerprint);
            told.drain(..).try_for_each(|earlier| suspect(&earlier))?;
            suspect(decided)
        });
        (self.told, self.news) = (told, news);
        decided
    }

    fn decide(
        &mut self,
        occurrence: Occurrence,
        suspect: &mut impl FnMut(&Occurrence) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        self.occurrences += 1;
        let previous = self.previous.replace(occurrence);
        if previous.is_some_and(|previous| previous.is_read_again(&occurrence)) {
            // The earlier run's stands.
            return Ok(());
        }
        if occurrence.is_reversal {
            return if self.suspected == Some(occurrence.fingerprint) {
                suspect(&occurrence)
            } else {
                Ok(())
            };
        }
        let mut is_suspect = false;
        match &self.last {
            Some(last) if last.occurrence.fingerprint == occurrence.fingerprint => {
                if self.are_neighbours(&last.occurrence, &occurrence) {
                    is_suspect = true;
                    self.suspected = Some(occurrence.fingerprint);
                    if !last.is_suspect {
                        suspect(&last.occurrence)?;
                    }
                    suspect(&occurrence)?;
                }
            }
            Some(_) | None => self.distinct_fingerprints += 1,
        }
        self.last = Some(Last {
            occurrence,
            is_suspect,
        });
        Ok(())
    }

    fn are_neighbours(&self, earlier: &Occurrence, later: &Occurrence) -> bool {
        let Some(within_millis) = self.within_millis else {
            return true;
        };
        later.timestamp_millis != NO_TIMESTAMP
            && earlier.timestamp_millis.abs_diff(later.timestamp_millis) <= within_millis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::record::SplitId;

    fn suspects(within_millis: Option<i64>, occurrences: &[(u64, i64)]) -> Vec<u64> {
        walked(within_millis, occurrences, &[]).0
    }

    /// Walks over occurrences, and over reversals where their number is given; returns the
    /// suspects and the counts.
    fn walked(
        within_millis: Option<i64>,
        occurrences: &[(u64, i64)],
        reversals: &[u64],
    ) -> (Vec<u64>, (u64, u64)) {
        let mut walk = GroupWalk::new(within_millis);
        let mut suspects = Vec::new();
        for (position, &(fingerprint, timestamp_millis)) in (0..).zip(occurrences) {
            let occurrence = Occurrence {
                fingerprint: Fingerprint([0, fingerprint]),
                is_reversal: reversals.contains(&position),
                timestamp_millis,
                split: SplitId(0),
                position,
                seen: Seen::Now,
            };
            let mut suspect = |suspect: &Occurrence| {
                suspects.push(suspect.position);
                Ok(())
            };
            walk.next(occurrence, &mut suspect).unwrap();
        }
        (suspects, walk.counts())
    }

    #[test]
    fn reversals_are_named_with_suspects_and_make_none() {
        let occurrences = [
            (1, 0),
            (1, 5),
            (2, 0),
            (2, 0),
            (2, 9),
            (3, 1),
            (3, 1),
            (4, 7),
        ];
        let (suspects, (distinct, _)) = walked(None, &occurrences, &[1, 4, 5, 6]);
        assert_eq!(suspects, [2, 3, 4]);
        // Neither reversals of 3 nor those of 1 are a dedup key of their own.
        assert_eq!(distinct, 3);
        let apart = [(1, 0), (1, 50), (1, 60)];
        assert_eq!(walked(Some(10), &apart, &[2]).0, [0; 0]);
        assert_eq!(walked(Some(50), &apart, &[2]).0, [0, 1, 2]);
    }

    #[test]
    fn what_two_runs_have_read_counts_once_as_the_earlier_has_read_it() {
        let occurrence = |position, seen| Occurrence {
            fingerprint: Fingerprint([0, 1]),
            is_reversal: false,
            timestamp_millis: 5,
            split: SplitId(0),
            position,
            seen,
        };
        let found = |occurrences: &[(u64, Seen)]| {
            let mut occurrences: Vec<_> = occurrences
                .iter()
                .map(|of| occurrence(of.0, of.1))
                .collect();
            occurrences.sort();
            let (mut walk, mut found) = (GroupWalk::new(None), Vec::new());
            for occurrence in occurrences {
                let mut suspect = |suspect: &Occurrence| {
                    found.push((suspect.position, suspect.seen));
                    Ok(())
                };
                walk.next(occurrence, &mut suspect).unwrap();
            }
            found
        };
        assert_eq!(found(&[(7, Seen::Now), (7, Seen::Before)]), []);
        let both = [(7, Seen::Now), (7, Seen::Before), (8, Seen::Now)];
        assert_eq!(found(&both), [(7, Seen::Before), (8, Seen::Now)]);
        // What was told of is not looked at again, unless there is more.
        let mut told: Vec<(u64, Seen)> = (0..9).map(|at| (at, Seen::Before)).collect();
        assert_eq!(found(&told), []);
        told.push((9, Seen::Lately));
        assert_eq!(found(&told), told);
        told[9].1 = Seen::Before;
        told[4].1 = Seen::Now;
        assert_eq!(found(&told), told);
    }

    #[test]
    fn every_occurrence_of_a_repeated_fingerprint_is_named_once() {
        let occurrences = [
            (1, 0),
            (2, 0),
            (2, 9),
            (2, 99),
            (3, NO_TIMESTAMP),
            (3, NO_TIMESTAMP),
        ];
        assert_eq!(suspects(None, &occurrences), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn neighbours_in_time_are_named_up_to_the_distance_itself() {
        let occurrences = [(1, 0), (1, 10), (1, 20), (1, 31), (1, 50), (1, 60), (2, 61)];
        assert_eq!(suspects(Some(10), &occurrences), [0, 1, 2, 4, 5]);
        assert_eq!(suspects(Some(0), &[(1, 5), (1, 5), (1, 6)]), [0, 1]);
    }

    #[test]
    fn what_has_no_timestamp_has_no_neighbour() {
        let last = NO_TIMESTAMP - 1;
        let occurrences = [(1, last), (1, NO_TIMESTAMP), (1, NO_TIMESTAMP)];
        assert_eq!(suspects(Some(i64::MAX), &occurrences), [0; 0]);
    }
}
