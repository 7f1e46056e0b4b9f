//! A small report, made by hand, for the tests of every format.

mod mixed;

pub(super) use mixed::mixed;

use std::io;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;

use crate::finding::AmountAtRisk;
use crate::finding::AmountTotal;
use crate::finding::AuditHeader;
use crate::finding::AuditSummary;
use crate::finding::Cause;
use crate::finding::CauseTotal;
use crate::finding::Confidence;
use crate::finding::Coverage;
use crate::finding::DuplicateGroup;
use crate::finding::Episode;
use crate::finding::EvidenceTexts;
use crate::finding::GapReason;
use crate::finding::KeyText;
use crate::finding::OffsetGap;
use crate::finding::OffsetLinks;
use crate::finding::OverTime;
use crate::finding::PartitionCoverage;
use crate::finding::PartitionTotal;
use crate::finding::ReportedRecord;
use crate::finding::Review;
use crate::finding::RunTotals;
use crate::finding::SkippedRecords;
use crate::finding::SubjectTotal;
use crate::finding::TimeSpan;
use crate::finding::Timeline;
use crate::finding::Verdict;
use crate::record::TimestampType;
use crate::record::TopicPartition;
use crate::report::ReportHead;
use crate::report::ReportWriter;

/// 2026-01-15T02:30:00Z.
pub(super) const START_MILLIS: i64 = 1_768_444_200_000;

/// All of a report.
pub(super) struct Sample {
    pub(super) header: AuditHeader,
    pub(super) summary: AuditSummary,
    pub(super) coverage: Coverage,
    pub(super) episodes: Vec<Episode>,
    pub(super) groups: Vec<DuplicateGroup>,
    pub(super) totals: Option<RunTotals>,
}

impl Sample {
    /// Writes the report by `writer`.
    pub(super) fn write(&self, writer: &mut dyn ReportWriter) {
        writer.begin(&self.head()).unwrap();
        for group in &self.groups {
            writer.group(group).unwrap();
        }
        writer.end().unwrap();
    }

    /// Returns what comes before the groups.
    pub(super) fn head(&self) -> ReportHead<'_> {
        ReportHead {
            header: &self.header,
            summary: &self.summary,
            coverage: &self.coverage,
            episodes: &self.episodes,
            totals: self.totals.as_ref(),
        }
    }
}

/// An output that can be read while a writer owns the other end.
#[derive(Clone, Default)]
pub(super) struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn topic_partition(partition: i32) -> TopicPartition {
    TopicPartition {
        topic: "charges".into(),
        partition,
    }
}

fn read(partition: i32, start_offset: i64, end_offset: i64) -> PartitionCoverage {
    PartitionCoverage {
        topic_partition: topic_partition(partition),
        log_start_offset: 0,
        high_watermark: end_offset,
        last_stable_offset: end_offset,
        start_offset,
        end_offset,
        next_offset: end_offset,
        records_read: 2_000,
        is_log_append_time: false,
        gaps: vec![OffsetGap {
            start: start_offset + 5,
            end: start_offset + 6,
            reason: GapReason::Control,
        }],
        notes: Vec::new(),
    }
}

/// An amount in US dollars of which nothing was taken back.
pub(super) fn dollars(extra: &str) -> AmountAtRisk {
    AmountAtRisk {
        currency: Some("USD".to_owned()),
        extra: extra.to_owned(),
        reversed: "0.00".to_owned(),
        net: extra.to_owned(),
    }
}

/// A total of extra records in one currency, of which nothing was taken back.
pub(super) fn total(currency: Option<&str>, extra: &str, extra_records: u64) -> AmountTotal {
    AmountTotal {
        currency: currency.map(str::to_owned),
        extra: extra.to_owned(),
        reversed: "0.00".to_owned(),
        net: extra.to_owned(),
        extra_records,
        copies: "0.00".to_owned(),
        copies_records: 0,
        conflicting: "0.00".to_owned(),
        conflicting_reversed: "0.00".to_owned(),
        conflicting_records: 0,
    }
}

