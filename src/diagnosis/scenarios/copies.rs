//! Copies by design, and several causes in one log.

use super::{History, NO_IDS, keys};
use crate::finding::{
    AbortedCopy, Cause, Confidence, DeadLetterDialect, Evidence, NamedCoordinates,
};
use crate::record::TimestampType;

#[test]
fn a_mirror_keeps_bytes_and_times_in_another_topic() {
    let mut history = History::default();
    history.write("charges", 2, &keys(0, 40), 1000);
    history.write("dc1.charges", 2, &keys(0, 40), 1000);
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::MirrorCopy, Some(Confidence::Strong), 40);
    let named = Evidence::MirrorName {
        source: "charges".to_owned(),
        mirror: "dc1.charges".to_owned(),
    };
    assert!(diagnosed.of(3, 2).supporting.contains(&named));

    let mut history = History::default();
    history.write("charges", 2, &keys(0, 3), 1000);
    history.write("copy", 2, &keys(0, 3), 1000);
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::MirrorCopy, Some(Confidence::Weak), 3);
}

#[test]
fn a_retry_that_was_mirrored_is_one_retry_and_its_mirror() {
    let mut history = History::default();
    for topic in ["charges", "zurich.charges"] {
        history.write(topic, 0, &keys(0, 30), 1000);
        history.write(topic, 0, &keys(10, 30), 1010);
        history.write(topic, 0, &keys(30, 60), 1030);
    }
    let diagnosed = history.diagnosed();
    for key in 10..30 {
        assert_eq!(diagnosed.of(key, 2).cause, Cause::ProducerRetry);
        assert_eq!(diagnosed.of(key, 3).cause, Cause::MirrorCopy);
        assert_eq!(diagnosed.of(key, 4).cause, Cause::MirrorCopy);
    }
    assert_eq!(diagnosed.of(45, 2).cause, Cause::MirrorCopy);
    let confidence = diagnosed.of(10, 2).confidence;
    assert_eq!(confidence, Some(Confidence::Weak));
}

#[test]
fn a_mirror_that_started_again_and_a_retry_of_its_producer_both_remain() {
    let mut history = History::default();
    history.write("charges", 0, &keys(0, 30), 1000);
    history.write("dc1.charges", 0, &keys(0, 30), 1000);
    history.write("dc1.charges", 0, &keys(15, 30), 1015);
    let diagnosed = history.diagnosed();
    let repeat = diagnosed.of(20, 3);
    assert_eq!(repeat.cause, Cause::Undetermined);
    let remain = vec![Cause::ProducerRetry, Cause::ConsumerReplay];
    assert!(
        repeat
            .contradicting
            .contains(&Evidence::CausesRemain(remain))
    );
}

#[test]
fn another_topic_with_a_later_time_is_not_called_a_mirror() {
    for topic in ["enriched", "eu.charges"] {
        let mut history = History::default();
        history.write("charges", 0, &keys(0, 30), 1000);
        history.write(topic, 0, &keys(0, 30), 9000);
        let diagnosed = history.diagnosed();
        diagnosed.assert_all(Cause::Undetermined, None, 30);
        assert_eq!(diagnosed.of(3, 2).contradicting, [Evidence::NoCauseFits]);
    }
}

#[test]
fn a_mirror_may_set_its_own_log_append_time_where_its_name_tells_it() {
    let mut history = History::default();
    history.write("charges", 0, &keys(0, 30), 1000);
    history.write("dc1.charges", 0, &keys(0, 30), 9000);
    let history = history.shown_as(|facts| {
        if facts.topic.as_deref() == Some("dc1.charges") {
            facts.timestamp.as_mut().unwrap().timestamp_type = TimestampType::LogAppendTime;
        }
    });
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::MirrorCopy, Some(Confidence::Weak), 30);
}

#[test]
fn a_dead_letter_put_back_into_its_topic_was_sent_again() {
    let mut history = History::default();
    history.write("charges", 1, &keys(0, 30), 1000);
    let record = history.write_one("charges", 1, 3, 60_000);
    let named = NamedCoordinates {
        dialect: DeadLetterDialect::SpringDeadLetter,
        topic: "charges".to_owned(),
        partition: 1,
        offset: 3,
    };
    record.facts.named = Some(named.clone());
    record.facts.content.headers = Some(55);
    record.differing = vec!["headers.kafka_dlt-original-offset".to_owned()];
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Weak), 1);
    let told = diagnosed.of(3, 2);
    assert!(told.supporting.contains(&Evidence::NamedByHeaders(named)));
    let one_topic = (Cause::DeadLetterCopy, Evidence::OneTopic);
    assert!(told.excluded.contains(&one_topic));
}

