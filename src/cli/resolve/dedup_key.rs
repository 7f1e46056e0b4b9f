//! `--by`, `--ignore`, `--missing` and `--within`: what makes two records the same.

use crate::cli::flags::{DedupKeyFlags, MissingFlag};
use crate::cli::resolve::duration;
use crate::cli::usage_error::UsageError;
use crate::dedup_key::{DedupKeySpec, KeyField, MissingPolicy, split_list};
use crate::record::{FieldPath, Root};

/// Returns the dedup key.
pub fn resolve(flags: &DedupKeyFlags) -> Result<DedupKeySpec, UsageError> {
    let fields = fields(&flags.by)?;
    let ignore = ignored(&flags.ignore)?;
    let has_whole_value = fields
        .iter()
        .any(|field| field.path.root == Root::Value && field.path.steps.is_empty());
    if !ignore.is_empty() && !has_whole_value {
        return Err(UsageError::new(format!(
            "`--ignore {}` needs `--by value`: only whole values have fields to ignore",
            flags.ignore.join(",")
        ))
        .hint("leave the field out of --by, or compare whole values with `--by value`"));
    }
    Ok(DedupKeySpec {
        fields,
        ignore,
        missing: match flags.missing {
            None | Some(MissingFlag::Skip) => MissingPolicy::Skip,
            Some(MissingFlag::Group) => MissingPolicy::Group,
        },
    })
}

/// Returns `--within` in milliseconds.
pub fn within(text: Option<&str>) -> Result<Option<i64>, UsageError> {
    text.map(|text| duration::parse(text).map_err(|error| error.at("--within", text)))
        .transpose()
}

/// Parses one field path as typed for `option`.
pub fn field_path(option: &str, text: &str) -> Result<FieldPath, UsageError> {
    FieldPath::parse(text).map_err(|error| {
        UsageError::new(error.to_string())
            .hint("fields are written as charge_id, value.customer.id, key or headers.NAME")
            .at(option, text)
    })
}

fn fields(texts: &[String]) -> Result<Vec<KeyField>, UsageError> {
    if texts.is_empty() {
        return Err(
            UsageError::new("`scan` needs `--by FIELD`: what identifies a record").hint(
                "for example `dupaudit scan payments.jsonl --by charge_id`; `--by value` compares \
                 whole values, `dupaudit suggest` proposes fields, and `dupaudit presets` \
                 lists systems that are known",
            ),
        );
    }
    let mut fields: Vec<KeyField> = Vec::new();
    for text in texts {
        let listed = KeyField::parse_list(text).map_err(|error| {
            UsageError::new(error.to_string())
                .hint("for example --by charge_id, --by key or --by value.email|trim|lower")
                .at("--by", text)
        })?;
        for field in listed {
            if fields.contains(&field) {
                let message = format!("`{field}` is named twice");
                return Err(UsageError::new(message)
                    .hint("name each field once")
                    .at("--by", text));
            }
            fields.push(field);
        }
    }
    Ok(fields)
}

fn ignored(texts: &[String]) -> Result<Vec<FieldPath>, UsageError> {
    let mut ignore = Vec::new();
    for text in texts {
        for part in split_list(text) {
            let path = field_path("--ignore", part)?;
            if !path.is_in_value() || path.steps.is_empty() {
                return Err(
                    UsageError::new("only fields inside the value can be ignored")
                        .hint("for a member of the value that has this name write `value.NAME`")
                        .at("--ignore", part),
                );
            }
            if !ignore.contains(&path) {
                ignore.push(path);
            }
        }
    }
    Ok(ignore)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(by: &[&str], ignore: &[&str]) -> DedupKeyFlags {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        DedupKeyFlags {
            preset: None,
            by: owned(by),
            filter: None,
            within: None,
            ignore: owned(ignore),
            missing: None,
        }
    }

    #[test]
    fn fields_may_be_repeated_or_listed() {
        let spec = resolve(&flags(&["a,b|trim", "headers.x"], &[])).unwrap();
        let shown: Vec<String> = spec.fields.iter().map(KeyField::to_string).collect();
        assert_eq!(shown, ["value.a", "value.b|trim", "headers.x"]);
        assert_eq!(spec.missing, MissingPolicy::Skip);
        let flags = DedupKeyFlags {
            missing: Some(MissingFlag::Group),
            ..flags(&["a"], &[])
        };
        assert_eq!(resolve(&flags).unwrap().missing, MissingPolicy::Group);
    }

    #[test]
    fn without_a_field_the_hint_shows_an_example() {
        let error = resolve(&flags(&[], &[])).unwrap_err();
        assert!(error.message.contains("--by FIELD"));
        assert!(
            error
                .hint
                .unwrap()
                .contains("dupaudit scan payments.jsonl --by charge_id")
        );
    }

    #[test]
    fn wrong_fields_name_the_option() {
        for by in ["", "a,", "a|upper", "a..b", "a,value.a", "topic.x"] {
            let error = resolve(&flags(&[by], &[])).unwrap_err();
            assert!(
                error.message.starts_with(&format!("`--by {by}`: ")),
                "{error:?}"
            );
            assert!(error.hint.is_some());
        }
        assert!(resolve(&flags(&["a", "a"], &[])).is_err());
        assert!(resolve(&flags(&["a", "a|trim"], &[])).is_ok());
    }

    #[test]
    fn only_fields_of_whole_values_can_be_ignored() {
        let spec = resolve(&flags(&["value"], &["sent_at,meta.host", "sent_at"])).unwrap();
        let shown: Vec<String> = spec.ignore.iter().map(FieldPath::to_string).collect();
        assert_eq!(shown, ["value.sent_at", "value.meta.host"]);
        let error = resolve(&flags(&["a"], &["b"])).unwrap_err();
        assert!(error.message.contains("needs `--by value`"));
        for ignore in ["value", "key", "timestamp", "headers.a", "", "a,"] {
            assert!(resolve(&flags(&["value"], &[ignore])).is_err(), "{ignore}");
        }
    }

    #[test]
    fn within_is_a_duration() {
        assert_eq!(within(None), Ok(None));
        assert_eq!(within(Some("10m")), Ok(Some(600_000)));
        let error = within(Some("10")).unwrap_err();
        assert!(error.message.starts_with("`--within 10`: "));
    }
}
