//! Small integers as Parquet stores levels and places in dictionaries: runs of one value, and
//! runs of packed bits.

use ::parquet::errors::ParquetError;
use bytes::Bytes;

/// The most bits of a place in a dictionary.
const WIDTH_MAX: u8 = 32;
/// Values that are packed together.
const PACKED_TOGETHER: usize = 8;
/// The most values of a run: no page has more.
const RUN_MAX: u64 = 0x7fff_ffff;

/// Integers that are read one behind the other.
#[derive(Debug)]
pub(super) struct Hybrid {
    bytes: Bytes,
    /// Where the next bit is.
    bit: usize,
    width: usize,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Repeated { value: usize, left: usize },
    Packed { left: usize },
}

impl Hybrid {
    /// Starts at the first run of integers of `width` bits.
    pub(super) fn new(bytes: Bytes, width: u8) -> Result<Self, ParquetError> {
        if width > WIDTH_MAX {
            let what = format!("integers of {width} bits, which are too wide");
            return Err(ParquetError::General(what));
        }
        Ok(Self {
            bytes,
            bit: 0,
            width: usize::from(width),
            run: Run::Packed { left: 0 },
        })
    }

    /// Returns the next integer and how often it comes in a row, at most `most` times; nothing at
    /// the end.
    pub(super) fn take(&mut self, most: usize) -> Result<Option<(usize, usize)>, ParquetError> {
        if !self.is_in_run()? {
            return Ok(None);
        }
        match &mut self.run {
            Run::Repeated { value, left } => {
                let count = most.min(*left);
                *left -= count;
                Ok(Some((*value, count)))
            }
            Run::Packed { left } => {
                let left = *left;
                let (value, count) = self.unpack(most.min(left));
                self.bit += count * self.width;
                self.run = Run::Packed { left: left - count };
                Ok(Some((value, count)))
            }
        }
    }

    /// Goes past `count` integers.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), ParquetError> {
        let mut to_skip = count;
        while to_skip > 0 {
            if !self.is_in_run()? {
                return Err(ends_early());
            }
            let (Run::Repeated { left, .. } | Run::Packed { left }) = &mut self.run;
            let skipped = to_skip.min(*left);
            *left -= skipped;
            to_skip -= skipped;
            if matches!(self.run, Run::Packed { .. }) {
                self.bit += skipped * self.width;
            }
        }
        Ok(())
    }

    /// Returns the next packed integer, and of single bits how many follow that are the same.
    fn unpack(&self, most: usize) -> (usize, usize) {
        let window = self.window();
        if self.width == 1 {
            let is_set = window & 1 == 1;
            let others = if is_set { !window } else { window };
            // Seven bits of the window may have been shifted in.
            let same = others.trailing_zeros().min(u64::BITS - 7);
            let same = usize::try_from(same).unwrap_or(1);
            return (usize::from(is_set), same.min(most));
        }
        let value = window & ((1 << self.width) - 1);
        (usize::try_from(value).unwrap_or(usize::MAX), 1)
    }

    /// Returns the next bits, at least 57, as far as there are any.
    fn window(&self) -> u64 {
        let rest = self.bytes.get(self.bit / 8..).unwrap_or_default();
        let window = rest.first_chunk().copied().unwrap_or_else(|| {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            last
        });
        u64::from_le_bytes(window) >> (self.bit % 8)
    }

    /// Returns false at the end.
    fn is_in_run(&mut self) -> Result<bool, ParquetError> {
        loop {
            let (Run::Repeated { left, .. } | Run::Packed { left }) = self.run;
            if left > 0 {
                return Ok(true);
            }
            if !self.start_run()? {
                return Ok(false);
            }
        }
    }

    fn start_run(&mut self) -> Result<bool, ParquetError> {
        // Some writers pad with zeros.
        let Some(head) = self.run_head()?.filter(|head| *head > 0) else {
            return Ok(false);
        };
        let (is_packed, count) = (head & 1 == 1, head >> 1);
        let count = if is_packed { count << 3 } else { count };
        if count > RUN_MAX {
            let what = format!("a run of {count} integers, which is too long");
            return Err(ParquetError::General(what));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.run = if is_packed {
            self.packed_run(count)
        } else {
            let value = self.repeated_value()?;
            Run::Repeated { value, left: count }
        };
        Ok(true)
    }

    /// Some writers leave the end of the last run out.
    fn packed_run(&self, count: usize) -> Run {
        debug_assert!(count.is_multiple_of(PACKED_TOGETHER));
        let bits = (self.bytes.len() * 8).saturating_sub(self.bit);
        let left = bits
            .checked_div(self.width)
            .map_or(count, |there| there.min(count));
        Run::Packed { left }
    }

    fn repeated_value(&mut self) -> Result<usize, ParquetError> {
        let mut value = 0_u64;
        for place in 0..self.width.div_ceil(8) {
            let byte = self.next_byte().ok_or_else(ends_early)?;
            value |= u64::from(byte) << (8 * place);
        }
        if value >> self.width > 0 {
            let what = format!("a value {value} that has more than {} bits", self.width);
            return Err(ParquetError::General(what));
        }
        usize::try_from(value).map_err(|error| ParquetError::General(error.to_string()))
    }

    /// Returns the length and kind of the next run.
    fn run_head(&mut self) -> Result<Option<u64>, ParquetError> {
        self.bit = self.bit.next_multiple_of(8);
        let mut head = 0;
        for shift in (0..35).step_by(7) {
            let Some(byte) = self.next_byte() else {
                return Ok(None);
            };
            head |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(Some(head));
            }
        }
        Err(ParquetError::General("a run without a length".to_owned()))
    }

    /// Takes a byte from a place where one begins.
    fn next_byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.bit / 8).copied();
        self.bit += 8;
        byte
    }
}

