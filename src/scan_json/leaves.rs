//! A document flattened to its leaves, and the paths at which two documents differ.

use std::collections::BTreeMap;

use super::canonical;
use super::error::JsonError;
use super::grammar::parts::{Part, Parts};
use super::grammar::string::unescape;
use crate::record::needs_quotes;

/// Deepest level that is taken apart; what lies below is one leaf.
const MAX_DEPTH: usize = canonical::MAX_DEPTH;

/// Calls `visit` with the path and the JSON text of each leaf of a document that is UTF-8.
///
/// A leaf is a scalar, an empty object or array, or what lies below 128 levels. Paths are
/// written as field paths are, from the document on: `a.items[0].sku`; the document itself has
/// an empty one.
pub fn leaves(document: &[u8], visit: &mut dyn FnMut(&str, &[u8])) -> Result<(), JsonError> {
    let mut path = LeafPath::default();
    for part in Parts::new(document, MAX_DEPTH) {
        match part? {
            Part::ObjectStart => path.open(true),
            Part::ArrayStart => path.open(false),
            Part::Name(name) => path.enter_member(name),
            Part::Scalar(text) | Part::TooDeep(text) => {
                path.enter_item();
                visit(&path.text, text);
                path.leave();
            }
            Part::End => {
                if let Some(empty) = path.close() {
                    visit(&path.text, empty);
                }
                path.leave();
            }
        }
    }
    Ok(())
}

/// The path of the current value.
#[derive(Default)]
struct LeafPath {
    text: String,
    open: Vec<Level>,
}

struct Level {
    is_object: bool,
    /// Length of the path of the container.
    length: usize,
    /// Members or items so far.
    count: usize,
}

impl LeafPath {
    fn open(&mut self, is_object: bool) {
        self.enter_item();
        self.open.push(Level {
            is_object,
            length: self.text.len(),
            count: 0,
        });
    }

    /// Leaves a container and returns its text if it was empty.
    fn close(&mut self) -> Option<&'static [u8]> {
        let level = self.open.pop()?;
        let empty: &[u8] = if level.is_object { b"{}" } else { b"[]" };
        (level.count == 0).then_some(empty)
    }

    fn enter_member(&mut self, name: &[u8]) {
        if let Some(object) = self.open.last_mut() {
            object.count += 1;
            push_member(&mut self.text, name);
        }
    }

    /// Adds the step to the current value, unless its member name has done so.
    fn enter_item(&mut self) {
        if let Some(array) = self.open.last_mut().filter(|level| !level.is_object) {
            push_item(&mut self.text, array.count);
            array.count += 1;
        }
    }

    /// Goes back to the path of the container around the current value.
    fn leave(&mut self) {
        let length = self.open.last().map_or(0, |level| level.length);
        self.text.truncate(length);
    }
}

fn push_member(path: &mut String, name: &[u8]) {
    let mut unescaped = Vec::with_capacity(name.len());
    unescape(name, &mut unescaped);
    push_name(path, &String::from_utf8_lossy(&unescaped));
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    if needs_quotes(name) {
        path.push('"');
        path.push_str(name);
        path.push('"');
    } else {
        path.push_str(name);
    }
}

fn push_item(path: &mut String, index: usize) {
    path.push('[');
    path.push_str(&index.to_string());
    path.push(']');
}

