//! What kind of fields differ between two copies, by their names.

/// Words in the name of a counter of attempts.
const ATTEMPT_WORDS: [&str; 12] = [
    "attempt",
    "attempts",
    "retry",
    "retries",
    "retried",
    "try",
    "tries",
    "resend",
    "resends",
    "redelivery",
    "redelivered",
    "redeliveries",
];

/// Words in the name of what each sending sets anew: times, ids of a request, the process.
const VOLATILE_WORDS: [&str; 46] = [
    "at",
    "time",
    "timestamp",
    "ts",
    "date",
    "sent",
    "created",
    "updated",
    "processed",
    "published",
    "produced",
    "emitted",
    "received",
    "ingested",
    "enqueued",
    "modified",
    "millis",
    "ms",
    "now",
    "trace",
    "traceid",
    "traceparent",
    "tracestate",
    "span",
    "spanid",
    "b3",
    "correlation",
    "correlationid",
    "causation",
    "request",
    "requestid",
    "message",
    "messageid",
    "event",
    "eventid",
    "uuid",
    "nonce",
    "host",
    "hostname",
    "instance",
    "pod",
    "pid",
    "thread",
    "worker",
    "node",
    "latency",
];

/// What the differing fields of a value tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldChange {
    /// A counter of attempts is among them, and nothing that a resend would keep.
    Attempt,
    /// All are set anew by each sending.
    Volatile,
    /// One is not.
    Content,
}

/// Returns what kind of fields differ.
pub(super) fn field_change(paths: &[String]) -> FieldChange {
    let has =
        |path: &String, words: &[&str]| name_words(path).any(|word| words.contains(&word.as_str()));
    let is_attempt = |path: &String| has(path, &ATTEMPT_WORDS);
    let is_volatile = |path: &String| path.starts_with("headers.") || has(path, &VOLATILE_WORDS);
    if paths.is_empty()
        || !paths
            .iter()
            .all(|path| is_attempt(path) || is_volatile(path))
    {
        FieldChange::Content
    } else if paths.iter().any(is_attempt) {
        FieldChange::Attempt
    } else {
        FieldChange::Volatile
    }
}

/// Returns the words of a path's last step: `value.meta.sentAt` is `sent`, `at`.
fn name_words(path: &str) -> impl Iterator<Item = String> {
    let path = path.strip_prefix("value").unwrap_or(path);
    let name = path.rsplit('.').next().unwrap_or(path);
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for char in name.chars() {
        let starts_word = !char.is_alphanumeric() || (char.is_uppercase() && was_lower);
        was_lower = char.is_lowercase() || char.is_numeric();
        if starts_word {
            words.push(String::new());
        }
        if char.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(char.to_lowercase());
        }
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(paths: &[&str]) -> FieldChange {
        field_change(
            &paths
                .iter()
                .map(|path| (*path).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn counters_of_attempts_are_told_by_their_words() {
        for path in [
            "value.attempt",
            "value.meta.retryCount",
            "value.RETRY_NO",
            "headers.x-attempt",
        ] {
            assert_eq!(change(&[path]), FieldChange::Attempt, "{path}");
        }
        assert_eq!(
            change(&["value.attempt", "value.sent_at"]),
            FieldChange::Attempt
        );
    }

    #[test]
    fn times_and_ids_of_a_sending_change_with_each() {
        for path in [
            "value.sentAt",
            "value.created_at",
            "value.traceId",
            "value.ts",
            "headers.foo",
        ] {
            assert_eq!(change(&[path]), FieldChange::Volatile, "{path}");
        }
    }

    #[test]
    fn anything_else_is_content() {
        for path in [
            "value.amount",
            "value",
            "value.status",
            "value.category",
            "value.country",
        ] {
            assert_eq!(change(&[path]), FieldChange::Content, "{path}");
        }
        assert_eq!(
            change(&["value.attempt", "value.amount"]),
            FieldChange::Content
        );
        assert_eq!(change(&[]), FieldChange::Content);
    }
}
