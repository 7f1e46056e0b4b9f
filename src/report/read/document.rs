//! Walks a report, one document or JSON Lines, and hands out its parts in their order.

use std::fmt;
use std::io::{BufReader, Read};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::report::read::{NEWEST_VERSION, ReportReadError};

/// A part of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Header,
    Summary,
    Coverage,
    Episode,
    Group,
}

/// What is done with the parts of a report.
pub(super) trait Parts {
    /// Takes a part, or passes over it.
    fn take<'de, D: Deserializer<'de>>(&mut self, part: Part, from: D) -> Result<(), D::Error>;
}

/// How far a walk has come; it outlives an error, so that a newer report is told from a broken one.
#[derive(Debug, Default)]
struct Progress {
    version: Option<u64>,
    has_header: bool,
    is_lines: bool,
    /// Groups that the last of JSON Lines counts.
    groups_counted: Option<u64>,
    groups: u64,
    /// Where it is, for people.
    place: &'static str,
}

/// Walks the report to its end; returns how many groups it holds.
pub(super) fn walk(input: impl Read, parts: &mut impl Parts) -> Result<u64, ReportReadError> {
    let mut progress = Progress::default();
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(input));
    let mut outcome;
    loop {
        outcome = TopSeed {
            parts: &mut *parts,
            progress: &mut progress,
        }
        .deserialize(&mut json);
        let is_last = !progress.is_lines || progress.groups_counted.is_some();
        if outcome.is_err() || is_last || json.end().is_ok() {
            break;
        }
    }
    let outcome = outcome.and_then(|()| json.end());
    conclude(&progress, outcome)
}

fn conclude(
    progress: &Progress,
    outcome: Result<(), serde_json::Error>,
) -> Result<u64, ReportReadError> {
    if let Some(version) = progress.version.filter(|&version| version > NEWEST_VERSION) {
        return Err(ReportReadError::Newer(version));
    }
    let damaged = |reason: String| ReportReadError::Damaged {
        place: match progress.place {
            "group" => format!("group {}", progress.groups + 1),
            place => place.to_owned(),
        },
        reason,
    };
    match outcome {
        Err(error) if progress.version.is_none() => {
            return Err(ReportReadError::NoReport(error.to_string()));
        }
        Err(error) => return Err(damaged(error.to_string())),
        Ok(()) => {}
    }
    let lacks = |part: &str| ReportReadError::NoReport(format!("it has no `{part}`"));
    progress.version.ok_or_else(|| lacks("schema_version"))?;
    if !progress.has_header {
        return Err(lacks("header"));
    }
    if progress.is_lines && progress.groups_counted.is_none() {
        return Err(damaged("its last line is missing".to_owned()));
    }
    match progress.groups_counted {
        Some(counted) if counted != progress.groups => Err(damaged(format!(
            "its last line counts {counted} groups, and there are {}",
            progress.groups
        ))),
        _ => Ok(progress.groups),
    }
}

/// A whole document, or one line.
struct TopSeed<'a, P> {
    parts: &'a mut P,
    progress: &'a mut Progress,
}

impl<'de, P: Parts> DeserializeSeed<'de> for TopSeed<'_, P> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, P: Parts> Visitor<'de> for TopSeed<'_, P> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with schema_version, header and groups")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut is_first = true;
        while let Some(name) = members.next_key::<String>()? {
            if is_first && name == "type" {
                return self.line(members);
            }
            is_first = false;
            self.progress.place = place_of(&name);
            let (part, is_list) = match &*name {
                "schema_version" => {
                    self.progress.take_version(members.next_value()?)?;
                    continue;
                }
                "header" => (Part::Header, false),
                "summary" => (Part::Summary, false),
                "coverage" => (Part::Coverage, false),
                "episodes" => (Part::Episode, true),
                "groups" => (Part::Group, true),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            self.progress.has_header |= part == Part::Header;
            let seed = PartSeed {
                part,
                parts: &mut *self.parts,
                progress: &mut *self.progress,
            };
            if is_list {
                members.next_value_seed(ListSeed(seed))?;
            } else {
                members.next_value_seed(seed)?;
            }
            self.progress.place = "its end";
        }
        Ok(())
    }
}

impl<P: Parts> TopSeed<'_, P> {
    /// Takes a line of JSON Lines, whose `type` comes first.
    fn line<'de, A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.progress.is_lines = true;
        let kind: String = members.next_value()?;
        self.progress.place = place_of(&kind);
        let part = match &*kind {
            "header" => {
                let name: Option<String> = members.next_key()?;
                if name.as_deref() != Some("schema_version") {
                    return Err(A::Error::custom("its header has no `schema_version`"));
                }
                self.progress.take_version(members.next_value()?)?;
                self.progress.has_header = true;
                Part::Header
            }
            "summary" => Part::Summary,
            "coverage" => Part::Coverage,
            "episode" => Part::Episode,
            "group" => Part::Group,
            "end" => {
                let end = End::deserialize(MapAccessDeserializer::new(members))?;
                self.progress.groups_counted = Some(end.groups);
                return Ok(());
            }
            _ => {
                return IgnoredAny::deserialize(MapAccessDeserializer::new(members)).map(drop);
            }
        };
        let seed = PartSeed {
            part,
            parts: self.parts,
            progress: &mut *self.progress,
        };
        seed.deserialize(MapAccessDeserializer::new(members))?;
        self.progress.place = "its end";
        Ok(())
    }
}

impl Progress {
    /// What a newer version holds is not even looked at.
    fn take_version<E: Error>(&mut self, version: u64) -> Result<(), E> {
        self.version = Some(version);
        if version > NEWEST_VERSION {
            return Err(E::custom("newer"));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct End {
    groups: u64,
}

fn place_of(name: &str) -> &'static str {
    match name {
        "header" => "header",
        "summary" => "summary",
        "coverage" => "coverage",
        "episode" | "episodes" => "episodes",
        "group" | "groups" => "group",
        _ => "its beginning",
    }
}

struct PartSeed<'a, P> {
    part: Part,
    parts: &'a mut P,
    progress: &'a mut Progress,
}

impl<'de, P: Parts> DeserializeSeed<'de> for PartSeed<'_, P> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.parts.take(self.part, from)?;
        self.progress.groups += u64::from(self.part == Part::Group);
        Ok(())
    }
}

struct ListSeed<'a, P>(PartSeed<'a, P>);

impl<'de, P: Parts> DeserializeSeed<'de> for ListSeed<'_, P> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, P: Parts> Visitor<'de> for ListSeed<'_, P> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let PartSeed {
            part,
            parts,
            progress,
        } = self.0;
        loop {
            let seed = PartSeed {
                part,
                parts: &mut *parts,
                progress: &mut *progress,
            };
            if items.next_element_seed(seed)?.is_none() {
                return Ok(());
            }
        }
    }
}

/// Reads an object's members in their order.
pub(super) fn members<'de, D, T>(from: D) -> Result<Vec<(String, T)>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Members<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = Vec<(String, T)>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(name) = from.next_key()? {
                members.push((name, from.next_value()?));
            }
            Ok(members)
        }
    }
    from.deserialize_map(Members(PhantomData))
}
