//! Dedup keys, record keys and subjects hidden, for reports that travel.

use std::io;

use siphasher::sip128::SipHasher24;

use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::DuplicateGroup;
use crate::finding::KeyText;
use crate::finding::OccurrenceList;
use crate::finding::RedactionKind;
use crate::finding::ReportedRecord;

/// What stands for every text under a mask, and for expressions.
const MASK: &str = "***";

/// Options whose values are expressions, in which values of records are written out.
const EXPRESSIONS: [&str; 2] = ["--where", "--reversal"];

/// Hides texts: behind keyed hashes, of which equal texts have equal ones and nobody can try values
/// against them; or all behind one mask. Ids of groups are keyed hashes either way.
#[derive(Clone)]
pub struct Redaction {
    hasher: SipHasher24,
    kind: RedactionKind,
}

impl Redaction {
    /// Returns a redaction by hashes with a key of the system's randomness.
    pub fn random() -> io::Result<Self> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(Self {
            hasher: SipHasher24::new_with_key(&key),
            kind: RedactionKind::Hash(None),
        })
    }

    /// Returns a redaction that shows nothing of a text but that there is one.
    pub fn mask() -> io::Result<Self> {
        Ok(Self {
            kind: RedactionKind::Mask,
            ..Self::random()?
        })
    }

    /// Returns a redaction by hashes that are the same for the same secret, whatever its length.
    pub fn from_secret(secret: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, secret);
        let mut key = [0; 16];
        for (byte, of_digest) in key.iter_mut().zip(digest.as_ref()) {
            *byte = *of_digest;
        }
        Self::with_key(&key)
    }

    /// Returns a redaction by hashes with a given key.
    pub fn with_key(key: &[u8; 16]) -> Self {
        let keyed = Self {
            hasher: SipHasher24::new_with_key(key),
            kind: RedactionKind::Hash(None),
        };
        let name = keyed.hasher.hash(b"the key").h1;
        Self {
            kind: RedactionKind::Hash(Some(name)),
            ..keyed
        }
    }

    /// Returns the header that says how texts are hidden; values are never shown beside, and
    /// expressions, which may name them, are masked as a whole.
    pub fn redact_header(&self, header: AuditHeader) -> AuditHeader {
        // What is hidden a second time has other hashes than what is hidden once.
        let kind = match (header.redaction, self.kind) {
            (Some(_), RedactionKind::Hash(_)) => RedactionKind::Hash(None),
            (_, kind) => kind,
        };
        AuditHeader {
            redaction: Some(kind),
            shows_values: false,
            command_line: without_expressions(header.command_line),
            filter: header.filter.map(|_| MASK.to_owned()),
            reversal: header.reversal.map(|_| MASK.to_owned()),
            ..header
        }
    }

    /// Returns the group with its dedup key, id, subjects and record keys hashed, its values
    /// left out.
    pub fn redact(&self, group: DuplicateGroup) -> DuplicateGroup {
        let hashed = |(path, text): (String, KeyText)| (path, self.key_text(&text));
        DuplicateGroup {
            id: self.group_id(&group.id),
            key: group.key.into_iter().map(hashed).collect(),
            subject: group.subject.map(|subject| self.hash("text", &subject)),
            records: Box::new(RedactedRecords {
                redaction: self.clone(),
                records: group.records,
            }),
            ..group
        }
    }

    /// Returns the summary with its subjects hashed.
    pub fn redact_summary(&self, mut summary: AuditSummary) -> AuditSummary {
        for total in &mut summary.top_subjects {
            total.subject = self.hash("text", &total.subject);
        }
        summary
    }

    fn record(&self, record: ReportedRecord) -> ReportedRecord {
        ReportedRecord {
            key: record.key.map(|key| self.hash("text", &key)),
            subject: record.subject.map(|subject| self.hash("text", &subject)),
            value: None,
            ..record
        }
    }

    /// The number 1 and the text `1` are two keys, so they get two hashes.
    fn key_text(&self, text: &KeyText) -> KeyText {
        let kind = match text {
            KeyText::Null => return KeyText::Null,
            KeyText::Text(_) => "text",
            KeyText::Number(_) => "number",
            KeyText::Boolean(_) => "boolean",
            KeyText::Json(_) => "json",
        };
        KeyText::Text(self.hash(kind, text.plain()))
    }

    fn group_id(&self, id: &str) -> String {
        let (fingerprint, part) = match id.split_once('-') {
            Some((fingerprint, part)) => (fingerprint, Some(part)),
            None => (id, None),
        };
        let hash = self.digest("group", fingerprint);
        match part {
            Some(part) => format!("g_{hash:032x}-{part}"),
            None => format!("g_{hash:032x}"),
        }
    }

    fn hash(&self, kind: &str, text: &str) -> String {
        if self.kind == RedactionKind::Mask {
            return MASK.to_owned();
        }
        format!("h_{:032x}", self.digest(kind, text))
    }

    fn digest(&self, kind: &str, text: &str) -> u128 {
        let mut bytes = Vec::with_capacity(kind.len() + 1 + text.len());
        bytes.extend_from_slice(kind.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(text.as_bytes());
        self.hasher.hash(&bytes).as_u128()
    }
}

/// Returns the words of a command line, what follows `--where` and `--reversal` masked.
fn without_expressions(words: Vec<String>) -> Vec<String> {
    let mut is_expression = false;
    let masked = |word: String| {
        if std::mem::take(&mut is_expression) {
            return MASK.to_owned();
        }
        is_expression = EXPRESSIONS.contains(&word.as_str());
        match word.split_once('=') {
            Some((name, _)) if EXPRESSIONS.contains(&name) => format!("{name}={MASK}"),
            _ => word,
        }
    };
    words.into_iter().map(masked).collect()
}

