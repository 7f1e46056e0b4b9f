//! `--where`: which records are audited, and which could not be judged.

use crate::expression::{Evaluator, Expression, Fault};
use crate::record::FieldValue;
use crate::record::RecordView;
use crate::record::SplitId;

/// What the filter says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is audited.
    Matches,
    /// It is left out.
    Filtered,
    /// What the filter looks at cannot be decoded.
    Undecodable,
}

/// The filter of one worker.
#[derive(Debug)]
pub(super) struct Filter {
    evaluator: Evaluator,
}

impl Filter {
    pub(super) fn new(expression: &Expression) -> Self {
        Self {
            evaluator: Evaluator::new(expression),
        }
    }

    /// Judges a record; one that cannot be judged is left out, and counted.
    pub(super) fn judge(
        &self,
        view: RecordView<'_>,
        values: &[FieldValue<'_>],
        unjudged: &mut Unjudged,
    ) -> Judgement {
        if values.contains(&FieldValue::Undecodable) {
            return Judgement::Undecodable;
        }
        match self.evaluator.matches(values) {
            Ok(true) => Judgement::Matches,
            Ok(false) => Judgement::Filtered,
            Err(fault) => {
                unjudged.note(view, fault);
                Judgement::Filtered
            }
        }
    }
}

/// Records that could not be judged.
#[derive(Debug, Default)]
pub(super) struct Unjudged {
    count: u64,
    /// The first by its place, whichever thread came upon it.
    first: Option<(SplitId, u64, u64, Fault)>,
}

impl Unjudged {
    fn note(&mut self, view: RecordView<'_>, fault: Fault) {
        let slot = view.slot();
        self.add(Self {
            count: 1,
            first: Some((view.block().split, slot.position, slot.line, fault)),
        });
    }

    /// Adds what another worker counted.
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first = [self.first.take(), other.first].into_iter().flatten().min();
    }

    /// Returns the warning, if there is one; `place` names a split, position and line.
    pub(super) fn warning(
        &self,
        place: impl FnOnce(SplitId, u64, u64) -> String,
    ) -> Option<String> {
        let (split, position, line, fault) = self.first.as_ref()?;
        let count = self.count;
        let place = place(*split, *position, *line);
        Some(format!(
            "`--where` could not judge {count} records and left them out, the first at {place}: \
             {fault}"
        ))
    }
}
