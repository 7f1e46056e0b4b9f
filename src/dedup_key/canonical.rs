//! Field values → canonical bytes → fingerprint: the one definition of "same".
//!
//! Each field is a type tag, the length of its content as a LEB128 varint, and the content, so
//! that neighbouring fields cannot run into each other and null is not empty. The fingerprint is
//! XXH3-128 (seed 0) of these bytes; group ids are made of it and are the same in every run.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_128;

use crate::dedup_key::{DedupKeySpec, KeyField, MissingPolicy, Normalizer};
use crate::finding::Fingerprint;
use crate::finding::KeyText;
use crate::record::FieldValue;
use crate::record::PathStep;
use crate::record::lossless_text;
use crate::scan_json::canonical;
use crate::scan_json::field_text;
use crate::scan_json::number;

const NULL: u8 = 0;
const TEXT: u8 = 1;
const NUMBER: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const JSON: u8 = 5;

/// What came of a record's key fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOutcome {
    /// The canonical bytes are written.
    Key,
    /// A part is null or missing, and such records are not grouped.
    Missing,
    /// A part cannot be decoded.
    Undecodable,
}

/// Writes canonical dedup keys; reused from record to record.
#[derive(Debug)]
pub struct KeyWriter {
    fields: Vec<KeyField>,
    ignore: Vec<Vec<PathStep>>,
    missing: MissingPolicy,
    scratch: Vec<u8>,
}

impl KeyWriter {
    /// Returns a writer for the key asked for.
    pub fn new(spec: &DedupKeySpec) -> Self {
        Self {
            fields: spec.fields.clone(),
            ignore: spec.ignore.iter().map(|path| path.steps.clone()).collect(),
            missing: spec.missing,
            scratch: Vec::new(),
        }
    }

    /// Writes the canonical bytes of `values`, one per field of the key, over `out`.
    pub fn write(&mut self, values: &[FieldValue<'_>], out: &mut Vec<u8>) -> KeyOutcome {
        out.clear();
        let mut outcome = KeyOutcome::Key;
        for (field, value) in self.fields.iter().zip(values) {
            // Values are looked at in place: to copy one that was just put together stalls.
            if let FieldValue::Bytes(text) = value
                && field.normalizers.is_empty()
                && self.ignore.is_empty()
            {
                push(out, TEXT, text);
                continue;
            }
            if value.is_absent() {
                if self.missing == MissingPolicy::Skip {
                    outcome = KeyOutcome::Missing;
                } else {
                    push(out, NULL, b"");
                }
                continue;
            }
            let is_whole_value = field.path.is_in_value() && field.path.steps.is_empty();
            let is_written = if is_whole_value && !self.ignore.is_empty() {
                push_document(*value, &self.ignore, out)
            } else if field.normalizers.is_empty() {
                push_value(*value, &mut self.scratch, out)
            } else {
                push_normalized(*value, &field.normalizers, &mut self.scratch, out)
            };
            if !is_written {
                return KeyOutcome::Undecodable;
            }
        }
        outcome
    }
}

/// Returns the fingerprint of canonical bytes.
pub fn fingerprint(canonical: &[u8]) -> Fingerprint {
    let hash = xxh3_128(canonical);
    let half = |shifted: u128| u64::try_from(shifted & u128::from(u64::MAX)).unwrap_or_default();
    Fingerprint([half(hash >> 64), half(hash)])
}

fn push(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    let mut length = content.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or_default());
    out.extend_from_slice(content);
}

fn push_value(value: FieldValue<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
    match value {
        FieldValue::Missing | FieldValue::Null => push(out, NULL, b""),
        FieldValue::Bytes(bytes) => push(out, TEXT, bytes),
        FieldValue::EscapedText(_) | FieldValue::QuotedCell(_) => {
            push(out, TEXT, field_text(value, scratch).unwrap_or_default());
        }
        FieldValue::Number(text) => {
            scratch.clear();
            number::canonical_loose(text, scratch);
            push(out, NUMBER, scratch);
        }
        FieldValue::Integer(_) => return push_number_text(value, out),
        FieldValue::Boolean(false) => push(out, FALSE, b""),
        FieldValue::Boolean(true) => push(out, TRUE, b""),
        FieldValue::Json(document) => {
            scratch.clear();
            if canonical::write(document, &[], scratch).is_err() {
                return false;
            }
            push(out, JSON, scratch);
        }
        FieldValue::Undecodable => return false,
    }
    true
}

