//! Hears from the library that brokers keep to a quota.
#![expect(unsafe_code, reason = "librdkafka is a C library")]

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::bindings as c;

/// Throttlings that were heard of and not yet taken: the broker, and for how long.
#[derive(Default)]
pub(super) struct Throttlings(Mutex<Vec<(i32, Duration)>>);

impl Throttlings {
    /// Takes the longest throttling heard of.
    pub(super) fn take(&self) -> Option<(i32, Duration)> {
        let heard = std::mem::take(&mut *self.0.lock().ok()?);
        heard.into_iter().max_by_key(|(_, wait)| *wait)
    }

    /// Has a client that is made of `conf` tell of its throttlings. They are heard of while its
    /// main queue is polled, for as long as the process lives.
    pub(super) fn of(conf: *mut c::rd_kafka_conf_t) -> &'static Self {
        let throttlings: &'static Self = Box::leak(Box::default());
        // SAFETY: the configuration is valid, and what the callback gets is never freed.
        unsafe {
            let opaque = ptr::from_ref(throttlings).cast_mut().cast::<c_void>();
            c::rd_kafka_conf_set_opaque(conf, opaque);
            c::rd_kafka_conf_set_throttle_cb(conf, Some(hear));
        }
        throttlings
    }
}

/// # Safety
/// `opaque` must be what [`Throttlings::of`] has set.
unsafe extern "C" fn hear(
    _client: *mut c::rd_kafka_t,
    _name: *const c_char,
    broker: i32,
    millis: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: the caller's promise; it lives as long as the process.
    let throttlings = unsafe { &*opaque.cast::<Throttlings>() };
    if let (Ok(millis @ 1..), Ok(mut heard)) = (u64::try_from(millis), throttlings.0.lock()) {
        heard.push((broker, Duration::from_millis(millis)));
    }
}
