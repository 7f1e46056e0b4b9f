//! Field paths: `key`, `headers.NAME`, `timestamp`, `value.order.items[0].sku`, `value."a.b"`,
//! and `headers.id//value.id`: the second where the first is missing.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where in a record a field path starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Root {
    /// The record's key.
    Key,
    /// The record's value.
    Value,
    /// The header of this name.
    Header(Box<str>),
    /// The topic.
    Topic,
    /// The partition.
    Partition,
    /// The offset.
    Offset,
    /// The timestamp, in milliseconds.
    Timestamp,
}

/// One step inside a structured key or value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathStep {
    /// The member of an object, or the cell of a CSV column.
    Member(Box<str>),
    /// The item of an array, from 0.
    Item(usize),
}

/// A parsed field path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldPath {
    /// Where it starts.
    pub root: Root,
    /// The steps inside the key or value; none for the whole of it.
    pub steps: Vec<PathStep>,
    /// Where to look if nothing, or null, is found there.
    pub otherwise: Option<Box<FieldPath>>,
}

/// What stands between a path and where to look instead.
const ALTERNATIVE: &str = "//";

/// Places that one path may name.
const ALTERNATIVES_MAX: usize = 32;

/// Why a text is no field path.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FieldPathError {
    /// There is no text, or a step has none.
    #[error("`{0}` has an empty step; write a name between the dots, or quote it: value.\"a.b\"")]
    EmptyStep(String),
    /// A quote is not closed, or text follows it.
    #[error("`{0}` has a quote that is not closed before the next dot")]
    Quote(String),
    /// An index in brackets is no whole number.
    #[error("`{0}` has brackets that hold no index; write items[0]")]
    Index(String),
    /// A coordinate has no parts.
    #[error(
        "`{0}` looks inside `{1}`, which has no parts; for a member of the value write `value.{0}`"
    )]
    NoParts(String, &'static str),
    /// There are more alternatives than anyone would type.
    #[error("{0} alternatives are too many; {ALTERNATIVES_MAX} are allowed")]
    Alternatives(usize),
}

impl FieldPath {
    /// Returns a path that names one place alone.
    pub fn new(root: Root, steps: Vec<PathStep>) -> Self {
        Self {
            root,
            steps,
            otherwise: None,
        }
    }

    /// Parses a path as typed; one without a root is taken inside the value. Paths that follow
    /// after `//` are where to look instead.
    pub fn parse(text: &str) -> Result<Self, FieldPathError> {
        let places = split_alternatives(text);
        if places.len() > ALTERNATIVES_MAX {
            return Err(FieldPathError::Alternatives(places.len()));
        }
        let mut path = None;
        for place in places.iter().rev() {
            let otherwise = path.take().map(Box::new);
            path = Some(Self {
                otherwise,
                ..Self::parse_one(place)?
            });
        }
        path.ok_or_else(|| FieldPathError::EmptyStep(text.to_owned()))
    }

    fn parse_one(text: &str) -> Result<Self, FieldPathError> {
        let mut steps = parse_steps(text)?;
        let has_more = steps.len() > 1;
        let root = match steps.first() {
            Some(PathStep::Member(name)) if !text.starts_with('"') => match &**name {
                "key" => Some(Root::Key),
                "value" => Some(Root::Value),
                "headers" if has_more => return header_path(text),
                "topic" => Some(coordinate(text, Root::Topic, "topic", has_more)?),
                "partition" => Some(coordinate(text, Root::Partition, "partition", has_more)?),
                "offset" => Some(coordinate(text, Root::Offset, "offset", has_more)?),
                "timestamp" => Some(coordinate(text, Root::Timestamp, "timestamp", has_more)?),
                _ => None,
            },
            _ => None,
        };
        if root.is_some() {
            steps.remove(0);
        }
        Ok(Self::new(root.unwrap_or(Root::Value), steps))
    }

    /// Returns the path and those where to look instead, in order.
    pub fn places(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |path| path.otherwise.as_deref())
    }

    /// Returns the path as short as it can be typed: without `value.`.
    pub fn short(&self) -> String {
        let shorten = |place: &Self| {
            let full = place.place_text();
            match full.strip_prefix("value.") {
                Some(inner) if Self::parse(inner).is_ok_and(|path| path.is_at(place)) => {
                    inner.to_owned()
                }
                _ => full,
            }
        };
        let shortened: Vec<String> = self.places().map(shorten).collect();
        shortened.join(ALTERNATIVE)
    }

    fn is_at(&self, other: &Self) -> bool {
        self.root == other.root && self.steps == other.steps && self.otherwise.is_none()
    }

    /// Returns the text of the first place alone.
    fn place_text(&self) -> String {
        let root = match &self.root {
            Root::Key => "key".to_owned(),
            Root::Value => "value".to_owned(),
            Root::Header(name) if name.contains(ALTERNATIVE) => format!("headers.\"{name}\""),
            Root::Header(name) => format!("headers.{name}"),
            Root::Topic => "topic".to_owned(),
            Root::Partition => "partition".to_owned(),
            Root::Offset => "offset".to_owned(),
            Root::Timestamp => "timestamp".to_owned(),
        };
        let step_text = |step: &PathStep| match step {
            PathStep::Member(name) if needs_quotes(name) => format!(".\"{name}\""),
            PathStep::Member(name) => format!(".{name}"),
            PathStep::Item(index) => format!("[{index}]"),
        };
        let steps: String = self.steps.iter().map(step_text).collect();
        root + &steps
    }

    /// Returns whether the path lies in the value, or is the whole of it.
    pub fn is_in_value(&self) -> bool {
        self.root == Root::Value
    }

    /// Returns whether any of its places lies in the value.
    pub fn may_be_in_value(&self) -> bool {
        self.places().any(Self::is_in_value)
    }
}

