//! JSON strings: finding their end, checking their escapes, reading what they say.

#![expect(
    clippy::inline_always,
    reason = "measured: a fifth faster, as positions and errors then stay in registers"
)]

use super::special::next_special;
use crate::scan_json::error::{JsonFault, Stop};

/// Returns the place of the quote that ends the string whose content starts at `position`.
///
/// The bytes must be UTF-8; all else that JSON asks of a string is checked.
#[inline(always)]
pub(in crate::scan_json) fn end_of_string(document: &[u8], position: usize) -> Result<usize, Stop> {
    Ok(end_of_name(document, position)?.0)
}

/// As [`end_of_string`], and returns whether the string has escapes.
#[inline(always)]
pub(in crate::scan_json) fn end_of_name(
    document: &[u8],
    position: usize,
) -> Result<(usize, bool), Stop> {
    let mut position = position;
    let mut has_escapes = false;
    loop {
        position = next_special(document, position);
        match document.get(position) {
            Some(b'"') => return Ok((position, has_escapes)),
            Some(b'\\') => {
                has_escapes = true;
                position = end_of_escape(document, position)?;
            }
            Some(_) => return Err(Stop::new(position, JsonFault::ControlCharacter)),
            None => return Err(Stop::new(position, JsonFault::OpenString)),
        }
    }
}

/// Returns the place behind the escape that starts at `position`.
#[cold]
fn end_of_escape(document: &[u8], position: usize) -> Result<usize, Stop> {
    match document.get(position + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(position + 2),
        Some(b'u') => end_of_code_point(document, position),
        Some(_) => Err(Stop::new(position + 1, JsonFault::InvalidEscape)),
        None => Err(Stop::new(position + 1, JsonFault::OpenString)),
    }
}

fn end_of_code_point(document: &[u8], position: usize) -> Result<usize, Stop> {
    let fault = |what| Stop::new(position, what);
    let first = escaped_unit(document, position).ok_or(fault(JsonFault::InvalidEscape))?;
    match first {
        0xD800..=0xDBFF => match escaped_unit(document, position + 6) {
            Some(0xDC00..=0xDFFF) => Ok(position + 12),
            _ => Err(fault(JsonFault::LoneSurrogate)),
        },
        0xDC00..=0xDFFF => Err(fault(JsonFault::LoneSurrogate)),
        _ => Ok(position + 6),
    }
}

/// Returns the UTF-16 unit of the `\uXXXX` at `position`, if that is what stands there.
fn escaped_unit(bytes: &[u8], position: usize) -> Option<u32> {
    let escape = bytes.get(position..)?.first_chunk::<6>()?;
    let [b'\\', b'u', digits @ ..] = escape else {
        return None;
    };
    digits.iter().try_fold(0, |unit, &digit| {
        Some(unit * 16 + char::from(digit).to_digit(16)?)
    })
}

/// Appends what the inside of a valid JSON string says.
pub fn unescape(content: &[u8], out: &mut Vec<u8>) {
    let mut rest = content;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(backslash);
        out.extend_from_slice(plain);
        rest = unescape_one(escape, out);
    }
    out.extend_from_slice(rest);
}

/// Appends what the escape in front says and returns what follows it.
fn unescape_one<'a>(escape: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let simple = match escape.get(1) {
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unescape_code_point(escape, out),
        // A quote, backslash or slash stands for itself.
        Some(&other) => other,
        None => b'\\',
    };
    out.push(simple);
    escape.get(2..).unwrap_or_default()
}

fn unescape_code_point<'a>(escape: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let first = escaped_unit(escape, 0).unwrap_or(0xFFFD);
    let second = escaped_unit(escape, 6);
    let (code_point, length) = match (first, second) {
        (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
            (0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00), 12)
        }
        _ => (first, 6),
    };
    let character = char::from_u32(code_point).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    escape.get(length..).unwrap_or_default()
}

/// Appends the JSON string, with its quotes, that says `text`, with as few escapes as there are.
pub fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let digit = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble));
                out.extend_from_slice(b"\\u00");
                out.extend(digit(byte >> 4));
                out.extend(digit(byte & 0xf));
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn strings_are_read_as_serde_json_reads_them(text in any::<String>(), cut in 0..9_usize) {
            let escaped = serde_json::to_string(&text).unwrap();
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
            for json in [escaped, format!("\"{}\"", units.collect::<String>())] {
                let content = json.as_bytes();
                prop_assert_eq!(end_of_string(content, 1), Ok(content.len() - 1));
                let mut out = Vec::new();
                unescape(&content[1..content.len() - 1], &mut out);
                prop_assert_eq!(&out, text.as_bytes());
                // A cut string stays an error and never a panic.
                let kept = content.len().saturating_sub(cut).max(1);
                let is_whole = kept == content.len();
                prop_assert_eq!(end_of_string(&content[..kept], 1).is_ok(), is_whole);
                unescape(&content[1..kept], &mut out);
            }
            let mut written = Vec::new();
            write_string(text.as_bytes(), &mut written);
            prop_assert_eq!(serde_json::from_slice::<String>(&written).unwrap(), text);
        }
    }
}
