//! Times as typed: RFC 3339, a date, a local time with `--tz`, or `-2h` before the start.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use chrono::{Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::cli::resolve::duration;
use crate::cli::usage_error::UsageError;

/// Forms of a date with a time; both separators of RFC 3339 are turned into `T` before.
const LOCAL_FORMS: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];

const HINT: &str = "write RFC 3339 such as 2026-01-15T02:30:00Z, a date such as 2026-01-15, a time \
                    before now such as -2h, or an offset such as offset:88110";

/// What a time as typed depends on.
#[derive(Clone, Copy, Debug)]
pub struct TimeContext {
    /// Start of the run, milliseconds since the epoch.
    pub now_millis: i64,
    /// Zone of times and dates that name none.
    pub zone: Option<Tz>,
}

/// Parses the name of a zone.
pub fn parse_zone(text: &str) -> Result<Tz, UsageError> {
    text.parse().map_err(|_| {
        UsageError::new("there is no such time zone")
            .hint("write a name of the IANA database, such as UTC, Europe/Berlin or Asia/Tokyo")
    })
}

/// Parses a time into milliseconds since the epoch, rounded up: a bound between two milliseconds
/// has the same records on its sides as the later one.
pub fn parse(text: &str, context: TimeContext) -> Result<i64, UsageError> {
    if let Some(distance) = text.strip_prefix('-') {
        let millis = duration::parse(distance)?;
        return context
            .now_millis
            .checked_sub(millis)
            .filter(|&millis| DateTime::from_timestamp_millis(millis).is_some())
            .ok_or_else(|| UsageError::new("the time is too long ago").hint(HINT));
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return start_of_day(date, context.zone.unwrap_or(Tz::UTC));
    }
    if let Some(time) = parse_zoned(text) {
        return Ok(millis_rounded_up(&time));
    }
    let Some(local) = parse_local(text) else {
        return Err(no_time(text));
    };
    match context.zone {
        Some(zone) => in_zone(local, zone),
        None => Err(UsageError::new("the time names no zone").hint(format!(
            "write `{text}Z` for UTC, or say which zone it is in: --tz Europe/Berlin"
        ))),
    }
}

fn no_time(text: &str) -> UsageError {
    let message = "this is no time and no offset";
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text {
        "beginning" | "earliest" => UsageError::new(message)
            .hint("leave the option out: a range begins at the start of the log by itself"),
        "end" | "latest" | "now" => UsageError::new(message)
            .hint("leave the option out: a range ends where the log ends when the scan starts"),
        _ if is_number => UsageError::new(message).hint(format!(
            "for an offset write offset:{text}; times are written as 2026-01-15T02:30:00Z"
        )),
        _ => UsageError::new(message).hint(HINT),
    }
}

fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let text = format!("{date}T{time}");
    LOCAL_FORMS
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())
}

fn parse_zoned(text: &str) -> Option<DateTime<FixedOffset>> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some(parse_local(local)?.and_utc().fixed_offset());
    }
    let (local, zone) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let is_offset = zone.starts_with(['+', '-']) && zone.contains(':');
    let offset: FixedOffset = zone.parse().ok().filter(|_| is_offset)?;
    parse_local(local)?.and_local_timezone(offset).single()
}

fn in_zone(local: NaiveDateTime, zone: Tz) -> Result<i64, UsageError> {
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::Single(time) => Ok(millis_rounded_up(&time)),
        chrono::LocalResult::Ambiguous(first, second) => Err(two_choices(
            &format!("clocks in {zone} showed this time twice"),
            first.fixed_offset(),
            second.fixed_offset(),
        )),
        chrono::LocalResult::None => Err(skipped_time(local, zone)),
    }
}

