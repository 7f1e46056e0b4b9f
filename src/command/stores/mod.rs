//! Opens what is read of a database.

use crate::command::{CommandError, ScanCommand, Surroundings};
use crate::source::RecordSource;

/// Opens no database: this build has none.
#[cfg(not(feature = "postgres"))]
pub(super) fn open(
    scan: &ScanCommand,
    _first_split: usize,
    _surroundings: &mut Surroundings<'_>,
) -> Result<Option<Box<dyn RecordSource>>, CommandError> {
    refuse(scan).map(|()| None)
}

/// Says nothing of messages that others follow: no database is read.
#[cfg(not(feature = "postgres"))]
pub(super) fn inputs(
    scan: &ScanCommand,
    _places: &[(String, i64)],
    _shows_values: bool,
    _surroundings: &Surroundings<'_>,
) -> Result<Vec<String>, CommandError> {
    refuse(scan).map(|()| Vec::new())
}

#[cfg(not(feature = "postgres"))]
fn refuse(scan: &ScanCommand) -> Result<(), CommandError> {
    if scan.store.is_none() {
        return Ok(());
    }
    let error = anyhow::anyhow!("`--postgres`: this build does not read databases");
    Err(CommandError::configuration(error).with_hint("build it with the feature postgres"))
}

/// Says what messages that others follow are; nothing where no database is read.
#[cfg(feature = "postgres")]
pub(super) fn inputs(
    scan: &ScanCommand,
    places: &[(String, i64)],
    shows_values: bool,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<String>, CommandError> {
    match &scan.store {
        Some(request) if !places.is_empty() => {
            postgres::inputs(scan, request, (places, shows_values), surroundings)
        }
        Some(_) | None => Ok(Vec::new()),
    }
}

/// Opens the database that is asked for; its splits begin at `first_split`.
#[cfg(feature = "postgres")]
pub(super) fn open(
    scan: &ScanCommand,
    first_split: usize,
    surroundings: &mut Surroundings<'_>,
) -> Result<Option<Box<dyn RecordSource>>, CommandError> {
    let Some(request) = &scan.store else {
        return Ok(None);
    };
    let source = postgres::open(scan, request, first_split, surroundings)?;
    Ok(Some(Box::new(source)))
}

#[cfg(feature = "postgres")]
pub(super) mod postgres {
    //! The database is a Postgres.

    use std::time::Duration;

    use anyhow::Context;

    use crate::command::{CommandError, Message, ScanCommand, StoreRequest, Surroundings};
    use crate::record::SplitId;
    use crate::source::postgres as source;
    use crate::source::postgres::{
        PostgresError, PostgresSettings, PostgresSource, PostgresSpec, StoreSelection,
    };

    /// Connections that read at the same time: a server has others to serve.
    const CONNECTIONS_MAX: usize = 4;

    /// What to do where the server does not answer, or refuses.
    const SERVER_HINT: &str = "does `psql ADDRESS` connect and may it read? the password comes \
                               from PGPASSWORD, ~/.pgpass or a service; a role that reads needs \
                               USAGE on the schema and SELECT on the table";

    /// What to do where the server may be another than it should be.
    const CERTIFICATE_HINT: &str = "name the authority that signed the server's certificate with \
                                    sslrootcert=FILE; under sslmode=verify-full the host in \
                                    --postgres is one that the certificate names";

    /// Connects and takes the snapshot; says what will be read.
    pub(in crate::command) fn open(
        scan: &ScanCommand,
        request: &StoreRequest,
        first_split: usize,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<PostgresSource, CommandError> {
        let split = u32::try_from(first_split)
            .context("too many sources")
            .map_err(CommandError::configuration)?;
        let spec = spec(scan, request, surroundings)?;
        let stop = surroundings.stop.clone();
        if spec.settings.has_typed_password {
            (surroundings.say)(Message::Warning(
                "the password in --postgres can be read by everyone here: leave it to PGPASSWORD, \
                 ~/.pgpass or a service"
                    .to_owned(),
            ));
        }
        let source = PostgresSource::open(&spec, SplitId(split), stop).map_err(failure)?;
        for line in source.ranges() {
            (surroundings.say)(Message::Note(line));
        }
        Ok(source)
    }

    /// Says what messages that others follow are.
    pub(super) fn inputs(
        scan: &ScanCommand,
        request: &StoreRequest,
        (places, shows_values): (&[(String, i64)], bool),
        surroundings: &Surroundings<'_>,
    ) -> Result<Vec<String>, CommandError> {
        let spec = spec(scan, request, surroundings)?;
        let messages = source::messages(&spec, places).map_err(failure)?;
        let lines = places
            .iter()
            .zip(messages)
            .map(|((stream, position), message)| {
                let place = format!("{stream}, position {position}");
                match message {
                    None => format!("{place}: it is not there any more"),
                    Some(message) => {
                        let data = message.data.filter(|_| shows_values);
                        let data = data.map(|data| format!(": {data}")).unwrap_or_default();
                        let (kind, time) = (message.kind, message.time);
                        let at = message.global_position;
                        format!("{place}: {kind}, global position {at}, {time} UTC{data}")
                    }
                }
            });
        Ok(lines.collect())
    }

    fn spec(
        scan: &ScanCommand,
        request: &StoreRequest,
        surroundings: &Surroundings<'_>,
    ) -> Result<PostgresSpec, CommandError> {
        let settings = PostgresSettings::of_address(&request.address, &surroundings.variable);
        let settings = settings.map_err(|error| {
            let error = anyhow::Error::new(error).context("`--postgres`");
            CommandError::configuration(error)
        })?;
        let selections = request
            .categories
            .iter()
            .cloned()
            .map(StoreSelection::Category);
        let streams = request.streams.iter().cloned().map(StoreSelection::Stream);
        let tables = request.tables.iter().cloned().map(StoreSelection::Table);
        let query = request.query.iter().cloned().map(StoreSelection::Query);
        let timeout = u64::try_from(request.statement_timeout_millis).unwrap_or_default();
        Ok(PostgresSpec {
            settings,
            selections: selections
                .chain(streams)
                .chain(tables)
                .chain(query)
                .collect(),
            position: request.position.clone(),
            timestamp: request.timestamp.clone(),
            range: scan.plan.range.clone(),
            statement_timeout: Duration::from_millis(timeout),
            connections: scan.plan.threads.clamp(1, CONNECTIONS_MAX),
        })
    }

    fn failure(error: PostgresError) -> CommandError {
        let hint = match &error {
            PostgresError::Configuration(_) => return CommandError::configuration(error),
            PostgresError::Server(_) => SERVER_HINT,
            PostgresError::Ended(_) => return CommandError::failed(error),
            PostgresError::Certificate(_) => CERTIFICATE_HINT,
        };
        CommandError::failed(error).with_hint(hint)
    }
}
