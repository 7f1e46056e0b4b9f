//! Requests to a real broker that no client of its own would send, byte by byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    AlterClientQuotasRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// A connection to one broker.
pub(crate) struct RawClient {
    stream: TcpStream,
}

impl RawClient {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        Self { stream }
    }

    /// Appends a record batch as it stands, and returns its first offset.
    pub(crate) fn produce(&mut self, topic: &str, partition: i32, batch: Vec<u8>) -> i64 {
        let records = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(batch.into()));
        let data = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partition_data(vec![records]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![data]);
        let response = self.ask(&request, 9);
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        answer.base_offset
    }

    /// Sets how many bytes a second the clients of one name may fetch.
    pub(crate) fn limit_fetches(&mut self, client_id: &str, bytes_per_second: f64) {
        let entity = EntityData::default()
            .with_entity_type(StrBytes::from_static_str("client-id"))
            .with_entity_name(Some(StrBytes::from_string(client_id.to_owned())));
        let rate = OpData::default()
            .with_key(StrBytes::from_static_str("consumer_byte_rate"))
            .with_value(bytes_per_second);
        let entry = EntryData::default()
            .with_entity(vec![entity])
            .with_ops(vec![rate]);
        let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
        let response = self.ask(&request, 1);
        let answer = &response.entries[0];
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
    }

    fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let mut body = BytesMut::new();
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version);
        header
            .encode(&mut body, R::header_version(version))
            .unwrap();
        request.encode(&mut body, version).unwrap();
        let length = u32::try_from(body.len()).unwrap();
        self.stream.write_all(&length.to_be_bytes()).unwrap();
        self.stream.write_all(&body).unwrap();
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix).unwrap();
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(prefix)).unwrap()];
        self.stream.read_exact(&mut frame).unwrap();
        let mut frame = Bytes::from(frame);
        ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
        R::Response::decode(&mut frame, version).unwrap()
    }
}
