//! The part of librdkafka's C interface that reading needs, behind safe calls.
//!
//! The safe wrapper of the `rdkafka` crate drops topic and offset of errors and of the end of a
//! partition, and fails on header names that are no UTF-8; so this file calls C itself.
#![expect(unsafe_code, reason = "librdkafka is a C library")]

mod admin;
mod message;
#[cfg(test)]
pub(super) mod test_producer;
mod throttling;

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::slice;
use std::time::Duration;

use rdkafka::bindings as c;

pub(super) use admin::OffsetQuestion;
pub(super) use message::Message;
use throttling::Throttlings;

/// An error code with its text.
#[derive(Clone, Debug)]
pub(super) struct NativeError {
    pub(super) code: i32,
    pub(super) text: String,
}

/// What comes outside of partitions.
pub(super) enum ClientNotice {
    Error(NativeError),
    Other,
}

/// A topic known to the client; lives as long as the process.
pub(super) struct NativeTopic {
    name: CString,
    handle: *mut c::rd_kafka_topic_t,
}

// SAFETY: librdkafka's topic handles may be used from any thread.
unsafe impl Send for NativeTopic {}

impl NativeTopic {
    /// Stops reading a partition.
    pub(super) fn stop(&self, partition: i32) {
        // SAFETY: the topic is valid; a partition that is not being read is an error only.
        unsafe { c::rd_kafka_consume_stop(self.handle, partition) };
    }

    /// Returns what [`Message::topic_address`] is for records of the topic.
    pub(super) fn address(&self) -> usize {
        self.handle.addr()
    }
}

/// A consumer without group. It is never destroyed: a broker thread that hangs in a damaged
/// batch would keep it from closing for ever, and the process ends soon after.
pub(super) struct NativeClient {
    handle: *mut c::rd_kafka_t,
    main_queue: *mut c::rd_kafka_queue_t,
    record_queue: *mut c::rd_kafka_queue_t,
    throttlings: &'static Throttlings,
}

// SAFETY: librdkafka's client and queue handles may be used from any thread.
unsafe impl Send for NativeClient {}

impl NativeClient {
    pub(super) fn new<'a>(
        properties: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        // SAFETY: no preconditions; the configuration is owned here until rd_kafka_new takes it.
        let conf = unsafe { c::rd_kafka_conf_new() };
        for (name, value) in properties {
            if let Err(problem) = set_property(conf, name, value) {
                // SAFETY: the configuration was not given away yet.
                unsafe { c::rd_kafka_conf_destroy(conf) };
                return Err(problem);
            }
        }
        let throttlings = Throttlings::of(conf);
        let mut text = [0; 512];
        // SAFETY: `conf` is valid and not used after a success; the buffer is as long as told.
        let handle = unsafe {
            c::rd_kafka_conf_set_events(conf, c::RD_KAFKA_EVENT_ERROR);
            let kind = c::rd_kafka_type_t::RD_KAFKA_CONSUMER;
            c::rd_kafka_new(kind, conf, text.as_mut_ptr(), text.len())
        };
        if handle.is_null() {
            // SAFETY: after a failure the configuration is still ours.
            unsafe { c::rd_kafka_conf_destroy(conf) };
            return Err(buffer_text(&text));
        }
        // SAFETY: the client was just made; the queues live as long as it does.
        unsafe {
            let main_queue = c::rd_kafka_queue_get_main(handle);
            c::rd_kafka_set_log_queue(handle, main_queue);
            Ok(Self {
                handle,
                main_queue,
                record_queue: c::rd_kafka_queue_new(handle),
                throttlings,
            })
        }
    }

    /// Returns a handle for a topic, whether it exists or not.
    pub(super) fn topic(&self, name: &str) -> Result<NativeTopic, String> {
        let name = CString::new(name).map_err(|_| "a topic name holds a NUL".to_owned())?;
        // SAFETY: client and name are valid; null takes the default topic configuration.
        let handle = unsafe { c::rd_kafka_topic_new(self.handle, name.as_ptr(), ptr::null_mut()) };
        if handle.is_null() {
            return Err(format!("{} is no topic name", name.to_string_lossy()));
        }
        Ok(NativeTopic { name, handle })
    }

    /// Reads a partition from `offset` on into the record queue; what an earlier read has
    /// queued is dropped by the library.
    pub(super) fn start(&self, topic: &NativeTopic, partition: i32, offset: i64) -> bool {
        // SAFETY: topic and queue are valid for the life of the process.
        let result = unsafe {
            c::rd_kafka_consume_start_queue(topic.handle, partition, offset, self.record_queue)
        };
        result == 0
    }

    /// Takes up to `limit` messages off the record queue, waiting for the first.
    pub(super) fn consume(&self, messages: &mut Vec<Message>, limit: usize, wait: Duration) {
        // The call waits until the array is full, so the wait is for one message only.
        self.take(messages, 1, wait);
        if !messages.is_empty() {
            self.take(messages, limit.saturating_sub(1), Duration::ZERO);
        }
    }

    fn take(&self, messages: &mut Vec<Message>, limit: usize, wait: Duration) {
        let mut pointers = vec![ptr::null_mut(); limit];
        // SAFETY: the array holds as many pointers as told.
        let count = unsafe {
            let to = pointers.as_mut_ptr();
            c::rd_kafka_consume_batch_queue(self.record_queue, millis(wait), to, limit)
        };
        pointers.truncate(usize::try_from(count).unwrap_or(0));
        messages.extend(pointers.into_iter().map(Message));
    }

    /// Takes the longest throttling that the notices taken so far told of, by broker.
    pub(super) fn throttling(&self) -> Option<(i32, Duration)> {
        self.throttlings.take()
    }

    /// Takes one notice that concerns no partition.
    pub(super) fn notice(&self) -> Option<ClientNotice> {
        // SAFETY: the queue is valid; the event is owned and destroyed by its wrapper.
        let event = Event(unsafe { c::rd_kafka_queue_poll(self.main_queue, 0) });
        if event.0.is_null() {
            return None;
        }
        // SAFETY: the event is not null.
        let kind = unsafe { c::rd_kafka_event_type(event.0) };
        if kind != c::RD_KAFKA_EVENT_ERROR {
            return Some(ClientNotice::Other);
        }
        Some(ClientNotice::Error(event.error()))
    }
}

