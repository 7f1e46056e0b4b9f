//! What repeats by design: rules that know an extra record by what it is.

use crate::audit::detail::Detail;
use crate::audit::plan::ExpectedRepeat;
use crate::finding::Cause;

/// Returns the name of the first rule that expects an extra record.
pub(super) fn rule_of(
    rules: &[ExpectedRepeat],
    cause: Cause,
    (original, extra): (&Detail, &Detail),
) -> Option<&'static str> {
    let rule = rules.iter().find(|rule| match rule {
        ExpectedRepeat::Cause(expected) => *expected == cause,
        ExpectedRepeat::Snapshot => extra.is_snapshot,
        ExpectedRepeat::Compacted(topic) => is_update(topic, original, extra),
    });
    rule.map(ExpectedRepeat::name)
}

/// In a compacted topic a key that comes again is an update; a record without a key is none.
fn is_update(topic: &str, original: &Detail, extra: &Detail) -> bool {
    let is_in = |detail: &Detail| detail.topic.as_deref() == Some(topic);
    is_in(original) && is_in(extra) && extra.key.is_some() && extra.key == original.key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(topic: &str, key: Option<&[u8]>, is_snapshot: bool) -> Detail {
        Detail {
            topic: Some(topic.to_owned()),
            key: key.map(<[u8]>::to_vec),
            is_snapshot,
            ..Detail::default()
        }
    }

    #[test]
    fn a_rule_knows_what_it_is_about_and_nothing_else() {
        let rules = [
            ExpectedRepeat::Cause(Cause::DeadLetterCopy),
            ExpectedRepeat::Snapshot,
            ExpectedRepeat::Compacted("users".to_owned()),
        ];
        let of =
            |cause, original: &Detail, extra: &Detail| rule_of(&rules, cause, (original, extra));
        let (first, again) = (detail("t", None, false), detail("t", None, true));
        assert_eq!(
            of(Cause::DeadLetterCopy, &first, &first),
            Some("dead-letter")
        );
        assert_eq!(of(Cause::MirrorCopy, &first, &first), None);
        assert_eq!(of(Cause::Undetermined, &first, &again), Some("snapshot"));
        assert_eq!(of(Cause::Undetermined, &again, &first), None);
        let user = |key| detail("users", key, false);
        let update = of(Cause::Undetermined, &user(Some(b"1")), &user(Some(b"1")));
        assert_eq!(update, Some("compacted"));
        for (original, extra) in [
            (user(Some(b"1")), user(Some(b"2"))),
            (user(None), user(None)),
            (detail("t", Some(b"1"), false), user(Some(b"1"))),
            (
                detail("t", Some(b"1"), false),
                detail("t", Some(b"1"), false),
            ),
        ] {
            assert_eq!(of(Cause::Undetermined, &original, &extra), None);
        }
    }
}
