//! Connections: read-only, over one snapshot, and no burden to others.

use std::time::Duration;

use postgres::{Client, NoTls};

use crate::source::postgres::PostgresSpec;
use crate::source::postgres::error::PostgresError;

/// When a server that says nothing is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// How long a lock of others is waited for.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a connection within a read-only transaction; `snapshot` is one that another exported.
pub(super) fn open(spec: &PostgresSpec, snapshot: Option<&str>) -> Result<Client, PostgresError> {
    let settings = &spec.settings;
    let mut config = settings.config.clone();
    config.application_name("dupaudit");
    config.keepalives_idle(KEEPALIVE);
    let doing = format!("connect to {}", settings.place());
    let connected = if config.get_ssl_mode() == postgres::config::SslMode::Disable {
        config.connect(NoTls)
    } else {
        config.connect(settings.tls.connector()?)
    };
    let mut client = connected.map_err(|error| PostgresError::of(&doing, &error))?;
    let statements = session(spec, snapshot);
    client
        .batch_execute(&statements)
        .map_err(|error| PostgresError::of("begin a read-only transaction", &error))?;
    Ok(client)
}

/// Texts of times and numbers are the same whatever the server is set to.
fn session(spec: &PostgresSpec, snapshot: Option<&str>) -> String {
    let snapshot = match snapshot {
        Some(name) => format!("SET TRANSACTION SNAPSHOT '{}';", name.replace('\'', "''")),
        None => String::new(),
    };
    format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = 0; SET max_parallel_workers_per_gather = 0; \
         SET datestyle = 'ISO'; SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; \
         SET extra_float_digits = 1; SET bytea_output = 'hex'; \
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {snapshot}",
        spec.statement_timeout.as_millis(),
        LOCK_TIMEOUT.as_millis(),
    )
}