/// Returns the paths at which two documents differ, sorted, each once.
///
/// Numbers are compared by value, strings by what they say, and the order of members does not
/// matter. What one side lacks is named by its own path, not by those of its leaves; documents
/// that differ as a whole, or of which one is no JSON, differ at the empty path.
pub fn differing_paths(a: &[u8], b: &[u8]) -> Vec<String> {
    if a == b {
        return Vec::new();
    }
    let mut found = Vec::new();
    match (Tree::read(a), Tree::read(b)) {
        (Some(a), Some(b)) => compare(&a, &b, &mut String::new(), &mut found),
        _ => found.push(String::new()),
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Returns the paths at which a document differs from `part`, which was made of it: of one of its
/// members, or with members of the same names; nothing where they have nothing in common.
pub fn differing_members(whole: &[u8], part: &[u8]) -> Option<Vec<String>> {
    let (Tree::Object(whole), part) = (Tree::read(whole)?, Tree::read(part)?) else {
        return None;
    };
    if whole.values().flatten().any(|member| *member == part) {
        return Some(Vec::new());
    }
    let Tree::Object(part) = part else {
        return None;
    };
    let mut found = Vec::new();
    let mut is_alike = false;
    for (name, members) in &part {
        let (Some([of_whole]), [member]) = (whole.get(name).map(Vec::as_slice), members.as_slice())
        else {
            continue;
        };
        is_alike = true;
        let mut path = String::new();
        push_name(&mut path, name);
        compare(of_whole, member, &mut path, &mut found);
    }
    is_alike.then_some(found)
}

/// A document to compare; at most [`MAX_DEPTH`] levels deep.
#[derive(PartialEq)]
enum Tree {
    /// The canonical text of a scalar, or the text of what lies too deep.
    Leaf(Vec<u8>),
    /// Values by name; more than one where a name is repeated.
    Object(BTreeMap<String, Vec<Tree>>),
    Array(Vec<Tree>),
}

impl Tree {
    fn read(document: &[u8]) -> Option<Self> {
        simdutf8::basic::from_utf8(document).ok()?;
        let mut open: Vec<(Self, String)> = Vec::new();
        let mut name = String::new();
        let mut root = None;
        for part in Parts::new(document, MAX_DEPTH) {
            let value = match part.ok()? {
                Part::Name(escaped) => {
                    let mut unescaped = Vec::new();
                    unescape(escaped, &mut unescaped);
                    name = String::from_utf8_lossy(&unescaped).into_owned();
                    continue;
                }
                Part::ObjectStart => {
                    open.push((Self::Object(BTreeMap::new()), std::mem::take(&mut name)));
                    continue;
                }
                Part::ArrayStart => {
                    open.push((Self::Array(Vec::new()), std::mem::take(&mut name)));
                    continue;
                }
                Part::Scalar(text) | Part::TooDeep(text) => Self::leaf(text),
                Part::End => {
                    let (ended, its_name) = open.pop()?;
                    name = its_name;
                    ended
                }
            };
            match open.last_mut() {
                Some((around, _)) => around.add(std::mem::take(&mut name), value),
                None => root = Some(value),
            }
        }
        root
    }

    fn leaf(text: &[u8]) -> Self {
        let mut canonical = Vec::new();
        // What lies too deep has no canonical form: it is compared byte by byte.
        if canonical::write(text, &[], &mut canonical).is_err() {
            canonical.extend_from_slice(text);
        }
        Self::Leaf(canonical)
    }

    fn add(&mut self, name: String, value: Self) {
        match self {
            Self::Object(members) => members.entry(name).or_default().push(value),
            Self::Array(items) => items.push(value),
            Self::Leaf(_) => {}
        }
    }
}

/// Adds the paths at which `a` and `b`, both at `path`, differ; as deep as the trees are.
fn compare(a: &Tree, b: &Tree, path: &mut String, found: &mut Vec<String>) {
    match (a, b) {
        (Tree::Object(a), Tree::Object(b)) => {
            for name in a
                .keys()
                .chain(b.keys().filter(|name| !a.contains_key(*name)))
            {
                let sides = (
                    a.get(name).map(Vec::as_slice),
                    b.get(name).map(Vec::as_slice),
                );
                let length = path.len();
                push_name(path, name);
                match sides {
                    (Some([a]), Some([b])) => compare(a, b, path, found),
                    (a, b) if a != b => found.push(path.clone()),
                    _ => {}
                }
                path.truncate(length);
            }
        }
        (Tree::Array(a), Tree::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                let length = path.len();
                push_item(path, index);
                match (a.get(index), b.get(index)) {
                    (Some(a), Some(b)) => compare(a, b, path, found),
                    _ => found.push(path.clone()),
                }
                path.truncate(length);
            }
        }
        _ if a == b => {}
        _ => found.push(path.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FieldPath;
    use crate::record::FieldValue;
    use crate::record::PathStep;
    use crate::scan_json::PathTrie;
    use crate::scan_json::Scanner;
    use crate::scan_json::oracle::documents;
    use proptest::prelude::*;

    fn flat(document: &str) -> Vec<String> {
        let mut found = Vec::new();
        leaves(document.as_bytes(), &mut |path, text| {
            found.push(format!("{path}={}", String::from_utf8_lossy(text)));
        })
        .unwrap();
        found
    }

    fn differing(a: &str, b: &str) -> Vec<String> {
        differing_paths(a.as_bytes(), b.as_bytes())
    }

    #[test]
    fn what_was_made_of_a_document_differs_only_in_what_both_have() {
        let whole = br#"{"type":"Charged","data":{"id":1,"at":{"x":2}},"metadata":{"a":[1]}}"#;
        for (part, expected) in [
            (&br#"{"at":{"x":2.0},"id":1}"#[..], Some(vec![])),
            (br#"{"data":{"id":1,"at":{"x":2}},"more":5}"#, Some(vec![])),
            (
                br#"{"type":"Other","data":{"id":1,"at":{"x":3}}}"#,
                Some(vec!["data.at.x", "type"]),
            ),
            (br#"{"id":1}"#, None),
            (b"1", None),
            (b"{", None),
        ] {
            let found = differing_members(whole, part);
            let found = found.as_ref().map(|paths| {
                let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                paths.sort_unstable();
                paths
            });
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(part));
        }
    }

    #[test]
    fn leaves_are_named_as_field_paths_are() {
        let text = r#"{"a":{"items":[{"sku":"x"},[],2],"b.c":{"":null}},"e":{},"t":"\u0041"}"#;
        let expected = [
            "a.items[0].sku=\"x\"",
            "a.items[1]=[]",
            "a.items[2]=2",
            "a.\"b.c\".\"\"=null",
            "e={}",
            "t=\"\\u0041\"",
        ];
        assert_eq!(flat(text), expected);
        assert_eq!(flat("[[1],{\"a\":2}]"), ["[0][0]=1", "[1].a=2"]);
        assert_eq!(flat(" 7 "), ["=7"]);
        assert_eq!(flat("[]"), ["=[]"]);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let found = flat(&deep);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with(&"[0]".repeat(128)));
        assert_eq!(differing(&deep, &format!(" {deep}")), [""; 0]);
    }

    #[test]
    fn differences_are_named_at_the_highest_path() {
        let a = r#"{"id":1,"amount":"1.00","a":{"x":1,"y":[1,2]},"n":1.0,"s":"\u0041"}"#;
        let same = r#"{"n":1,"s":"A", "id":10e-1,"a":{"y":[1,2.0],"x":1},"amount":"1.00"}"#;
        assert!(differing(a, same).is_empty());
        let b = r#"{"id":2,"a":{"y":[1,3,4],"z":null},"n":1,"s":"B","new":{"p":1,"q":2}}"#;
        let expected = ["a.x", "a.y[1]", "a.y[2]", "a.z", "amount", "id", "new", "s"];
        assert_eq!(differing(a, b), expected);
        assert_eq!(differing(b, a), expected);
        assert_eq!(differing("1", "2"), [""]);
        assert_eq!(differing("{}", "[]"), [""]);
        assert_eq!(differing("{", "[]"), [""]);
        assert_eq!(differing("{\"a\":1}", "{\"a\":\"1\"}"), ["a"]);
        assert_eq!(differing("{\"a\":1,\"a\":2}", "{\"a\":1}"), ["a"]);
    }

    /// Returns the steps of a leaf's path; nothing where a name holds what no path can spell.
    fn steps(path: &str) -> Option<Vec<PathStep>> {
        let plain = path.replace("\"a.b\"", "").replace("\"\"", "");
        if plain.contains('"') {
            return None;
        }
        let joint = if path.is_empty() || path.starts_with('[') {
            ""
        } else {
            "."
        };
        Some(FieldPath::parse(&format!("value{joint}{path}")).ok()?.steps)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn documents_differ_somewhere_only_if_they_are_unequal(
            a in documents(), b in documents(), seed in any::<u64>(),
        ) {
            let is_same = a.plain() == b.plain();
            let (a, again, b) = (a.spell(seed), a.spell(seed ^ 1), b.spell(seed));
            prop_assert!(differing(&a, &again).is_empty());
            prop_assert_eq!(differing(&a, &b).is_empty(), is_same);
        }

        #[test]
        fn the_path_of_each_leaf_leads_to_it(document in documents(), seed in any::<u64>()) {
            let document = document.spell(seed);
            let mut found = Vec::new();
            let mut visit = |path: &str, text: &[u8]| found.push((path.to_owned(), text.to_vec()));
            leaves(document.as_bytes(), &mut visit).unwrap();
            for (path, text) in found {
                let Some(steps) = steps(&path) else { continue };
                let mut out = [FieldValue::Missing];
                let trie = PathTrie::new(&[steps]);
                Scanner::new().scan(document.as_bytes(), &trie, &mut out).unwrap();
                let text = String::from_utf8(text).unwrap();
                prop_assert_ne!(out[0], FieldValue::Missing, "{} {}", path, text);
            }
        }
    }
}
