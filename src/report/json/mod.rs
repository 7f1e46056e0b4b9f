//! The JSON report: one document, streamed, each group on a line of its own.

mod diff;
mod fields;
mod lines;
mod output;
mod pictures;
mod suggestion;
mod summary;

pub use diff::JsonDiff;
pub use lines::JsonlReport;
pub use output::document_text;
pub use suggestion::suggestion_json;

use std::io;
use std::io::Write;

use crate::finding::DuplicateGroup;
use crate::report::ReportHead;
use crate::report::ReportWriter;
use crate::report::json::fields::SCHEMA_VERSION;
use crate::report::json::fields::ShownFields;
use crate::report::json::output::JsonOutput;

/// Writes the JSON report.
pub struct JsonReport<W> {
    json: JsonOutput<W>,
    shown: ShownFields,
}

impl<W: Write> JsonReport<W> {
    /// Returns the writer; the values of records are written only with `show_values`.
    pub fn new(output: W, show_values: bool) -> Self {
        Self {
            json: JsonOutput::new(output),
            shown: ShownFields::new(show_values),
        }
    }
}

impl<W: Write> ReportWriter for JsonReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        self.shown.take_header(report.header);
        let json = &mut self.json;
        json.open("{")?;
        json.member("schema_version", &SCHEMA_VERSION)?;
        json.name_on_line("header")?;
        json.open("{")?;
        fields::header(json, report.header)?;
        json.close("}")?;
        json.name_on_line("summary")?;
        json.open("{")?;
        summary::summary(json, report.summary)?;
        json.close("}")?;
        json.name_on_line("coverage")?;
        json.open("{")?;
        fields::coverage(json, report.coverage)?;
        json.close("}")?;
        json.name_on_line("episodes")?;
        json.open("[")?;
        for episode in report.episodes {
            json.item()?;
            json.open("{")?;
            fields::episode(json, episode)?;
            json.close("}")?;
        }
        json.close("]")?;
        json.name_on_line("groups")?;
        json.open("[")
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        self.json.item()?;
        self.json.plain("\n")?;
        self.json.open("{")?;
        fields::group(&mut self.json, group, self.shown)?;
        self.json.close("}")
    }

    fn end(&mut self) -> io::Result<()> {
        self.json.plain("]}\n")?;
        self.json.flush()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::finding::Cause;
    use crate::finding::CoverageConflict;
    use crate::finding::Episode;
    use crate::finding::FileCoverage;
    use crate::finding::GroupStanding;
    use crate::finding::KeyText;
    use crate::finding::KnownTotal;
    use crate::finding::ReportedRecord;
    use crate::finding::Standing;
    use crate::finding::StandingTotal;
    use crate::finding::ThresholdTotal;
    use crate::record::TimestampType;
    use crate::report::sample::START_MILLIS;
    use crate::report::sample::dollars;
    use crate::report::sample::group;
    use crate::report::sample::mixed;
    use crate::report::sample::record;
    use crate::report::sample::sample;
    use crate::report::sample::topic_partition;

    fn written(sample: &crate::report::sample::Sample, show_values: bool) -> String {
        let mut output = Vec::new();
        sample.write(&mut JsonReport::new(&mut output, show_values));
        String::from_utf8(output).unwrap()
    }

    const DOCUMENT: &str = concat!(
        r#"{"schema_version":1,"#,
        "\n",
        r#""header":{"dupaudit_version":"0.1.0","command_line":["dupaudit","scan"],"#,
        r#""started_at":"2026-01-15T02:30:00.000Z","finished_at":"2026-01-15T02:30:01.500Z","#,
        r#""by":["value.charge_id|trim|lower"],"within_ms":null,"#,
        r#""isolation":"read_committed","amount_field":"value.amount","amount_unit":"major","#,
        r#""subject_field":"value.customer_id","from":"2026-01-15T02:30:00.000Z","#,
        r#""to":"2026-01-15T03:10:00.000Z","reversal":null,"offset_range":null,"#,
        r#""shows_values":true,"preset":null,"where":null,"#,
        r#""currency_field":"value.currency","redaction":null,"redaction_key":null},"#,
        "\n",
        r#""summary":{"verdict":"duplicates","complete":true,"records_read":6000,"#,
        r#""records_audited":6000,"skipped":{"missing-key":0,"undecodable":0,"#,
        r#""tombstone":0,"filtered":0,"outside-range":0,"same-record":0},"groups":2,"#,
        r#""extra_records":3,"conflicting_groups":0,"largest_group":3,"subjects":1,"#,
        r#""amounts":[{"currency":"USD","extra":"57.75","copies":"0.00","#,
        r#""conflicting":"0.00","extra_records":3,"reversed":"0.00","net":"57.75","#,
        r#""copies_records":0,"conflicting_reversed":"0.00","conflicting_records":0}],"#,
        r#""causes":[{"cause":"producer-retry","#,
        r#""groups":2,"extra_records":3,"confidences":[{"confidence":"certain","#,
        r#""extra_records":2},{"confidence":"strong","extra_records":1}],"evidence":["#,
        r#""one batch of 36 records (CRC 9d3f01ac, 8119 B) stands at 88610 and at 88646","#,
        r#""CreateTime is the same to the millisecond"],"contrary":[],"advice":{"#,
        r#""text":"enable.idempotence=true on the producer, which needs acks=all, retries "#,
        r#"above 0 and at most 5 requests in flight","source":"Kafka producer configs: "#,
        r#"enable.idempotence; librdkafka CONFIGURATION.md"}}],"#,
        r#""distinct_keys":5997,"amounts_unusable":0,"#,
        r#""incomplete_reasons":[],"warnings":[],"reversals":null,"top_subjects":[{"#,
        r#""subject":"cus_00913","groups":2,"extra_records":3,"amounts":[{"#,
        r#""currency":"USD","extra":"57.75","reversed":"0.00","net":"57.75"}]}],"#,
        r#""partitions":[{"topic":"charges","partition":1,"episodes":3,"groups":2,"#,
        r#""extra_records":3,"amounts":[{"currency":"USD","extra":"57.75","#,
        r#""reversed":"0.00","net":"57.75"}]}],"timeline":{"step_minutes":1,"steps":["#,
        r#"{"start":"2026-01-15T02:41:00.000Z","extra_records":1},"#,
        r#"{"start":"2026-01-15T02:52:00.000Z","extra_records":2}]},"#,
        r#""causes_over_time":{"step_seconds":5,"steps":[{"start":"2026-01-15T02:41:05.000Z","#,
        r#""cause":"producer-retry","extra_records":1},{"start":"2026-01-15T02:52:40.000Z","#,
        r#""cause":"producer-retry","extra_records":2}]},"#,
        r#""partitions_over_time":{"step_seconds":5,"steps":[{"#,
        r#""start":"2026-01-15T02:41:05.000Z","topic":"charges","partition":1,"#,
        r#""extra_records":1},{"start":"2026-01-15T02:52:40.000Z","topic":"charges","#,
        r#""partition":1,"extra_records":2}]},"new_groups":null,"#,
        r#""new_extra_records":null,"known_groups":null,"known_extra_records":null,"#,
        r#""gone_groups":null,"new_amounts":null,"known_by":null,"#,
        r#""uncompared_groups":0,"audited_span":{"#,
        r#""first_timestamp":"2026-01-15T02:30:01.000Z","#,
        r#""last_timestamp":"2026-01-15T03:09:50.000Z"},"timestamp_types":["CreateTime"],"#,
        r#""extra_span":{"first_timestamp":"2026-01-15T02:41:07.218Z","#,
        r#""last_timestamp":"2026-01-15T02:52:44.000Z"},"fail_at":null},"#,
        "\n",
        r#""coverage":{"conflicts":[{"topic":"charges","partition":2,"offset":5,"#,
        r#""audited":"charges","other":"a.jsonl"}],"partitions":[{"topic":"charges","#,
        r#""partition":0,"log_start_offset":0,"high_watermark":90110,"#,
        r#""last_stable_offset":90110,"start_offset":88110,"end_offset":90110,"#,
        r#""next_offset":90110,"records_read":2000,"complete":true,"gaps":[{"#,
        r#""start":88115,"end":88116,"reason":"control"}],"notes":[],"#,
        r#""log_append_time":false}],"files":[{"#,
        r#""path":"a.jsonl","format":"jsonl","bytes":9,"records_read":1,"#,
        r#""complete":false,"damage":"cut off","format_reason":"objects, one a line","#,
        r#""notes":[]}]},"#,
        "\n",
        r#""episodes":[{"id":1,"cause":"producer-retry","topic":"charges","partition":1,"#,
        r#""groups":1,"extra_records":1,"first_timestamp":"2026-01-15T02:41:07.218Z","#,
        r#""last_timestamp":"2026-01-15T02:41:07.218Z","#,
        r#""original_offsets":{"start":88610,"end":88646},"#,
        r#""extra_offsets":{"start":88646,"end":88682},"original_topic":"charges","#,
        r#""original_partition":1,"amounts":[{"currency":"USD","extra":"19.25","#,
        r#""reversed":"0.00","net":"19.25"}],"#,
        r#""ongoing":false,"links":[{"original_offset":88610,"extra_offset":88646}]},"#,
        r#"{"id":2,"cause":"producer-retry","topic":null,"#,
        r#""partition":null,"groups":1,"extra_records":1,"first_timestamp":null,"#,
        r#""last_timestamp":null,"original_offsets":null,"extra_offsets":null,"#,
        r#""original_topic":null,"original_partition":null,"amounts":[],"ongoing":true,"#,
        r#""links":[]}],"#,
        "\n",
        r#""groups":["#,
        "\n",
        r#"{"id":"g_000102030405060708090a0b0c0d0e0f","#,
        r#""key":{"value.charge_id":"ch_004127"},"count":3,"extra":2,"span_ms":3000,"#,
        r#""identical":true,"differing_fields":[],"cause":"producer-retry","#,
        r#""confidence":"certain","evidence":["#,
        r#""one batch of 36 records (CRC 9d3f01ac, 8119 B) stands at 88610 and at 88646","#,
        r#""CreateTime is the same to the millisecond"],"contrary":[],"episode":1,"#,
        r#""amount":{"currency":"USD","extra":"38.50","reversed":"0.00","net":"38.50"},"#,
        r#""subject":"cus_00913","records":["#,
        r#"{"occurrence":1,"topic":"charges","partition":1,"offset":88641,"#,
        r#""timestamp":"2026-01-15T02:41:07.218Z","timestamp_type":"CreateTime","#,
        r#""cause":null,"confidence":null,"episode":null,"key":"cus_00913","file":null,"#,
        r#""line":null,"byte_offset":null,"evidence":null,"contrary":null,"#,
        r#""amount":"19.25","currency":"USD","reversed":null,"net":null,"#,
        r#""subject":"cus_00913"},"#,
        r#"{"occurrence":2,"topic":"charges","partition":1,"offset":88677,"#,
        r#""timestamp":"2026-01-15T02:41:07.218Z","timestamp_type":"CreateTime","#,
        r#""cause":"producer-retry","confidence":"certain","episode":1,"key":"cus_00913","#,
        r#""file":null,"line":null,"byte_offset":null,"evidence":["#,
        r#""one batch of 36 records (CRC 9d3f01ac, 8119 B) stands at 88610 and at 88646","#,
        r#""CreateTime is the same to the millisecond"],"contrary":[],"amount":"19.25","#,
        r#""currency":"USD","reversed":null,"net":null,"subject":"cus_00913"},"#,
        r#"{"occurrence":3,"topic":"charges","partition":1,"offset":88713,"#,
        r#""timestamp":"2026-01-15T02:41:10.218Z","timestamp_type":"CreateTime","#,
        r#""cause":"producer-retry","confidence":"certain","episode":2,"key":"cus_00913","#,
        r#""file":null,"line":null,"byte_offset":null,"evidence":["#,
        r#""one batch of 36 records (CRC 9d3f01ac, 8119 B) stands at 88610 and at 88682","#,
        r#""CreateTime is the same to the millisecond"],"contrary":[],"amount":"19.25","#,
        r#""currency":"USD","reversed":null,"net":null,"subject":"cus_00913"}],"#,
        r#""review":"ok","reversals":null,"#,
        r#""status":null,"first_found":null,"new_extra":null,"known_by":null}]}"#,
        "\n"
    );

    #[test]
    fn the_document_is_the_contract_to_the_byte() {
        let mut sample = sample();
        sample.coverage.partitions.truncate(1);
        sample.coverage.conflicts = vec![CoverageConflict {
            topic_partition: topic_partition(2),
            offset: 5,
            audited: "charges".to_owned(),
            other: "a.jsonl".to_owned(),
        }];
        sample.coverage.files = vec![FileCoverage {
            path: "a.jsonl".to_owned(),
            format: "jsonl".to_owned(),
            format_reason: "objects, one a line".to_owned(),
            bytes: 9,
            records_read: 1,
            damage: Some("cut off".to_owned()),
            notes: Vec::new(),
        }];
        sample.groups.truncate(1);
        sample.episodes.truncate(1);
        sample.episodes.push(Episode {
            id: 2,
            topic: None,
            partition: None,
            first_timestamp_millis: None,
            last_timestamp_millis: None,
            original_topic: None,
            original_partition: None,
            original_offsets: None,
            extra_offsets: None,
            amounts: Vec::new(),
            is_ongoing: true,
            links: crate::finding::OffsetLinks::default(),
            ..sample.episodes[0].clone()
        });
        assert_eq!(written(&sample, false), DOCUMENT);
        serde_json::from_str::<Value>(DOCUMENT).unwrap();
    }

    #[test]
    fn every_cause_has_its_total_and_every_episode_its_cause() {
        let sample = mixed();
        let report: Value = serde_json::from_str(&written(&sample, false)).unwrap();
        let codes = |items: &Value| -> Vec<String> {
            let items = items.as_array().unwrap().iter();
            items
                .map(|item| item["cause"].as_str().unwrap().to_owned())
                .collect()
        };
        let causes = &report["summary"]["causes"];
        let expected = [
            "application-resend",
            "undetermined",
            "mirror-copy",
            "producer-retry",
            "consumer-replay",
            "dead-letter-copy",
        ];
        assert_eq!(codes(causes), expected);
        assert_eq!(codes(&report["episodes"]), expected[..5]);
        let none = serde_json::json!([{"confidence": null, "extra_records": 5}]);
        assert_eq!(causes[1]["confidences"], none);
        assert_eq!(causes[1]["contrary"][0], "missing: timestamps");
        let mirror = &report["episodes"][2];
        assert_eq!(mirror["topic"], "mirror.charges");
        assert_eq!(mirror["original_topic"], "charges");
    }

    #[test]
    fn what_is_new_and_what_was_known_is_said() {
        let mut sample = sample();
        sample.summary.standing = Some(StandingTotal {
            new_groups: 1,
            new_extra_records: 2,
            new_amounts: vec![dollars("38.50")],
            known_groups: 1,
            known_extra_records: 1,
            known_by: vec![KnownTotal {
                by: "baseline".to_owned(),
                groups: 1,
                extra_records: 1,
            }],
            gone_groups: Some(4),
        });
        sample.groups[1].standing = Some(GroupStanding {
            standing: Standing::Known,
            new_extra: 0,
            first_found_millis: Some(START_MILLIS),
            known_by: Some("baseline".to_owned()),
        });
        sample.summary.thresholds = Some(vec![ThresholdTotal {
            threshold: "groups=1".to_owned(),
            found: "1".to_owned(),
            is_reached: true,
        }]);
        let report: Value = serde_json::from_str(&written(&sample, false)).unwrap();
        let summary = &report["summary"];
        let reached = serde_json::json!([{"threshold": "groups=1", "found": "1", "reached": true}]);
        assert_eq!(summary["fail_at"], reached);
        let counts = [
            "new_groups",
            "new_extra_records",
            "known_groups",
            "gone_groups",
        ];
        assert_eq!(
            counts.map(|name| summary[name].as_u64()),
            [1, 2, 1, 4].map(Some)
        );
        assert_eq!(summary["new_amounts"][0]["net"], "38.50");
        let by = serde_json::json!([{"by": "baseline", "groups": 1, "extra_records": 1}]);
        assert_eq!(summary["known_by"], by);
        assert_eq!(report["groups"][0]["status"], Value::Null);
        let known = &report["groups"][1];
        assert_eq!(
            (&known["status"], &known["new_extra"]),
            (&"known".into(), &0.into())
        );
        assert_eq!(known["first_found"], "2026-01-15T02:30:00.000Z");
        assert_eq!(known["known_by"], "baseline");
    }

    #[test]
    fn keys_keep_their_types_and_numbers_their_digits() {
        let mut sample = sample();
        let key = |text| vec![("k".to_owned(), text)];
        let digits = || "9007199254740993".to_owned();
        for (key_text, expected) in [
            (KeyText::Null, "null"),
            (KeyText::Boolean(true), "true"),
            (KeyText::Number(digits()), "9007199254740993"),
            (KeyText::Text(digits()), "\"9007199254740993\""),
            (
                KeyText::Json("{\"a\":[1e400]}".to_owned()),
                "{\"a\":[1e400]}",
            ),
        ] {
            sample.groups[0].key = key(key_text);
            let text = written(&sample, false);
            let start = text.find("\"key\":{").unwrap();
            let end = text.find(",\"count\"").unwrap();
            assert_eq!(&text[start..end], format!("\"key\":{{\"k\":{expected}}}"));
        }
    }

    #[test]
    fn what_does_not_apply_is_null_and_values_are_shown_only_where_asked_for() {
        let mut sample = sample();
        sample.header.amount_field = None;
        sample.header.subject_field = None;
        let mut first = record(1, 0, 0);
        first.timestamp_millis = None;
        first.timestamp_type = TimestampType::Unrecorded;
        first.topic = None;
        let unknown = ReportedRecord {
            occurrence: 2,
            cause: Some(Cause::Undetermined),
            ..first.clone()
        };
        sample.groups = vec![group(KeyText::Null, vec![first, unknown])];
        sample.groups[0].amount = None;
        for episode in &mut sample.episodes {
            episode.amounts.clear();
        }
        sample.groups[0].cause = Cause::Undetermined;
        sample.groups[0].confidence = None;
        sample.groups[0].episode = None;
        let text = written(&sample, false);
        assert!(!text.contains("secret") && !text.contains("19.25"));
        let report: Value = serde_json::from_str(&text).unwrap();
        let group = &report["groups"][0];
        for member in ["span_ms", "amount", "episode", "confidence"] {
            assert_eq!(group.get(member), Some(&Value::Null), "{member}");
        }
        let record = group["records"][0].as_object().unwrap();
        assert_eq!(record.len(), 15);
        assert!(!record.contains_key("amount") && !record.contains_key("subject"));
        let second = &group["records"][1];
        assert_eq!(second["cause"], "undetermined");
        assert_eq!(second["confidence"], Value::Null);
        for member in ["topic", "timestamp", "timestamp_type", "cause", "file"] {
            assert_eq!(record.get(member), Some(&Value::Null), "{member}");
        }
        let report: Value = serde_json::from_str(&written(&sample, true)).unwrap();
        let value = &report["groups"][0]["records"][0]["value"];
        assert_eq!(value, "{\"secret\":1}");
    }
}
