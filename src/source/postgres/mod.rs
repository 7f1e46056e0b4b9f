//! Records of a Postgres database: Message DB's categories and streams, tables, and queries.

mod connection;
mod error;
mod message;
mod reader;
mod relation;
mod rows;
pub mod settings;
mod source;
mod tls;

pub use error::PostgresError;
pub use message::{StoredMessage, messages};
pub use settings::{Environment, PostgresSettings};
pub use source::PostgresSource;

use std::time::Duration;

use crate::source::RecordRange;

/// What is read as one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSelection {
    /// A category of Message DB: what comes before the first `-` of its streams' names.
    Category(String),
    /// One stream of Message DB.
    Stream(String),
    /// A table or view, with or without its schema.
    Table(String),
    /// A query, without a semicolon.
    Query(String),
}

/// What to read of a database, and how.
#[derive(Clone, Debug)]
pub struct PostgresSpec {
    /// How to connect.
    pub settings: PostgresSettings,
    /// What to read, each as a topic of its own.
    pub selections: Vec<StoreSelection>,
    /// Column of tables and queries that orders their records.
    pub position: Option<String>,
    /// Column of tables and queries with the time of their records.
    pub timestamp: Option<String>,
    /// Which positions are asked for; times are judged record by record.
    pub range: RecordRange,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// Connections that read at the same time.
    pub connections: usize,
}
