//! What the user typed → Command, and what it came to → exit code.

pub mod config;
pub mod exit_code;
pub mod explain;
pub mod flags;
pub mod generated;
pub mod help;
pub mod machine;
pub mod message;
pub mod output;
pub mod preset;
pub mod resolve;
pub mod schema;
pub mod secret;
pub mod shards;
pub mod signals;
pub mod spark;
pub mod state;
pub mod store;
pub mod suggest;
pub mod usage_error;
pub mod verdict;

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::panic::{self, AssertUnwindSafe};

use anyhow::Context;
use clap::Parser;

use crate::cli::flags::{CommandFlags, Flags};
use crate::cli::message::Messages;
use crate::cli::resolve::RunContext;
use crate::cli::usage_error::UsageError;
use crate::command::{self, Command, CommandError, FailOn, Outcome};
use crate::command::{ScanCommand, ShardCommand, Surroundings};
use crate::source::StopFlag;

/// Runs the program and ends the process.
pub fn main() -> ! {
    panic::set_hook(Box::new(report_panic));
    let fail_on = Cell::new(FailOn::default());
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let code = panic::catch_unwind(AssertUnwindSafe(|| run(&arguments, &fail_on)))
        .unwrap_or_else(|_| exit_code::of_error(command::ErrorKind::Failed, fail_on.get()));
    leave(code)
}

/// Ends the process even where threads of a library still wait for something.
#[expect(clippy::exit, reason = "the one place where the process ends")]
fn leave(code: u8) -> ! {
    std::process::exit(i32::from(code))
}

/// Says in one line what went wrong inside the program, without its state.
fn report_panic(panic: &panic::PanicHookInfo<'_>) {
    let reason = panic.payload_as_str().unwrap_or("unknown reason");
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let text = format!(
        "internal error in dupaudit {version} at {place}: {reason}; please report this line"
    );
    Messages::new(io::stderr(), false).usage_error(&UsageError::new(text));
}

/// Returns the exit code; `fail_on` learns what counts as soon as it is known.
fn run(arguments: &[OsString], fail_on: &Cell<FailOn>) -> u8 {
    let arguments = match config::effective(arguments, &variable) {
        Ok(arguments) => arguments,
        Err(errors) => {
            return print_usage_errors(&mut Messages::new(io::stderr(), false), &errors);
        }
    };
    let flags = match Flags::try_parse_from(&arguments) {
        Ok(flags) => flags,
        Err(error) => return print_clap_error(&error, &arguments),
    };
    let is_quiet = match &flags.command {
        CommandFlags::Scan(scan) => scan.output.quiet,
        CommandFlags::Explain(explain) => explain.quiet,
        CommandFlags::Report(report) => report.quiet,
        CommandFlags::Suggest(suggest) => suggest.quiet,
        CommandFlags::Demo(demo) => demo.quiet,
        CommandFlags::Extract(extract) => extract.quiet,
        CommandFlags::Merge(merge) => merge.output.quiet,
        CommandFlags::Baseline(_)
        | CommandFlags::Check(_)
        | CommandFlags::Diff(_)
        | CommandFlags::Presets(_)
        | CommandFlags::State(_)
        | CommandFlags::History(_)
        | CommandFlags::Completions(_)
        | CommandFlags::Man => false,
    };
    let mut messages = Messages::new(io::stderr(), is_quiet);
    let command = match resolve_command(flags, &arguments) {
        Ok(command) => command,
        Err(errors) => return print_usage_errors(&mut messages, &errors),
    };
    match &command {
        Command::Scan(scan) => fail_on.set(scan.fail_on),
        Command::Shard(ShardCommand::Merge(merge)) => fail_on.set(merge.scan.fail_on),
        Command::Explain(_)
        | Command::Suggest(_)
        | Command::Demo(_)
        | Command::Shard(_)
        | Command::Baseline(_)
        | Command::Report(_)
        | Command::Diff(_)
        | Command::Presets(_)
        | Command::State(_)
        | Command::Print(_) => {}
    }
    match execute(&command, &mut messages) {
        Ok(outcome) => exit_code::of_outcome(outcome, fail_on.get()),
        Err(error) => {
            messages.command_error(&error);
            exit_code::of_error(error.kind, fail_on.get())
        }
    }
}

fn print_usage_errors(messages: &mut Messages<io::Stderr>, errors: &[UsageError]) -> u8 {
    for error in errors {
        messages.usage_error(error);
    }
    exit_code::USAGE
}

/// Prints a help text or an error in clap's own style; errors may repeat what was typed.
fn print_clap_error(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if !error.use_stderr() {
        return match error.print() {
            // Whoever closes the pipe has seen enough of the help.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let error = anyhow::Error::new(error).context("write to standard output");
                let failure = CommandError::failed(error);
                Messages::new(io::stderr(), false).command_error(&failure);
                exit_code::of_error(failure.kind, FailOn::default())
            }
            _ => exit_code::CLEAN,
        };
    }
    let rendered = error.render();
    let is_printable = |argument: &OsString| {
        let text = argument.to_string_lossy();
        message::printable(&text) == text
    };
    let is_colored = io::stderr().is_terminal() && allows_color();
    let text = if is_colored && arguments.iter().all(is_printable) {
        secret::masked(&rendered.ansi().to_string())
    } else {
        let masked = secret::masked(&rendered.to_string());
        let lines = masked.lines().map(message::printable);
        lines.map(|line| line + "\n").collect()
    };
    let _ = io::stderr().write_all(text.as_bytes());
    exit_code::USAGE
}

