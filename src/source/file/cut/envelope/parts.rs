//! A JSON object taken apart into its members without copying.
//!
//! kcat writes keys and payloads that are no UTF-8 as they are: strings are bytes here.

use std::ops::Range;

use crate::record::RecordDefect;
use crate::scan_json::end_of_quoted;
use crate::scan_json::find_backslash;

/// The inside of a JSON string, by its place in the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    /// From behind the opening quote to the closing one.
    pub(crate) inside: Range<usize>,
    /// Whether there are escapes in it.
    pub(crate) has_escapes: bool,
}

/// A member's value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Part {
    /// The member is missing.
    #[default]
    Absent,
    /// JSON null.
    Null,
    /// A string.
    Text(Text),
    /// Any other JSON value, by its place in the line.
    Json(Range<usize>),
}

/// The members of an object that were looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members<const N: usize> {
    /// One for each name.
    pub(crate) parts: [Part; N],
    /// Whether there are others, or one of these twice.
    pub(crate) has_foreign: bool,
}

/// Takes the object apart that is all of `line`.
pub(crate) fn members<const N: usize>(
    line: &[u8],
    names: &[&str; N],
) -> Result<Members<N>, RecordDefect> {
    let mut cursor = Cursor { line, at: 0 };
    cursor.skip_space();
    let members = cursor.members(names)?;
    cursor.skip_space();
    if cursor.at < line.len() {
        return Err(RecordDefect::InvalidText);
    }
    Ok(members)
}

/// Takes the object apart that starts `place`, the place of a member's value.
pub(crate) fn inner_members<const N: usize>(
    line: &[u8],
    place: &Range<usize>,
    names: &[&str; N],
) -> Option<Members<N>> {
    let line = line.get(..place.end)?;
    let at = place.start;
    Cursor { line, at }.members(names).ok()
}

/// Returns the number that a member is.
pub(crate) fn integer(line: &[u8], part: &Part) -> Option<i64> {
    let Part::Json(place) = part else {
        return None;
    };
    std::str::from_utf8(line.get(place.clone())?)
        .ok()?
        .parse()
        .ok()
}

/// Returns the inside of a string that has no escapes.
pub(crate) fn plain_text<'a>(line: &'a [u8], part: &Part) -> Option<&'a str> {
    match part {
        Part::Text(text) if !text.has_escapes => {
            std::str::from_utf8(line.get(text.inside.clone())?).ok()
        }
        Part::Absent | Part::Null | Part::Text(_) | Part::Json(_) => None,
    }
}

/// Calls `visit` with every element of the array at `place`; returns whether it is one, and all
/// were welcome.
pub(crate) fn for_each_element(
    line: &[u8],
    place: &Range<usize>,
    mut visit: impl FnMut(Part) -> bool,
) -> bool {
    let mut cursor = Cursor {
        line: line.get(..place.end).unwrap_or_default(),
        at: place.start,
    };
    if !cursor.take(b'[') {
        return false;
    }
    cursor.skip_space();
    if cursor.take(b']') {
        return true;
    }
    loop {
        let Ok(element) = cursor.value() else {
            return false;
        };
        if !visit(element) {
            return false;
        }
        cursor.skip_space();
        if cursor.take(b']') {
            return true;
        }
        if !cursor.take(b',') {
            return false;
        }
    }
}

