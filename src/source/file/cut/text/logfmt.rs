//! Lines of `name=value` pairs, made JSON objects of.

use memchr::memchr2;

use crate::source::file::cut::text::json_text::push_string;

/// Appends the JSON object that a line stands for: values are strings, a name alone is true.
/// Returns false, with nothing to rely on appended, where a quote is never closed.
pub(crate) fn push_object(line: &[u8], out: &mut Vec<u8>) -> bool {
    out.push(b'{');
    let mut rest = line.trim_ascii();
    let mut is_first = true;
    while !rest.is_empty() {
        let is_end = |&byte: &u8| byte == b'=' || byte.is_ascii_whitespace();
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        push_string(out, name);
        out.push(b':');
        rest = if let Some(value) = after.strip_prefix(b"=") {
            match push_value(value, out) {
                Some(rest) => rest,
                None => return false,
            }
        } else {
            out.extend_from_slice(b"true");
            after
        };
        rest = rest.trim_ascii_start();
    }
    out.push(b'}');
    true
}

/// Appends a value and returns what follows it.
fn push_value<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let Some(inside) = text.strip_prefix(b"\"") else {
        let length = text
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(text.len());
        let (value, rest) = text.split_at(length);
        push_string(out, value);
        return Some(rest);
    };
    let mut value = Vec::new();
    let mut rest = inside;
    loop {
        let (plain, after) = rest.split_at(memchr2(b'"', b'\\', rest)?);
        value.extend_from_slice(plain);
        let (&byte, after) = after.split_first()?;
        if byte == b'"' {
            push_string(out, &value);
            return Some(after);
        }
        let (&escaped, after) = after.split_first()?;
        value.push(match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => other,
        });
        rest = after;
    }
}

/// Returns the number of pairs with a value, where the whole line is of pairs and names.
pub(crate) fn pair_count(line: &[u8]) -> Option<usize> {
    let mut out = Vec::new();
    if !push_object(line, &mut out) {
        return None;
    }
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&out).ok()?;
    let is_name = |name: &String| {
        let mut bytes = name.bytes();
        let starts_well = bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        starts_well && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-/:@".contains(&byte))
    };
    let all_names = object.keys().all(is_name);
    let pairs = object.values().filter(|value| value.is_string()).count();
    let has_few_bare_names = (object.len() - pairs) * 2 <= pairs;
    (all_names && has_few_bare_names).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(line: &str) -> Option<String> {
        let mut out = Vec::new();
        let is_valid = push_object(line.as_bytes(), &mut out);
        is_valid.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn pairs_are_members() {
        let found = object("level=info msg=\"a \\\"b\\\" \\n\" n=1 done e= x=a=b");
        let expected =
            r#"{"level":"info","msg":"a \"b\" \n","n":"1","done":true,"e":"","x":"a=b"}"#;
        assert_eq!(found.as_deref(), Some(expected));
        assert_eq!(object("a=\"b").as_deref(), None);
        assert_eq!(object("a=\"b\\").as_deref(), None);
    }

    #[test]
    fn prose_is_no_logfmt() {
        assert_eq!(pair_count(b"level=info msg=\"x y\""), Some(2));
        assert_eq!(pair_count(b"the answer is x=42"), None);
        assert_eq!(pair_count(b"x[1]=2"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_line_is_json_or_refused(line in "[a=\"\\\\ \t\\x01é]{0,30}") {
            if let Some(object) = object(&line) {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&object).is_ok());
            }
            let _ = pair_count(line.as_bytes());
        }
    }
}
