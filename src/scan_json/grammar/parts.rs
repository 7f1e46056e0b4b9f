//! A JSON document part by part, without recursion, for work that is not on the hot path.

use super::bit_stack::BitStack;
use super::skip::{no_comma_or_end, skip_name, skip_space, skip_value};
use crate::scan_json::error::{JsonError, JsonFault, Stop};

/// One part of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scan_json) enum Part<'a> {
    ObjectStart,
    ArrayStart,
    /// The end of the innermost object or array.
    End,
    /// The inside of a member name, escapes and all; its value follows.
    Name(&'a [u8]),
    /// The text of a string, number, boolean or null.
    Scalar(&'a [u8]),
    /// The text of a value below the deepest level.
    TooDeep(&'a [u8]),
}

/// Reads the parts of a document that is UTF-8; ends behind the first value.
pub(in crate::scan_json) struct Parts<'a> {
    document: &'a [u8],
    position: usize,
    open: BitStack,
    /// For values that are walked over whole.
    skipped: BitStack,
    next: Expected,
    max_depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    /// The first member or item, or the end of the container.
    FirstOrEnd,
    /// A comma or the end of the container.
    CommaOrEnd,
    Nothing,
}

impl<'a> Parts<'a> {
    /// Returns the parts of `document`; values deeper than `max_depth` come whole.
    pub(in crate::scan_json) fn new(document: &'a [u8], max_depth: usize) -> Self {
        Self {
            document,
            position: 0,
            open: BitStack::default(),
            skipped: BitStack::default(),
            next: Expected::Value,
            max_depth,
        }
    }

    fn part(&mut self) -> Result<Option<Part<'a>>, Stop> {
        self.position = skip_space(self.document, self.position);
        match (self.next, self.open.innermost()) {
            (Expected::Nothing, _) => Ok(None),
            (Expected::Value, _) => self.value().map(Some),
            (Expected::FirstOrEnd, Some(is_object)) => {
                if self.byte() == Some(end_of(is_object)) {
                    return Ok(Some(self.end()));
                }
                self.member_or_item(is_object).map(Some)
            }
            (Expected::CommaOrEnd, Some(is_object)) => match self.byte() {
                Some(b',') => {
                    self.position = skip_space(self.document, self.position + 1);
                    self.member_or_item(is_object).map(Some)
                }
                Some(end) if end == end_of(is_object) => Ok(Some(self.end())),
                _ => Err(no_comma_or_end(self.position, is_object)),
            },
            // Behind the outermost value.
            (Expected::FirstOrEnd | Expected::CommaOrEnd, None) => {
                self.next = Expected::Nothing;
                if self.position < self.document.len() {
                    return Err(Stop::new(self.position, JsonFault::TrailingText));
                }
                Ok(None)
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        self.document.get(self.position).copied()
    }

    fn end(&mut self) -> Part<'a> {
        self.open.pop();
        self.position += 1;
        self.next = Expected::CommaOrEnd;
        Part::End
    }

    fn member_or_item(&mut self, is_object: bool) -> Result<Part<'a>, Stop> {
        if !is_object {
            return self.value();
        }
        let name = skip_name(self.document, self.position)?;
        self.position = name.value;
        self.next = Expected::Value;
        Ok(Part::Name(name.content(self.document)))
    }

    fn value(&mut self) -> Result<Part<'a>, Stop> {
        let start = self.position;
        let is_object = match self.byte() {
            Some(b'{') => Some(true),
            Some(b'[') => Some(false),
            _ => None,
        };
        match is_object {
            Some(is_object) if self.open.depth() < self.max_depth => {
                self.open.push(is_object);
                self.position += 1;
                self.next = Expected::FirstOrEnd;
                Ok(if is_object {
                    Part::ObjectStart
                } else {
                    Part::ArrayStart
                })
            }
            _ => {
                self.position = skip_value(self.document, start, &mut self.skipped)?;
                self.next = Expected::CommaOrEnd;
                let text = self.text(start, self.position);
                Ok(if is_object.is_some() {
                    Part::TooDeep(text)
                } else {
                    Part::Scalar(text)
                })
            }
        }
    }

    fn text(&self, start: usize, end: usize) -> &'a [u8] {
        self.document.get(start..end).unwrap_or_default()
    }
}

fn end_of(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.part().map_err(JsonError::from).transpose();
        if let Some(Err(_)) = part {
            self.next = Expected::Nothing;
        }
        part
    }
}