#[test]
fn headers_of_three_dialects_name_the_original() {
    for dialect in [
        DeadLetterDialect::Connect,
        DeadLetterDialect::SpringDeadLetter,
        DeadLetterDialect::SmallRye,
    ] {
        let mut history = History::default();
        history.write("charges", 1, &keys(0, 30), 1000);
        for key in [3, 9, 27] {
            let named = NamedCoordinates {
                dialect,
                topic: "charges".to_owned(),
                partition: 1,
                offset: i64::try_from(key).unwrap(),
            };
            let record = history.write_one("charges-dlq", 0, key, 1000 + named.offset);
            record.facts.content.headers = Some(55);
            record.facts.named = Some(named);
        }
        let diagnosed = history.diagnosed();
        diagnosed.assert_all(Cause::DeadLetterCopy, Some(Confidence::Strong), 3);
        assert_eq!(diagnosed.episodes.len(), 1);
    }
}

#[test]
fn two_dead_letters_of_one_record_were_handled_twice() {
    let mut history = History::default();
    for millis in [1000, 31_000] {
        let record = history.write_one("charges-dlq", 0, 5, millis);
        record.facts.named = Some(NamedCoordinates {
            dialect: DeadLetterDialect::Connect,
            topic: "charges".to_owned(),
            partition: 1,
            offset: 77,
        });
    }
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::ConsumerReplay, Some(Confidence::Strong), 1);
}

#[test]
fn an_aborted_copy_is_told_by_its_markers() {
    let mut history = History::default();
    for key in 0..10 {
        history.write_one("charges", 0, key, 1000).facts.is_aborted = Some(true);
    }
    for key in 0..10 {
        history.write_one("charges", 0, key, 9000).facts.is_aborted = Some(false);
    }
    let diagnosed = history.diagnosed();
    diagnosed.assert_all(Cause::AbortedTransaction, Some(Confidence::Strong), 10);
    let evidence = &diagnosed.of(3, 2).supporting;
    assert_eq!(evidence, &[Evidence::Aborted(AbortedCopy::Earlier)]);
}

#[test]
fn an_aborted_copy_does_not_hide_a_repeat_of_committed_ones() {
    let mut history = History::default();
    history.write_one("charges", 0, 1, 1000).facts.is_aborted = Some(false);
    history.write_one("charges", 0, 1, 2000).facts.is_aborted = Some(true);
    history.write_one("charges", 0, 1, 3000).facts.is_aborted = Some(false);
    let diagnosed = history.diagnosed();
    assert_eq!(diagnosed.of(1, 2).cause, Cause::AbortedTransaction);
    assert_eq!(diagnosed.of(1, 3).cause, Cause::ApplicationResend);
}

#[test]
fn causes_mixed_in_one_partition_stay_apart() {
    let mut history = History::default();
    history.write_batch(&keys(0, 50), 1_000_000, NO_IDS);
    history.write_batch(&keys(50, 80), 1_000_050, NO_IDS);
    // A lost acknowledgement, and between its batches an application that sends again.
    history.write_batch(&keys(50, 80), 1_000_050, NO_IDS);
    history.write_batch(&[7], 1_005_007, NO_IDS);
    history.write_batch(&keys(100, 160), 1_005_100, NO_IDS);
    history.write_batch(&[31], 1_030_031, NO_IDS);
    // A process that works through a stretch again.
    history.write_batch(&keys(110, 160), 1_060_000, NO_IDS);
    // One record comes three times: by the retry, then by the application.
    history.write_batch(&[60], 1_090_000, NO_IDS);
    history.write("dc1.charges", 0, &keys(0, 10), 1_000_000);
    let diagnosed = history.diagnosed();
    for key in 50..80 {
        let retry = diagnosed.of(key, 2);
        assert_eq!(retry.cause, Cause::ProducerRetry);
        assert_eq!(retry.confidence, Some(Confidence::Certain));
    }
    for key in 110..160 {
        assert_eq!(diagnosed.of(key, 2).cause, Cause::ConsumerReplay);
    }
    assert_eq!(diagnosed.of(31, 2).cause, Cause::ApplicationResend);
    assert_eq!(diagnosed.of(60, 3).cause, Cause::ApplicationResend);
    assert_eq!(diagnosed.of(7, 2).cause, Cause::MirrorCopy);
    assert_eq!(diagnosed.of(7, 3).cause, Cause::ApplicationResend);
}
