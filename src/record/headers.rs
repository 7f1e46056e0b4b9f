//! Record headers: an ordered list; names repeat, values may be null, both are any bytes.

/// One record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Name, as bytes: Kafka does not promise UTF-8.
    pub name: &'a [u8],
    /// Value; null is not empty.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record, encoded as in a Kafka record of magic 2 without the leading count:
/// zigzag varint length and bytes of the name, zigzag varint length (−1 is null) and bytes of
/// the value, repeated to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    encoded: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Returns a view of headers encoded as the type says.
    pub fn from_encoded(encoded: &'a [u8]) -> Self {
        Self { encoded }
    }

    /// Returns the encoded bytes; equal bytes are equal headers.
    pub fn encoded(&self) -> &'a [u8] {
        self.encoded
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    /// Returns the next header; ends early where the encoding is damaged.
    fn next(&mut self) -> Option<Header<'a>> {
        let name_length = usize::try_from(take_varint(&mut self.encoded)?).ok()?;
        let name = take(&mut self.encoded, name_length)?;
        let value = match usize::try_from(take_varint(&mut self.encoded)?) {
            Ok(length) => Some(take(&mut self.encoded, length)?),
            Err(_) => None,
        };
        Some(Header { name, value })
    }
}

/// Appends one header to `encoded`, in the encoding of [`Headers`].
pub fn push_header(encoded: &mut Vec<u8>, header: Header<'_>) {
    push_length(encoded, Some(header.name.len()));
    encoded.extend_from_slice(header.name);
    push_length(encoded, header.value.map(<[u8]>::len));
    encoded.extend_from_slice(header.value.unwrap_or_default());
}

fn push_length(encoded: &mut Vec<u8>, length: Option<usize>) {
    let mut zigzag = match length {
        Some(length) => u64::try_from(length).unwrap_or(u64::MAX >> 1) << 1,
        None => 1,
    };
    while zigzag >= 0x80 {
        encoded.push(u8::try_from(zigzag & 0x7f).unwrap_or_default() | 0x80);
        zigzag >>= 7;
    }
    encoded.push(u8::try_from(zigzag).unwrap_or_default());
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut zigzag = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        zigzag |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let magnitude = i64::try_from(zigzag >> 1).ok()?;
            return Some(if zigzag & 1 == 0 {
                magnitude
            } else {
                -magnitude - 1
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_nulls_and_any_bytes_come_back_in_order() {
        let long = vec![7_u8; 300];
        let headers = [
            Header {
                name: b"h",
                value: Some(b"1"),
            },
            Header {
                name: b"h",
                value: None,
            },
            Header {
                name: b"\xff\x00",
                value: Some(b""),
            },
            Header {
                name: b"",
                value: Some(&long),
            },
        ];
        let mut encoded = Vec::new();
        for header in headers {
            push_header(&mut encoded, header);
        }
        assert_eq!(Headers::from_encoded(&encoded).collect::<Vec<_>>(), headers);
    }

    #[test]
    fn damaged_bytes_end_the_list() {
        assert_eq!(Headers::from_encoded(&[0x80; 12]).next(), None);
        assert_eq!(Headers::from_encoded(&[10, b'a']).next(), None);
    }
}