/// A record of episode 1 if it is the second of its group, of episode 2 if it is the third.
pub(super) fn record(occurrence: u64, offset: i64, millis: i64) -> ReportedRecord {
    ReportedRecord {
        occurrence,
        topic: Some("charges".to_owned()),
        partition: Some(1),
        offset: Some(offset),
        timestamp_millis: Some(millis),
        timestamp_type: TimestampType::CreateTime,
        cause: (occurrence > 1).then_some(Cause::ProducerRetry),
        confidence: (occurrence > 1).then_some(Confidence::Certain),
        episode: (occurrence > 1).then_some(occurrence - 1),
        texts: (occurrence > 1).then(|| Arc::new(batch_texts(occurrence - 1))),
        key: Some("cus_00913".to_owned()),
        file: None,
        line: None,
        byte_offset: None,
        amount: Some("19.25".to_owned()),
        reversal: None,
        currency: Some("USD".to_owned()),
        subject: Some("cus_00913".to_owned()),
        value: Some("{\"secret\":1}".to_owned()),
    }
}

/// A group of charges in US dollars.
pub(super) fn group(key: KeyText, records: Vec<ReportedRecord>) -> DuplicateGroup {
    let extra = u32::try_from(records.len()).unwrap() - 1;
    let cents = 1925 * extra;
    DuplicateGroup {
        id: "g_000102030405060708090a0b0c0d0e0f".to_owned(),
        key: vec![("value.charge_id".to_owned(), key)],
        count: u64::from(extra) + 1,
        extra: u64::from(extra),
        first_timestamp_millis: records.first().unwrap().timestamp_millis,
        last_timestamp_millis: records.last().unwrap().timestamp_millis,
        identical: Some(true),
        differing_fields: Vec::new(),
        cause: Cause::ProducerRetry,
        confidence: Some(Confidence::Certain),
        evidence: batch_evidence(),
        contrary: Vec::new(),
        episode: Some(1),
        amount: Some(dollars(&format!("{}.{:02}", cents / 100, cents % 100))),
        reversals: None,
        review: Review::Ok,
        subject: Some("cus_00913".to_owned()),
        standing: None,
        records: Box::new(records),
    }
}

/// The evidence of an episode.
fn batch_texts(episode: u64) -> EvidenceTexts {
    let mut evidence = batch_evidence();
    if episode > 1 {
        evidence[0] = evidence[0].replace("88646", "88682");
    }
    EvidenceTexts {
        evidence,
        contrary: Vec::new(),
    }
}

fn batch_evidence() -> Vec<String> {
    let texts = [
        "one batch of 36 records (CRC 9d3f01ac, 8119 B) stands at 88610 and at 88646",
        "CreateTime is the same to the millisecond",
    ];
    texts.map(str::to_owned).into()
}

/// An episode of one extra record in `charges-1`.
fn episode(id: u64, seconds: i64, originals: Range<i64>, extras: Range<i64>) -> Episode {
    let mut links = OffsetLinks::default();
    links.add(originals.start, extras.start);
    Episode {
        id,
        cause: Cause::ProducerRetry,
        topic: Some("charges".to_owned()),
        partition: Some(1),
        groups: 1,
        extra_records: 1,
        first_timestamp_millis: Some(at(seconds)),
        last_timestamp_millis: Some(at(seconds)),
        original_topic: Some("charges".to_owned()),
        original_partition: Some(1),
        original_offsets: Some(originals),
        extra_offsets: Some(extras),
        amounts: vec![dollars("19.25")],
        is_ongoing: false,
        links,
    }
}

/// Returns the moment `seconds` and some milliseconds into the sample.
fn at(seconds: i64) -> i64 {
    START_MILLIS + seconds * 1_000 + 218
}

fn header() -> AuditHeader {
    AuditHeader {
        dupaudit_version: "0.1.0".to_owned(),
        command_line: vec!["dupaudit".to_owned(), "scan".to_owned()],
        started_at_millis: START_MILLIS,
        finished_at_millis: START_MILLIS + 1_500,
        preset: None,
        by: vec!["value.charge_id|trim|lower".to_owned()],
        filter: None,
        within_millis: None,
        isolation: "read_committed",
        amount_field: Some("value.amount".to_owned()),
        currency_field: Some("value.currency".to_owned()),
        amount_unit: "major",
        subject_field: Some("value.customer_id".to_owned()),
        reversal: None,
        from_millis: Some(START_MILLIS),
        to_millis: Some(START_MILLIS + 2_400_000),
        offset_range: None,
        shows_values: true,
        redaction: None,
    }
}

