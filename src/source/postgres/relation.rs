//! What is read as one topic: which rows, which columns, and how they become JSON.

use std::ops::Range;
use std::sync::Arc;

use postgres::Client;
use postgres::types::{Kind, Type};

use crate::source::Bound;
use crate::source::RecordRange;
use crate::source::message_db;
use crate::source::postgres::error::PostgresError;
use crate::source::postgres::{PostgresSpec, StoreSelection};

/// The table of Message DB.
const MESSAGES: &str = "message_store.messages";

/// How a cell becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// It is JSON.
    Document,
    /// It is a number or a boolean, unless it is no finite number.
    Scalar,
    /// Text that may be a document.
    Text,
    /// Text.
    Plain,
    /// Bytes that may be a document.
    Bytes,
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) cell: Cell,
}

/// What is read as one topic.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) topic: Arc<str>,
    pub(super) columns: Vec<Column>,
    /// Column of the position, for messages.
    pub(super) position: String,
    /// Positions that are asked for, frozen.
    pub(super) range: Range<i64>,
    /// Positions that are there.
    pub(super) extent: Range<i64>,
    /// Whether every position belongs to it, so that those not there are holes.
    pub(super) owns_positions: bool,
    /// Whether the server finds positions without reading all.
    pub(super) is_indexed: bool,
    /// Columns that no two records have alike, or that only say when they were written.
    pub(super) own_columns: Vec<String>,
    select: String,
    from: String,
}

impl Relation {
    /// Finds out what is there, within the snapshot of the connection.
    pub(super) fn find(
        client: &mut Client,
        spec: &PostgresSpec,
        selection: &StoreSelection,
    ) -> Result<Self, PostgresError> {
        let source = Source::of(client, spec, selection)?;
        let rows = format!("SELECT * FROM {} LIMIT 0", source.from);
        let statement = client
            .prepare(&rows)
            .map_err(|error| PostgresError::of(&format!("read {}", source.topic), &error))?;
        let types: Vec<(String, Type)> = statement
            .columns()
            .iter()
            .map(|column| (column.name().to_owned(), column.type_().clone()))
            .collect();
        let position = column(&types, &source.position, "--position", &INTEGERS)?;
        let millis = match &source.timestamp {
            None => "NULL::int8".to_owned(),
            Some(name) => {
                let time = column(&types, name, "--timestamp", &TIMES)?;
                format!(
                    "CASE WHEN isfinite({time}) \
                     THEN floor(extract(epoch FROM {time}) * 1000)::int8 END"
                )
            }
        };
        let mut select = format!("{position}::int8, {millis}");
        let mut columns = Vec::new();
        for (name, kind) in &types {
            let (cell, text) = cell(kind, source.is_message_db, &quoted(name));
            select = format!("{select}, {text}");
            columns.push(Column {
                name: name.clone(),
                cell,
            });
        }
        let mut relation = Self {
            topic: source.topic.into(),
            columns,
            position,
            range: 0..0,
            extent: 0..0,
            owns_positions: source.owns_positions,
            is_indexed: source.is_indexed,
            own_columns: source.own_columns,
            select,
            from: source.from,
        };
        relation.freeze(client, &spec.range)?;
        Ok(relation)
    }

    fn freeze(&mut self, client: &mut Client, range: &RecordRange) -> Result<(), PostgresError> {
        let (from, position) = (&self.from, &self.position);
        let question = format!(
            "SELECT min({position})::int8, max({position})::int8, \
             EXISTS (SELECT FROM {from} WHERE {position} IS NULL) FROM {from}"
        );
        let failed =
            |error: &postgres::Error| PostgresError::of(&format!("read {}", self.topic), error);
        let row = client
            .query_one(&question, &[])
            .map_err(|error| failed(&error))?;
        let get = |index: usize| row.try_get::<_, Option<i64>>(index);
        let least = get(0).map_err(|error| failed(&error))?;
        let most = get(1).map_err(|error| failed(&error))?;
        let has_nulls: bool = row.try_get(2).map_err(|error| failed(&error))?;
        let topic = &self.topic;
        if has_nulls || least.is_some_and(|least| least < 0) {
            let what = if has_nulls {
                "nulls"
            } else {
                "negative numbers"
            };
            let text = format!("{topic}: {position} has {what}, and orders no records");
            return Err(PostgresError::Configuration(text));
        }
        let extent = least
            .zip(most)
            .map(|(least, most)| least..most.saturating_add(1));
        self.extent = extent.unwrap_or(0..0);
        let mut asked = self.extent.clone();
        for (bound, is_from) in [(&range.from, true), (&range.to, false)] {
            match bound {
                Some(Bound::Offset(offset)) if is_from => asked.start = asked.start.max(*offset),
                Some(Bound::Offset(offset)) => asked.end = asked.end.min(*offset),
                Some(Bound::PartitionOffsets(_)) => {
                    let text = format!("{topic} has no partitions; write offset:N");
                    return Err(PostgresError::Configuration(text));
                }
                Some(Bound::Timestamp(_)) | None => {}
            }
        }
        self.range = asked.start.min(asked.end)..asked.end;
        Ok(())
    }

