//! Runs of several partitions at the same time, as a process that starts again makes them.

use std::collections::BTreeMap;

use super::{Place, Run};
use crate::diagnosis::pair::{ContentKind, TimeKind};

/// Time between the first repeats of runs that began together.
const TOGETHER_MILLIS: i64 = 60_000;

/// Pairs of a run that is no accident of neighbours.
pub(crate) const TOGETHER_PAIRS_MIN: u64 = 3;

/// What began together with a run, itself included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Together {
    pub(crate) partitions: u64,
    pub(crate) pairs: u64,
}

/// Returns for each run what began together with it; runs that cannot be replays are left alone.
pub(crate) fn together(runs: &[Run]) -> Vec<Together> {
    let mut begun: Vec<(i64, usize)> = runs
        .iter()
        .enumerate()
        .filter(|(_, run)| may_be_replay(run))
        .filter_map(|(index, run)| Some((run.extra_times?.first_millis, index)))
        .collect();
    begun.sort_unstable();
    let mut all = vec![Together::default(); runs.len()];
    let mut window: BTreeMap<Place, (u64, u64)> = BTreeMap::new();
    let (mut pairs, mut entering, mut leaving) =
        (0, begun.iter().peekable(), begun.iter().peekable());
    for (millis, index) in &begun {
        let is_within = |other: &i64| other.saturating_sub(*millis) <= TOGETHER_MILLIS;
        while let Some((_, other)) = entering.next_if(|(other, _)| is_within(other)) {
            let run = runs.get(*other);
            pairs += enter(&mut window, run);
        }
        let is_before = |other: &i64| millis.saturating_sub(*other) > TOGETHER_MILLIS;
        while let Some((_, other)) = leaving.next_if(|(other, _)| is_before(other)) {
            pairs -= leave(&mut window, runs.get(*other));
        }
        if let Some(together) = all.get_mut(*index) {
            together.partitions = u64::try_from(window.len()).unwrap_or(u64::MAX);
            together.pairs = pairs;
        }
    }
    all
}

fn may_be_replay(run: &Run) -> bool {
    run.class.time == TimeKind::Later
        && run.class.content != ContentKind::Attempt
        && run.pairs >= TOGETHER_PAIRS_MIN
        && run.is_stretch_again()
}

fn place(run: &Run) -> Place {
    (
        run.topic.clone().unwrap_or_default(),
        run.partition.unwrap_or_default(),
    )
}

fn enter(window: &mut BTreeMap<Place, (u64, u64)>, run: Option<&Run>) -> u64 {
    let Some(run) = run else { return 0 };
    let counted = window.entry(place(run)).or_default();
    counted.0 += 1;
    counted.1 += run.pairs;
    run.pairs
}

fn leave(window: &mut BTreeMap<Place, (u64, u64)>, run: Option<&Run>) -> u64 {
    let Some(run) = run else { return 0 };
    let place = place(run);
    if let Some(counted) = window.get_mut(&place) {
        counted.0 -= 1;
        counted.1 -= run.pairs;
        if counted.0 == 0 {
            window.remove(&place);
        }
    }
    run.pairs
}
