//! What `--help` says after the options.

/// End of `dupaudit --help`.
pub const ROOT_END: &str = "\
Examples:
  dupaudit demo
  dupaudit scan payments.jsonl --by charge_id
  dupaudit scan --help

Exit codes:
  0  no duplicates, coverage complete
  1  duplicates found; the report says whether coverage was complete
  2  the command line or the configuration is wrong, or a named file, topic or
     partition does not exist; nothing was audited
  3  no duplicates in what was read, but coverage is incomplete
  4  the audit failed: broker unreachable or refusing, output not written,
     internal error";

/// End of `dupaudit scan --help`.
pub const SCAN_END: &str = "\
Examples:
  An export, and what its duplicates may have cost:
    dupaudit scan charges.jsonl.gz --by charge_id --amount amount \\
      --currency currency
  Two hours of a topic, with every group in a CSV:
    dupaudit scan -b broker:9092 -t charges --from -2h --by charge_id \\
      -o charges.csv
  A secured cluster, from a file of properties as kcat reads it:
    dupaudit scan -F prod.conf -t charges --from 2026-01-15 --to 2026-01-16 \\
      --by charge_id
  What refunds have left at risk:
    dupaudit scan ledger.jsonl --by charge_id --amount amount \\
      --reversal 'value.type == \"refund\"'
  Records of a system whose identities are known:
    dupaudit scan -b broker:9092 -t events --from -1d --preset cloudevents
  The same record but for when it was sent, at most ten minutes apart:
    dupaudit scan sent.jsonl --by value --ignore sent_at \\
      --map timestamp=sent_at --within 10m
  What `[audit.charges]` in dupaudit.toml says, but for today:
    dupaudit scan --audit charges --from -24h
  A nightly job that reads on where it ended, and finds yesterday's copies:
    dupaudit scan -F prod.conf -t charges --by charge_id \\
      --state /var/lib/dupaudit/charges
  Messages of a store that were handled twice:
    dupaudit scan --postgres postgresql://auditor@db-1/message_store \\
      --category payment --preset message-db
  A year of records, by the tasks of a Spark job:
    dupaudit scan -F prod.conf -t charges --by charge_id -o year.json \\
      --engine spark --master yarn

Exit codes:
  0  no duplicates, coverage complete
  1  duplicates found; the report says whether coverage was complete
  2  the command line or the configuration is wrong, or a named file, topic or
     partition does not exist; nothing was audited
  3  no duplicates in what was read, but coverage is incomplete
  4  the audit failed: broker unreachable or refusing, output not written,
     internal error
With --baseline, --expect or --fail-at, 1 means new duplicates at or over the
threshold; below it the code is 0 or 3.
--fail-on turns what it leaves out into 0.

Variables:
  DUPAUDIT_NAME sets --name where it is not typed, as in DUPAUDIT_LOOK_BACK=1h
  or DUPAUDIT_QUIET=true. Options that are repeatable have one value a line
  there. Flags go before variables, these before the file, and the audit before
  its [defaults]; each replaces the option whole.";

/// End of `dupaudit explain --help`.
pub const EXPLAIN_END: &str = "\
Examples:
  One group of a report, its records read again where the scan read them:
    dupaudit explain --report charges.json --group g_7c1e5b09
  The same with the values, and the cluster reached in another way:
    dupaudit explain --report charges.json --group g_7c1e5b09 --show-values \\
      -F prod.conf

Exit codes:
  0  the group was shown; records that are gone are said to be
  2  there is no such report, group, file or topic
  4  the broker is unreachable or refuses, or a file cannot be read";

/// End of `dupaudit check --help`.
pub const CHECK_END: &str = "\
Examples:
  What would be run, and whether it could be:
    dupaudit check
  For an editor; `#:schema dupaudit.schema.json` in the file names it:
    dupaudit check --schema > dupaudit.schema.json