    /// Returns what copies the rows of positions, in their order.
    pub(super) fn copy_range(&self, range: &Range<i64>) -> String {
        let (position, start, end) = (&self.position, range.start, range.end);
        self.copy(&format!(
            "source.{position} >= {start} AND source.{position} < {end}"
        ))
    }

    /// Returns what copies the rows at positions, in their order.
    pub(super) fn copy_positions(&self, positions: &[u64]) -> String {
        let list: Vec<String> = positions.iter().map(u64::to_string).collect();
        let (position, list) = (&self.position, list.join(","));
        self.copy(&format!("source.{position} = ANY ('{{{list}}}'::int8[])"))
    }

    fn copy(&self, condition: &str) -> String {
        let (select, from, position) = (&self.select, &self.from, &self.position);
        format!(
            "COPY (SELECT {select} FROM {from} WHERE {condition} \
             ORDER BY source.{position}) \
             TO STDOUT (FORMAT binary)"
        )
    }
}

const INTEGERS: [Type; 3] = [Type::INT2, Type::INT4, Type::INT8];
const TIMES: [Type; 3] = [Type::TIMESTAMP, Type::TIMESTAMPTZ, Type::DATE];

/// Where rows come from, before their columns are known.
struct Source {
    topic: String,
    from: String,
    position: String,
    timestamp: Option<String>,
    is_message_db: bool,
    owns_positions: bool,
    is_indexed: bool,
    own_columns: Vec<String>,
}

impl Source {
    fn of(
        client: &mut Client,
        spec: &PostgresSpec,
        selection: &StoreSelection,
    ) -> Result<Self, PostgresError> {
        match selection {
            StoreSelection::Category(name) => {
                let is_of = format!("message_store.category(stream_name) = {}", literal(name));
                Ok(Self::message_db(name, &is_of, true))
            }
            StoreSelection::Stream(name) => {
                let category = name.split('-').next().unwrap_or(name);
                let is_of = format!("stream_name = {}", literal(name));
                Ok(Self::message_db(category, &is_of, false))
            }
            StoreSelection::Table(name) => Self::table(client, spec, name),
            StoreSelection::Query(text) => {
                let text = text.trim().trim_end_matches(';');
                let position = spec.position.clone().ok_or_else(|| {
                    let text = "a query needs `--position`, the column that orders its records";
                    PostgresError::Configuration(text.to_owned())
                })?;
                Ok(Self {
                    topic: "query".to_owned(),
                    from: format!("({text}) AS source"),
                    own_columns: own_columns(&position, spec, Vec::new()),
                    position,
                    timestamp: spec.timestamp.clone(),
                    is_message_db: false,
                    owns_positions: false,
                    is_indexed: false,
                })
            }
        }
    }

    fn message_db(topic: &str, condition: &str, is_indexed: bool) -> Self {
        Self {
            topic: topic.to_owned(),
            from: format!("(SELECT * FROM {MESSAGES} WHERE {condition}) AS source"),
            position: "global_position".to_owned(),
            timestamp: Some("time".to_owned()),
            is_message_db: true,
            owns_positions: false,
            is_indexed,
            own_columns: message_db::own_members().to_vec(),
        }
    }

    fn table(client: &mut Client, spec: &PostgresSpec, name: &str) -> Result<Self, PostgresError> {
        let doing = format!("look for the table `{name}`");
        let failed = |error: &postgres::Error| PostgresError::of(&doing, error);
        let question = "SELECT oid::regclass::text FROM pg_class WHERE oid = to_regclass($1)";
        let found = client.query_opt(question, &[&name]);
        let found = found.map_err(|error| failed(&error))?;
        let Some(found) = found else {
            let place = spec.settings.place();
            let text = format!(
                "there is no table `{name}` in {place}: outside the search path its schema stands \
                 before it, as in message_store.messages"
            );
            return Err(PostgresError::Configuration(text));
        };
        let from: String = found.try_get(0).map_err(|error| failed(&error))?;
        let indexed = indexed_columns(client, name, "true")?;
        let position = spec.position.clone().or_else(|| indexed.first().cloned());
        let position = position.ok_or_else(|| {
            let text = format!("`{name}` has no index: name the column of `--position`");
            PostgresError::Configuration(text)
        })?;
        let is_message_db = from == MESSAGES || from == "messages";
        let own_columns = if is_message_db {
            message_db::own_members().to_vec()
        } else {
            let is_unique = "indisunique AND indnkeyatts = 1";
            own_columns(&position, spec, indexed_columns(client, name, is_unique)?)
        };
        Ok(Self {
            topic: name.replace('"', ""),
            is_indexed: indexed.contains(&position),
            from: format!("{from} AS source"),
            position,
            timestamp: spec.timestamp.clone(),
            is_message_db,
            owns_positions: true,
            own_columns,
        })
    }
}

