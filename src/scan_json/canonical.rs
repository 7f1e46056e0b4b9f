//! The canonical text of a JSON value: equal values have one, whatever their spelling.

use std::ops::Range;

use thiserror::Error;

use crate::record::PathStep;

use super::error::JsonError;
use super::grammar::parts::{Part, Parts};
use super::grammar::string::{unescape, write_string};
use super::number::write_canonical_json;
use super::trie::{PathTrie, ROOT};

/// Deepest nesting that has a canonical form.
pub const MAX_DEPTH: usize = 128;

/// Why a value has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CanonicalError {
    /// It is no JSON.
    #[error("invalid JSON: {0}")]
    Invalid(#[from] JsonError),
    /// Two members of one object have the same name, so it is open which counts.
    #[error("a member name is repeated in an object")]
    RepeatedName,
    /// It is nested too deep.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Appends the canonical form of a document, which must be UTF-8, without what is ignored.
///
/// On an error nothing is appended.
pub fn write(
    document: &[u8],
    ignore: &[Vec<PathStep>],
    out: &mut Vec<u8>,
) -> Result<(), CanonicalError> {
    CanonicalWriter::default().write(document, &PathTrie::new(ignore), out)
}

/// Writes canonical forms; reuses its memory from one to the next.
#[derive(Debug, Default)]
pub struct CanonicalWriter {
    open: Vec<Container>,
    /// Members of the open objects, those of the outermost first.
    members: Vec<Member>,
    /// Unescaped names of those members.
    names: Vec<u8>,
    /// The member whose name was read last, until its value starts.
    named: Option<Place>,
    /// Scratch: an object while its members are put in order, a string without its escapes.
    scratch: Vec<u8>,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The node of the ignored paths, if some lead here or into it.
    node: Option<usize>,
    /// Where it starts in the output, with the comma or name before it.
    start: usize,
}

#[derive(Debug)]
struct Container {
    is_object: bool,
    place: Place,
    /// Items read and items written.
    items: (usize, usize),
    /// Where its own first member stands among all.
    first_member: usize,
    /// Where its text starts, behind the bracket.
    inside: usize,
}

#[derive(Debug)]
struct Member {
    /// Place of the unescaped name among the names.
    name: Range<usize>,
    /// Where name and value stand in the output; empty for what is left out.
    text: Range<usize>,
}

impl CanonicalWriter {
    /// As [`write()`], with the ignored paths as a trie.
    pub fn write(
        &mut self,
        document: &[u8],
        ignore: &PathTrie,
        out: &mut Vec<u8>,
    ) -> Result<(), CanonicalError> {
        let start = out.len();
        self.open.clear();
        self.members.clear();
        self.names.clear();
        self.named = None;
        for part in Parts::new(document, MAX_DEPTH) {
            let written = part
                .map_err(CanonicalError::from)
                .and_then(|part| self.write_part(part, ignore, out));
            if written.is_err() {
                out.truncate(start);
                return written;
            }
        }
        Ok(())
    }

    fn write_part(
        &mut self,
        part: Part<'_>,
        ignore: &PathTrie,
        out: &mut Vec<u8>,
    ) -> Result<(), CanonicalError> {
        match part {
            Part::Name(name) => self.start_member(name, ignore, out),
            Part::ObjectStart => self.start_container(true, ignore, out),
            Part::ArrayStart => self.start_container(false, ignore, out),
            Part::End => self.end_container(ignore, out)?,
            Part::Scalar(text) => {
                let place = self.start_value(ignore, out);
                write_scalar(text, &mut self.scratch, out);
                self.end_value(place, ignore, out);
            }
            Part::TooDeep(_) => return Err(CanonicalError::TooDeep),
        }
        Ok(())
    }

    fn start_member(&mut self, name: &[u8], ignore: &PathTrie, out: &mut Vec<u8>) {
        let name_start = self.names.len();
        unescape(name, &mut self.names);
        let unescaped = self.names.get(name_start..).unwrap_or_default();
        let object = self.open.last().and_then(|object| object.place.node);
        let start = out.len();
        self.named = Some(Place {
            node: object.and_then(|node| ignore.node(node).member(unescaped)),
            start,
        });
        write_string(unescaped, out);
        out.push(b':');
        self.members.push(Member {
            name: name_start..self.names.len(),
            text: start..start,
        });
    }

    /// Returns where the value stands that is about to be written.
    fn start_value(&mut self, ignore: &PathTrie, out: &mut Vec<u8>) -> Place {
        if let Some(place) = self.named.take() {
            return place;
        }
        let start = out.len();
        let Some(array) = self.open.last_mut() else {
            let node = (!ignore.is_empty()).then_some(ROOT);
            return Place { node, start };
        };
        let (index, written) = array.items;
        array.items.0 += 1;
        if written > 0 {
            out.push(b',');
        }
        let node = array.place.node;
        Place {
            node: node.and_then(|node| ignore.node(node).item(index)),
            start,
        }
    }

    fn end_value(&mut self, place: Place, ignore: &PathTrie, out: &mut Vec<u8>) {
        if place.node.is_some_and(|node| ignore.node(node).is_wanted()) {
            out.truncate(place.start);
            return;
        }
        match (self.open.last_mut(), self.members.last_mut()) {
            (Some(object), Some(member)) if object.is_object => {
                member.text = place.start..out.len();
            }
            (Some(array), _) => array.items.1 += 1,
            (None, _) => {}
        }
    }

    fn start_container(&mut self, is_object: bool, ignore: &PathTrie, out: &mut Vec<u8>) {
        let place = self.start_value(ignore, out);
        out.push(if is_object { b'{' } else { b'[' });
        self.open.push(Container {
            is_object,
            place,
            items: (0, 0),
            first_member: self.members.len(),
            inside: out.len(),
        });
    }

    fn end_container(
        &mut self,
        ignore: &PathTrie,
        out: &mut Vec<u8>,
    ) -> Result<(), CanonicalError> {
        let Some(container) = self.open.pop() else {
            return Ok(());
        };
        if container.is_object {
            self.sort_members(&container, out)?;
        }
        out.push(if container.is_object { b'}' } else { b']' });
        self.end_value(container.place, ignore, out);
        Ok(())
    }

    /// Puts the members of an object in the order of their names, with commas between.
    fn sort_members(
        &mut self,
        object: &Container,
        out: &mut Vec<u8>,
    ) -> Result<(), CanonicalError> {
        let names = &self.names;
        let name = |member: &Member| names.get(member.name.clone()).unwrap_or_default();
        let members = self.members.get_mut(object.first_member..);
        let members = members.unwrap_or_default();
        members.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        let mut neighbours = members.iter().zip(members.iter().skip(1));
        if neighbours.any(|(a, b)| name(a) == name(b)) {
            return Err(CanonicalError::RepeatedName);
        }
        let names_start = members.iter().map(|member| member.name.start).min();
        self.scratch.clear();
        for member in members.iter().filter(|member| !member.text.is_empty()) {
            if !self.scratch.is_empty() {
                self.scratch.push(b',');
            }
            let text = out.get(member.text.clone()).unwrap_or_default();
            self.scratch.extend_from_slice(text);
        }
        out.truncate(object.inside);
        out.extend_from_slice(&self.scratch);
        self.members.truncate(object.first_member);
        self.names.truncate(names_start.unwrap_or(self.names.len()));
        Ok(())
    }
}

/// Appends the canonical text of a string, number, boolean or null.
fn write_scalar(text: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    match text {
        [b'"', content @ .., b'"'] if memchr::memchr(b'\\', content).is_some() => {
            scratch.clear();
            unescape(content, scratch);
            write_string(scratch, out);
        }
        [b'-' | b'0'..=b'9', ..] => {
            write_canonical_json(text, out);
        }
        // Words, and strings without escapes.
        _ => out.extend_from_slice(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FieldPath;
    use crate::scan_json::oracle::documents;
    use proptest::prelude::*;

    fn canonical(document: &str, ignore: &[&str]) -> Result<String, CanonicalError> {
        let path = |text: &&str| FieldPath::parse(&format!("value{text}")).unwrap().steps;
        let ignore: Vec<_> = ignore.iter().map(path).collect();
        let mut out = b"before".to_vec();
        let result = write(document.as_bytes(), &ignore, &mut out);
        let text = String::from_utf8(out).unwrap();
        result.map(|()| text.strip_prefix("before").unwrap().to_owned())
    }

    #[test]
    fn spelling_and_member_order_do_not_matter() {
        let text = r#" { "b" : [ 1.0 , 10e-1, true ] , "a\u0062" : "\u00e9\/\n", "a": {} } "#;
        let expected = "{\"a\":{},\"ab\":\"\u{e9}/\\n\",\"b\":[1,1,true]}";
        assert_eq!(canonical(text, &[]).as_deref(), Ok(expected));
    }

    #[test]
    fn members_are_sorted_by_what_their_names_say() {
        let text = "{\"a\\n\":1,\"a!\":2,\"a\":3,\"\":4}";
        let expected = "{\"\":4,\"a\":3,\"a\\n\":1,\"a!\":2}";
        assert_eq!(canonical(text, &[]).as_deref(), Ok(expected));
    }

    #[test]
    fn ignored_paths_are_left_out() {
        let text = r#"{"z":1,"sent_at":5,"a":{"x":1,"y":[1,{"t":2,"u":3}]},"l":[1,2,3]}"#;
        for (ignore, expected) in [
            (
                &[".sent_at"][..],
                r#"{"a":{"x":1,"y":[1,{"t":2,"u":3}]},"l":[1,2,3],"z":1}"#,
            ),
            (
                &[".a.y[1].t", ".l[0]", ".z", ".none.x"],
                r#"{"a":{"x":1,"y":[1,{"u":3}]},"l":[2,3],"sent_at":5}"#,
            ),
            (&[".a", ".l[2]", ".l[1]"], r#"{"l":[1],"sent_at":5,"z":1}"#),
            (&[""], ""),
        ] {
            assert_eq!(canonical(text, ignore).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_has_no_canonical_form_says_why() {
        let repeated = Err(CanonicalError::RepeatedName);
        assert_eq!(canonical(r#"{"a":1,"\u0061":2}"#, &[]), repeated);
        assert_eq!(canonical(r#"[[{"a":{"b":1,"c":2,"b":1}}]]"#, &[]), repeated);
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(canonical(&deep(129), &[]), Err(CanonicalError::TooDeep));
        assert_eq!(
            canonical(&deep(1_000_000), &[]),
            Err(CanonicalError::TooDeep)
        );
        assert!(canonical(&deep(128), &[]).is_ok());
        for text in ["", "{", "[1,]", "{\"a\":1}}", "[1 2]", "{\"a\" 1}", "nul"] {
            assert!(
                matches!(canonical(text, &[]), Err(CanonicalError::Invalid(_))),
                "{text}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn equal_documents_have_one_canonical_form(value in documents(), seed in any::<u64>()) {
            let one = canonical(&value.spell(seed), &[]).unwrap();
            prop_assert_eq!(canonical(&value.spell(seed.wrapping_add(1)), &[]), Ok(one.clone()));
            // The form is its own canonical form, and is the same document.
            prop_assert_eq!(canonical(&one, &[]), Ok(one.clone()));
            prop_assert_eq!(
                serde_json::from_str::<serde_json::Value>(&one).unwrap(),
                value.plain()
            );
        }
    }
}
