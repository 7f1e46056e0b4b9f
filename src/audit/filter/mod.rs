//! `--where` and `--reversal`: which records are what, and which could not be judged.

use serde::{Deserialize, Serialize};

use crate::expression::{Evaluator, Expression, Fault};
use crate::record::FieldValue;
use crate::record::RecordView;
use crate::record::SplitId;
use crate::record::counted;

/// What an expression says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It matches.
    Matches,
    /// It does not match, or cannot be judged.
    Fails,
    /// What the expression looks at cannot be decoded.
    Undecodable,
}

/// An expression of one worker.
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

    /// Judges a record; one that cannot be judged does not match, and is counted.
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
            Ok(false) => Judgement::Fails,
            Err(fault) => {
                unjudged.note(view, fault);
                Judgement::Fails
            }
        }
    }
}

/// Records that could not be judged.
#[derive(Debug, Default, Serialize, Deserialize)]
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

    /// Returns the split of the first record.
    pub(super) fn split_mut(&mut self) -> Option<&mut SplitId> {
        self.first.as_mut().map(|(split, ..)| split)
    }

    /// Adds what another worker counted.
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first = [self.first.take(), other.first].into_iter().flatten().min();
    }

    /// Returns the warning, if there is one: which option could not judge, and what was done
    /// instead; `place` names a split, position and line.
    pub(super) fn warning(
        &self,
        option: &str,
        done: &str,
        place: impl FnOnce(SplitId, u64, u64) -> String,
    ) -> Option<String> {
        let (split, position, line, fault) = self.first.as_ref()?;
        let count = counted(self.count, "record");
        let place = place(*split, *position, *line);
        Some(format!(
            "`{option}` could not judge {count} and {done}, the first at {place}: {fault}"
        ))
    }
}
