//! Log records of OpenTelemetry's JSON, with attributes and bodies as plain members.

use std::ops::Range;

use crate::source::file::cut::envelope::parts::{
    Part, for_each_element, for_each_member, inner_members, integer, members, plain_text, unescape,
};
use crate::source::file::cut::text::json_text::push_document_or_string;

/// Attributes within attributes are followed this deep.
const DEPTH_MAX: usize = 32;

/// The resource is written with each of its records: so many times the bytes of the document may
/// come of it, and never more than this, before records count as unreadable.
const EXPANSION_MAX: usize = 16;
const EXPANDED_BYTES_MAX: usize = 1 << 30;

/// One log record.
pub(crate) struct LogRecord {
    /// Its place in the document.
    pub(crate) place: Range<usize>,
    /// When it happened, or was observed.
    pub(crate) millis: Option<i64>,
    /// The JSON object of it in the bytes appended; nothing where it is no log record.
    pub(crate) object: Option<Range<usize>>,
}

/// Calls `visit` with every log record of a document, in order; returns whether it is one of
/// `resourceLogs`.
pub(crate) fn for_each_record(
    document: &[u8],
    out: &mut Vec<u8>,
    mut visit: impl FnMut(LogRecord),
) -> bool {
    let Ok(outer) = members(document, &["resourceLogs"]) else {
        return false;
    };
    let [Part::Json(resource_logs)] = outer.parts else {
        return false;
    };
    let mut resource = Vec::new();
    let room = document.len().saturating_mul(EXPANSION_MAX) + 4096;
    let limit = out.len() + room.min(EXPANDED_BYTES_MAX);
    for_each_element(document, &resource_logs, |element| {
        let names = ["resource", "scopeLogs", "instrumentationLibraryLogs"];
        let [of, scopes, old_scopes] = parts(document, &element, &names);
        resource.clear();
        let [attributes] = parts(document, &of, &["attributes"]);
        push_attributes(document, &attributes, &mut resource, 0);
        let scopes = if scopes == Part::Absent {
            old_scopes
        } else {
            scopes
        };
        each(document, &scopes, |scope| {
            let [records] = parts(document, &scope, &["logRecords"]);
            each(document, &records, |record| {
                if let Part::Json(place) = record {
                    visit(open(document, place, &resource, out, limit));
                }
                true
            })
        })
    })
}

fn open(
    document: &[u8],
    place: Range<usize>,
    resource: &[u8],
    out: &mut Vec<u8>,
    limit: usize,
) -> LogRecord {
    let names = ["timeUnixNano", "observedTimeUnixNano"];
    let [time, observed] = parts(document, &Part::Json(place.clone()), &names);
    let millis = millis(document, &time).or_else(|| millis(document, &observed));
    let from = out.len();
    out.push(b'{');
    let is_object = for_each_member(document, &place, |name, value| {
        push_name(document, &name.inside, out);
        match document.get(name.inside) {
            Some(b"attributes") => push_attributes(document, &value, out, 0),
            Some(b"body") => push_value(document, &value, out, 0),
            _ => push_part(document, &value, out),
        }
        out.push(b',');
        true
    });
    out.extend_from_slice(b"\"resource\":");
    out.extend_from_slice(if resource.is_empty() { b"{}" } else { resource });
    out.push(b'}');
    let is_object = is_object && out.len() <= limit;
    if !is_object {
        out.truncate(from);
    }
    LogRecord {
        place,
        millis,
        object: is_object.then_some(from..out.len()),
    }
}

/// Nanoseconds come as a string of them, or as a number; 0 stands for an unknown time.
fn millis(document: &[u8], part: &Part) -> Option<i64> {
    let nanos = match part {
        Part::Text(_) => plain_text(document, part)?.parse::<i64>().ok()?,
        Part::Json(_) => integer(document, part)?,
        Part::Absent | Part::Null => return None,
    };
    (nanos > 0).then_some(nanos / 1_000_000)
}

/// Appends an array of keys and values as an object.
fn push_attributes(document: &[u8], part: &Part, out: &mut Vec<u8>, depth: usize) {
    out.push(b'{');
    let mut is_first = true;
    each(document, part, |attribute| {
        let [key, value] = parts(document, &attribute, &["key", "value"]);
        if let Part::Text(key) = key {
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            push_name(document, &key.inside, out);
            push_value(document, &value, out, depth);
        }
        true
    });
    out.push(b'}');
}

