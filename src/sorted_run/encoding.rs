//! Items as bytes to sort or to set aside: one buffer for all, byte strings in one piece.

use serde::Serialize;

/// Encodes one item after the other.
#[derive(Debug, Default)]
pub struct Encoder {
    buffer: Vec<u8>,
}

impl Encoder {
    /// Returns the bytes of an item.
    pub fn encode<T: Serialize>(&mut self, item: &T) -> Result<&[u8], postcard::Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.buffer = postcard::to_extend(item, buffer)?;
        Ok(&self.buffer)
    }
}

/// Encodes a `Vec<u8>` in one piece, which serde by itself takes byte by byte; to be named by
/// `#[serde(with)]`. The bytes are the same.
pub mod byte_string {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    /// Encodes it.
    pub fn serialize<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_bytes(bytes)
    }

    /// Decodes it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_byte_buf(ByteVisitor)
    }

    struct ByteVisitor;

    impl Visitor<'_> for ByteVisitor {
        type Value = Vec<u8>;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("a byte string")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
}

/// As [`byte_string`], where there may be none.
pub mod optional_byte_string {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::byte_string;

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(serialize_with = "byte_string::serialize")] &'a [u8]);

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Owned(#[serde(deserialize_with = "byte_string::deserialize")] Vec<u8>);

    /// Encodes it.
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, out: S) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Borrowed).serialize(out)
    }

    /// Decodes it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let bytes: Option<Owned> = Deserialize::deserialize(from)?;
        Ok(bytes.map(|bytes| bytes.0))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct InPieces(Vec<u8>, Option<Vec<u8>>, u32);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct InOnePiece(
        #[serde(with = "byte_string")] Vec<u8>,
        #[serde(with = "optional_byte_string")] Option<Vec<u8>>,
        u32,
    );

    #[test]
    fn byte_strings_in_one_piece_are_the_same_bytes_and_come_back() {
        let mut encoder = Encoder::default();
        for bytes in [vec![], vec![7], (0..=255).collect::<Vec<u8>>()] {
            for optional in [None, Some(bytes.clone())] {
                let item = InOnePiece(bytes.clone(), optional.clone(), 5);
                let encoded = encoder.encode(&item).unwrap().to_vec();
                let pieces = InPieces(bytes.clone(), optional, 5);
                assert_eq!(encoded, postcard::to_stdvec(&pieces).unwrap());
                assert_eq!(postcard::from_bytes::<InOnePiece>(&encoded).unwrap(), item);
            }
        }
        assert!(postcard::from_bytes::<InOnePiece>(&[9, 1]).is_err());
    }
}
