//! Applications that send again, and repetitions that are none.

use super::{History, keys};
use crate::finding::{Cause, Confidence, Evidence};
use crate::record::TimestampType;

/// Live traffic, a record each 20 ms; every n-th comes again `wait_millis` later.
fn resends(every: u64, wait_millis: i64, change: impl Fn(&mut super::Written)) -> History {
    let mut sends: Vec<(i64, u64, bool)> = Vec::new();
    for key in 0..2000 {
        let millis = 1_000_000 + 20 * i64::try_from(key).unwrap();
        sends.push((millis, key, false));
        if key % every == 3 {
            sends.push((
                millis + wait_millis + i64::try_from(key % 7).unwrap(),
                key,
                true,
            ));
        }
    }
    sends.sort_unstable();
    let mut history = History::default();
    for (millis, key, is_repeat) in sends {
        let record = history.write_one("charges", 0, key, millis);
        if is_repeat {
            change(record);
        }
    }
    history
}

#[test]
fn scattered_repeats_with_a_later_create_time_are_an_applications() {
    for every in [4, 17, 50, 400] {
        let diagnosed = resends(every, 5000, |_| {}).diagnosed();
        let extra = diagnosed.by_extra.len();
        diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Strong), extra);
        let evidence = &diagnosed.of(3, 2).supporting;
        let is_timer = |one: &Evidence| {
            matches!(
                one,
                Evidence::TimerGap {
                    timer_millis: 5000,
                    ..
                }
            )
        };
        assert!(evidence.iter().any(is_timer), "{evidence:?}");
    }
    let diagnosed = resends(50, 1700, |_| {}).diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Weak), 40);
}

#[test]
fn a_burst_of_resends_is_one_episode() {
    let diagnosed = resends(400, 5000, |_| {}).diagnosed();
    assert_eq!(diagnosed.episodes.len(), 1);
    assert_eq!(diagnosed.episodes[0].extra_records, 5);
    assert!(diagnosed.episodes[0].is_ongoing);
}

#[test]
fn a_counter_of_attempts_tells_an_application() {
    let attempt = |record: &mut super::Written| {
        record.facts.content.value = Some(99);
        record.differing = vec!["value.attempt".to_owned(), "value.sent_at".to_owned()];
    };
    let diagnosed = resends(50, 1700, attempt).diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Strong), 40);
    let broker_time = resends(50, 1700, attempt).shown_as(|facts| {
        facts.timestamp.as_mut().unwrap().timestamp_type = TimestampType::LogAppendTime;
    });
    let diagnosed = broker_time.diagnosed();
    diagnosed.assert_all(Cause::ApplicationResend, Some(Confidence::Weak), 40);
}

#[test]
fn later_times_of_the_broker_leave_equal_copies_undetermined() {
    let history = resends(50, 5000, |_| {}).shown_as(|facts| {
        facts.timestamp.as_mut().unwrap().timestamp_type = TimestampType::LogAppendTime;
    });
    history
        .diagnosed()
        .assert_all(Cause::Undetermined, None, 40);
}

#[test]
fn repetitions_whose_content_differs_are_not_called_resends() {
    let other = |record: &mut super::Written| {
        record.facts.content.value = Some(99);
        record.differing = vec!["value.amount".to_owned()];
    };
    let diagnosed = resends(50, 1700, other).diagnosed();
    diagnosed.assert_all(Cause::Undetermined, None, 40);
    let paths = vec!["value.amount".to_owned()];
    let seen = &diagnosed.of(3, 2).supporting;
    assert!(seen.contains(&Evidence::ChangedContent { paths }));
}

#[test]
fn a_clean_log_has_nothing_to_diagnose() {
    let mut history = History::default();
    history.write("charges", 0, &keys(0, 100), 1000);
    let diagnosed = history.diagnosed();
    assert!(diagnosed.by_extra.is_empty() && diagnosed.episodes.is_empty());
}

#[test]
fn a_second_attempt_is_compared_with_the_first() {
    let mut history = History::default();
    history.write("charges", 0, &keys(0, 50), 1000);
    for (attempt, offset) in [(1, 5000), (2, 10_000), (3, 15_000)] {
        history.write_one("charges", 0, 7, 1007 + offset);
        let filler = 1000 * attempt;
        history.write("charges", 0, &keys(filler, filler + 300), 1100 + offset);
    }
    let diagnosed = history.diagnosed();
    assert_eq!(diagnosed.by_extra.len(), 3);
    assert_eq!(diagnosed.cause_of_group(7), Cause::ApplicationResend);
    let later = Evidence::LaterCreateTime { millis: 5000 };
    for occurrence in 2..=4 {
        assert!(diagnosed.of(7, occurrence).supporting.contains(&later));
    }
}
