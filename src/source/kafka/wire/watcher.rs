//! The thread that keeps an eye on leaders and topics while partitions are read.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::source::kafka::KafkaError;

use super::control::{ClusterView, Control};
use super::error::WireError;
use super::fetch;
use super::settings::Settings;
use super::state::Shared;

/// Longest wait for the cluster's view of itself while partitions are read.
const VIEW_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the cluster is asked for its view without being told to.
const VIEW_INTERVAL: Duration = Duration::from_secs(30);

/// Starts the thread.
pub(super) fn start(
    settings: &Arc<Settings>,
    shared: &Arc<Shared>,
    topics: Vec<String>,
) -> Result<(), KafkaError> {
    let watcher = Watcher {
        settings: Arc::clone(settings),
        shared: Arc::clone(shared),
        control: Control::new(Arc::clone(settings)),
        topics,
    };
    thread::Builder::new()
        .name("cluster".to_owned())
        .spawn(move || watcher.run())
        .map_err(|error| KafkaError::Internal(format!("no thread: {error}")))?;
    Ok(())
}

/// The thread that keeps an eye on leaders and topics.
struct Watcher {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    control: Control,
    topics: Vec<String>,
}

impl Watcher {
    fn run(mut self) {
        let mut last_view: Option<Instant> = None;
        let mut told: Option<WireError> = None;
        let mut failures = 0;
        loop {
            let mut state = self.shared.lock();
            loop {
                if state.is_closed {
                    return;
                }
                let age = last_view.map(|time| time.elapsed());
                let wait = Duration::from_millis(100) * 2_u32.pow(u32::min(failures, 4));
                let is_due = match age {
                    None => true,
                    Some(age) if state.is_view_wanted => age >= wait,
                    Some(age) => age >= VIEW_INTERVAL,
                };
                if is_due {
                    break;
                }
                state = self.shared.wait(state, wait);
            }
            state.is_view_wanted = false;
            drop(state);
            let deadline = Instant::now() + VIEW_TIMEOUT;
            match self.control.cluster_view(Some(&self.topics), deadline) {
                Ok(view) => {
                    failures = 0;
                    told = None;
                    self.take_view(&view);
                }
                Err(error) => {
                    failures += 1;
                    self.shared.lock().is_view_wanted = true;
                    if told.as_ref() != Some(&error) {
                        self.shared.tell_cluster_fault(error.to_string());
                        told = Some(error);
                    }
                }
            }
            last_view = Some(Instant::now());
        }
    }

    fn take_view(&self, view: &ClusterView) {
        let mut state = self.shared.lock();
        state.take_view(view);
        let reading = state.partitions.iter().filter(|of| of.is_reading);
        let has_leaderless = reading.clone().any(|of| of.leader.is_none());
        let mut leaders: Vec<i32> = reading.filter_map(|of| of.leader).collect();
        state.is_view_wanted |= has_leaderless;
        drop(state);
        leaders.sort_unstable();
        leaders.dedup();
        for leader in leaders {
            fetch::ensure(leader, &self.settings, &self.shared);
        }
        self.shared.ring();
    }
}
