//! The requests that this reader makes, each with its answer: none of them changes anything.

use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest,
    MetadataResponse, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message};

use super::shape::{self, Shape};

/// A request with its number in the protocol and its answer.
pub(in crate::source::kafka::wire) trait Ask:
    Message + Encodable + HeaderVersion
{
    /// Number of the request in the protocol.
    const KEY: i16;
    /// What is answered.
    type Answer: Decodable + HeaderVersion;
    /// What the answer looks like.
    const SHAPE: &'static Shape;
}

impl Ask for FetchRequest {
    const KEY: i16 = 1;
    type Answer = FetchResponse;
    const SHAPE: &'static Shape = &shape::FETCH;
}

impl Ask for ListOffsetsRequest {
    const KEY: i16 = 2;
    type Answer = ListOffsetsResponse;
    const SHAPE: &'static Shape = &shape::LIST_OFFSETS;
}

impl Ask for MetadataRequest {
    const KEY: i16 = 3;
    type Answer = MetadataResponse;
    const SHAPE: &'static Shape = &shape::METADATA;
}

impl Ask for SaslHandshakeRequest {
    const KEY: i16 = 17;
    type Answer = SaslHandshakeResponse;
    const SHAPE: &'static Shape = &shape::SASL_HANDSHAKE;
}

impl Ask for ApiVersionsRequest {
    const KEY: i16 = 18;
    type Answer = ApiVersionsResponse;
    const SHAPE: &'static Shape = &shape::API_VERSIONS;
}

impl Ask for DescribeLogDirsRequest {
    const KEY: i16 = 35;
    type Answer = DescribeLogDirsResponse;
    const SHAPE: &'static Shape = &shape::DESCRIBE_LOG_DIRS;
}

impl Ask for SaslAuthenticateRequest {
    const KEY: i16 = 36;
    type Answer = SaslAuthenticateResponse;
    const SHAPE: &'static Shape = &shape::SASL_AUTHENTICATE;
}
