//! What the name of a field says about it.

/// What fields of a name mostly are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// One thing that happened, or one request for it.
    Identity,
    /// Simply `id`, or a number or code of something.
    SomeId,
    /// Who or what it is about, which comes again by right.
    Entity,
    /// How often, where and by whom it was tried: another at each attempt.
    Attempt,
    /// When.
    Time,
    /// When it was sent, received or written, which an attempt changes.
    HandlingTime,
    /// How much.
    Amount,
    /// In which money.
    Currency,
    /// Nothing that the name tells.
    Other,
}

const IDENTITIES: [&str; 27] = [
    "idempotency",
    "dedup",
    "dedupe",
    "message",
    "event",
    "payment",
    "charge",
    "transaction",
    "txn",
    "transfer",
    "refund",
    "order",
    "invoice",
    "booking",
    "delivery",
    "webhook",
    "svix",
    "mail",
    "notification",
    "posting",
    "entry",
    "claim",
    "ticket",
    "receipt",
    "payout",
    "command",
    "job",
];
const ENTITIES: [&str; 31] = [
    "customer",
    "user",
    "account",
    "merchant",
    "product",
    "sku",
    "stock",
    "item",
    "device",
    "sensor",
    "tenant",
    "organization",
    "organisation",
    "org",
    "store",
    "shop",
    "vendor",
    "supplier",
    "address",
    "email",
    "recipient",
    "member",
    "client",
    "subscriber",
    "card",
    "station",
    "host",
    "to",
    "aggregate",
    "subject",
    "remote",
];
const ATTEMPTS: [&str; 27] = [
    "trace",
    "traceparent",
    "tracestate",
    "span",
    "correlation",
    "conversation",
    "attempt",
    "attempts",
    "retry",
    "retries",
    "pod",
    "instance",
    "worker",
    "thread",
    "latency",
    "duration",
    "elapsed",
    "b3",
    "baggage",
    "request",
    "req",
    "session",
    "hop",
    "node",
    "log",
    "batch",
    "loop",
];
const TIMES: [&str; 18] = [
    "time",
    "timestamp",
    "ts",
    "at",
    "date",
    "datetime",
    "created",
    "occurred",
    "measured",
    "when",
    "day",
    "ms",
    "us",
    "ns",
    "sec",
    "usec",
    "epoch",
    "on",
];
const HANDLING: [&str; 15] = [
    "received",
    "ingested",
    "ingest",
    "ingestion",
    "sent",
    "published",
    "written",
    "processed",
    "updated",
    "modified",
    "logged",
    "observed",
    "delivered",
    "arrival",
    "queued",
];
const AMOUNTS: [&str; 16] = [
    "amount", "total", "price", "sum", "gross", "net", "fee", "cost", "quantity", "qty", "balance",
    "tax", "value", "subtotal", "cents", "bytes",
];
const ID_WORDS: [&str; 14] = [
    "id",
    "key",
    "no",
    "nr",
    "number",
    "uuid",
    "guid",
    "code",
    "ref",
    "reference",
    "seq",
    "sequence",
    "position",
    "pos",
];

/// Returns what the last names of a path say.
pub(super) fn role(path: &str) -> Role {
    let name = path.rsplit('.').next().unwrap_or(path);
    let words = words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&&**word));
    let is_id = has(&ID_WORDS);
    let is_plain_id = words.len() == 1 && is_id;
    if words.iter().any(|word| word == "currency" || word == "ccy") {
        Role::Currency
    } else if has(&["idempotency", "dedup", "dedupe"]) {
        Role::Identity
    } else if has(&ATTEMPTS) {
        Role::Attempt
    } else if has(&["agent"]) {
        // Such as `user_agent`: what was used, not who used it.
        Role::Other
    } else if has(&HANDLING) && !is_id {
        Role::HandlingTime
    } else if has(&TIMES) && !is_id {
        Role::Time
    } else if is_plain_id {
        id_of_parent(path)
    } else if has(&ENTITIES) {
        Role::Entity
    } else if has(&IDENTITIES) && is_id {
        Role::Identity
    } else if has(&AMOUNTS) && !is_id {
        Role::Amount
    } else if is_id {
        Role::SomeId
    } else {
        Role::Other
    }
}

/// A bare `id` is that of what it lies in.
fn id_of_parent(path: &str) -> Role {
    let mut names = path.rsplit('.').skip(1);
    let parent = names
        .next()
        .filter(|name| *name != "value" && *name != "headers");
    let words = parent.map(words).unwrap_or_default();
    if words.iter().any(|word| ENTITIES.contains(&&**word)) {
        Role::Entity
    } else if words.iter().any(|word| ATTEMPTS.contains(&&**word)) {
        Role::Attempt
    } else {
        Role::SomeId
    }
}

/// Splits a name at its humps and marks: `chargeId`, `charge_id`, `Charge-ID`, `InvoiceNo`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_lower = false;
    let mut is_new = true;
    for character in name.chars() {
        if !character.is_alphanumeric() {
            is_new = true;
            continue;
        }
        let is_hump = character.is_uppercase() && was_lower;
        if is_new || is_hump || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase() || character.is_ascii_digit();
        is_new = false;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_however_they_are_written() {
        for (path, expected) in [
            ("value.idempotency_key", Role::Identity),
            ("value.chargeId", Role::Identity),
            ("value.InvoiceNo", Role::Identity),
            ("headers.Message-ID", Role::Identity),
            ("value.id", Role::SomeId),
            ("value.customer.id", Role::Entity),
            ("value.CustomerID", Role::Entity),
            ("value.StockCode", Role::Entity),
            ("headers.traceparent", Role::Attempt),
            ("value.request_id", Role::Attempt),
            ("value.created_at", Role::Time),
            ("value.sent_at", Role::HandlingTime),
            ("value.UnitPrice", Role::Amount),
            ("value.currency", Role::Currency),
            ("value.user_agent", Role::Other),
            ("value.Description", Role::Other),
        ] {
            assert_eq!(role(path), expected, "{path}");
        }
    }
}
