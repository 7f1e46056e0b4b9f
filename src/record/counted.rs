//! Counts in sentences for people.

use std::fmt::Display;

/// Returns a count with its noun, in the plural where needed: `1 record`, `2,000 records`.
pub fn counted(count: impl Copy + Display + PartialEq + From<u8>, noun: &str) -> String {
    let plural = if count == 1.into() { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// Returns a whole number with commas between thousands.
pub fn grouped(number: impl Display) -> String {
    let text = number.to_string();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let mut grouped = String::with_capacity(text.len() * 4 / 3 + 1);
    if digits.len() < text.len() {
        grouped.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
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

    #[test]
    fn thousands_have_commas() {
        assert_eq!(counted(1_000_u64, "record"), "1,000 records");
        assert_eq!(grouped(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(grouped(999), "999");
        let shown = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(grouped(-100), "-100");
    }
}
