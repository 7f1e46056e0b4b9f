//! Our own JSON scanner: checks a document, picks the values at field paths, compares documents.

pub mod canonical;
pub mod number;

mod error;
mod grammar;
mod leaves;
#[cfg(test)]
mod oracle;
mod scan;
mod text;
mod trie;

pub use canonical::{CanonicalError, CanonicalWriter};
pub use error::{JsonError, JsonFault};
pub use grammar::quoted::end_of_quoted;
pub use grammar::special::find_backslash;
pub use grammar::string::{unescape, write_string};
pub use leaves::{differing_members, differing_paths, leaves};
pub use scan::{Scanner, is_utf8};
pub use text::{field_text, unescape_quoted_cell};
pub use trie::PathTrie;
