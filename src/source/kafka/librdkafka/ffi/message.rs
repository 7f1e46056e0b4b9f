//! One message of the record queue: a record, an end or an error.
#![expect(unsafe_code, reason = "librdkafka is a C library")]

use std::ffi::{CStr, c_void};
use std::{ptr, slice};

use rdkafka::bindings as c;

use super::{raw_code, text_at};
use crate::record::{Header, TimestampType, push_header};

/// One message of the record queue: a record, an end or an error.
pub(in super::super) struct Message(pub(super) *mut c::rd_kafka_message_t);

// SAFETY: a message is owned by whoever took it, on any thread.
unsafe impl Send for Message {}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: the message is owned and destroyed once.
        unsafe { c::rd_kafka_message_destroy(self.0) };
    }
}

impl Message {
    fn native(&self) -> &c::rd_kafka_message_t {
        // SAFETY: the pointer is valid until drop. The error field is never read through this
        // reference but as an integer: a broker may send codes that the enum does not have.
        unsafe { &*self.0 }
    }

    pub(in super::super) fn code(&self) -> i32 {
        // SAFETY: the pointer is valid until drop.
        raw_code(unsafe { &raw const (*self.0).err })
    }

    /// Returns what tells topics apart; 0 where the message is about none.
    pub(in super::super) fn topic_address(&self) -> usize {
        self.native().rkt.addr()
    }

    pub(in super::super) fn partition(&self) -> i32 {
        self.native().partition
    }

    pub(in super::super) fn offset(&self) -> i64 {
        self.native().offset
    }

    pub(in super::super) fn error_text(&self) -> String {
        // SAFETY: the message is valid; the text lives as long as it does.
        unsafe { text_at(c::rd_kafka_message_errstr(self.0)) }
    }

    pub(in super::super) fn key(&self) -> Option<&[u8]> {
        bytes_at(self.native().key, self.native().key_len)
    }

    pub(in super::super) fn value(&self) -> Option<&[u8]> {
        bytes_at(self.native().payload, self.native().len)
    }

    /// Returns the timestamp in milliseconds, where the record has one.
    pub(in super::super) fn timestamp(&self) -> Option<(i64, TimestampType)> {
        use c::rd_kafka_timestamp_type_t as Kind;
        let mut kind = Kind::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid, and `kind` outlives the call.
        let millis = unsafe { c::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        match kind {
            Kind::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => None,
            Kind::RD_KAFKA_TIMESTAMP_CREATE_TIME => Some((millis, TimestampType::CreateTime)),
            Kind::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => {
                Some((millis, TimestampType::LogAppendTime))
            }
        }
    }

    /// Appends the headers; returns false where they cannot be taken apart.
    pub(in super::super) fn push_headers(&self, encoded: &mut Vec<u8>) -> bool {
        use c::rd_kafka_resp_err_t as Code;
        let mut headers = ptr::null_mut();
        // SAFETY: the message is valid and owns the headers.
        let error = unsafe { c::rd_kafka_message_headers(self.0, &raw mut headers) };
        if error == Code::RD_KAFKA_RESP_ERR__NOENT {
            return true;
        }
        if error != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            return false;
        }
        for index in 0.. {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: headers are valid while the message is; the name ends in NUL, and value
            // and length belong together.
            let header = unsafe {
                let (name_at, value_at) = (&raw mut name, &raw mut value);
                let to = &raw mut length;
                let error = c::rd_kafka_header_get_all(headers, index, name_at, value_at, to);
                if error != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                    break;
                }
                Header {
                    name: CStr::from_ptr(name).to_bytes(),
                    value: bytes_at(value.cast_mut(), length),
                }
            };
            push_header(encoded, header);
        }
        true
    }
}

fn bytes_at<'a>(first: *mut c_void, length: usize) -> Option<&'a [u8]> {
    if first.is_null() {
        return None;
    }
    // SAFETY: pointer and length come from one message, which the caller keeps borrowed.
    Some(unsafe { slice::from_raw_parts(first.cast(), length) })
}
