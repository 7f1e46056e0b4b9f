//! `--postgres` and what is read of it come to one request to a database.

use clap::{ArgGroup, Args, ValueHint};

use crate::cli::resolve::duration;
use crate::cli::usage_error::UsageError;
use crate::command::StoreRequest;

/// What is read of a database.
#[derive(Args, Clone, Debug, Default)]
#[command(
    next_help_heading = "Databases",
    group = ArgGroup::new("selection").multiple(true).requires("postgres")
)]
pub struct StoreFlags {
    /// Database to read, as for psql: `postgresql://USER@HOST/DB` or `host=HOST dbname=DB`;
    /// the password comes from PGPASSWORD, ~/.pgpass or a service, as for psql
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::Url, requires = "selection")]
    pub postgres: Option<String>,
    /// Category of Message DB to read (repeatable)
    #[arg(long, value_name = "NAME", group = "selection")]
    pub category: Vec<String>,
    /// Stream of Message DB to read (repeatable)
    #[arg(long, value_name = "NAME", group = "selection")]
    pub stream: Vec<String>,
    /// Table to read, such as an outbox (repeatable)
    #[arg(long, value_name = "NAME", group = "selection")]
    pub table: Vec<String>,
    /// Query whose rows are read
    #[arg(long, value_name = "SQL", group = "selection")]
    pub query: Option<String>,
    /// Column of a table or query that orders its records, whole numbers without equals; it takes
    /// the place of offsets [default: what a table is indexed by first]
    #[arg(long, value_name = "COLUMN", requires = "postgres")]
    pub position: Option<String>,
    /// Column of a table or query with the time of its records; without a zone it is UTC
    #[arg(long, value_name = "COLUMN", requires = "postgres")]
    pub timestamp: Option<String>,
    /// Longest time that one statement may take
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1h",
        requires = "postgres"
    )]
    pub statement_timeout: String,
}

/// Refuses what nothing is known of for a database.
pub fn check_beside(
    flags: &StoreFlags,
    (has_state, is_dry_run): (bool, bool),
) -> Result<(), UsageError> {
    if flags.postgres.is_none() {
        return Ok(());
    }
    if has_state {
        let message = "`--state` does not go together with `--postgres`";
        return Err(UsageError::new(message).hint(
            "a store is read whole, or bounded by --from and --to: leave --state out, or audit \
             the topic that the store feeds with it",
        ));
    }
    if is_dry_run {
        let message = "`--dry-run` says nothing about a database";
        return Err(UsageError::new(message)
            .hint("leave --postgres out to see what would be read of the topic"));
    }
    Ok(())
}

/// Returns the request, if a database is asked for.
pub fn resolve(flags: &StoreFlags) -> Result<Option<StoreRequest>, UsageError> {
    let Some(address) = &flags.postgres else {
        return Ok(None);
    };
    let timeout = match duration::parse(&flags.statement_timeout) {
        Ok(0) => Err(UsageError::new("nothing can be read in no time")
            .hint("write at least 1s; 1h is the default")),
        parsed => parsed,
    };
    let is_table = !flags.table.is_empty() || flags.query.is_some();
    for (column, option) in [
        (&flags.position, "--position"),
        (&flags.timestamp, "--timestamp"),
    ] {
        if column.is_some() && !is_table {
            let message = format!("`{option}` is given, but no table or query");
            return Err(UsageError::new(message)
                .hint("Message DB has its own: leave the option out, or name a --table"));
        }
    }
    if flags.query.is_some() && flags.position.is_none() {
        return Err(UsageError::new("`--query` needs `--position`").hint(
            "name the column that orders the rows, whole numbers without equals, such as \
             --position id",
        ));
    }
    Ok(Some(StoreRequest {
        address: address.clone(),
        categories: flags.category.clone(),
        streams: flags.stream.clone(),
        tables: flags.table.clone(),
        query: flags.query.clone(),
        position: flags.position.clone(),
        timestamp: flags.timestamp.clone(),
        statement_timeout_millis: timeout
            .map_err(|error| error.at("--statement-timeout", &flags.statement_timeout))?,
    }))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::flags::{CommandFlags, Flags};

    #[test]
    fn what_a_database_cannot_do_is_refused() {
        let store = flags("--postgres postgresql://h/d --category a").unwrap();
        assert!(check_beside(&store, (false, false)).is_ok());
        assert!(check_beside(&store, (true, false)).is_err());
        assert!(check_beside(&store, (false, true)).is_err());
        assert!(check_beside(&StoreFlags::default(), (true, true)).is_ok());
    }

    fn flags(arguments: &str) -> Result<StoreFlags, clap::Error> {
        let arguments = ["dupaudit", "scan"]
            .into_iter()
            .chain(arguments.split_whitespace());
        let flags = Flags::try_parse_from(arguments)?;
        let CommandFlags::Scan(scan) = flags.command else {
            panic!("{:?}", flags.command)
        };
        Ok(scan.audit.store)
    }

    #[test]
    fn what_is_read_of_a_database_needs_its_address_and_the_other_way_round() {
        let address = "--postgres postgresql://h/d";
        for alone in ["--category a", "--table t", "--query q", "--position p"] {
            assert!(flags(alone).is_err(), "{alone}");
        }
        assert!(flags(address).is_err());
        let all = format!("{address} --category a --category b --table t --timestamp at");
        let request = resolve(&flags(&all).unwrap()).unwrap().unwrap();
        assert_eq!(request.categories, ["a", "b"]);
        assert_eq!(request.statement_timeout_millis, 3_600_000);
        for wrong in [
            "--category a --position p",
            "--query q",
            "--category a --statement-timeout 0s",
            "--category a --statement-timeout soon",
        ] {
            let flags = flags(&format!("{address} {wrong}")).unwrap();
            assert!(resolve(&flags).is_err(), "{wrong}");
        }
    }
}
