//! Keeps silent for as long as a broker asks for, and tells the caller of it.

use std::time::{Duration, Instant};

use kafka_protocol::messages::FetchResponse;

use crate::source::kafka::ClientEvent;

use super::Fetcher;

/// Longest throttling that is waited for at once.
const THROTTLING_MAX: Duration = Duration::from_mins(15);

/// Returns how long the broker wants this client to wait, if at all.
pub(super) fn throttling_of(response: &FetchResponse) -> Option<Duration> {
    let millis = u64::try_from(response.throttle_time_ms).unwrap_or_default();
    (millis > 0).then(|| Duration::from_millis(millis).min(THROTTLING_MAX))
}

impl Fetcher {
    /// Tells that nothing will come of the broker's partitions for a while.
    pub(super) fn tell_throttling(&self, throttling: Option<Duration>) {
        let Some(wait) = throttling else {
            return;
        };
        let mut state = self.shared.lock();
        let indexed = state.partitions.iter().enumerate();
        let partitions = indexed
            .filter(|(_, of)| of.is_reading && of.leader == Some(self.broker))
            .map(|(index, _)| index)
            .collect();
        let event = ClientEvent::Throttled {
            partitions,
            wait,
            text: format!("broker {} throttles this client by its quota", self.broker),
        };
        state.push(event, None, None, 0);
        self.shared.ring();
    }

    /// Waits as long as the broker asks this client to (KIP-219): until then it hears nothing.
    pub(super) fn wait_out(&self, throttling: Option<Duration>) {
        let until = Instant::now() + throttling.unwrap_or_default();
        let mut state = self.shared.lock();
        while !state.is_closed && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            state = self.shared.wait(state, left);
        }
    }
}
