//! The text that a field value stands for.

use crate::record::FieldValue;

use super::grammar::string::unescape;
use super::number::push_integer;

/// Returns the text of a value; nothing for missing, null and undecodable ones.
///
/// The scratch buffer is emptied first and holds the text where the record does not.
pub fn field_text<'a>(value: FieldValue<'a>, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    scratch.clear();
    match value {
        FieldValue::Missing | FieldValue::Null | FieldValue::Undecodable => return None,
        FieldValue::Bytes(text) | FieldValue::Number(text) | FieldValue::Json(text) => {
            return Some(text);
        }
        FieldValue::Boolean(true) => return Some(b"true"),
        FieldValue::Boolean(false) => return Some(b"false"),
        FieldValue::EscapedText(content) => unescape(content, scratch),
        FieldValue::QuotedCell(cell) => unescape_quoted_cell(cell, scratch),
        FieldValue::Integer(number) => push_integer(number, scratch),
    }
    Some(scratch)
}

/// Appends what a CSV cell says, given from behind its first quote to its end.
///
/// Doubled quotes stand for one; behind a lone quote all bytes stand for themselves.
pub fn unescape_quoted_cell(cell: &[u8], out: &mut Vec<u8>) {
    let mut rest = cell;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        let (quoted, after) = rest.split_at(quote);
        out.extend_from_slice(quoted);
        if let [b'"', b'"', after @ ..] = after {
            out.push(b'"');
            rest = after;
        } else {
            rest = after.get(1..).unwrap_or_default();
            break;
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_value_has_its_text() {
        for (value, expected) in [
            (FieldValue::Missing, None),
            (FieldValue::Null, None),
            (FieldValue::Undecodable, None),
            (FieldValue::Bytes(b"a\\n"), Some("a\\n")),
            (
                FieldValue::EscapedText(b"a\\n\\u00e9\\/"),
                Some("a\n\u{e9}/"),
            ),
            (
                FieldValue::QuotedCell(b"say \"\"hi\"\"\""),
                Some("say \"hi\""),
            ),
            (FieldValue::QuotedCell(b"ab\"c\"d"), Some("abc\"d")),
            (
                FieldValue::QuotedCell(b"never closed"),
                Some("never closed"),
            ),
            (FieldValue::Number(b"1.50"), Some("1.50")),
            (FieldValue::Integer(-7), Some("-7")),
            (FieldValue::Boolean(true), Some("true")),
            (FieldValue::Json(b"[1, 2]"), Some("[1, 2]")),
        ] {
            let mut scratch = b"old".to_vec();
            let text = field_text(value, &mut scratch);
            assert_eq!(text, expected.map(str::as_bytes), "{value:?}");
        }
    }
}
