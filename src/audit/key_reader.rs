//! Records → canonical dedup keys, the same way in both passes.

use crate::audit::plan::AuditPlan;
use crate::decode;
use crate::dedup_key::DedupKeySpec;
use crate::dedup_key::KeyField;
use crate::dedup_key::KeyOutcome;
use crate::dedup_key::KeyWriter;
use crate::dedup_key::Normalizer;
use crate::record::FieldPath;
use crate::record::FieldValue;
use crate::record::RecordView;
use crate::record::ValueFormat;
use crate::scan_json::field_text;

/// Writes the canonical dedup key of records whose fields are read.
#[derive(Debug)]
pub(super) struct KeyReader {
    writer: KeyWriter,
    /// The same for documents that Kafka Connect wrote with their schema.
    payload_writer: KeyWriter,
    /// Whether whole values are compared without some of their members.
    ignores_members: bool,
    /// Fields that are the whole value.
    whole_values: Vec<bool>,
    /// Fields inside the value that are trimmed; empty where there are none.
    trimmed_cells: Vec<bool>,
    cell: Vec<u8>,
}

impl KeyReader {
    pub(super) fn new(plan: &AuditPlan) -> Self {
        let spec = &plan.dedup_key;
        let is_whole = |path: &FieldPath| path.is_in_value() && path.steps.is_empty();
        Self {
            writer: KeyWriter::new(spec),
            payload_writer: KeyWriter::new(&in_payload(spec)),
            ignores_members: !spec.ignore.is_empty(),
            whole_values: spec
                .fields
                .iter()
                .map(|field| is_whole(&field.path))
                .collect(),
            trimmed_cells: trimmed_cells(&spec.fields),
            cell: Vec::new(),
        }
    }

