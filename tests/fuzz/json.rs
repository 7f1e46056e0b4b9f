//! The JSON scanner takes what `serde_json` takes, and finds what it finds.

use dupaudit::record::{FieldPath, FieldValue, PathStep};
use dupaudit::scan_json::{
    CanonicalWriter, JsonFault, PathTrie, Scanner, differing_paths, field_text, leaves, number,
};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{Target, fixture};

const WORDS: &[&[u8]] = &[
    b"\"a\":",
    b"{\"b\":[",
    b"]}",
    b"\"\\ud83d\\ude00\"",
    b"\"\\ud800\"",
    b"\\u0061",
    b"true",
    b"-0.0e+10",
    b"1E400",
    b"\"charge_id\":\"x\",",
    b"[[[[[[[[",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
];

const PATHS: [&str; 6] = ["value", "charge_id", "a", "a.b", "a.b[0]", "\"\".a"];

fn steps(path: &str) -> Vec<PathStep> {
    FieldPath::parse(path).unwrap().steps
}

/// Follows a path in a document that `serde_json` has read.
fn find<'v>(document: &'v Value, steps: &[PathStep]) -> Option<&'v Value> {
    steps.iter().try_fold(document, |value, step| match step {
        PathStep::Member(name) => value.as_object()?.get(&**name),
        PathStep::Item(index) => value.as_array()?.get(*index),
    })
}

/// Checks one value against what `serde_json` reads at its path.
fn agrees(found: FieldValue<'_>, expected: Option<&Value>) -> bool {
    let mut scratch = Vec::new();
    match (found, expected) {
        // A name that comes twice: `serde_json` takes the last.
        (FieldValue::Undecodable, _) | (FieldValue::Missing, None) => true,
        (FieldValue::Null, Some(value)) => value.is_null(),
        (FieldValue::Boolean(is), Some(value)) => value.as_bool() == Some(is),
        (FieldValue::Number(text), Some(value)) => {
            let read: Option<Value> = serde_json::from_slice(text).ok();
            value.is_number() && read.as_ref() == Some(value)
        }
        (FieldValue::Bytes(_) | FieldValue::EscapedText(_), Some(value)) => {
            let text = field_text(found, &mut scratch).unwrap();
            value.as_str().is_some_and(|value| value.as_bytes() == text)
        }
        (FieldValue::Json(text), Some(value)) => {
            serde_json::from_slice::<Value>(text).is_ok_and(|read| read == *value)
        }
        _ => false,
    }
}

#[test]
fn any_bytes_are_json_exactly_if_serde_json_says_so() {
    let mut target = Target::new("fixtures/corpus/scan-json", WORDS);
    target.seeds = vec![
        fixture("formats/charges.pretty.json"),
        fixture("formats/charges.akhq.json"),
        br#"{"a":{"b":[1,"\u00e9",{"c":null}]},"charge_id":"x","":{"a":true}}"#.to_vec(),
    ];
    let paths = PATHS.map(steps);
    let trie = PathTrie::new(&paths);
    let mut scanner = Scanner::new();
    let mut canonical = CanonicalWriter::default();
    target.run(|_, bytes| {
        let mut found = [FieldValue::Missing; PATHS.len()];
        let scanned = scanner.scan(bytes, &trie, &mut found);
        let is_utf8 = std::str::from_utf8(bytes).is_ok();
        // `serde_json` refuses lone surrogates only in values that it keeps; of these it refuses
        // numbers that no float holds, and deep nesting, too.
        let kept = serde_json::from_slice::<Value>(bytes);
        let is_lone = matches!(&scanned, Err(error) if error.what == JsonFault::LoneSurrogate);
        let is_json = is_utf8 && !is_lone && serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        assert_eq!(scanned.is_ok(), is_json, "{scanned:?}");
        assert!(!is_lone || kept.is_err());
        if is_json && let Err(error) = &kept {
            let error = error.to_string();
            let is_limit = ["recursion limit", "out of range"].map(|of| error.contains(of));
            assert!(is_limit.contains(&true), "{error}");
        }
        if is_json && let Ok(document) = kept {
            for (path, found) in paths.iter().zip(found) {
                let expected = find(&document, path);
                assert!(agrees(found, expected), "{path:?}: {found:?}, {expected:?}");
            }
        }
        assert!(!is_json || leaves(bytes, &mut |_, _| {}).is_ok());
        let mut text = Vec::new();
        if !is_utf8 || is_lone {
            // The other readers are asked only about what the scanner took.
        } else if canonical
            .write(bytes, &PathTrie::new(&[]), &mut text)
            .is_ok()
        {
            assert!(is_json);
            let mut again = Vec::new();
            canonical
                .write(&text, &PathTrie::new(&[]), &mut again)
                .unwrap();
            assert_eq!(again, text, "the canonical form of itself");
            assert_eq!(differing_paths(bytes, &text), [""; 0]);
        } else {
            assert!(text.is_empty(), "nothing on an error");
        }
        let mut digits = Vec::new();
        let _ = number::canonical_loose(bytes, &mut digits);
        assert!(
            digits.len() <= bytes.len() + 40,
            "a number is never written out"
        );
    });
}