/// A time that clocks skipped is read with the offset before the change, or the one after it.
fn skipped_time(local: NaiveDateTime, zone: Tz) -> UsageError {
    let message = format!("clocks in {zone} skipped this time");
    let offset_near = |time: Option<NaiveDateTime>| {
        let offset = zone.offset_from_utc_datetime(&time?).fix();
        local.and_local_timezone(offset).single()
    };
    let before = offset_near(local.checked_sub_signed(TimeDelta::days(1)));
    let after = offset_near(local.checked_add_signed(TimeDelta::days(1)));
    match before.zip(after) {
        Some((before, after)) => two_choices(&message, after, before),
        None => UsageError::new(message).hint(HINT),
    }
}

fn two_choices(
    message: &str,
    first: DateTime<FixedOffset>,
    second: DateTime<FixedOffset>,
) -> UsageError {
    UsageError::new(message).hint(format!(
        "write {} or {}",
        first.to_rfc3339(),
        second.to_rfc3339()
    ))
}

/// Returns the first instant of a date: midnight, or the first minute that clocks did not skip.
fn start_of_day(date: NaiveDate, zone: Tz) -> Result<i64, UsageError> {
    let midnight = date.and_time(NaiveTime::MIN);
    (0..)
        .map_while(|minutes| midnight.checked_add_signed(TimeDelta::minutes(minutes)))
        .take_while(|local| {
            date.checked_add_days(Days::new(1))
                .is_none_or(|end| local.date() < end)
        })
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map(|time| millis_rounded_up(&time))
        .ok_or_else(|| UsageError::new(format!("there was no such day in {zone}")))
}

