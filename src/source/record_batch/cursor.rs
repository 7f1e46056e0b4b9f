//! Takes big-endian numbers, varints and runs of bytes off the front of a slice.

/// What is left of some bytes; every method returns nothing where too few are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Returns a cursor at the start of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the bytes that are left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns how many bytes are left.
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Takes `length` bytes.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    /// Takes an 8-bit number.
    #[inline]
    pub(super) fn i8(&mut self) -> Option<i8> {
        self.array().map(i8::from_be_bytes)
    }

    /// Takes a 16-bit number.
    pub(super) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// Takes a 32-bit number.
    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// Takes an unsigned 32-bit number.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a 64-bit number.
    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// Takes a zigzag varint of at most 32 bits.
    #[inline]
    pub(super) fn varint(&mut self) -> Option<i32> {
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            let zigzag = i32::from(byte);
            return Some((zigzag >> 1) ^ -(zigzag & 1));
        }
        i32::try_from(self.varlong()?).ok()
    }

    /// Takes a zigzag varint of at most 64 bits.
    #[inline]
    pub(super) fn varlong(&mut self) -> Option<i64> {
        let mut zigzag = 0_u64;
        let mut rest = self.rest;
        for shift in (0..64).step_by(7) {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            let bits = u64::from(byte & 0x7f);
            zigzag |= bits << shift;
            if byte < 0x80 {
                if shift == 63 && bits > 1 {
                    return None;
                }
                self.rest = rest;
                let magnitude = (zigzag >> 1).cast_signed();
                return Some(magnitude ^ -((zigzag & 1).cast_signed()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(number: i64) -> Vec<u8> {
        let mut zigzag = ((number << 1) ^ (number >> 63)).cast_unsigned();
        let mut bytes = Vec::new();
        while zigzag >= 0x80 {
            bytes.push((zigzag & 0x7f).to_le_bytes()[0] | 0x80);
            zigzag >>= 7;
        }
        bytes.push(zigzag.to_le_bytes()[0]);
        bytes
    }

    #[test]
    fn varints_come_back_at_every_width() {
        for number in [0, -1, 63, 64, -64, -65, i64::MAX, i64::MIN, 1 << 40] {
            let bytes = encoded(number);
            let mut cursor = Cursor::new(&bytes);
            assert_eq!(cursor.varlong(), Some(number));
            assert_eq!(cursor.remaining(), 0);
            assert_eq!(Cursor::new(&bytes).varint(), i32::try_from(number).ok());
        }
    }

    #[test]
    fn endless_and_cut_varints_are_refused() {
        assert_eq!(Cursor::new(&[0xff; 12]).varlong(), None);
        assert_eq!(Cursor::new(&[0x80; 3]).varlong(), None);
        assert_eq!(Cursor::new(&[]).varint(), None);
    }
}
