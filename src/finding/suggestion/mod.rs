//! Which fields look like identities, and why.

/// What a sample of records says about their fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestion {
    /// Records that were looked at.
    pub records: u64,
    /// Records that have nothing that could be looked into.
    pub undecodable: u64,
    /// Most records that were looked at; none where all were.
    pub sample: Option<u64>,
    /// Whether every source was read to its end.
    pub is_whole: bool,
    /// Whether it ended before the sample was full: memory was, or somebody stopped it.
    pub is_cut_short: bool,
    /// Dedup keys, the best first.
    pub candidates: Vec<KeyCandidate>,
    /// The field of the amount.
    pub amount: Option<String>,
    /// Whether the amount counts cents and the like.
    pub is_amount_minor: bool,
    /// The field of the currency.
    pub currency: Option<String>,
    /// The field of who is hit.
    pub subject: Option<String>,
    /// The field of the time, where records have none of their own.
    pub timestamp: Option<String>,
    /// What to beware of.
    pub warnings: Vec<String>,
    /// Every field, in the order in which it was met.
    pub fields: Vec<FieldFinding>,
}

/// A dedup key that is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCandidate {
    /// The preset that knows it, if one does.
    pub preset: Option<&'static str>,
    /// Its fields, as typed after `--by`.
    pub fields: Vec<String>,
    /// What speaks for it, and against it, in words.
    pub reasons: Vec<String>,
    /// Records that have it.
    pub present: u64,
    /// Different ones.
    pub distinct: u64,
}

/// One field of the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFinding {
    /// Its path, as typed after `--by`.
    pub path: String,
    /// What its values are, in a word.
    pub kind: &'static str,
    /// Records that have it, and not as null.
    pub present: u64,
    /// Different values.
    pub distinct: u64,
    /// How records with the same value look beside each other.
    pub repeats: RepeatLook,
}

/// How the records look that repeat a value: each beside the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepeatLook {
    /// Records that repeat a value.
    pub records: u64,
    /// Whose key and value are the same bytes.
    pub identical: u64,
    /// That agree in all but times, counters and ids made anew.
    pub alike: u64,
    /// Within 15 minutes; none where there are no timestamps.
    pub close: Option<u64>,
    /// In the same partition; none where there are no partitions.
    pub same_partition: Option<u64>,
    /// At most ten records of the same source further on.
    pub adjacent: u64,
}
