//! Outcome → exit code: one table.

use crate::command::{ErrorKind, FailOn, Outcome};
use crate::finding::Verdict;

/// No duplicates, coverage complete.
pub const CLEAN: u8 = 0;
/// Duplicates found.
pub const DUPLICATES: u8 = 1;
/// The command line or the configuration is wrong; nothing was audited.
pub const USAGE: u8 = 2;
/// No duplicates in what was read, but coverage is incomplete.
pub const INCOMPLETE: u8 = 3;
/// The audit failed.
pub const FAILED: u8 = 4;

/// Returns the code of what a command came to. What `--fail-on` leaves out does not count:
/// duplicates that do not count leave the question whether coverage was complete.
pub fn of_outcome(outcome: Outcome, fail_on: FailOn) -> u8 {
    let (verdict, is_complete, has_news) = match outcome {
        Outcome::Done | Outcome::Compared { has_news: false } => return CLEAN,
        Outcome::Compared { has_news: true } => return DUPLICATES,
        Outcome::Audited {
            verdict,
            is_complete,
            has_news,
        } => (verdict, is_complete, has_news),
    };
    let has_duplicates = verdict == Verdict::Duplicates && has_news;
    let is_incomplete = verdict == Verdict::Incomplete || !is_complete;
    if has_duplicates && fail_on.duplicates {
        DUPLICATES
    } else if is_incomplete && fail_on.incomplete {
        INCOMPLETE
    } else {
        CLEAN
    }
}

/// Returns the code of why a command could not do its work.
pub fn of_error(kind: ErrorKind, fail_on: FailOn) -> u8 {
    match kind {
        ErrorKind::Configuration => USAGE,
        ErrorKind::Failed if fail_on.error => FAILED,
        ErrorKind::Failed => CLEAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail_on(duplicates: bool, incomplete: bool, error: bool) -> FailOn {
        FailOn {
            duplicates,
            incomplete,
            error,
        }
    }

    #[test]
    fn every_verdict_has_its_code() {
        use Verdict::{Clean, Duplicates, Incomplete};
        // Verdict, complete, whether anything counts, then the code for --fail-on: all,
        // without duplicates, without incomplete, without both.
        let table = [
            (Clean, true, false, [0, 0, 0, 0]),
            (Clean, false, false, [3, 3, 0, 0]),
            (Duplicates, true, true, [1, 0, 1, 0]),
            (Duplicates, false, true, [1, 3, 1, 0]),
            (Duplicates, true, false, [0, 0, 0, 0]),
            (Duplicates, false, false, [3, 3, 0, 0]),
            (Incomplete, true, false, [3, 3, 0, 0]),
            (Incomplete, false, false, [3, 3, 0, 0]),
        ];
        for (verdict, is_complete, has_news, codes) in table {
            let outcome = Outcome::Audited {
                verdict,
                is_complete,
                has_news,
            };
            for error in [true, false] {
                let found = [
                    of_outcome(outcome, fail_on(true, true, error)),
                    of_outcome(outcome, fail_on(false, true, error)),
                    of_outcome(outcome, fail_on(true, false, error)),
                    of_outcome(outcome, fail_on(false, false, error)),
                ];
                assert_eq!(found, codes, "{outcome:?}");
            }
        }
    }

    #[test]
    fn only_a_failed_audit_can_be_left_out() {
        for duplicates in [true, false] {
            for incomplete in [true, false] {
                let with = fail_on(duplicates, incomplete, true);
                let without = fail_on(duplicates, incomplete, false);
                assert_eq!(of_error(ErrorKind::Configuration, with), 2);
                assert_eq!(of_error(ErrorKind::Configuration, without), 2);
                assert_eq!(of_error(ErrorKind::Failed, with), 4);
                assert_eq!(of_error(ErrorKind::Failed, without), 0);
                assert_eq!(of_outcome(Outcome::Done, with), 0);
            }
        }
    }
}