struct RedactedRecords {
    redaction: Redaction,
    records: Box<dyn OccurrenceList>,
}

impl OccurrenceList for RedactedRecords {
    fn walk(&self) -> Box<dyn Iterator<Item = io::Result<ReportedRecord>> + '_> {
        let redacted = |record: ReportedRecord| self.redaction.record(record);
        Box::new(self.records.walk().map(move |record| record.map(redacted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::group;
    use crate::report::sample::record;

    fn redacted(key: KeyText, secret: u8) -> DuplicateGroup {
        let records = vec![record(1, 5, 0), record(2, 6, 0)];
        Redaction::with_key(&[secret; 16]).redact(group(key, records))
    }

    fn text(text: &str) -> KeyText {
        KeyText::Text(text.to_owned())
    }

    #[test]
    fn keys_subjects_and_values_do_not_show() {
        let group = redacted(text("ch_1"), 1);
        let records: Vec<ReportedRecord> = group.records.walk().map(Result::unwrap).collect();
        for record in &records {
            assert_eq!(record.value, None);
            assert_eq!(record.key, record.subject);
            assert_eq!(record.subject, group.subject);
            assert_eq!(record.topic.as_deref(), Some("charges"));
        }
        let shown = format!(
            "{:?} {:?} {:?} {records:?}",
            group.key, group.id, group.subject
        );
        for secret in ["ch_1", "cus_00913", "000102", "secret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert_eq!(group.key[0].1.plain().len(), "h_".len() + 32);
    }

    #[test]
    fn top_subjects_are_hashed_as_those_of_their_groups() {
        let sample = crate::report::sample::sample();
        let subject = sample.summary.top_subjects[0].subject.clone();
        let summary = Redaction::with_key(&[1; 16]).redact_summary(sample.summary);
        assert_eq!(subject, "cus_00913");
        let hashed = Some(&summary.top_subjects[0].subject);
        assert_eq!(redacted(text("ch_1"), 1).subject.as_ref(), hashed);
    }

    #[test]
    fn equal_keys_stay_equal_within_a_run_and_differ_between_runs() {
        let key = |text, secret| redacted(text, secret).key[0].1.clone();
        assert_eq!(key(text("a"), 1), key(text("a"), 1));
        assert_ne!(key(text("a"), 1), key(text("b"), 1));
        assert_ne!(key(text("a"), 1), key(text("a"), 2));
        assert_ne!(key(text("1"), 1), key(KeyText::Number("1".to_owned()), 1));
        assert_eq!(key(KeyText::Null, 1), KeyText::Null);
        let random = || Redaction::random().unwrap().hash("text", "a");
        assert_ne!(random(), random());
    }

    #[test]
    fn one_secret_gives_one_key_whose_name_does_not_tell_it() {
        let kind = |secret: &[u8]| Redaction::from_secret(secret).kind;
        let secret = b"correct horse battery staple";
        assert_eq!(kind(secret), kind(secret));
        assert_ne!(kind(secret), kind(b"correct horse battery stapler"));
        assert_eq!(Redaction::random().unwrap().kind, RedactionKind::Hash(None));
        let hash = |secret: &[u8]| Redaction::from_secret(secret).hash("text", "a");
        assert_eq!(hash(secret), hash(secret));
    }

    #[test]
    fn under_a_mask_only_ids_differ_and_not_between_runs_the_same() {
        let mask = Redaction::mask().unwrap();
        let of = |mask: &Redaction, text: &str| {
            let mut one = group(
                KeyText::Text(text.to_owned()),
                vec![record(1, 5, 0), record(2, 6, 0)],
            );
            one.id = format!("g_{text}");
            mask.redact(one)
        };
        let (one, other) = (of(&mask, "01"), of(&mask, "02"));
        assert_eq!(one.key[0].1.plain(), MASK);
        assert_eq!(one.subject.as_deref(), Some(MASK));
        assert_ne!(one.id, other.id);
        assert_ne!(one.id, of(&Redaction::mask().unwrap(), "01").id);
        let header = mask.redact_header(crate::report::sample::sample().header);
        assert_eq!(header.redaction, Some(RedactionKind::Mask));
        assert!(!header.shows_values);
    }

    #[test]
    fn expressions_are_masked_in_the_header_and_its_command_line() {
        let words = "dupaudit scan a --where value.a=='ch_1' --by id --reversal=value.b=='ch_2' \
                     --where --where --top 3";
        let mut header = crate::report::sample::sample().header;
        header.command_line = words.split_whitespace().map(str::to_owned).collect();
        header.filter = Some("value.a=='ch_1'".to_owned());
        header.reversal = Some("value.b=='ch_2'".to_owned());
        let header = Redaction::mask().unwrap().redact_header(header);
        let expected = "dupaudit scan a --where *** --by id --reversal=*** --where *** --top 3";
        assert_eq!(header.command_line.join(" "), expected);
        assert_eq!(header.filter.as_deref(), Some(MASK));
        assert_eq!(header.reversal.as_deref(), Some(MASK));
    }

    #[test]
    fn parts_of_a_split_key_share_the_start_of_their_id() {
        let redaction = Redaction::with_key(&[7; 16]);
        let whole = redaction.group_id("g_00ff");
        assert_eq!(redaction.group_id("g_00ff-2"), format!("{whole}-2"));
        assert_ne!(redaction.group_id("g_00fe"), whole);
        assert_eq!(whole.len(), 34);
    }
}