fn push_number_text(value: FieldValue<'_>, out: &mut Vec<u8>) -> bool {
    let (mut text, mut digits) = (Vec::new(), Vec::new());
    let text = field_text(value, &mut text).unwrap_or_default();
    number::canonical_loose(text, &mut digits);
    push(out, NUMBER, &digits);
    true
}

/// Writes the whole value without the ignored paths.
fn push_document(value: FieldValue<'_>, ignore: &[Vec<PathStep>], out: &mut Vec<u8>) -> bool {
    let (FieldValue::Bytes(document) | FieldValue::Json(document)) = value else {
        return false;
    };
    let mut written = Vec::with_capacity(document.len());
    if canonical::write(document, ignore, &mut written).is_err() {
        return false;
    }
    push(out, JSON, &written);
    true
}

fn push_normalized(
    value: FieldValue<'_>,
    normalizers: &[Normalizer],
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> bool {
    if value == FieldValue::Undecodable {
        return false;
    }
    let mut text_scratch = Vec::new();
    let mut text = Cow::Borrowed(field_text(value, &mut text_scratch).unwrap_or_default());
    let mut kind = match value {
        FieldValue::Number(_) | FieldValue::Integer(_) => NUMBER,
        FieldValue::Boolean(_) => TRUE,
        FieldValue::Json(_) => JSON,
        FieldValue::Missing
        | FieldValue::Null
        | FieldValue::Bytes(_)
        | FieldValue::EscapedText(_)
        | FieldValue::QuotedCell(_)
        | FieldValue::Undecodable => TEXT,
    };
    for normalizer in normalizers {
        match normalizer {
            Normalizer::Trim if kind == TEXT => text = trim(&text),
            Normalizer::Lower if kind == TEXT => text = lower(&text),
            Normalizer::Text if kind != JSON => kind = TEXT,
            Normalizer::Number if kind == TEXT && is_number(&text) => kind = NUMBER,
            Normalizer::Trim | Normalizer::Lower | Normalizer::Text | Normalizer::Number => {}
        }
    }
    match kind {
        NUMBER => push_value(FieldValue::Number(&text), scratch, out),
        TEXT => push_value(FieldValue::Bytes(&text), scratch, out),
        _ => push_value(value, scratch, out),
    }
}

fn trim<'a>(text: &[u8]) -> Cow<'a, [u8]> {
    let trimmed = match std::str::from_utf8(text) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => text.trim_ascii(),
    };
    Cow::Owned(trimmed.to_vec())
}

fn lower<'a>(text: &[u8]) -> Cow<'a, [u8]> {
    Cow::Owned(match std::str::from_utf8(text) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => text.to_ascii_lowercase(),
    })
}

/// Returns the fields that canonical bytes are made of, as a report shows them.
pub fn key_texts(canonical: &[u8]) -> Vec<KeyText> {
    let mut texts = Vec::new();
    let mut rest = canonical;
    while let Some((&tag, after)) = rest.split_first() {
        let Some((content, after)) = take_content(after) else {
            break;
        };
        rest = after;
        texts.push(match tag {
            TEXT => KeyText::Text(lossless_text(content)),
            NUMBER => KeyText::Number(readable_number(content)),
            FALSE => KeyText::Boolean(false),
            TRUE => KeyText::Boolean(true),
            JSON => KeyText::Json(String::from_utf8_lossy(content).into_owned()),
            _ => KeyText::Null,
        });
    }
    texts
}

/// Canonical numbers are `15e-1`; people and JSON read `1.5`.
fn readable_number(canonical: &[u8]) -> String {
    let mut readable = Vec::new();
    number::write_canonical_json(canonical, &mut readable);
    String::from_utf8_lossy(&readable).into_owned()
}

fn is_number(text: &[u8]) -> bool {
    number::canonical_loose(text, &mut Vec::new())
}

