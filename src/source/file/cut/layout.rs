//! How the records of a file lie in it, and what each of them is.

use std::sync::Arc;

use crate::record::ValueFormat;
use crate::source::file::FileFormat;
use crate::source::file::cut::envelope::EnvelopeKind;
use crate::source::file::cut::text::console_line::ConsoleShape;
use crate::source::file::cut::text::dump_log::Segments;
use crate::source::file::row_ends::RecordEnds;
use crate::source::message_db;

/// How the records of a file lie in it.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The format, for people.
    pub(crate) format: FileFormat,
    /// What ends a record.
    pub(crate) ends: RecordEnds,
    /// What lies between two ends.
    pub(crate) body: Body,
}

/// What lies between two ends.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A value as it is.
    Value,
    /// A row of cells under these names.
    Row(Arc<[Box<[u8]>]>),
    /// An envelope.
    Envelope(EnvelopeKind),
    /// A line of `kafka-console-consumer`.
    ConsoleLine(ConsoleShape),
    /// Batches of `kafka-dump-log`.
    DumpedBatch(Arc<Segments>),
    /// A line of logfmt.
    Logfmt,
    /// A document of OpenTelemetry logs.
    OtelLogs,
    /// An event of `CloudWatch` Logs.
    Event,
    /// A row of Message DB's table, under these names.
    TableRow(Arc<[Box<[u8]>]>),
}

impl Layout {
    /// Returns the layout of one JSON document per line.
    pub(crate) fn lines() -> Self {
        Self {
            format: FileFormat::JsonLines,
            ends: RecordEnds::Lines,
            body: Body::Value,
        }
    }

    /// Returns the members that a message store has made of its own, if it is exported from one.
    pub(crate) fn store_members(&self) -> Option<&'static [String]> {
        (self.format == FileFormat::MessageDb).then(message_db::own_members)
    }

    /// Returns what the values of records are.
    pub(crate) fn value_format(&self) -> ValueFormat {
        match (&self.body, self.ends) {
            (Body::Row(columns), RecordEnds::Rows { delimiter }) => ValueFormat::Csv {
                delimiter,
                columns: Arc::clone(columns),
            },
            _ => ValueFormat::Json,
        }
    }

    /// Returns whether a record can be told from its own bytes, without what is around it.
    pub(crate) fn is_cut_alone(&self) -> bool {
        let is_ended_by_bytes = match self.ends {
            RecordEnds::Lines | RecordEnds::Rows { .. } => true,
            RecordEnds::Documents(_) | RecordEnds::Marks(_) => false,
        };
        is_ended_by_bytes
            && match self.body {
                Body::OtelLogs | Body::DumpedBatch(_) => false,
                Body::Value
                | Body::Row(_)
                | Body::Envelope(_)
                | Body::ConsoleLine(_)
                | Body::Logfmt
                | Body::Event
                | Body::TableRow(_) => true,
            }
    }
}
