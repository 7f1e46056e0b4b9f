//! What of the findings counts: baselines, thresholds, and who is told.

mod baseline;