/// Appends a value without the member that names its type; numbers written as strings are numbers.
fn push_value(document: &[u8], part: &Part, out: &mut Vec<u8>, depth: usize) {
    let names = [
        "stringValue",
        "intValue",
        "kvlistValue",
        "arrayValue",
        "boolValue",
        "doubleValue",
        "bytesValue",
    ];
    let [text, int, list, array, flag, double, bytes] = parts(document, part, &names);
    if depth >= DEPTH_MAX {
        return out.extend_from_slice(b"null");
    }
    match (&text, &int, &list, &array) {
        (Part::Text(text), ..) => {
            let inside = document.get(text.inside.clone()).unwrap_or_default();
            let mut plain = Vec::new();
            if unescape(inside, &mut plain) {
                push_document_or_string(out, &plain);
            } else {
                push_part(document, &Part::Text(text.clone()), out);
            }
        }
        (_, Part::Text(_), ..) => match plain_text(document, &int) {
            Some(digits) if digits.parse::<i64>().is_ok() => {
                out.extend_from_slice(digits.as_bytes());
            }
            _ => push_part(document, &int, out),
        },
        (_, _, Part::Json(_), _) => {
            let [values] = parts(document, &list, &["values"]);
            push_attributes(document, &values, out, depth + 1);
        }
        (_, _, _, Part::Json(_)) => {
            let [values] = parts(document, &array, &["values"]);
            out.push(b'[');
            let mut is_first = true;
            each(document, &values, |value| {
                if !is_first {
                    out.push(b',');
                }
                is_first = false;
                push_value(document, &value, out, depth + 1);
                true
            });
            out.push(b']');
        }
        _ => {
            let others = [int, flag, double, bytes];
            let other = others.iter().find(|other| **other != Part::Absent);
            push_part(document, other.unwrap_or(&Part::Null), out);
        }
    }
}

fn push_name(document: &[u8], inside: &Range<usize>, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(document.get(inside.clone()).unwrap_or_default());
    out.extend_from_slice(b"\":");
}

/// Appends a member's value as it is written.
fn push_part(document: &[u8], part: &Part, out: &mut Vec<u8>) {
    let bytes = match part {
        Part::Absent | Part::Null => None,
        Part::Text(text) => document.get(text.inside.start - 1..text.inside.end + 1),
        Part::Json(place) => document.get(place.clone()),
    };
    out.extend_from_slice(bytes.unwrap_or(b"null"));
}

fn parts<const N: usize>(document: &[u8], part: &Part, names: &[&str; N]) -> [Part; N] {
    let members = match part {
        Part::Json(place) => inner_members(document, place, names),
        Part::Absent | Part::Null | Part::Text(_) => None,
    };
    members.map_or([const { Part::Absent }; N], |members| members.parts)
}

/// Calls `visit` with the elements of what should be an array.
fn each(document: &[u8], part: &Part, visit: impl FnMut(Part) -> bool) -> bool {
    match part {
        Part::Json(place) => for_each_element(document, place, visit),
        Part::Absent | Part::Null => true,
        Part::Text(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn objects(document: &str) -> Option<Vec<(Option<i64>, String)>> {
        let mut out = Vec::new();
        let mut records = Vec::new();
        let is_valid =
            for_each_record(document.as_bytes(), &mut out, |record| records.push(record));
        let text = |record: LogRecord| {
            let object = record.object.map_or(&b""[..], |place| &out[place]);
            (record.millis, String::from_utf8(object.to_vec()).unwrap())
        };
        is_valid.then(|| records.into_iter().map(text).collect())
    }

    #[test]
    fn attributes_and_bodies_are_flattened() {
        let document = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name",
            "value":{"stringValue":"pay"}}]},"scopeLogs":[{"scope":{},"logRecords":[
            {"timeUnixNano":"1544712660300000000","body":{"stringValue":"{\"id\":\"a\"}"},
             "attributes":[{"key":"n","value":{"intValue":"10"}},
              {"key":"b","value":{"boolValue":true}},
              {"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x"}]}}},
              {"key":"m","value":{"kvlistValue":{"values":[
               {"key":"k","value":{"doubleValue":1.5}}]}}}]},
            {"observedTimeUnixNano":1544712660400000000,"timeUnixNano":"0",
             "body":{"stringValue":"t"}}]}]}]}"#;
        let found = objects(document).unwrap();
        let expected = [
            r#"{"timeUnixNano":"1544712660300000000","body":{"id":"a"},"attributes":{"n":10,"#,
            r#""b":true,"l":["x"],"m":{"k":1.5}},"resource":{"service.name":"pay"}}"#,
        ];
        assert_eq!(found[0], (Some(1_544_712_660_300), expected.concat()));
        assert_eq!(found[1].0, Some(1_544_712_660_400));
        assert!(found[1].1.contains(r#""body":"t""#), "{}", found[1].1);
        assert_eq!(objects("{}"), None);
        assert_eq!(objects("[1]"), None);
    }

    #[test]
    fn a_large_resource_of_many_records_does_not_fill_the_memory() {
        let attribute = format!(
            r#"{{"key":"k","value":{{"stringValue":"{}"}}}}"#,
            "x".repeat(9000)
        );
        let records = "{},".repeat(9000);
        let document = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{attribute}]}},
                "scopeLogs":[{{"logRecords":[{records}{{}}]}}]}}]}}"#
        );
        let mut out = Vec::new();
        let (mut all, mut unreadable) = (0, 0);
        assert!(for_each_record(document.as_bytes(), &mut out, |record| {
            all += 1;
            unreadable += usize::from(record.object.is_none());
        }));
        assert_eq!(all, 9001);
        assert!(unreadable > 8000, "{unreadable}");
        assert!(out.len() < 20 * document.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_document_is_read_without_a_panic(
            inside in "[\\[\\]{}:,\"a1]{0,30}",
            prefix in prop::sample::select(vec![
                "{\"resourceLogs\":", "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[",
                "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":",
            ]),
        ) {
            let _ = objects(&format!("{prefix}{inside}"));
        }
    }
}
