//! Walks a report member by member and keeps what was asked for.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::report::read::{NEWEST_VERSION, RECORDS_READ, ReadGroup, ReadHeader, ReadRecord};

/// What has been found so far; it outlives an error, so that a newer report is told from a broken
/// one.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) version: Option<u64>,
    pub(super) header: Option<ReadHeader>,
    /// The group asked for; of several the first, or the one of exactly this id.
    pub(super) group: Option<ReadGroup>,
    pub(super) is_exact: bool,
    /// Id of another group that begins so.
    pub(super) other: Option<String>,
    pub(super) matching: u64,
    pub(super) groups: u64,
}

impl Found {
    fn take(&mut self, group: ReadGroup, id: &str) {
        self.groups += 1;
        if !group.id.starts_with(id) {
            return;
        }
        self.matching += 1;
        let is_exact = group.id == id;
        if self.group.is_none() || is_exact {
            if let Some(before) = self.group.replace(group) {
                self.other = Some(before.id);
            }
            self.is_exact |= is_exact;
        } else {
            self.other.get_or_insert(group.id);
        }
    }
}

/// Walks the document.
pub(super) struct DocumentSeed<'a> {
    pub(super) id: &'a str,
    pub(super) found: &'a RefCell<Found>,
}

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with schema_version, header and groups")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            match &*name {
                "schema_version" => {
                    let version = members.next_value()?;
                    self.found.borrow_mut().version = Some(version);
                    // What a newer version holds is not even looked at.
                    if version > NEWEST_VERSION {
                        return Err(A::Error::custom("newer"));
                    }
                }
                "header" => self.found.borrow_mut().header = Some(members.next_value()?),
                "groups" => members.next_value_seed(GroupsSeed {
                    id: self.id,
                    found: self.found,
                })?,
                "type" => return Err(A::Error::custom("it is JSON Lines; name the .json report")),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct GroupsSeed<'a> {
    id: &'a str,
    found: &'a RefCell<Found>,
}

impl<'de> DeserializeSeed<'de> for GroupsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for GroupsSeed<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of groups")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut groups: A) -> Result<(), A::Error> {
        while let Some(group) = groups.next_element::<ReadGroup>()? {
            self.found.borrow_mut().take(group, self.id);
        }
        Ok(())
    }
}

/// Reads the first records of a group and passes over the others.
pub(super) fn capped<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ReadRecord>, D::Error> {
    struct Capped;

    impl<'de> Visitor<'de> for Capped {
        type Value = Vec<ReadRecord>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list of records")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
            let mut records = Vec::new();
            while records.len() < RECORDS_READ {
                let Some(record) = from.next_element()? else {
                    return Ok(records);
                };
                records.push(record);
            }
            while from.next_element::<IgnoredAny>()?.is_some() {}
            Ok(records)
        }
    }
    from.deserialize_seq(Capped)
}

/// Reads an object's members in their order.
pub(super) fn members<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<(String, Box<RawValue>)>, D::Error> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Box<RawValue>)>;

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
    from.deserialize_map(Members)
}