struct Event(*mut c::rd_kafka_event_t);

impl Event {
    fn error(&self) -> NativeError {
        // SAFETY: callers have checked that the event is not null.
        let code = unsafe { c::rd_kafka_event_error(self.0) };
        // SAFETY: the text lives as long as the event.
        let text = unsafe { text_at(c::rd_kafka_event_error_string(self.0)) };
        NativeError {
            code: raw_code(&raw const code),
            text,
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is owned; null is allowed.
        unsafe { c::rd_kafka_event_destroy(self.0) };
    }
}

fn set_property(conf: *mut c::rd_kafka_conf_t, name: &str, value: &str) -> Result<(), String> {
    let has_nul = |_| format!("property {name} holds a NUL");
    let name_text = CString::new(name).map_err(has_nul)?;
    let value_text = CString::new(value).map_err(has_nul)?;
    let mut text = [0; 512];
    // SAFETY: all texts end in NUL, and the buffer is as long as told.
    let result = unsafe {
        let (name, value) = (name_text.as_ptr(), value_text.as_ptr());
        c::rd_kafka_conf_set(conf, name, value, text.as_mut_ptr(), text.len())
    };
    match result {
        c::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
        c::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => {
            Err(format!("there is no property {name}"))
        }
        c::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => {
            Err(format!("property {name}: {}", buffer_text(&text)))
        }
    }
}

/// Reads an error code as what it is in C: a broker may send codes that the enum does not have.
fn raw_code(code: *const c::rd_kafka_resp_err_t) -> i32 {
    // SAFETY: callers pass a pointer to a field or variable; the enum is an i32 in C and here.
    unsafe { code.cast::<i32>().read() }
}

fn native_error(code: i32) -> NativeError {
    let (mut descriptions, mut count) = (ptr::null(), 0);
    // SAFETY: the library returns a table that lives as long as the process.
    let table = unsafe {
        c::rd_kafka_get_err_descs(&raw mut descriptions, &raw mut count);
        elements_of(descriptions.cast_mut(), count)
    };
    let known = table.iter().find(|known| {
        let is_named = !known.desc.is_null();
        is_named && raw_code(&raw const known.code) == code
    });
    let text = match known {
        // SAFETY: texts of the table live as long as the process.
        Some(known) => unsafe { text_at(known.desc) },
        None => format!("error code {code}"),
    };
    NativeError { code, text }
}

/// # Safety
/// `first` must be null or point to `count` elements that live long enough.
unsafe fn elements<'a, T>(first: *mut T, count: c_int) -> &'a [T] {
    // SAFETY: the caller's promise.
    unsafe { elements_of(first, usize::try_from(count).unwrap_or(0)) }
}

/// # Safety
/// As [`elements`].
unsafe fn elements_of<'a, T>(first: *mut T, count: usize) -> &'a [T] {
    if first.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(first, count) }
}

/// # Safety
/// `text` must be null or end in NUL.
unsafe fn text_at(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

fn buffer_text(buffer: &[c_char]) -> String {
    // SAFETY: the library ends texts in NUL within the buffer, which began as zeros.
    unsafe { text_at(buffer.as_ptr()) }
}

fn millis(wait: Duration) -> c_int {
    c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX)
}
