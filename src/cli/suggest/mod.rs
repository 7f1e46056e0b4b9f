//! `suggest`: the sources of a scan, and how much of them is looked at.

use clap::{Args, Parser as _};

use crate::cli::explain;
use crate::cli::flags::{CommandFlags, Flags, LimitFlags, RangeFlags, ScanFlags, SourceFlags};
use crate::cli::resolve::{self, RunContext};
use crate::cli::schema::SchemaFlags;
use crate::cli::usage_error::UsageError;
use crate::command::SuggestCommand;

/// Options of `suggest`.
#[derive(Args, Debug)]
pub struct SuggestFlags {
    /// Where the records are.
    #[command(flatten)]
    pub sources: SourceFlags,
    /// What is inside them.
    #[command(flatten)]
    pub schema: SchemaFlags,
    /// Which of them are looked at.
    #[command(flatten)]
    pub range: RangeFlags,
    /// Look only at records that match, as CEL like `scan --where`
    #[arg(long = "where", value_name = "EXPR", help_heading = "Sample")]
    pub filter: Option<String>,
    /// Records that are looked at, the first ones of each file and partition; 0 for all
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        help_heading = "Sample"
    )]
    pub sample: u64,
    /// Write the findings as JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// No progress, no notes
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// What may be used.
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// Options of `suggest` that a scan does not take over, and whether they have a value.
const OWN_OPTIONS: [(&str, bool); 4] = [
    ("-q", false),
    ("--quiet", false),
    ("--json", false),
    ("--sample", true),
];

/// Returns the look at records that is asked for.
pub fn resolve(
    flags: &SuggestFlags,
    context: RunContext<'_>,
) -> Result<SuggestCommand, UsageError> {
    if flags.sources.dry_run {
        return Err(UsageError::new("`suggest` has no dry run")
            .hint("it reads a sample only: --sample N says how much"));
    }
    let scan_words = explain::scan_words(&context.command_line, &OWN_OPTIONS);
    let mut scan = plain_scan()?;
    scan.audit.sources = flags.sources.clone();
    scan.audit.schema = flags.schema.clone();
    scan.audit.range = flags.range.clone();
    scan.limits = flags.limits.clone();
    scan.audit.dedup_key.filter.clone_from(&flags.filter);
    scan.output.quiet = flags.quiet;
    Ok(SuggestCommand {
        scan: resolve::scan(&scan, context)?,
        sample: (flags.sample > 0).then_some(flags.sample),
        is_json: flags.json,
        scan_words,
    })
}

/// Both parts of a record are looked into.
fn plain_scan() -> Result<Box<ScanFlags>, UsageError> {
    let typed = ["dupaudit", "scan", "--by", "key,value"];
    match Flags::try_parse_from(typed).map(|flags| flags.command) {
        Ok(CommandFlags::Scan(scan)) => Ok(scan),
        Ok(_) | Err(_) => Err(UsageError::new("internal error: a plain scan is none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Bound;

    fn resolved(arguments: &[&str]) -> Result<SuggestCommand, UsageError> {
        let all = ["dupaudit", "suggest"].iter().chain(arguments);
        let words: Vec<String> = all.map(|word| (*word).to_owned()).collect();
        let CommandFlags::Suggest(flags) = Flags::try_parse_from(&words).unwrap().command else {
            panic!("a suggestion")
        };
        let context = RunContext {
            command_line: words,
            now_millis: 0,
            environment: &|_| None,
            memory_bytes: 8 << 30,
            threads: 1,
        };
        resolve(&flags, context)
    }

    #[test]
    fn the_sources_are_those_of_a_scan() {
        let command = resolved(&[
            "a b.jsonl",
            "--sample",
            "7",
            "--json",
            "--from",
            "1970-01-01",
            "--where",
            "value.n>1",
        ]);
        let command = command.unwrap();
        assert_eq!((command.sample, command.is_json), (Some(7), true));
        assert_eq!(command.scan.plan.range.from, Some(Bound::Timestamp(0)));
        assert!(command.scan.plan.filter.is_some());
        let words = command.scan_words.join(" ");
        let expected = "dupaudit scan a b.jsonl --from 1970-01-01 --where value.n>1";
        assert_eq!(words, expected);
        assert_eq!(resolved(&["a", "--sample=0"]).unwrap().sample, None);
    }

    #[test]
    fn what_is_wrong_with_a_scan_is_wrong_here() {
        assert!(
            resolved(&[])
                .unwrap_err()
                .message
                .contains("nothing to read")
        );
        let dry = resolved(&["-b", "h:1", "-t", "a", "--dry-run"]);
        assert!(dry.unwrap_err().message.contains("dry run"));
    }
}
