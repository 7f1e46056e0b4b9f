//! Records that are lines of text, or events inside JSON documents.

pub(crate) mod batch_line;
pub(crate) mod console_line;
pub(crate) mod dump_log;
pub(crate) mod dump_survey;
pub(crate) mod event;
pub(crate) mod json_text;
pub(crate) mod logfmt;
pub(crate) mod otel;
pub(crate) mod table;
