//! The first contact with a cluster: bounded, with the reason where it fails.

use std::time::{Duration, Instant};

use super::LibrdkafkaClient;
use super::codes;
use super::ffi::{ClientNotice, NativeError, NativeTopic};
use crate::source::kafka::KafkaError;
use crate::source::kafka::TopicListing;

/// How long a refused connection may still become one: a broker that starts just now.
const REFUSED_PATIENCE: Duration = Duration::from_secs(3);

/// What the letters `HTTP` are, taken for the length of an answer.
const HTTP_LENGTH: &str = "Invalid response size 1213486160";

/// How librdkafka says that a certificate fails, whatever is wrong with it.
const NOT_VERIFIED: &str = "certificate could not be verified";

/// Pause before metadata is asked for again, and the longest wait for one answer.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_SLICE: Duration = Duration::from_secs(8);

impl LibrdkafkaClient {
    /// Takes in notices and returns the last error among them. That all brokers are down says
    /// less than why, so it does not stand in for an error that came before.
    pub(super) fn take_notices(&mut self) -> Option<NativeError> {
        let mut last = None;
        while let Some(notice) = self.native.notice() {
            if let ClientNotice::Error(error) = notice
                && (error.code != codes::ALL_BROKERS_DOWN || last.is_none())
            {
                last = Some(error);
            }
        }
        if let Some(error) = &last
            && (error.code != codes::ALL_BROKERS_DOWN || self.last_error.is_none())
        {
            self.last_error = Some(error.clone());
        }
        last
    }

    /// Asks for metadata in ever longer slices, so that a refusal is seen when it comes.
    pub(super) fn metadata(
        &mut self,
        topic: Option<&NativeTopic>,
        deadline: Instant,
    ) -> Result<Vec<TopicListing>, KafkaError> {
        let mut slice = Duration::from_millis(500);
        let hopeless_from = Instant::now() + REFUSED_PATIENCE;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            let answer = self.native.metadata(topic, slice.min(rest));
            let notice = self.take_notices();
            let error = match answer {
                Ok(listings) => {
                    let mut partitions = listings.iter().flat_map(|listing| &listing.partitions);
                    let broker = partitions.find_map(|partition| partition.leader);
                    self.some_broker = broker.or(self.some_broker);
                    return Ok(listings);
                }
                Err(error) => error,
            };
            let now = Instant::now();
            let is_final = notice.as_ref().is_some_and(is_refusal) || is_refusal(&error);
            let is_hopeless = self.is_nobody_there() && now >= hopeless_from;
            if is_final || is_hopeless || now >= deadline {
                return Err(self.unreachable(&error));
            }
            // The library may give up at once, again and again.
            std::thread::sleep(RETRY_PAUSE.min(rest));
            slice = (slice * 2).min(LONGEST_SLICE);
        }
    }

    /// Returns whether no broker can be found at the address, as far as was seen.
    fn is_nobody_there(&self) -> bool {
        self.last_error.as_ref().is_some_and(|error| {
            error.code == codes::RESOLVE
                || error.text.contains("Connection refused")
                || error.text.contains(HTTP_LENGTH)
                || is_hung_up(error)
        })
    }

    fn unreachable(&self, error: &NativeError) -> KafkaError {
        let hung_up = "the connection is closed at once; does the port want TLS or a login \
                       (security.protocol=SSL, SASL_PLAINTEXT or SASL_SSL)?";
        let not_verified = "the broker's certificate could not be verified: it has expired, is for \
                            another name, or is not of an authority in ssl.ca.location; the \
                            reader wire says which";
        let reason = match &self.last_error {
            Some(last) if last.text.contains(HTTP_LENGTH) => {
                "it answers in HTTP; is it the port of a web server?"
            }
            Some(last) if is_hung_up(last) => hung_up,
            Some(last) if last.text.contains(NOT_VERIFIED) => not_verified,
            Some(last) => last.text.trim(),
            None if error.code == codes::TIMED_OUT => {
                "no answer to a metadata request; is it a Kafka broker's port?"
            }
            None => error.text.trim(),
        };
        KafkaError::Cluster(format!("cannot read from {}: {reason}", self.brokers))
    }
}

/// Returns whether the other side closes connections before it answers anything.
fn is_hung_up(error: &NativeError) -> bool {
    let is_cut = |text: &&str| error.text.contains(*text);
    error.code == codes::ALL_BROKERS_DOWN || ["Broken pipe", "Disconnected"].iter().any(is_cut)
}

/// Returns whether waiting will not help.
fn is_refusal(error: &NativeError) -> bool {
    matches!(
        error.code,
        codes::AUTHENTICATION | codes::SASL_AUTHENTICATION_FAILED | codes::SSL
    )
}
