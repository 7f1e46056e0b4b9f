//! One group is looked for in a report; the others are passed over.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::report::read::document::{Part, Parts};
use crate::report::read::{RECORDS_READ, ReadGroup, ReadHeader, ReadRecord};

/// What has been found so far.
#[derive(Debug)]
pub(super) struct Found<'a> {
    id: &'a str,
    pub(super) header: ReadHeader,
    /// The group asked for; of several the first, or the one of exactly this id.
    pub(super) group: Option<ReadGroup>,
    pub(super) is_exact: bool,
    /// Id of another group that begins so.
    pub(super) other: Option<String>,
    pub(super) matching: u64,
}

impl<'a> Found<'a> {
    /// Returns that nothing has been found.
    pub(super) fn new(id: &'a str) -> Self {
        Self {
            id,
            header: ReadHeader::default(),
            group: None,
            is_exact: false,
            other: None,
            matching: 0,
        }
    }

    fn take_group(&mut self, group: ReadGroup) {
        if !group.id.starts_with(self.id) {
            return;
        }
        self.matching += 1;
        let is_exact = group.id == self.id;
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

impl Parts for Found<'_> {
    fn take<'de, D: Deserializer<'de>>(&mut self, part: Part, from: D) -> Result<(), D::Error> {
        match part {
            Part::Header => self.header = ReadHeader::deserialize(from)?,
            Part::Group => self.take_group(ReadGroup::deserialize(from)?),
            Part::Summary | Part::Coverage | Part::Episode => {
                IgnoredAny::deserialize(from)?;
            }
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