/// Splits at `//` outside double quotes.
fn split_alternatives(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut is_quoted) = (0, false);
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        is_quoted ^= character == '"';
        let is_doubled =
            character == '/' && characters.peek().is_some_and(|(_, next)| *next == '/');
        if is_doubled && !is_quoted {
            characters.next();
            parts.push(text.get(start..at).unwrap_or_default().trim());
            start = at + ALTERNATIVE.len();
        }
    }
    let last = text.get(start..).unwrap_or_default();
    parts.push(if parts.is_empty() { last } else { last.trim() });
    parts
}

fn coordinate(
    text: &str,
    root: Root,
    name: &'static str,
    has_more: bool,
) -> Result<Root, FieldPathError> {
    if has_more {
        Err(FieldPathError::NoParts(text.to_owned(), name))
    } else {
        Ok(root)
    }
}

/// A header's name is all that follows `headers.`, dots included; quotes around it are dropped.
fn header_path(text: &str) -> Result<FieldPath, FieldPathError> {
    let name = text
        .strip_prefix("headers.")
        .ok_or_else(|| FieldPathError::Index(text.to_owned()))?;
    let unquoted = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    let name = unquoted.unwrap_or(name);
    Ok(FieldPath::new(Root::Header(name.into()), Vec::new()))
}

fn parse_steps(text: &str) -> Result<Vec<PathStep>, FieldPathError> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = take_name(text, rest)?;
        steps.push(PathStep::Member(name.into()));
        rest = after;
        while let Some(inner) = rest.strip_prefix('[') {
            let bad_index = || FieldPathError::Index(text.to_owned());
            let (digits, after) = inner.split_once(']').ok_or_else(bad_index)?;
            if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(bad_index());
            }
            steps.push(PathStep::Item(digits.parse().map_err(|_| bad_index())?));
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(steps),
            None => return Err(FieldPathError::Quote(text.to_owned())),
        }
    }
}

fn take_name<'a>(text: &str, rest: &'a str) -> Result<(&'a str, &'a str), FieldPathError> {
    if let Some(inner) = rest.strip_prefix('"') {
        return inner
            .split_once('"')
            .ok_or_else(|| FieldPathError::Quote(text.to_owned()));
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    if name.is_empty() {
        return Err(FieldPathError::EmptyStep(text.to_owned()));
    }
    Ok((name, after))
}

/// Returns whether a member's name would be taken for something else without quotes in a path.
pub fn needs_quotes(name: &str) -> bool {
    name.is_empty() || name.contains(['.', '[']) || name.contains(ALTERNATIVE)
}

impl fmt::Display for FieldPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<String> = self.places().map(Self::place_text).collect();
        out.write_str(&places.join(ALTERNATIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_root_is_taken_inside_the_value() {
        let path = FieldPath::parse("charge_id").unwrap();
        assert_eq!(path.to_string(), "value.charge_id");
        assert_eq!(path.short(), "charge_id");
        assert_eq!(FieldPath::parse("value.charge_id"), Ok(path));
    }

    #[test]
    fn quotes_and_indexes_survive_printing() {
        for text in [
            "value.items[0].sku",
            "value.\"a.b\".c",
            "key",
            "value",
            "headers.a.b-c",
        ] {
            assert_eq!(FieldPath::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_quoted_root_name_is_a_member() {
        let path = FieldPath::parse("\"topic\"").unwrap();
        assert_eq!(path.root, Root::Value);
        assert_eq!(
            FieldPath::parse("value.topic").unwrap().short(),
            "value.topic"
        );
    }

    #[test]
    fn places_to_look_instead_follow_after_two_slashes() {
        let path = FieldPath::parse("headers.ce_id // id//value.\"a//b\".c").unwrap();
        let places: Vec<String> = path.places().map(FieldPath::place_text).collect();
        assert_eq!(places, ["headers.ce_id", "value.id", "value.\"a//b\".c"]);
        assert_eq!(
            path.to_string(),
            "headers.ce_id//value.id//value.\"a//b\".c"
        );
        assert_eq!(path.short(), "headers.ce_id//id//\"a//b\".c");
        assert_eq!(FieldPath::parse(&path.to_string()), Ok(path));
        for text in ["a//", "//a", "a// //b", "//"] {
            assert!(FieldPath::parse(text).is_err(), "{text}");
        }
        let many = vec!["a"; ALTERNATIVES_MAX + 1].join("//");
        assert!(matches!(
            FieldPath::parse(&many),
            Err(FieldPathError::Alternatives(33))
        ));
        assert_eq!(FieldPath::parse("a/b").unwrap().to_string(), "value.a/b");
    }

    #[test]
    fn broken_paths_say_what_is_wrong() {
        assert!(matches!(
            FieldPath::parse(""),
            Err(FieldPathError::EmptyStep(_))
        ));
        assert!(matches!(
            FieldPath::parse("a..b"),
            Err(FieldPathError::EmptyStep(_))
        ));
        assert!(matches!(
            FieldPath::parse("a.\"b"),
            Err(FieldPathError::Quote(_))
        ));
        assert!(matches!(
            FieldPath::parse("a[x]"),
            Err(FieldPathError::Index(_))
        ));
        assert!(matches!(
            FieldPath::parse("offset.x"),
            Err(FieldPathError::NoParts(..))
        ));
    }
}
