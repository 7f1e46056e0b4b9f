//! What answers look like, to check counts and lengths against the bytes that are there before
//! anything is allocated for them.

/// One part of an answer.
pub(in crate::source::kafka::wire) enum Part {
    /// So many bytes.
    Fixed(usize),
    /// A text or null, with a length of 16 bits where the version is not flexible.
    Text,
    /// Bytes or null, with a length of 32 bits where the version is not flexible.
    Bytes,
    /// Items of so many bytes each.
    Items(usize),
    /// Structures.
    Structures(&'static [Field]),
}

/// A part, and the versions that have it.
pub(in crate::source::kafka::wire) struct Field {
    part: Part,
    from: i16,
    to: i16,
}

/// An answer, and the first version that is flexible: compact lengths, tags behind structures.
pub(in crate::source::kafka::wire) struct Shape {
    pub(super) flexible_from: i16,
    pub(super) has_flexible_header: bool,
    pub(super) fields: &'static [Field],
    /// What the answer itself carries behind its tag 0.
    pub(super) tag_0: Option<Field>,
}

const fn always(part: Part) -> Field {
    since(0, part)
}

const fn since(from: i16, part: Part) -> Field {
    Field {
        part,
        from,
        to: i16::MAX,
    }
}

const fn between(from: i16, to: i16, part: Part) -> Field {
    Field { part, from, to }
}

/// The answer to a fetch, up to version 16.
pub(super) const FETCH: Shape = Shape {
    flexible_from: 12,
    has_flexible_header: true,
    fields: &[
        always(Part::Fixed(4)),
        since(7, Part::Fixed(2 + 4)),
        always(Part::Structures(&[
            between(0, 12, Part::Text),
            since(13, Part::Fixed(16)),
            always(Part::Structures(&[
                always(Part::Fixed(4 + 2 + 8 + 8)),
                since(5, Part::Fixed(8)),
                always(Part::Structures(&[always(Part::Fixed(16))])),
                since(11, Part::Fixed(4)),
                always(Part::Bytes),
            ])),
        ])),
    ],
    // The addresses of new leaders.
    tag_0: Some(since(
        16,
        Part::Structures(&[
            always(Part::Fixed(4)),
            always(Part::Text),
            always(Part::Fixed(4)),
            always(Part::Text),
        ]),
    )),
};

/// The answer to a question for offsets, from version 2 on.
pub(super) const LIST_OFFSETS: Shape = Shape {
    flexible_from: 6,
    has_flexible_header: true,
    fields: &[
        always(Part::Fixed(4)),
        always(Part::Structures(&[
            always(Part::Text),
            always(Part::Structures(&[
                always(Part::Fixed(4 + 2 + 8 + 8)),
                since(4, Part::Fixed(4)),
            ])),
        ])),
    ],
    tag_0: None,
};

/// The answer to a question for metadata, from version 4 on.
pub(super) const METADATA: Shape = Shape {
    flexible_from: 9,
    has_flexible_header: true,
    fields: &[
        always(Part::Fixed(4)),
        always(Part::Structures(&[
            always(Part::Fixed(4)),
            always(Part::Text),
            always(Part::Fixed(4)),
            always(Part::Text),
        ])),
        always(Part::Text),
        always(Part::Fixed(4)),
        always(Part::Structures(&[
            always(Part::Fixed(2)),
            always(Part::Text),
            since(10, Part::Fixed(16)),
            always(Part::Fixed(1)),
            always(Part::Structures(&[
                always(Part::Fixed(2 + 4 + 4)),
                since(7, Part::Fixed(4)),
                always(Part::Items(4)),
                always(Part::Items(4)),
                since(5, Part::Items(4)),
            ])),
            since(8, Part::Fixed(4)),
        ])),
        between(8, 10, Part::Fixed(4)),
    ],
    tag_0: None,
};

/// The answer to a question for the sizes of logs, from version 1 on.
pub(super) const DESCRIBE_LOG_DIRS: Shape = Shape {
    flexible_from: 2,
    has_flexible_header: true,
    fields: &[
        always(Part::Fixed(4)),
        since(3, Part::Fixed(2)),
        always(Part::Structures(&[
            always(Part::Fixed(2)),
            always(Part::Text),
            always(Part::Structures(&[
                always(Part::Text),
                always(Part::Structures(&[always(Part::Fixed(4 + 8 + 8 + 1))])),
            ])),
            since(4, Part::Fixed(8 + 8)),
        ])),
    ],
    tag_0: None,
};

/// The answer to a question for versions, of version 0.
pub(super) const API_VERSIONS: Shape = Shape {
    flexible_from: 3,
    has_flexible_header: false,
    fields: &[always(Part::Fixed(2)), always(Part::Items(6))],
    tag_0: None,
};

/// The answer to the choice of a mechanism.
pub(super) const SASL_HANDSHAKE: Shape = Shape {
    flexible_from: i16::MAX,
    has_flexible_header: true,
    fields: &[
        always(Part::Fixed(2)),
        always(Part::Structures(&[always(Part::Text)])),
    ],
    tag_0: None,
};

/// The answer to one message of a login.
pub(super) const SASL_AUTHENTICATE: Shape = Shape {
    flexible_from: 2,
    has_flexible_header: true,
    fields: &[
        always(Part::Fixed(2)),
        always(Part::Text),
        always(Part::Bytes),
        since(1, Part::Fixed(8)),
    ],
    tag_0: None,
};

impl Shape {
    /// Returns whether `answer`, header included, has this shape.
    pub(super) fn is_met(&self, answer: &[u8], version: i16) -> bool {
        let mut walk = Walk {
            rest: answer,
            version,
            is_flexible: version >= self.flexible_from,
        };
        let header = walk.take(4).and_then(|_| {
            if self.has_flexible_header {
                walk.tags(None)
            } else {
                Some(())
            }
        });
        header
            .and_then(|()| walk.fields(self.fields))
            .and_then(|()| walk.tags(self.tag_0.as_ref()))
            .is_some()
    }
}

/// A walk over an answer; every step is nothing where the bytes do not suffice.
struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    is_flexible: bool,
}