    /// Writes the dedup key over `out`; `values` are those of the key's fields.
    pub(super) fn write(
        &mut self,
        view: RecordView<'_>,
        values: &[FieldValue<'_>],
        out: &mut Vec<u8>,
    ) -> KeyOutcome {
        let is_row = matches!(view.block().value_format, ValueFormat::Csv { .. });
        if self.ignores_members && is_row {
            return self.write_row(view, values, out);
        }
        if is_row && !self.trimmed_cells.is_empty() {
            return self.write_trimmed(values, out);
        }
        let is_enveloped = |bytes| decode::connect_payload(bytes).is_some();
        if self.ignores_members && view.value().bytes().is_some_and(is_enveloped) {
            return self.payload_writer.write(values, out);
        }
        self.writer.write(values, out)
    }

    /// An empty cell is missing, and so is one of white space that is to be trimmed.
    fn write_trimmed(&mut self, values: &[FieldValue<'_>], out: &mut Vec<u8>) -> KeyOutcome {
        let mut kept = Vec::with_capacity(values.len());
        for (value, is_trimmed) in values.iter().zip(&self.trimmed_cells) {
            let text = field_text(*value, &mut self.cell).filter(|_| *is_trimmed);
            kept.push(match text {
                Some(text) if is_blank(text) => FieldValue::Missing,
                Some(_) | None => *value,
            });
        }
        self.writer.write(&kept, out)
    }

    /// A row has no members by itself, so its cells are made some.
    fn write_row(
        &mut self,
        view: RecordView<'_>,
        values: &[FieldValue<'_>],
        out: &mut Vec<u8>,
    ) -> KeyOutcome {
        let row = decode::row_as_json(view).unwrap_or_default();
        let replace = |(value, is_whole): (&FieldValue<'_>, &bool)| {
            let has_bytes = matches!(value, FieldValue::Bytes(_));
            has_bytes && *is_whole
        };
        let mut replaced = Vec::with_capacity(values.len());
        for pair in values.iter().zip(&self.whole_values) {
            replaced.push(if replace(pair) {
                FieldValue::Json(&row)
            } else {
                *pair.0
            });
        }
        self.writer.write(&replaced, out)
    }
}

fn in_payload(spec: &DedupKeySpec) -> DedupKeySpec {
    let mut spec = spec.clone();
    for path in &mut spec.ignore {
        path.steps = decode::into_payload(&path.steps);
    }
    spec
}

fn trimmed_cells(fields: &[KeyField]) -> Vec<bool> {
    let is_trimmed = |field: &KeyField| {
        let is_inside = field.path.is_in_value() && !field.path.steps.is_empty();
        is_inside && field.normalizers.contains(&Normalizer::Trim)
    };
    let trimmed: Vec<bool> = fields.iter().map(is_trimmed).collect();
    if trimmed.contains(&true) {
        trimmed
    } else {
        Vec::new()
    }
}

fn is_blank(text: &[u8]) -> bool {
    match std::str::from_utf8(text) {
        Ok(text) => text.trim().is_empty(),
        Err(_) => text.trim_ascii().is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decode::FieldReader;
    use crate::dedup_key::key_texts;
    use crate::record::RecordBlock;
    use crate::record::RecordSlot;

    /// Returns what comes of the dedup key of one record, and its parts as text.
    fn key(plan: &AuditPlan, format: &ValueFormat, value: &[u8]) -> (KeyOutcome, Vec<String>) {
        let mut block = RecordBlock {
            value_format: format.clone(),
            ..RecordBlock::default()
        };
        let value = block.push_bytes(value);
        block.slots.push(RecordSlot {
            value,
            ..RecordSlot::new(0)
        });
        let view = block.view(0).unwrap();
        let fields = &plan.dedup_key.fields;
        let paths: Vec<_> = fields.iter().map(|field| field.path.clone()).collect();
        let mut values = vec![FieldValue::Missing; paths.len()];
        FieldReader::new(paths).read(view, &mut values);
        let mut canonical = Vec::new();
        let outcome = KeyReader::new(plan).write(view, &values, &mut canonical);
        let texts = key_texts(&canonical);
        let texts = texts.iter().map(|text| text.plain().to_owned()).collect();
        (
            outcome,
            if outcome == KeyOutcome::Key {
                texts
            } else {
                Vec::new()
            },
        )
    }

    fn csv() -> ValueFormat {
        let columns = ["id", "sent"].map(|name| name.as_bytes().into());
        ValueFormat::Csv {
            delimiter: b',',
            columns: Arc::new(columns),
        }
    }

    #[test]
    fn cells_that_are_blank_once_trimmed_are_missing() {
        let trimmed = AuditPlan::sample(&["id|trim"]);
        let plain = AuditPlan::sample(&["id"]);
        for (plan, row, outcome, text) in [
            (&trimmed, "  ,1", KeyOutcome::Missing, None),
            (&trimmed, "\u{a0}\u{2003},1", KeyOutcome::Missing, None),
            (&trimmed, " a ,1", KeyOutcome::Key, Some("a")),
            (&plain, "  ,1", KeyOutcome::Key, Some("  ")),
            (&plain, ",1", KeyOutcome::Missing, None),
        ] {
            let (found, texts) = key(plan, &csv(), row.as_bytes());
            assert_eq!(
                (found, texts.first().map(String::as_str)),
                (outcome, text),
                "{row:?}"
            );
        }
        let (found, _) = key(&trimmed, &csv(), b" \t,1");
        assert_eq!(found, KeyOutcome::Missing);
        // Bytes that are no UTF-8 are a text of their own.
        let (found, _) = key(&trimmed, &csv(), b" \xff ,1");
        assert_eq!(found, KeyOutcome::Key);
    }

    #[test]
    fn whole_rows_are_compared_without_the_members_that_do_not_count() {
        let mut plan = AuditPlan::sample(&["value"]);
        plan.dedup_key.ignore = vec![FieldPath::parse("sent").unwrap()];
        let of = |value: &str| key(&plan, &csv(), value.as_bytes()).1;
        assert_eq!(of("a,1"), of("a,2"));
        assert_ne!(of("a,1"), of("b,1"));
        let json = |value: &str| key(&plan, &ValueFormat::Json, value.as_bytes()).1;
        assert_eq!(
            json(r#"{"id":"a","sent":1}"#),
            json(r#"{"sent":2,"id":"a"}"#)
        );
        plan.dedup_key.ignore.clear();
        let whole = |value: &str| key(&plan, &csv(), value.as_bytes()).1;
        assert_ne!(whole("a,1"), whole("a,2"));
    }

    #[test]
    fn what_is_no_document_is_undecodable() {
        let plan = AuditPlan::sample(&["id", "key"]);
        let (outcome, _) = key(&plan, &ValueFormat::Json, b"{\"id\":");
        assert_eq!(outcome, KeyOutcome::Undecodable);
        let (outcome, _) = key(&plan, &ValueFormat::Json, b"{\"id\":1}");
        assert_eq!(outcome, KeyOutcome::Missing);
    }
}