/// Calls `visit` with the name and value of every member of the object at `place`; returns
/// whether it is one, and all were welcome.
pub(crate) fn for_each_member(
    line: &[u8],
    place: &Range<usize>,
    mut visit: impl FnMut(Text, Part) -> bool,
) -> bool {
    let mut cursor = Cursor {
        line: line.get(..place.end).unwrap_or_default(),
        at: place.start,
    };
    let mut are_welcome = true;
    let walked = cursor.walk(|name, value| are_welcome &= are_welcome && visit(name, value));
    walked.is_ok() && are_welcome
}

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), RecordDefect> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(RecordDefect::InvalidText)
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Takes an object apart into the members of these names and others.
    fn members<const N: usize>(&mut self, names: &[&str; N]) -> Result<Members<N>, RecordDefect> {
        let mut parts = [const { Part::Absent }; N];
        // A foreign member is told only once the line is known to be an object.
        let mut has_foreign = false;
        let line = self.line;
        // Members mostly come in the order of the names.
        let mut likely = 0;
        self.walk(|name, value| {
            let name = line.get(name.inside).unwrap_or_default();
            let is_name = |member: &&str| member.as_bytes() == name;
            let place = if names.get(likely).is_some_and(is_name) {
                Some(likely)
            } else {
                names.iter().position(is_name)
            };
            match place.and_then(|place| parts.get_mut(place)) {
                Some(part) if *part == Part::Absent => *part = value,
                _ => has_foreign = true,
            }
            likely = place.map_or(likely, |place| place + 1);
        })?;
        Ok(Members { parts, has_foreign })
    }

    /// Walks over an object.
    fn walk(&mut self, mut visit: impl FnMut(Text, Part)) -> Result<(), RecordDefect> {
        if !self.take(b'{') {
            return Err(RecordDefect::InvalidText);
        }
        self.skip_space();
        let mut has_more = !self.take(b'}');
        while has_more {
            let name = self.text()?;
            self.skip_space();
            self.expect(b':')?;
            let value = self.value()?;
            visit(name, value);
            self.skip_space();
            has_more = self.take(b',');
            if has_more {
                self.skip_space();
            } else {
                self.expect(b'}')?;
            }
        }
        Ok(())
    }

    fn text(&mut self) -> Result<Text, RecordDefect> {
        self.expect(b'"')?;
        let start = self.at;
        let (end, has_escapes) =
            end_of_quoted(self.line, start).ok_or(RecordDefect::InvalidText)?;
        self.at = end + 1;
        Ok(Text {
            inside: start..end,
            has_escapes,
        })
    }

    fn value(&mut self) -> Result<Part, RecordDefect> {
        self.skip_space();
        let start = self.at;
        match self.peek() {
            Some(b'"') => return self.text().map(Part::Text),
            Some(b'{' | b'[') => self.skip_nested()?,
            _ => self.skip_scalar(),
        }
        match self.line.get(start..self.at).unwrap_or_default() {
            b"" => Err(RecordDefect::InvalidText),
            b"null" => Ok(Part::Null),
            _ => Ok(Part::Json(start..self.at)),
        }
    }

    /// Skips a number or a word; what is made of it finds out whether it is one.
    fn skip_scalar(&mut self) {
        while let Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'a'..=b'z' | b'E') = self.peek() {
            self.at += 1;
        }
    }

    /// Skips to the end of an object or array; whether its inside is valid is found out by those
    /// who look into it.
    fn skip_nested(&mut self) -> Result<(), RecordDefect> {
        let mut depth = 0_usize;
        loop {
            match self.peek().ok_or(RecordDefect::InvalidText)? {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// Appends what the inside of a JSON string stands for; returns false where an escape is none.
pub(crate) fn unescape(inside: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = inside;
    // A byte in front that an escape has made stand for itself.
    let mut taken = 0;
    loop {
        let Some(found) = find_backslash(rest.get(taken..).unwrap_or_default()) else {
            out.extend_from_slice(rest);
            return true;
        };
        let place = taken + found;
        push_plain(rest, place, out);
        let escape = rest.get(place + 1..).unwrap_or_default();
        let Some((&kind, after)) = escape.split_first() else {
            return false;
        };
        if let b'"' | b'\\' | b'/' = kind {
            (rest, taken) = (escape, 1);
            continue;
        }
        (rest, taken) = (after, 0);
        let byte = match kind {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let Some(character) = take_character(&mut rest) else {
                    return false;
                };
                let mut encoded = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
                continue;
            }
            _ => return false,
        };
        out.push(byte);
    }
}

/// Appends the first `length` bytes; a few of them are copied with some that are dropped again,
/// as JSON within JSON has an escape at every other word.
fn push_plain(bytes: &[u8], length: usize, out: &mut Vec<u8>) {
    match bytes.first_chunk::<16>() {
        Some(chunk) if length <= chunk.len() => {
            let length_before = out.len();
            out.extend_from_slice(chunk);
            out.truncate(length_before + length);
        }
        _ => out.extend_from_slice(bytes.get(..length).unwrap_or_default()),
    }
}

/// Takes the digits behind `\u`, and the second half of a surrogate pair.
fn take_character(rest: &mut &[u8]) -> Option<char> {
    let first = take_unit(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix(b"\\u")?;
    let second = take_unit(rest)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn take_unit(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    let mut unit = 0;
    for &digit in digits {
        unit = unit * 16 + char::from(digit).to_digit(16)?;
    }
    Some(unit)
}