impl<'a> Walk<'a> {
    fn structure(&mut self, fields: &[Field]) -> Option<()> {
        self.fields(fields)?;
        self.tags(None)
    }

    fn fields(&mut self, fields: &[Field]) -> Option<()> {
        for field in fields {
            if (field.from..=field.to).contains(&self.version) {
                self.part(&field.part)?;
            }
        }
        Some(())
    }

    fn part(&mut self, part: &Part) -> Option<()> {
        match part {
            Part::Fixed(bytes) => drop(self.take(*bytes)?),
            Part::Text => {
                let length = self.length(2)?;
                self.take(length)?;
            }
            Part::Bytes => {
                let length = self.length(4)?;
                self.take(length)?;
            }
            Part::Items(bytes) => {
                let count = self.length(4)?;
                self.take(count.checked_mul(*bytes)?)?;
            }
            Part::Structures(fields) => {
                let count = self.length(4)?;
                for _ in 0..count {
                    self.structure(fields)?;
                }
            }
        }
        Some(())
    }

    /// Walks over tags; what a known one carries is walked over like any other part.
    fn tags(&mut self, tag_0: Option<&Field>) -> Option<()> {
        if !self.is_flexible {
            return Some(());
        }
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let length = usize::try_from(self.varint()?).ok()?;
            let content = self.take(length)?;
            let known = tag_0.filter(|field| tag == 0 && self.version >= field.from);
            if let Some(field) = known {
                let mut inside = Walk {
                    rest: content,
                    ..*self
                };
                inside.part(&field.part)?;
            }
        }
        Some(())
    }

    /// Takes a length or count; that of null is 0. None is larger than what is left.
    fn length(&mut self, bytes: usize) -> Option<usize> {
        let length = if self.is_flexible {
            i64::from(self.varint()?) - 1
        } else if bytes == 2 {
            i64::from(i16::from_be_bytes(*self.take(2)?.first_chunk()?))
        } else {
            i64::from(i32::from_be_bytes(*self.take(4)?.first_chunk()?))
        };
        let length = usize::try_from(length.max(0)).ok()?;
        (length <= self.rest.len()).then_some(length)
    }

    fn varint(&mut self) -> Option<u32> {
        let mut number = 0_u64;
        for shift in (0..35).step_by(7) {
            let &byte = self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(number).ok();
            }
        }
        None
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::messages::describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
    };
    use kafka_protocol::messages::fetch_response::{
        AbortedTransaction, EpochEndOffset, FetchableTopicResponse, NodeEndpoint, PartitionData,
    };
    use kafka_protocol::messages::list_offsets_response::{
        ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
    };
    use kafka_protocol::messages::metadata_response::{
        MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };
    use kafka_protocol::messages::{
        DescribeLogDirsResponse, FetchResponse, ListOffsetsResponse, MetadataResponse,
        ResponseHeader, SaslAuthenticateResponse, SaslHandshakeResponse, TopicName,
    };
    use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

    use super::*;

    fn encoded<R: Encodable + HeaderVersion>(answer: &R, version: i16) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        let header = ResponseHeader::default();
        header
            .encode(&mut bytes, R::header_version(version))
            .unwrap();
        answer.encode(&mut bytes, version).unwrap();
        bytes.to_vec()
    }

    /// Checks a shape against what the library writes, and that the library never meets a count
    /// or a length that the bytes do not bear out.
    fn check<R: Encodable + Decodable + HeaderVersion>(shape: &Shape, answer: &R, version: i16) {
        let bytes = encoded(answer, version);
        assert!(shape.is_met(&bytes, version), "version {version}");
        for end in 0..bytes.len() {
            assert!(!shape.is_met(&bytes[..end], version), "{version} {end}");
        }
        for at in 4..bytes.len() {
            for byte in [0, 0x7f, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] = byte;
                if shape.is_met(&flipped, version) {
                    let mut rest = bytes::Bytes::from(flipped);
                    drop(ResponseHeader::decode(
                        &mut rest,
                        R::header_version(version),
                    ));
                    drop(R::decode(&mut rest, version));
                }
            }
        }
    }

    fn name() -> TopicName {
        TopicName(StrBytes::from_static_str("orders"))
    }

    #[test]
    fn answers_to_fetches_have_their_shape_in_every_version() {
        for version in 4..=16 {
            let aborted = AbortedTransaction::default().with_first_offset(3);
            let mut data = PartitionData::default()
                .with_records(Some(vec![1, 2, 3].into()))
                .with_aborted_transactions(Some(vec![aborted]));
            if version >= 12 {
                data.diverging_epoch = EpochEndOffset::default().with_epoch(3).with_end_offset(9);
            }
            let mut topic = FetchableTopicResponse::default().with_partitions(vec![data; 2]);
            if version < 13 {
                topic.topic = name();
            }
            let mut answer = FetchResponse::default().with_responses(vec![topic; 2]);
            if version >= 16 {
                let leader = NodeEndpoint::default().with_host(StrBytes::from_static_str("host"));
                answer.node_endpoints = vec![leader; 2];
            }
            check(&FETCH, &answer, version);
        }
    }

    #[test]
    fn answers_about_offsets_and_metadata_have_their_shape_in_every_version() {
        for version in 2..=7 {
            let topic = ListOffsetsTopicResponse::default()
                .with_name(name())
                .with_partitions(vec![ListOffsetsPartitionResponse::default(); 2]);
            let answer = ListOffsetsResponse::default().with_topics(vec![topic; 2]);
            check(&LIST_OFFSETS, &answer, version);
        }
        for version in 4..=12 {
            let broker = MetadataResponseBroker::default()
                .with_host(StrBytes::from_static_str("host"))
                .with_rack(Some(StrBytes::from_static_str("rack")));
            let partition = MetadataResponsePartition::default()
                .with_replica_nodes(vec![1.into(), 2.into()])
                .with_isr_nodes(vec![1.into()]);
            let topic = MetadataResponseTopic::default()
                .with_name(Some(name()))
                .with_partitions(vec![partition; 2]);
            let answer = MetadataResponse::default()
                .with_brokers(vec![broker; 2])
                .with_topics(vec![topic; 2]);
            check(&METADATA, &answer, version);
        }
    }

    #[test]
    fn answers_about_sizes_have_their_shape_in_every_version() {
        for version in 1..=4 {
            let topic = DescribeLogDirsTopic::default()
                .with_name(name())
                .with_partitions(vec![DescribeLogDirsPartition::default(); 2]);
            let folder = DescribeLogDirsResult::default()
                .with_log_dir(StrBytes::from_static_str("/logs"))
                .with_topics(vec![topic; 2]);
            let answer = DescribeLogDirsResponse::default().with_results(vec![folder; 2]);
            check(&DESCRIBE_LOG_DIRS, &answer, version);
        }
    }

    #[test]
    fn answers_to_logins_have_their_shape_in_every_version() {
        let mechanism = StrBytes::from_static_str("PLAIN");
        let answer = SaslHandshakeResponse::default().with_mechanisms(vec![mechanism; 2]);
        check(&SASL_HANDSHAKE, &answer, 1);
        for version in 0..=2 {
            let answer = SaslAuthenticateResponse::default()
                .with_error_message(Some(StrBytes::from_static_str("no")))
                .with_auth_bytes(vec![1, 2, 3].into());
            check(&SASL_AUTHENTICATE, &answer, version);
        }
    }

    #[test]
    fn a_count_that_the_bytes_do_not_bear_out_is_refused() {
        let mut bytes = vec![0; 14];
        bytes.extend([0x7f, 0xff, 0xff, 0xff]);
        bytes.extend([0; 60]);
        assert!(!FETCH.is_met(&bytes, 11));
        assert!(!LIST_OFFSETS.is_met(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7], 7));
    }
}
