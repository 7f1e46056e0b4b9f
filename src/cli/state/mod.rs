//! Options about what runs remember: `scan --state`, and the commands on a state.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::cli::flags::RangeFlags;
use crate::cli::resolve::RunContext;
use crate::cli::resolve::duration;
use crate::cli::usage_error::UsageError;
use crate::command::{StateAction, StateCommand, StateRequest};

/// Look-back of a run with a state: the night before last is remembered.
const LOOK_BACK_DEFAULT_MILLIS: i64 = 48 * 3_600_000;

/// How long what was found is news: the retries of a night, and not the night after.
const NEW_FOR_DEFAULT: &str = "20h";

/// Options of `scan`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Night after night")]
pub struct StateFlags {
    /// Directory in which runs remember what they read: the next one reads on where this one
    /// ended, and finds copies of what was read within --look-back [default: 48h]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// With --state: how long a finding is news, so that a run that is tried again reports it
    /// again; less than a day, so that the next night does not [default: 20h]
    #[arg(long, value_name = "DURATION")]
    pub new_for: Option<String>,
}

/// Options of `state`.
#[derive(Args, Debug)]
pub struct StateCommandFlags {
    /// What to do.
    #[command(subcommand)]
    pub action: StateActionFlags,
}

/// What can be done with a state.
#[derive(Debug, Subcommand)]
pub enum StateActionFlags {
    /// Print what is remembered: where each partition and file is read on, and the last runs
    Show {
        /// Directory of the state
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget records that were read longer ago
    Prune {
        /// Directory of the state
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Age of what is forgotten, such as `24h`
        #[arg(long, value_name = "DURATION")]
        older_than: String,
    },
    /// Remove a state: the next run reads everything
    Reset {
        /// Directory of the state
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// Options of `history`.
#[derive(Args, Debug)]
pub struct HistoryFlags {
    /// Directory of the state
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Runs to show, the last ones; the state keeps the last 1,000
    #[arg(long, value_name = "N", default_value = "30", value_parser = at_least_one)]
    pub last: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a whole number from 1 on is needed".to_owned())
}

/// Returns the state that a scan is asked to keep.
pub fn request(flags: &StateFlags, range: &RangeFlags) -> Result<Option<StateRequest>, UsageError> {
    let Some(dir) = &flags.state else {
        return match &flags.new_for {
            Some(text) => Err(
                UsageError::new(format!("`--new-for {text}` needs `--state`"))
                    .hint("name a directory in which runs remember: --state DIR"),
            ),
            None => Ok(None),
        };
    };
    let given = [
        (&range.from, "--from"),
        (&range.to, "--to"),
        (&range.late, "--late"),
    ];
    if let Some((_, option)) = given.iter().find(|(value, _)| value.is_some()) {
        return Err(UsageError::new(format!(
            "`{option}` cannot be given with `--state`, which reads on where the last run ended"
        ))
        .hint("leave it out; to look at a range once, leave --state out"));
    }
    let parse =
        |option: &str, text: &str| duration::parse(text).map_err(|error| error.at(option, text));
    let look_back = range.look_back.as_deref();
    let look_back = look_back
        .map(|text| parse("--look-back", text))
        .transpose()?;
    let new_for = flags.new_for.as_deref().unwrap_or(NEW_FOR_DEFAULT);
    Ok(Some(StateRequest {
        dir: dir.clone(),
        look_back_millis: look_back.unwrap_or(LOOK_BACK_DEFAULT_MILLIS),
        new_for_millis: parse("--new-for", new_for)?,
    }))
}

/// Returns the command that is asked for.
pub fn resolve(
    flags: &StateCommandFlags,
    context: &RunContext<'_>,
) -> Result<StateCommand, UsageError> {
    let (dir, action) = match &flags.action {
        StateActionFlags::Show { dir, json } => (dir, StateAction::Show { is_json: *json }),
        StateActionFlags::Prune { dir, older_than } => {
            let older_than_millis = duration::parse(older_than)
                .map_err(|error| error.at("--older-than", older_than))?;
            (dir, StateAction::Prune { older_than_millis })
        }
        StateActionFlags::Reset { dir } => (dir, StateAction::Reset),
    };
    Ok(StateCommand {
        dir: dir.clone(),
        action,
        now_millis: context.now_millis,
    })
}

/// Returns the history that is asked for.
pub fn history(flags: &HistoryFlags, context: &RunContext<'_>) -> StateCommand {
    StateCommand {
        dir: flags.dir.clone(),
        action: StateAction::History {
            last: flags.last,
            is_json: flags.json,
        },
        now_millis: context.now_millis,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::flags::{CommandFlags, Flags};

    fn asked(arguments: &str) -> Result<Option<StateRequest>, UsageError> {
        let all = ["dupaudit", "scan", "a", "--by", "id"].into_iter();
        let flags = Flags::try_parse_from(all.chain(arguments.split_whitespace())).unwrap();
        let CommandFlags::Scan(scan) = flags.command else {
            panic!("a scan")
        };
        request(&scan.audit.state, &scan.audit.range)
    }

    #[test]
    fn a_state_looks_two_days_back_and_tells_each_finding_on_one_night() {
        let request = asked("--state d").unwrap().unwrap();
        assert_eq!(request.look_back_millis, 172_800_000);
        assert_eq!(request.new_for_millis, 72_000_000);
        let request = asked("--state d --look-back 7d --new-for 0")
            .unwrap()
            .unwrap();
        assert_eq!(
            (request.look_back_millis, request.new_for_millis),
            (604_800_000, 0)
        );
        assert_eq!(asked("").unwrap(), None);
    }

    #[test]
    fn what_a_state_decides_cannot_be_given_too() {
        for (arguments, part) in [
            ("--state d --from -2h", "`--from` cannot be given"),
            ("--state d --to -2h", "`--to` cannot be given"),
            ("--new-for 3h", "needs `--state`"),
            ("--state d --new-for x", "does not begin with a number"),
            ("--state d --look-back x", "does not begin with a number"),
        ] {
            let error = asked(arguments).unwrap_err();
            assert!(error.message.contains(part), "{arguments}: {error:?}");
            assert!(error.hint.is_some());
        }
    }
}
