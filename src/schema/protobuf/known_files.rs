//! The files that a schema may import: those given with it, and those that every registry knows.

use std::collections::BTreeMap;

use protox::file::{File, FileResolver};

/// Most nested brackets of a schema's text; its messages may nest 31 deep.
const BRACKETS_MAX: usize = 128;

/// What Confluent's serializers bring along.
const CONFLUENT: [(&str, &str); 2] = [
    (
        "confluent/meta.proto",
        "syntax = \"proto3\"; package confluent;
        import \"google/protobuf/descriptor.proto\";
        message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
        extend google.protobuf.FileOptions { Meta file_meta = 1088; }
        extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
        extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
        extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
        extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }",
    ),
    (
        "confluent/type/decimal.proto",
        "syntax = \"proto3\"; package confluent.type;
        message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }",
    ),
];

/// Files by name.
pub(super) struct KnownFiles {
    texts: BTreeMap<String, String>,
}

impl Default for KnownFiles {
    fn default() -> Self {
        let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
        Self {
            texts: CONFLUENT.map(owned).into(),
        }
    }
}

impl KnownFiles {
    /// Adds a file in place of one of the same name.
    pub(super) fn add(&mut self, name: &str, text: &str) {
        self.texts.insert(name.to_owned(), text.to_owned());
    }
}

impl FileResolver for KnownFiles {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.texts.get(name) {
            Some(text) if is_nested_too_deep(text) => Err(protox::Error::new(format!(
                "`{name}` is nested more than {BRACKETS_MAX} deep"
            ))),
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Returns whether brackets nest deeper than any parser should be asked to follow; brackets in
/// strings and comments do not count.
fn is_nested_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            b'"' | b'\'' => rest = after_string(rest, byte),
            b'/' if rest.starts_with(b"/") => rest = after_text(rest, b"\n"),
            b'/' if rest.starts_with(b"*") => rest = after_text(rest, b"*/"),
            _ => {}
        }
        if depth > BRACKETS_MAX {
            return true;
        }
    }
    false
}

fn after_string(mut rest: &[u8], quote: u8) -> &[u8] {
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'\\' {
            rest = rest.get(1..).unwrap_or_default();
        } else if byte == quote || byte == b'\n' {
            break;
        }
    }
    rest
}

fn after_text<'a>(rest: &'a [u8], end: &[u8]) -> &'a [u8] {
    let found = rest.windows(end.len()).position(|window| window == end);
    let found = found.map_or(rest.len(), |at| at + end.len());
    rest.get(found..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_brackets_which_are_open() {
        let flat = "message A { } // {{{\n".repeat(500) + &"\"{\" '[' /* ( */".repeat(200);
        assert!(!is_nested_too_deep(&flat));
        assert!(is_nested_too_deep(&"message A {".repeat(129)));
        assert!(is_nested_too_deep(&"option a = {a: \"}\" ".repeat(129)));
    }
}
