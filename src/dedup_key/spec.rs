//! The dedup key as asked for: fields, normalisers, and how they are typed.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::record::{FieldPath, FieldPathError};

/// A named pure step applied to a field before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalizer {
    /// White space at both ends goes.
    Trim,
    /// Letters become lower case.
    Lower,
    /// A number or boolean becomes its text.
    Text,
    /// A text that is a number becomes one.
    Number,
}

impl Normalizer {
    /// Every normaliser, in the order in which help and messages list them.
    pub const ALL: [Self; 4] = [Self::Trim, Self::Lower, Self::Text, Self::Number];

    /// Returns the name as typed after the bar.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Lower => "lower",
            Self::Text => "text",
            Self::Number => "number",
        }
    }

    /// Parses a name as typed after the bar.
    pub fn parse(name: &str) -> Result<Self, KeyFieldError> {
        Self::ALL
            .into_iter()
            .find(|normalizer| normalizer.name() == name)
            .ok_or_else(|| KeyFieldError::Normalizer(name.to_owned()))
    }
}

/// One field of the dedup key, such as `value.email|trim|lower`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyField {
    /// Where the field is.
    pub path: FieldPath,
    /// What is done to it, in order.
    pub normalizers: Vec<Normalizer>,
}

impl KeyField {
    /// Parses one field: a path, then normalisers after bars.
    pub fn parse(text: &str) -> Result<Self, KeyFieldError> {
        let mut parts = split_unquoted(text, '|').into_iter().map(str::trim);
        let path = FieldPath::parse(parts.next().unwrap_or_default())?;
        let normalizers = parts.map(Normalizer::parse).collect::<Result<_, _>>()?;
        Ok(Self { path, normalizers })
    }

    /// Parses a comma-separated list of fields; commas inside double quotes belong to a name.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, KeyFieldError> {
        split_list(text).into_iter().map(Self::parse).collect()
    }
}

impl FromStr for KeyField {
    type Err = KeyFieldError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for KeyField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.path)?;
        self.normalizers
            .iter()
            .try_for_each(|normalizer| write!(out, "|{}", normalizer.name()))
    }
}

/// Why a text is no field of a dedup key.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyFieldError {
    /// The path is wrong.
    #[error(transparent)]
    Path(#[from] FieldPathError),
    /// There is no such normaliser.
    #[error("`{0}` is no normaliser; there are trim, lower, text and number")]
    Normalizer(String),
}

/// What to do with records that lack a part of the dedup key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingPolicy {
    /// They are counted and never grouped.
    #[default]
    Skip,
    /// Null and missing are equal to each other.
    Group,
}

/// The dedup key as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DedupKeySpec {
    /// The fields, in the order of `--by`.
    pub fields: Vec<KeyField>,
    /// Paths inside the value that do not count when the whole value is compared.
    pub ignore: Vec<FieldPath>,
    /// Records that lack a part.
    pub missing: MissingPolicy,
}

/// Splits a list at commas outside double quotes; white space around the parts goes.
pub fn split_list(text: &str) -> Vec<&str> {
    split_unquoted(text, ',')
        .into_iter()
        .map(str::trim)
        .collect()
}

fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn normalisers_follow_the_path_after_bars() {
        let field = KeyField::parse("value.email|trim|lower").unwrap();
        assert_eq!(field.path.to_string(), "value.email");
        assert_eq!(field.normalizers, [Normalizer::Trim, Normalizer::Lower]);
        assert_eq!(field.to_string(), "value.email|trim|lower");
        assert_eq!("value.email | trim|lower".parse(), Ok(field));
    }

    #[test]
    fn every_normaliser_is_parsed_by_its_name() {
        for normalizer in Normalizer::ALL {
            assert_eq!(Normalizer::parse(normalizer.name()), Ok(normalizer));
        }
        let error = Normalizer::parse("upper").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`upper` is no normaliser; there are trim, lower, text and number"
        );
    }

    #[test]
    fn commas_and_bars_inside_quotes_belong_to_the_name() {
        let fields = KeyField::parse_list("value.\"a,b|c\"|trim, key").unwrap();
        assert_eq!(fields.len(), 2);
        assert_eq!(fields[0].path, FieldPath::parse("\"a,b|c\"").unwrap());
        assert_eq!(fields[0].normalizers, [Normalizer::Trim]);
        assert_eq!(fields[1].to_string(), "key");
    }

    #[test]
    fn an_empty_part_of_a_list_is_an_error() {
        for text in ["", "a,", ",a", "a,,b", "|trim"] {
            assert!(KeyField::parse_list(text).is_err(), "{text}");
        }
        assert_eq!(
            KeyField::parse("a|"),
            Err(KeyFieldError::Normalizer(String::new()))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn splitting_loses_nothing_but_white_space(text in "[a,\" |]{0,20}") {
            let joined = split_list(&text).join(",");
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&joined), bare(&text));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = KeyField::parse_list(&text);
        }

        #[test]
        fn a_field_survives_printing(
            name in "[a-z_]{1,8}",
            steps in proptest::collection::vec(0..4usize, 0..4),
        ) {
            let normalizers = steps.iter().map(|step| Normalizer::ALL[*step]).collect();
            let path = FieldPath::parse(&format!("value.{name}")).unwrap();
            let field = KeyField { path, normalizers };
            prop_assert_eq!(KeyField::parse(&field.to_string()), Ok(field));
        }
    }
}
