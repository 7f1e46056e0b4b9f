//! How much memory the index may use.

/// The least that an audit takes: below it, buffers alone would not fit.
pub const MEMORY_MIN_BYTES: u64 = 16 << 20;

/// Memory to stay within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    bytes: u64,
}

impl MemoryBudget {
    /// Returns a budget of so many bytes.
    pub fn from_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Returns `numerator / denominator` of the budget.
    pub(super) fn share(self, numerator: u64, denominator: u64) -> usize {
        let bytes = u128::from(self.bytes) * u128::from(numerator) / u128::from(denominator.max(1));
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_does_not_overflow() {
        let budget = MemoryBudget::from_bytes(u64::MAX);
        assert_eq!(budget.share(1, 1), usize::MAX);
        assert_eq!(MemoryBudget::from_bytes(1 << 20).share(3, 4), 3 << 18);
        assert_eq!(MemoryBudget::from_bytes(7).share(1, 0), 7);
    }
}
