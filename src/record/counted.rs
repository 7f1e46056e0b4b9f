//! A count with its noun, for messages.

use std::fmt::Display;

/// Returns a count with its noun, in the plural where needed: `1 record`, `2 records`.
pub fn counted(count: impl Copy + Display + PartialEq + From<u8>, noun: &str) -> String {
    let plural = if count == 1.into() { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!(counted(0_u64, "record"), "0 records");
        assert_eq!(counted(1_i64, "record"), "1 record");
        assert_eq!(counted(2_usize, "record"), "2 records");
    }
}
