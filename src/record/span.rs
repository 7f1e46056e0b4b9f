//! Where bytes lie in a block, in eight bytes.

use std::ops::Range;

/// A range of a block's bytes, or one of the two ways of having none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) start: u32,
    pub(super) length: u32,
}

impl Span {
    /// The source does not record it.
    pub const UNRECORDED: Self = Self {
        start: 0,
        length: u32::MAX,
    };
    /// Null.
    pub const NULL: Self = Self {
        start: 0,
        length: u32::MAX - 1,
    };

    /// Returns the span of `start..end`.
    ///
    /// # Panics
    ///
    /// If the range is past 4 GiB: readers keep their blocks far below that.
    pub fn new(start: usize, end: usize) -> Self {
        let start_short = u32::try_from(start).expect("a block holds less than 4 GiB");
        let length = u32::try_from(end - start).expect("a block holds less than 4 GiB");
        Self {
            start: start_short,
            length,
        }
    }

    /// Returns where the bytes lie in their block, or nothing for null and unrecorded.
    pub fn range(self) -> Option<Range<usize>> {
        if self == Self::UNRECORDED || self == Self::NULL {
            return None;
        }
        let start = usize::try_from(self.start).ok()?;
        Some(start..start + usize::try_from(self.length).ok()?)
    }

    /// Returns the span without its first `count` bytes, which it must have.
    ///
    /// # Panics
    ///
    /// If it has fewer.
    #[must_use]
    pub fn without_first(self, count: u32) -> Self {
        Self {
            start: self.start + count,
            length: self.length.checked_sub(count).expect("it has these bytes"),
        }
    }
}
