//! Writes JSON of what is none, so that paths lead into it.

use serde_json::value::RawValue;

pub(crate) use crate::typed_value::json_value::push_string;

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

    #[test]
    fn only_objects_and_arrays_are_documents() {
        let is = |text: &str| is_document(text.as_bytes());
        assert!(is("{\"a\":[1]}") && is(" [1] "));
        assert!(!is("1") && !is("{a}") && !is("{} x") && !is(""));
    }
}
