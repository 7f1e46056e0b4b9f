//! Where logs start and end while they are read, without waiting for a silent broker over and over.

use std::time::{Duration, Instant};

use crate::source::kafka::ClusterClient;
use crate::source::kafka::KafkaError;
use crate::source::kafka::LogBounds;

/// Longest wait for a partition's bounds while the scan runs.
const BOUNDS_WAIT: Duration = Duration::from_secs(4);

/// How long the answer that bounds cannot be had stands for other partitions too: each of
/// thousands waiting for a silent broker would take hours.
const NO_BOUNDS_STANDS: Duration = Duration::from_secs(5);

/// Remembers for a moment that bounds cannot be had.
#[derive(Default)]
pub(super) struct NoBounds {
    last: Option<(Instant, String)>,
}

impl NoBounds {
    /// Asks for the bounds of one partition, unless another asked in vain just now.
    pub(super) fn ask(
        &mut self,
        client: &mut dyn ClusterClient,
        partition: usize,
    ) -> Result<Result<LogBounds, String>, KafkaError> {
        if let Some((time, text)) = &self.last
            && time.elapsed() < NO_BOUNDS_STANDS
        {
            return Ok(Err(text.clone()));
        }
        let asked = Instant::now();
        let answer = bounds(client, &[partition], BOUNDS_WAIT)?
            .pop()
            .unwrap_or_else(|| Err("the client did not answer".to_owned()));
        // What is answered at once costs nothing to ask again, and may be about one partition.
        let is_slow = asked.elapsed() > BOUNDS_WAIT / 4;
        self.last = answer
            .as_ref()
            .err()
            .filter(|_| is_slow)
            .map(|text| (Instant::now(), text.clone()));
        Ok(answer)
    }
}

/// Returns the bounds of partitions; a cluster that cannot be asked says so for each.
pub(super) fn bounds(
    client: &mut dyn ClusterClient,
    partitions: &[usize],
    wait: Duration,
) -> Result<Vec<Result<LogBounds, String>>, KafkaError> {
    match client.log_bounds(partitions, wait) {
        Err(KafkaError::Cluster(text)) => Ok(vec![Err(text); partitions.len()]),
        answers => answers,
    }
}
