//! Sends header names that the safe wrapper cannot express.
#![expect(unsafe_code, reason = "librdkafka is a C library")]

use std::ffi::{CString, c_char};
use std::ptr;

use rdkafka::bindings as c;

/// A producer on the C interface.
pub(in super::super) struct Producer(*mut c::rd_kafka_t);

impl Producer {
    pub(in super::super) fn new(brokers: &str) -> Self {
        // SAFETY: the configuration is taken by rd_kafka_new.
        unsafe {
            let conf = c::rd_kafka_conf_new();
            super::set_property(conf, "bootstrap.servers", brokers).unwrap();
            let kind = c::rd_kafka_type_t::RD_KAFKA_PRODUCER;
            let client = c::rd_kafka_new(kind, conf, ptr::null_mut(), 0);
            assert!(!client.is_null());
            Self(client)
        }
    }

    pub(in super::super) fn send(
        &self,
        topic: &str,
        value: &[u8],
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        let topic = CString::new(topic).unwrap();
        // SAFETY: all pointers are valid during the call, which copies what they point to; the
        // list of parts ends as the interface says.
        unsafe {
            let list = c::rd_kafka_headers_new(headers.len());
            for (name, header) in headers {
                let bytes = header.map_or(ptr::null(), <[u8]>::as_ptr);
                let length = isize::try_from(header.map_or(0, <[u8]>::len)).unwrap();
                let name_length = isize::try_from(name.len()).unwrap();
                let name = name.as_ptr().cast::<c_char>();
                c::rd_kafka_header_add(list, name, name_length, bytes.cast(), length);
            }
            let error = c::rd_kafka_producev(
                self.0,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TOPIC,
                topic.as_ptr(),
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value.as_ptr(),
                value.len(),
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                c::RD_KAFKA_MSG_F_COPY,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                list,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            );
            assert_eq!(error, c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
            c::rd_kafka_flush(self.0, 10_000);
        }
    }
}