fn take_content(mut rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::FieldPath;

    fn canonical(by: &[(&str, &[Normalizer])], values: &[FieldValue<'_>]) -> Option<Vec<u8>> {
        let field = |(path, normalizers): &(&str, &[Normalizer])| KeyField {
            path: FieldPath::parse(path).unwrap(),
            normalizers: normalizers.to_vec(),
        };
        let spec = DedupKeySpec {
            fields: by.iter().map(field).collect(),
            ignore: Vec::new(),
            missing: MissingPolicy::Skip,
        };
        let mut out = Vec::new();
        let outcome = KeyWriter::new(&spec).write(values, &mut out);
        (outcome == KeyOutcome::Key).then_some(out)
    }

    fn one(value: FieldValue<'_>, normalizers: &[Normalizer]) -> Vec<u8> {
        canonical(&[("a", normalizers)], &[value]).unwrap()
    }

    #[test]
    fn numbers_are_equal_by_value_and_never_to_strings() {
        let number = |text: &'static str| one(FieldValue::Number(text.as_bytes()), &[]);
        assert_eq!(number("1"), number("1.0"));
        assert_eq!(number("1"), number("10e-1"));
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
        assert_ne!(number("1"), one(FieldValue::Bytes(b"1"), &[]));
        assert_eq!(number("7"), one(FieldValue::Integer(7), &[]));
    }

    #[test]
    fn normalisers_make_them_equal_where_asked() {
        let text =
            |bytes: &'static [u8], steps: &[Normalizer]| one(FieldValue::Bytes(bytes), steps);
        let number = FieldValue::Number(b"1");
        assert_eq!(one(number, &[Normalizer::Text]), text(b"1", &[]));
        assert_eq!(text(b"1.0", &[Normalizer::Number]), one(number, &[]));
        assert_eq!(text(b"x", &[Normalizer::Number]), text(b"x", &[]));
        let both = [Normalizer::Trim, Normalizer::Lower];
        assert_eq!(
            text(" Ada@X.org\t".as_bytes(), &both),
            text(b"ada@x.org", &[])
        );
        assert_eq!(
            text("ÄRGER".as_bytes(), &[Normalizer::Lower]),
            text("ärger".as_bytes(), &[])
        );
    }

    #[test]
    fn escapes_are_read_before_comparing() {
        let escaped = FieldValue::EscapedText(b"\\u00e9\\n");
        assert_eq!(
            one(escaped, &[]),
            one(FieldValue::Bytes("é\n".as_bytes()), &[])
        );
        let cell = FieldValue::QuotedCell(b"say \"\"hi\"\"\"");
        assert_eq!(one(cell, &[]), one(FieldValue::Bytes(b"say \"hi\""), &[]));
    }

    #[test]
    fn absent_parts_make_no_key() {
        let by: [(&str, &[Normalizer]); 2] = [("a", &[]), ("b", &[])];
        for absent in [
            FieldValue::Null,
            FieldValue::Missing,
            FieldValue::Undecodable,
        ] {
            assert_eq!(canonical(&by, &[FieldValue::Bytes(b"x"), absent]), None);
        }
    }

    #[test]
    fn key_texts_read_back() {
        let by: [(&str, &[Normalizer]); 4] = [("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])];
        let values = [
            FieldValue::Bytes(b"x\xff"),
            FieldValue::Number(b"1.50"),
            FieldValue::Boolean(true),
            FieldValue::Json(b"{\"b\": 1, \"a\": [2.0]}"),
        ];
        let texts = key_texts(&canonical(&by, &values).unwrap());
        assert_eq!(
            texts,
            [
                KeyText::Text("base64:eP8=".to_owned()),
                KeyText::Number("1.5".to_owned()),
                KeyText::Boolean(true),
                KeyText::Json("{\"a\":[2],\"b\":1}".to_owned()),
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn neighbouring_fields_never_run_into_each_other(
            left in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 2),
            right in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 2),
        ) {
            let by: [(&str, &[Normalizer]); 2] = [("a", &[]), ("b", &[])];
            let of = |parts: &[Vec<u8>]| {
                let values: Vec<_> = parts.iter().map(|part| FieldValue::Bytes(part)).collect();
                canonical(&by, &values).unwrap()
            };
            prop_assert_eq!(left == right, of(&left) == of(&right));
        }
    }
}
