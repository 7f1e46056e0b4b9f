//! Single messages of Message DB, by their streams and positions.

use crate::source::postgres::PostgresSpec;
use crate::source::postgres::connection;
use crate::source::postgres::error::PostgresError;

/// A message as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its position among all.
    pub global_position: i64,
    /// Its type.
    pub kind: String,
    /// When it was stored, UTC, as the database writes it.
    pub time: String,
    /// Its data as JSON; nothing for null.
    pub data: Option<String>,
}

/// Reads messages by their streams and positions; nothing where there is none.
pub fn messages(
    spec: &PostgresSpec,
    places: &[(String, i64)],
) -> Result<Vec<Option<StoredMessage>>, PostgresError> {
    let mut client = connection::open(spec, None)?;
    let failed = |error: postgres::Error| PostgresError::of("read what caused them", &error);
    let question = "SELECT global_position::int8, type::text, time::text, data::text \
         FROM message_store.messages WHERE stream_name = $1 AND position = $2";
    let mut messages = Vec::with_capacity(places.len());
    for (stream, position) in places {
        let row = client.query_opt(question, &[stream, position]);
        let message = row.map_err(failed)?.map(|row| {
            Ok(StoredMessage {
                global_position: row.try_get(0)?,
                kind: row.try_get(1)?,
                time: row.try_get(2)?,
                data: row.try_get(3)?,
            })
        });
        messages.push(message.transpose().map_err(failed)?);
    }
    Ok(messages)
}
