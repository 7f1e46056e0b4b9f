//! Error codes as integers: librdkafka's own are negative, Kafka's positive.

pub(super) const BAD_MSG: i32 = -199;
pub(super) const BAD_COMPRESSION: i32 = -198;
pub(super) const RESOLVE: i32 = -193;
pub(super) const PARTITION_EOF: i32 = -191;
pub(super) const UNKNOWN_TOPIC: i32 = -188;
pub(super) const ALL_BROKERS_DOWN: i32 = -187;
pub(super) const TIMED_OUT: i32 = -185;
pub(super) const SSL: i32 = -181;
pub(super) const NOT_IMPLEMENTED: i32 = -170;
pub(super) const AUTHENTICATION: i32 = -169;
pub(super) const AUTO_OFFSET_RESET: i32 = -140;
pub(super) const LOG_TRUNCATION: i32 = -139;
pub(super) const OFFSET_OUT_OF_RANGE: i32 = 1;
pub(super) const INVALID_MSG: i32 = 2;
pub(super) const UNKNOWN_TOPIC_OR_PART: i32 = 3;
pub(super) const LEADER_NOT_AVAILABLE: i32 = 5;
pub(super) const MSG_SIZE_TOO_LARGE: i32 = 10;
pub(super) const TOPIC_AUTHORIZATION_FAILED: i32 = 29;
pub(super) const SASL_AUTHENTICATION_FAILED: i32 = 58;