/// Returns what is wrong where integers are missing.
pub(super) fn ends_early() -> ParquetError {
    ParquetError::EOF("a page ends before its values do".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &'static [u8], width: u8) -> Vec<usize> {
        let mut integers = Hybrid::new(Bytes::from_static(bytes), width).unwrap();
        let mut all = Vec::new();
        while let Some((value, count)) = integers.take(5).unwrap() {
            all.extend(std::iter::repeat_n(value, count));
        }
        all
    }

    /// Seven times 4, and then 0 to 7 packed.
    const OF_THREE_BITS: &[u8] = &[0x0e, 0x04, 0x03, 0x88, 0xc6, 0xfa];

    #[test]
    fn runs_of_both_kinds_are_read_and_skipped() {
        let expected = [4, 4, 4, 4, 4, 4, 4, 0, 1, 2, 3, 4, 5, 6, 7];
        assert_eq!(all(OF_THREE_BITS, 3), expected);
        for skipped in 0..=expected.len() {
            let mut integers = Hybrid::new(Bytes::from_static(OF_THREE_BITS), 3).unwrap();
            integers.skip(skipped).unwrap();
            let next = integers.take(1).unwrap().map(|(value, _)| value);
            assert_eq!(next, expected.get(skipped).copied());
        }
        let mut integers = Hybrid::new(Bytes::from_static(OF_THREE_BITS), 3).unwrap();
        assert!(integers.skip(16).is_err());
    }

    #[test]
    fn single_bits_that_are_the_same_are_one_run() {
        let mut integers = Hybrid::new(Bytes::from_static(&[0x05, 0xff, 0xf3]), 1).unwrap();
        assert_eq!(integers.take(100).unwrap(), Some((1, 10)));
        assert_eq!(integers.take(100).unwrap(), Some((0, 2)));
        assert_eq!(integers.take(3).unwrap(), Some((1, 3)));
        assert_eq!(integers.take(3).unwrap(), Some((1, 1)));
        assert_eq!(integers.take(3).unwrap(), None);
    }

    #[test]
    fn a_dictionary_of_one_entry_needs_no_bits() {
        assert_eq!(all(&[0x03], 0), [0; 8]);
        assert_eq!(all(&[0x06], 0), [0; 3]);
    }

    #[test]
    fn what_is_cut_off_ends_early_and_what_is_wrong_is_said() {
        assert_eq!(all(&[0x03, 0x88, 0xc6], 3), [0, 1, 2, 3, 4]);
        assert_eq!(all(&[0x00, 0x03], 3), [0; 0]);
        for (bytes, width) in [(&[0x0e][..], 3), (&[0x0e, 0x08], 3), (&[0xff; 6], 3)] {
            let bytes = Bytes::copy_from_slice(bytes);
            let mut integers = Hybrid::new(bytes.clone(), width).unwrap();
            assert!(integers.take(1).is_err(), "{bytes:x?}");
        }
        assert!(Hybrid::new(Bytes::new(), 33).is_err());
    }
}