/// Returns the columns that whole indexes of a table begin with, of those for which a condition
/// holds: first that of a primary key of one column.
fn indexed_columns(
    client: &mut Client,
    table: &str,
    condition: &str,
) -> Result<Vec<String>, PostgresError> {
    let doing = format!("look for the indexes of `{table}`");
    let failed = |error: &postgres::Error| PostgresError::of(&doing, error);
    let question = format!(
        "SELECT attname::text FROM pg_index JOIN pg_attribute \
         ON attrelid = indrelid AND attnum = indkey[0] \
         WHERE indrelid = to_regclass($1) AND indisvalid AND indpred IS NULL AND {condition} \
         ORDER BY indisprimary AND indnatts = 1 DESC, attnum"
    );
    let rows = client
        .query(&question, &[&table])
        .map_err(|error| failed(&error))?;
    let names = rows.iter().map(|row| row.try_get(0));
    names
        .collect::<Result<_, _>>()
        .map_err(|error| failed(&error))
}

fn own_columns(position: &str, spec: &PostgresSpec, mut columns: Vec<String>) -> Vec<String> {
    columns.push(position.to_owned());
    columns.extend(spec.timestamp.clone());
    columns
}

fn column(
    columns: &[(String, Type)],
    name: &str,
    flag: &str,
    types: &[Type],
) -> Result<String, PostgresError> {
    let known = |columns: &[(String, Type)]| {
        let fitting = columns.iter().filter(|(_, kind)| types.contains(kind));
        let names: Vec<&str> = fitting.map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    };
    let found = columns.iter().find(|(column, _)| column == name);
    let problem = match found {
        Some((_, kind)) if types.contains(kind) => return Ok(quoted(name)),
        Some((_, kind)) => format!("`{flag} {name}`: the column is of type {kind}"),
        None => format!("`{flag} {name}`: there is no such column"),
    };
    let text = match known(columns).as_str() {
        "" => format!("{problem}, and no other fits"),
        fitting => format!("{problem}; these fit: {fitting}"),
    };
    Err(PostgresError::Configuration(text))
}

/// Returns how a column is read, and the expression that the server is asked for. What Message DB
/// exports as CSV is text but for its documents, and is the same here.
fn cell(kind: &Type, is_message_db: bool, name: &str) -> (Cell, String) {
    let documents = [Type::JSON, Type::JSONB];
    let texts = [Type::TEXT, Type::VARCHAR, Type::BPCHAR];
    let numbers = [
        Type::FLOAT4,
        Type::FLOAT8,
        Type::NUMERIC,
        Type::BOOL,
        Type::OID,
    ];
    let text = format!("{name}::text");
    if documents.contains(kind) {
        (Cell::Document, text)
    } else if is_message_db {
        (Cell::Plain, text)
    } else if *kind == Type::BYTEA {
        (Cell::Bytes, name.to_owned())
    } else if texts.contains(kind) {
        (Cell::Text, text)
    } else if numbers.contains(kind) || INTEGERS.contains(kind) {
        (Cell::Scalar, text)
    } else if matches!(kind.kind(), Kind::Array(_) | Kind::Composite(_)) {
        (Cell::Document, format!("to_json({name})::text"))
    } else {
        (Cell::Plain, text)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    // An escape string means the same whatever the server takes a backslash for.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Relation {
        /// Returns a relation that only has columns.
        pub(in crate::source::postgres) fn of_columns(topic: &str, columns: Vec<Column>) -> Self {
            Self {
                topic: topic.into(),
                columns,
                position: String::new(),
                range: 0..0,
                extent: 0..0,
                owns_positions: false,
                is_indexed: false,
                own_columns: Vec::new(),
                select: String::new(),
                from: String::new(),
            }
        }
    }

    #[test]
    fn names_and_texts_stay_what_they_are() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal(r"it's \ x"), r"E'it''s \\ x'");
    }

    #[test]
    fn columns_that_do_not_fit_are_told_with_those_that_do() {
        let columns = [
            ("id".to_owned(), Type::UUID),
            ("seq".to_owned(), Type::INT8),
        ];
        let said = |name: &str| match column(&columns, name, "--position", &INTEGERS) {
            Ok(column) => column,
            Err(error) => error.to_string(),
        };
        assert_eq!(said("seq"), "\"seq\"");
        assert_eq!(
            said("id"),
            "`--position id`: the column is of type uuid; these fit: seq"
        );
        assert_eq!(
            said("x"),
            "`--position x`: there is no such column; these fit: seq"
        );
    }
}
