//! Which containers are open: one bit for each level, so that no nesting is too deep.

/// The open containers, innermost on top; true for an object, false for an array.
#[derive(Debug, Default)]
pub(in crate::scan_json) struct BitStack {
    /// The 64 innermost levels or fewer, innermost in the lowest bit.
    top: u64,
    /// Full words below.
    below: Vec<u64>,
    depth: usize,
}

impl BitStack {
    pub(in crate::scan_json) fn clear(&mut self) {
        self.below.clear();
        self.depth = 0;
    }

    #[inline]
    pub(in crate::scan_json) fn push(&mut self, is_object: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(is_object);
        self.depth += 1;
    }

    #[inline]
    pub(in crate::scan_json) fn pop(&mut self) {
        self.depth -= 1;
        self.top >>= 1;
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.top = self.below.pop().unwrap_or_default();
        }
    }

    /// Returns whether the innermost open container is an object; nothing if none is open.
    #[inline]
    pub(in crate::scan_json) fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.top & 1 == 1)
    }

    pub(in crate::scan_json) fn depth(&self) -> usize {
        self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_back_in_reverse_order() {
        let mut stack = BitStack::default();
        for level in 0..300 {
            stack.push(level % 3 == 0);
        }
        for level in (0..300).rev() {
            assert_eq!(stack.innermost(), Some(level % 3 == 0));
            assert_eq!(stack.depth(), level + 1);
            stack.pop();
        }
        assert_eq!(stack.innermost(), None);
    }
}
