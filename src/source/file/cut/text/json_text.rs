//! Writes JSON of what is none, so that paths lead into it.

use serde_json::value::RawValue;

/// Appends a JSON string; bytes that are no UTF-8 stay, and make it one that cannot be decoded.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                let digits = b"0123456789abcdef";
                let digit = |place: u8| digits.get(usize::from(place)).copied().unwrap_or(b'0');
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends text as the JSON object or array that it holds, else as a string.
pub(crate) fn push_document_or_string(out: &mut Vec<u8>, text: &[u8]) {
    if is_document(text) {
        out.extend_from_slice(text);
    } else {
        push_string(out, text);
    }
}

/// Returns whether text is a JSON object or array.
pub(crate) fn is_document(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
        && serde_json::from_slice::<&RawValue>(text).is_ok()
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
        fn a_string_comes_back(text in "\\PC{0,5}[\\x00-\\x7f]{0,10}") {
            let mut out = Vec::new();
            push_string(&mut out, text.as_bytes());
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn only_objects_and_arrays_are_documents() {
        let is = |text: &str| is_document(text.as_bytes());
        assert!(is("{\"a\":[1]}") && is(" [1] "));
        assert!(!is("1") && !is("{a}") && !is("{} x") && !is(""));
    }
}