/// Returns what to do, or everything that is wrong with how it is asked for.
fn resolve_command(flags: Flags, arguments: &[OsString]) -> Result<Command, Vec<UsageError>> {
    let context = RunContext {
        command_line: command_line(arguments),
        now_millis: now_millis(),
        environment: &variable,
        memory_bytes: machine::memory_bytes(),
        threads: machine::threads(),
    };
    let resolved = match flags.command {
        CommandFlags::Extract(flags) => shards::extract(*flags, &context)
            .map(|of| Command::Shard(ShardCommand::Extract(Box::new(of)))),
        CommandFlags::Merge(flags) => shards::merge(*flags, &context).map(Command::Shard),
        CommandFlags::Scan(scan) => {
            resolve::scan(&scan, context).and_then(|scan| with_program(scan, arguments))
        }
        CommandFlags::Explain(explain) => {
            explain::resolve(&explain, context).map(|of| Command::Explain(Box::new(of)))
        }
        CommandFlags::Report(report) => resolve::stored_report(&report).map(Command::Report),
        CommandFlags::Baseline(baseline) => {
            verdict::baseline(&baseline, &context).map(Command::Baseline)
        }
        CommandFlags::Diff(diff) => Ok(Command::Diff(resolve::diff(&diff))),
        CommandFlags::Demo(demo) => Ok(Command::Demo(resolve::demo(&demo, context))),
        CommandFlags::Check(flags) => {
            return config::check::check(&flags, &context).map(Command::Print);
        }
        CommandFlags::Suggest(flags) => {
            suggest::resolve(&flags, context).map(|of| Command::Suggest(Box::new(of)))
        }
        CommandFlags::Presets(flags) => Ok(Command::Presets(preset::shown(&flags))),
        CommandFlags::State(state) => state::resolve(&state, &context).map(Command::State),
        CommandFlags::History(flags) => Ok(Command::State(state::history(&flags, &context))),
        CommandFlags::Completions(completions) => {
            Ok(Command::Print(generated::completions(completions.shell)))
        }
        CommandFlags::Man => generated::manual()
            .map(Command::Print)
            .map_err(|error| UsageError::new(error.to_string())),
    };
    resolved.map_err(|error| vec![error])
}

/// Tells a cluster, if one is to do the work, what its tasks are to run.
fn with_program(mut scan: ScanCommand, arguments: &[OsString]) -> Result<Command, UsageError> {
    if let Some(cluster) = &mut scan.cluster {
        spark::add_program(cluster, arguments).map_err(|error| {
            UsageError::new(format!(
                "this program, or the folder it runs in, is gone: {error}"
            ))
        })?;
    }
    Ok(Command::Scan(Box::new(scan)))
}

/// Returns the command line for the report: without the program's path, secrets masked.
fn command_line(arguments: &[OsString]) -> Vec<String> {
    let typed = arguments.iter().skip(1);
    std::iter::once("dupaudit".to_owned())
        .chain(typed.map(|argument| secret::masked_argument(&argument.to_string_lossy())))
        .collect()
}

fn execute(
    command: &Command,
    messages: &mut Messages<io::Stderr>,
) -> Result<Outcome, CommandError> {
    let stop = match command {
        Command::Scan(_)
        | Command::Explain(_)
        | Command::Suggest(_)
        | Command::Demo(_)
        | Command::Shard(ShardCommand::Extract(_)) => signals::install()
            .context("take over SIGINT and SIGTERM")
            .map_err(CommandError::failed)?,
        Command::Baseline(_)
        | Command::Shard(_)
        | Command::Report(_)
        | Command::Diff(_)
        | Command::Presets(_)
        | Command::State(_)
        | Command::Print(_) => StopFlag::default(),
    };
    let mut stdout = BufWriter::new(io::stdout());
    let mut surroundings = Surroundings {
        stdout: &mut stdout,
        say: &mut |message| messages.say(&message),
        stop,
        now_millis,
        is_stdout_terminal: io::stdout().is_terminal(),
        is_stderr_terminal: io::stderr().is_terminal(),
        allows_color: allows_color(),
        columns: variable("COLUMNS").and_then(|text| text.parse().ok()),
        variable,
        temporary_directory: std::env::temp_dir(),
    };
    let result = command::run(command, &mut surroundings);
    match stdout.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe && result.is_ok() => Err(error)
            .context("write to standard output")
            .map_err(CommandError::failed),
        _ => result,
    }
}

fn now_millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Colours are welcome unless `NO_COLOR` is set to anything.
fn allows_color() -> bool {
    variable("NO_COLOR").is_none_or(|text| text.is_empty())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads variables of the environment"
)]
fn variable(name: &str) -> Option<String> {
    // Names that hold `=` or NUL are no names; asking for them is not an error here.
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_of_the_report_holds_no_secret() {
        let arguments: Vec<OsString> = [
            "/usr/bin/dupaudit",
            "scan",
            "-X",
            "sasl.password=@my\nfile",
            "http://u:p@host/x",
            "--by",
            "id",
        ]
        .iter()
        .map(OsString::from)
        .collect();
        let expected = [
            "dupaudit",
            "scan",
            "-X",
            "sasl.password=***",
            "http://***@host/x",
            "--by",
            "id",
        ];
        assert_eq!(command_line(&arguments), expected);
    }

    #[test]
    fn odd_names_of_variables_are_not_set() {
        for name in ["", "a=b", "a\0b"] {
            assert_eq!(variable(name), None);
        }
    }
}