fn summary() -> AuditSummary {
    let span = |first: i64, last: i64| TimeSpan {
        first_millis: START_MILLIS + first,
        last_millis: START_MILLIS + last,
    };
    AuditSummary {
        verdict: Verdict::Duplicates,
        complete: true,
        incomplete_reasons: Vec::new(),
        records_read: 6_000,
        records_audited: 6_000,
        skipped: SkippedRecords::default(),
        distinct_keys: 5_997,
        groups: 2,
        extra_records: 3,
        conflicting_groups: 0,
        uncompared_groups: 0,
        largest_group: 3,
        subjects: 1,
        top_subjects: vec![SubjectTotal {
            subject: "cus_00913".to_owned(),
            groups: 2,
            extra_records: 3,
            amounts: vec![dollars("57.75")],
        }],
        amounts: vec![total(Some("USD"), "57.75", 3)],
        amounts_unusable: 0,
        reversals: None,
        causes: vec![CauseTotal {
            cause: Cause::ProducerRetry,
            groups: 2,
            extra_records: 3,
            confidences: vec![
                (Some(Confidence::Certain), 2),
                (Some(Confidence::Strong), 1),
            ],
            evidence: batch_evidence(),
            contrary: Vec::new(),
        }],
        partitions: vec![PartitionTotal {
            topic_partition: topic_partition(1),
            episodes: 3,
            groups: 2,
            extra_records: 3,
            amounts: vec![dollars("57.75")],
        }],
        audited_span: Some(span(1_000, 2_390_000)),
        timestamp_types: [TimestampType::CreateTime].into(),
        extra_span: Some(span(667_218, 1_364_000)),
        timeline: timeline(&[(11, 1), (22, 2)]),
        standing: None,
        thresholds: None,
        causes_over_time: over_time(Cause::ProducerRetry),
        partitions_over_time: over_time(topic_partition(1)),
        warnings: Vec::new(),
    }
}

/// The same counts as in the timeline.
fn over_time<K: Clone + Ord>(of: K) -> OverTime<K> {
    let mut over_time = OverTime::default();
    over_time.add(START_MILLIS / 1_000 + 11 * 60 + 7, of.clone(), 1);
    over_time.add(START_MILLIS / 1_000 + 22 * 60 + 44, of, 2);
    over_time
}

/// Counts by minutes after the start.
fn timeline(counts: &[(i64, u64)]) -> Timeline {
    let mut timeline = Timeline::default();
    for (minute, count) in counts {
        timeline.add(START_MILLIS / 60_000 + minute, *count);
    }
    timeline
}

/// Two groups in one partition of three, hit by three lost acknowledgements.
pub(super) fn sample() -> Sample {
    let first = group(
        KeyText::Text("ch_004127".to_owned()),
        vec![
            record(1, 88_641, at(667)),
            record(2, 88_677, at(667)),
            record(3, 88_713, at(670)),
        ],
    );
    let mut alone = record(2, 90_001, at(1_364));
    alone.confidence = Some(Confidence::Strong);
    alone.episode = Some(3);
    let mut second = group(
        KeyText::Number("9007199254740993".to_owned()),
        vec![record(1, 90_000, at(1_363)), alone],
    );
    second.confidence = Some(Confidence::Strong);
    second.episode = Some(3);
    Sample {
        header: header(),
        summary: summary(),
        coverage: Coverage {
            conflicts: Vec::new(),
            partitions: vec![
                read(0, 88_110, 90_110),
                read(1, 87_904, 89_904),
                read(2, 88_021, 90_021),
            ],
            files: Vec::new(),
        },
        episodes: vec![
            episode(1, 667, 88_610..88_646, 88_646..88_682),
            episode(2, 670, 88_610..88_646, 88_682..88_718),
            episode(3, 1_364, 90_000..90_001, 90_001..90_002),
        ],
        groups: vec![first, second],
        totals: None,
    }
}