fn millis_rounded_up<Zone: TimeZone>(time: &DateTime<Zone>) -> i64 {
    let time = time.with_timezone(&Utc);
    let has_more = !time.timestamp_subsec_nanos().is_multiple_of(1_000_000);
    time.timestamp_millis() + i64::from(has_more)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-01-15T02:30:00Z.
    const NOW: i64 = 1_768_444_200_000;

    fn utc(text: &str) -> Result<i64, UsageError> {
        let context = TimeContext {
            now_millis: NOW,
            zone: None,
        };
        parse(text, context)
    }

    fn zoned(text: &str, zone: &str) -> Result<i64, UsageError> {
        let zone = Some(parse_zone(zone).unwrap());
        parse(
            text,
            TimeContext {
                now_millis: NOW,
                zone,
            },
        )
    }

    #[test]
    fn rfc_3339_names_an_instant() {
        for text in [
            "2026-01-15T02:30:00Z",
            "2026-01-15t02:30:00.000z",
            "2026-01-15 02:30:00Z",
            "2026-01-15T02:30Z",
            "2026-01-15T03:30:00+01:00",
            "2026-01-14T21:00:00-05:30",
        ] {
            assert_eq!(utc(text), Ok(NOW), "{text}");
            assert_eq!(zoned(text, "Asia/Tokyo"), Ok(NOW), "{text}");
        }
    }

    #[test]
    fn fractions_of_a_millisecond_are_rounded_up() {
        assert_eq!(utc("2026-01-15T02:30:00.001Z"), Ok(NOW + 1));
        assert_eq!(utc("2026-01-15T02:30:00.0000001Z"), Ok(NOW + 1));
        assert_eq!(utc("2026-01-15T02:30:00.001000001Z"), Ok(NOW + 2));
        assert_eq!(utc("1969-12-31T23:59:59.9999Z"), Ok(0));
    }

    #[test]
    fn a_time_before_all_times_is_an_error() {
        for text in ["-99999999999d", "-9223372036854775807ms", "-15000000w"] {
            let error = utc(text).unwrap_err();
            assert_eq!(error.message, "the time is too long ago", "{text}");
        }
        assert!(utc("-9000000d").is_ok());
    }

    #[test]
    fn a_date_is_the_start_of_a_day_in_utc_or_in_the_zone() {
        let midnight = utc("2026-01-15T00:00:00Z");
        assert_eq!(utc("2026-01-15"), midnight);
        assert_eq!(
            zoned("2026-01-15", "Europe/Berlin"),
            utc("2026-01-14T23:00:00Z")
        );
    }

    #[test]
    fn a_day_whose_midnight_was_skipped_starts_at_its_first_minute() {
        assert_eq!(
            zoned("2018-11-04", "America/Sao_Paulo"),
            utc("2018-11-04T01:00:00-02:00")
        );
        let error = zoned("2011-12-30", "Pacific/Apia").unwrap_err();
        assert_eq!(error.message, "there was no such day in Pacific/Apia");
    }

    #[test]
    fn a_time_without_a_zone_needs_one() {
        let error = utc("2026-01-15T02:30:00").unwrap_err();
        assert_eq!(error.message, "the time names no zone");
        assert!(error.hint.unwrap().contains("--tz"));
        assert_eq!(zoned("2026-01-15T03:30:00", "Europe/Berlin"), Ok(NOW));
        assert_eq!(zoned("2026-01-15 03:30", "Europe/Berlin"), Ok(NOW));
    }

    #[test]
    fn a_time_that_clocks_showed_twice_names_both() {
        let error = zoned("2026-10-25T02:30:00", "Europe/Berlin").unwrap_err();
        assert_eq!(
            error.message,
            "clocks in Europe/Berlin showed this time twice"
        );
        assert_eq!(
            error.hint.unwrap(),
            "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"
        );
    }

    #[test]
    fn a_time_that_clocks_skipped_names_both_readings() {
        let error = zoned("2026-03-29T02:30:00", "Europe/Berlin").unwrap_err();
        assert_eq!(error.message, "clocks in Europe/Berlin skipped this time");
        assert_eq!(
            error.hint.unwrap(),
            "write 2026-03-29T02:30:00+02:00 or 2026-03-29T02:30:00+01:00"
        );
    }

    #[test]
    fn relative_times_count_from_the_start() {
        assert_eq!(utc("-2h"), Ok(NOW - 7_200_000));
        assert_eq!(utc("-90m"), Ok(NOW - 5_400_000));
        assert_eq!(utc("-7d"), Ok(NOW - 604_800_000));
        assert_eq!(utc("-0"), Ok(NOW));
        assert!(utc("-2").unwrap_err().message.contains("no unit"));
        assert!(utc("--to").is_err());
    }

    #[test]
    fn what_is_no_time_says_how_times_are_written() {
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-01-15T25:00:00Z",
            "2026-01-15T02:30:00+99:00",
            "2026-01-15T02:30:00-01-15",
            "2026-01-15+01:00",
            "é",
        ] {
            assert_eq!(utc(text).unwrap_err().hint.as_deref(), Some(HINT), "{text}");
        }
        let hint = |text| utc(text).unwrap_err().hint.unwrap();
        assert!(hint("88110").contains("offset:88110"));
        assert!(hint("beginning").contains("leave the option out"));
        assert!(hint("end").contains("leave the option out"));
    }

    #[test]
    fn an_unknown_zone_is_an_error() {
        assert!(parse_zone("Mars/Olympus").is_err());
        assert!(parse_zone("").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_instant_survives_printing(millis in -62_135_596_800_000_i64..253_402_300_800_000) {
            let time = DateTime::from_timestamp_millis(millis).unwrap();
            let text = time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            prop_assert_eq!(utc(&text), Ok(millis));
            let berlin = time.with_timezone(&chrono_tz::Europe::Berlin);
            if berlin.offset().fix().local_minus_utc() % 60 == 0 {
                prop_assert_eq!(utc(&berlin.to_rfc3339()), Ok(millis));
            }
            let local = berlin.naive_local().format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
            if let Ok(again) = zoned(&local, "Europe/Berlin") {
                prop_assert_eq!(again, millis);
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>(), likely in "[0-9TZ:.+-]{0,30}") {
            let _ = utc(&text);
            let _ = zoned(&likely, "America/New_York");
        }
    }
}
