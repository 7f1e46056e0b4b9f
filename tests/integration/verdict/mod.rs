//! What of the findings counts: baselines, thresholds, and who is told.

mod alerts;
mod baseline;
mod metrics;
mod notify;

/// A log of charges: 1 and 2 came twice.
const LOG: &str = "\
{\"charge_id\":\"ch_1\",\"amount\":\"1.50\",\"currency\":\"USD\"}
{\"charge_id\":\"ch_2\",\"amount\":\"7.00\",\"currency\":\"EUR\"}
{\"charge_id\":\"ch_1\",\"amount\":\"1.50\",\"currency\":\"USD\"}
{\"charge_id\":\"ch_2\",\"amount\":\"7.00\",\"currency\":\"EUR\"}
";
