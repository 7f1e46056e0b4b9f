//! What a field path found in one record.

/// The value at a field path, borrowed from the record where that is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// The path leads nowhere, or to an empty CSV cell.
    Missing,
    /// JSON null, a null payload or a null header value.
    Null,
    /// Bytes as they are: a CSV cell, a header value, a whole payload, a JSON string without
    /// escapes.
    Bytes(&'a [u8]),
    /// The inside of a JSON string with escapes still in it; always valid JSON string content.
    EscapedText(&'a [u8]),
    /// A CSV cell that starts with a quote, from behind that quote to the end of the cell: doubled
    /// quotes stand for one, a lone quote ends the quoting.
    QuotedCell(&'a [u8]),
    /// The text of a JSON number.
    Number(&'a [u8]),
    /// A whole number that is no text in the record: a partition, an offset, a timestamp.
    Integer(i64),
    /// JSON true or false.
    Boolean(bool),
    /// The valid JSON text of an object or array.
    Json(&'a [u8]),
    /// The record cannot be decoded as far as this path needs: invalid text, or a member name
    /// repeated in an object on the path.
    Undecodable,
}

impl FieldValue<'_> {
    /// Returns whether this is equal to nothing: null and missing.
    pub fn is_absent(self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }
}
