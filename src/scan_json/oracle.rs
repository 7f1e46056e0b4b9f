//! Random documents in random spellings, and a plain reading of them through `serde_json`.

use std::fmt::Write;

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::record::PathStep;

/// A document without repeated names, to be spelled in many ways.
#[derive(Clone, Debug)]
pub(super) enum Document {
    Word(&'static str),
    /// Digits and a power of ten, within what a float holds exactly.
    Number(i32, u8),
    Text(String),
    Array(Vec<Document>),
    Object(Vec<(String, Document)>),
}

/// Returns documents with a few names that tests look for.
pub(super) fn documents() -> impl Strategy<Value = Document> {
    let leaf = prop_oneof![
        prop_oneof![Just("null"), Just("true"), Just("false")].prop_map(Document::Word),
        (-2000..2000_i32, 0..4_u8).prop_map(|(digits, power)| Document::Number(digits, power)),
        texts().prop_map(Document::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Document::Array),
            proptest::collection::btree_map(names(), inner, 0..5)
                .prop_map(|members| Document::Object(members.into_iter().collect())),
        ]
    })
}

fn names() -> impl Strategy<Value = String> {
    let known = |name: &str| Just(name.to_owned());
    prop_oneof![4 => "[abc]", 1 => known("a.b"), 1 => known("\u{e9}\n"), 1 => texts()]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![2 => "[ -~]{0,20}", 1 => any::<String>()]
}

impl Document {
    /// Returns one of the document's many spellings.
    pub(super) fn spell(&self, seed: u64) -> String {
        let mut out = String::new();
        self.spell_into(&mut Choices(seed), &mut out);
        out
    }

    /// Returns the document as `serde_json` keeps it, with all numbers whole.
    pub(super) fn plain(&self) -> serde_json::Value {
        match self {
            Self::Word(word) => serde_json::from_str(word).unwrap(),
            Self::Number(digits, power) => plain_number(*digits, *power).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Array(items) => items.iter().map(Self::plain).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), value.plain()))
                .collect(),
        }
    }

    fn spell_into(&self, choices: &mut Choices, out: &mut String) {
        choices.space(out);
        match self {
            Self::Word(word) => out.push_str(word),
            Self::Number(digits, power) => spell_number(*digits, *power, choices, out),
            Self::Text(text) => spell_text(text, choices, out),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.spell_into(choices, out);
                }
                choices.space(out);
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                let first = choices.below(members.len().max(1));
                let (late, early) = members.split_at(first);
                for (index, (name, value)) in early.iter().chain(late).enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    choices.space(out);
                    spell_text(name, choices, out);
                    choices.space(out);
                    out.push(':');
                    value.spell_into(choices, out);
                }
                choices.space(out);
                out.push('}');
            }
        }
        choices.space(out);
    }
}

fn plain_number(digits: i32, power: u8) -> i64 {
    i64::from(digits) * 10_i64.pow(power.into())
}

fn spell_number(digits: i32, power: u8, choices: &mut Choices, out: &mut String) {
    let plain = plain_number(digits, power);
    match choices.below(4) {
        0 => write!(out, "{digits}e{power}"),
        1 => write!(out, "{plain}.0"),
        2 if plain != 0 => write!(out, "{plain}00E-2"),
        _ => write!(out, "{plain}"),
    }
    .unwrap();
}

fn spell_text(text: &str, choices: &mut Choices, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if choices.below(8) == 0 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        } else {
            let quoted = serde_json::to_string(&character).unwrap();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    out.push('"');
}

/// Cheap choices that follow from a seed.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn space(&mut self, out: &mut String) {
        let spaces = ["", "", "", "", " ", "\n\t", "\r  "];
        out.push_str(spaces[self.below(spaces.len())]);
    }
}

/// Returns whether `serde_json` takes the document, with all its strings read.
pub(super) fn is_valid(document: &[u8]) -> bool {
    std::str::from_utf8(document).is_ok_and(|text| {
        serde_json::from_str::<IgnoredAny>(text).is_ok()
            && serde_json::from_str::<Box<RawValue>>(text)
                .is_ok_and(|raw| are_texts_valid(raw.get()))
    })
}

fn are_texts_valid(json: &str) -> bool {
    match json.trim_start().as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(json).is_ok(),
        Some(b'[') => items(json).iter().all(|item| are_texts_valid(item.get())),
        Some(b'{') => members(json).is_some_and(|members| {
            members
                .iter()
                .all(|(_, value)| are_texts_valid(value.get()))
        }),
        _ => true,
    }
}

fn items(json: &str) -> Vec<Box<RawValue>> {
    serde_json::from_str(json).unwrap()
}

/// Returns the members, repeated ones too; nothing if a name is no text.
fn members(json: &str) -> Option<Vec<(String, Box<RawValue>)>> {
    struct Members(Vec<(String, Box<RawValue>)>);
    impl<'de> serde::Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Members;
                fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    out.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        members.push(member);
                    }
                    Ok(Members(members))
                }
            }
            from.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Members>(json)
        .ok()
        .map(|members| members.0)
}

/// What a plain walk finds at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Missing,
    Repeated,
    Text(String),
    /// The text of anything that is no string.
    Raw(String),
}

/// Returns what lies at a path of a valid document.
pub(super) fn find(json: &str, path: &[PathStep]) -> Found {
    let json = json.trim_matches([' ', '\n', '\r', '\t']);
    let Some((step, rest)) = path.split_first() else {
        return match serde_json::from_str::<String>(json) {
            Ok(text) => Found::Text(text),
            Err(_) => Found::Raw(json.to_owned()),
        };
    };
    match (step, json.as_bytes().first()) {
        (PathStep::Item(index), Some(b'[')) => items(json)
            .get(*index)
            .map_or(Found::Missing, |item| find(item.get(), rest)),
        (PathStep::Member(name), Some(b'{')) => {
            let members = members(json).unwrap();
            let mut named = members.iter().filter(|(known, _)| **known == **name);
            match (named.next(), named.next()) {
                (Some((_, value)), None) => find(value.get(), rest),
                (Some(_), Some(_)) => Found::Repeated,
                (None, _) => Found::Missing,
            }
        }
        _ => Found::Missing,
    }
}