A file:
  [defaults]                # what every audit has that does not say otherwise
  brokers = \"kafka-1:9092\"

  [audit.charges]           # dupaudit scan --audit charges
  topic = \"charges\"
  by = [\"charge_id\"]
  from = \"-24h\"
  output = \"charges.json\"

Every option of `scan` is a key, by its long name; `files` are the files, and
`property.NAME` is -X NAME=VALUE. Relative paths are taken from where the file
is.

Exit codes:
  0  every audit could be run
  2  something is wrong; all of it is told";

/// End of `dupaudit report --help`.
pub const REPORT_END: &str = "\
Examples:
  The first screen of last night's report:
    dupaudit report night.json
  The same duplicates as a CSV with one row for each group:
    dupaudit report night.json --rows groups -o night.csv

Exit codes:
  0  the report was rendered, whatever it says
  2  there is no such report, or it is damaged
  4  what was rendered cannot be written";

/// End of `dupaudit extract --help`.
pub const EXTRACT_END: &str = "\
Examples:
  Half of a topic on each of two machines, merged on one of them:
    dupaudit extract -F prod.conf -t charges -p 0-15 --by charge_id -o half-1
    dupaudit extract -F prod.conf -t charges -p 16-31 --by charge_id -o half-2
    dupaudit merge half-1 half-2 -o report.json
  What `merge` says has to be read again, where it was read first:
    dupaudit extract -F prod.conf -t charges -p 0-15 --by charge_id -o half-1 \\
      --suspects half-1/suspects.run

Standard input, databases and --state cannot be shared out. Segments of one
partition, and the files that belong to one export, belong to one part.

Exit codes:
  0  done
  2  the command line or the configuration is wrong, or a named file, topic or
     partition does not exist
  4  it failed: broker unreachable or refusing, disk full, internal error";

/// End of `dupaudit merge --help`.
pub const MERGE_END: &str = "\
Examples:
  Folders that `dupaudit extract` wrote, in any order:
    dupaudit merge half-1 half-2 -o report.json
  Those that it says have to be read again are told in the same words.

The report is that of one scan over everything, to the byte but for its header.
What was asked is what the parts were asked, which have to agree.

Exit codes:
  as `dupaudit scan`, and 4 where records have to be read again first";

/// End of `dupaudit suggest --help`.
pub const SUGGEST_END: &str = "\
Examples:
  An export that nobody knows:
    dupaudit suggest payments.jsonl.gz
  The last hour of a topic, with the schemas of its registry:
    dupaudit suggest -b broker:9092 -t charges --from -1h \\
      -r http://registry:8081
  All of it, for a program:
    kcat -b broker:9092 -t charges -C -e -J |
      dupaudit suggest - --sample 0 --json

A field is a good dedup key if nearly every record has a new value of it, and if
the few records that repeat one look like duplicates: all agrees but times,
traces and counters of attempts.

Exit codes:
  0  the records were looked at, whatever was found
  2  the command line is wrong, or a named file, topic or partition does not
     exist
  4  the broker is unreachable or refuses, or a file cannot be read";

/// End of `dupaudit presets --help`.
pub const PRESETS_END: &str = "\
Examples:
  dupaudit presets
  dupaudit presets stripe-event
  dupaudit scan events.jsonl --preset stripe-event";

/// End of `dupaudit history --help`.
pub const HISTORY_END: &str = "\
Groups, extra records and amounts are those that a run was the first to find.
Columns that do not fit the screen are left out; --json has all of them.

Examples:
  dupaudit history /var/lib/dupaudit/charges
  dupaudit history /var/lib/dupaudit/charges --last 7 --json

Exit codes:
  0  done
  2  the directory holds no state
  4  the state is damaged, or of a later version";

/// End of `dupaudit state --help`.
pub const STATE_END: &str = "\
Examples:
  dupaudit state show /var/lib/dupaudit/charges
  dupaudit state prune /var/lib/dupaudit/charges --older-than 24h
  dupaudit state reset /var/lib/dupaudit/charges

Exit codes:
  0  done
  2  the directory holds no state
  4  the state is damaged, of a later version, or in use by a run";

/// End of `dupaudit baseline --help`.
pub const BASELINE_END: &str = "\
The file is TOML with one line for each group, to be reviewed and kept in
version control. A group is known by its id, a hash of its dedup key, while it
has no more extra records than were accepted and until it expires. Ids of
reports with --redact hash hold for that report alone.

Examples:
  Accept what a report has, then see only what is new:
    dupaudit baseline charges.json -o accepted.toml \\
      --reason 'refunded, INC-1234'
    dupaudit scan charges.jsonl --by charge_id --baseline accepted.toml
  One group, for good, and nothing that is gone:
    dupaudit baseline r.json -o accepted.toml --group g_… --reason 'a test' \\
      --expires never --prune

Exit codes:
  0  the baseline was written
  2  there is no such report or group, or it does not fit the baseline that is
     there
  4  the baseline cannot be written";

/// End of `dupaudit diff --help`.
pub const DIFF_END: &str = "\
Examples:
  Whether the fix worked:
    dupaudit diff before.json after.json
  What is new, for a program:
    dupaudit diff before.json after.json --json |
      jq '.changes[] | select(.change == \"new\")'

A group is the same by its id, which the dedup key makes. One that is missing in
the newer report is gone only if that report read all of its records again; else
it is said not to have been read.

Exit codes:
  0  no group is new, none has grown
  1  some are new, or have grown
  2  there is no such report, it is damaged, or the two cannot be compared
  4  the result cannot be written";

/// End of `dupaudit demo --help`.
pub const DEMO_END: &str = "\
Examples:
  dupaudit demo

The demo needs no server.

Exit codes:
  0  it found exactly the duplicates that it made
  4  it did not, or could not run";

/// End of `dupaudit completions --help`.
pub const COMPLETIONS_END: &str = "\
Examples:
  dupaudit completions bash > /etc/bash_completion.d/dupaudit
  dupaudit completions zsh > \"${fpath[1]}/_dupaudit\"";

/// End of `dupaudit man --help`.
pub const MAN_END: &str = "\
Examples:
  dupaudit man | man -l -
  dupaudit man > /usr/local/share/man/man1/dupaudit.1";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use crate::cli::flags::Flags;

    #[test]
    fn every_command_ends_its_help_with_examples_that_fit_into_80_columns() {
        let mut root = Flags::command();
        root.build();
        let commands: Vec<&Command> = root.get_subcommands().collect();
        for command in commands.into_iter().chain([&root]) {
            if command.get_name() == "help" {
                continue;
            }
            let end = command.get_after_help().map(ToString::to_string);
            let end = end.unwrap_or_default();
            assert!(end.contains("Examples:"), "{}", command.get_name());
            for line in end.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
        }
    }
}
