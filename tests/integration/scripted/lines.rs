//! What happens to logs, batches and brokers while partitions are read.

use std::thread;
use std::time::Duration;

use super::Expected::{Gaps, Incomplete};
use super::{Line, Log, READERS, check_all};
use crate::batch_encoder::{TestBatch, TestRecord, pack};
use crate::scripted_broker::Script;

/// The second batch, which is read by nobody.
const SECOND_CORRUPT: super::Expected = Gaps(&[(5, 10, "corrupt")]);

/// One batch at a time.
const SMALL: [&str; 2] = ["-X", "fetch.message.max.bytes=1"];

fn second(codec: i16) -> TestBatch {
    TestBatch {
        attributes: codec,
        ..TestBatch::of_records(5, 5)
    }
}

fn line_of(name: &'static str, second_batch: Vec<u8>) -> Line {
    let log = Log::of_four_batches().with_second_broken(second_batch);
    Line {
        // librdkafka would ask 27,000 times a second; half of these look for the batch's end.
        fetches_max: 80,
        ..Line::new(name, log, SECOND_CORRUPT)
    }
}

#[test]
fn batches_that_fail_their_checks_or_cannot_be_unpacked_cost_themselves_alone() {
    let mut flipped = second(0).encode();
    flipped[70] ^= 1;
    let lines = [
        line_of("M1 to M3, a flipped bit", flipped),
        line_of("M5, garbage as gzip", second(1).encode_with(b"none at all")),
        line_of("M5, garbage as zstd", second(4).encode_with(b"none at all")),
        line_of("M5, a codec that nobody has", second(7).encode_with(b"x")),
    ];
    check_all(&lines);
}

#[test]
fn what_librdkafka_says_nothing_about_is_incomplete_and_the_program_ends() {
    let packed = pack(1, &second(0).encode_records());
    let cut_gzip = second(1).encode_with(&packed[..packed.len() * 6 / 10]);
    let mut magic = second(0).encode();
    magic[16] = 3;
    let records = second(0).encode_records();
    let cut_record = second(0).encode_with(&records[..records.len() - 3]);
    let mut tailless = Log::of_four_batches();
    tailless.batches.truncate(3);
    tailless.keys.retain(|offset, _| *offset < 15);
    let nothing_more = Gaps(&[(15, 30, "control-or-compacted")]);
    let cut_record = line_of("M7, a cut record", cut_record).silent();
    let lines = [
        line_of("M4, a cut gzip stream", cut_gzip),
        line_of("M6, a format that nobody has", magic),
    ]
    .map(|line| line.silent().librdkafka(Incomplete));
    let tailless = |expected| {
        Line::new("M14, a tail that holds nothing", tailless.clone(), expected)
            .happening(|script| script.partitions[0].high_watermark = 30)
    };
    // librdkafka delivers the four whole records of the batch, which are right.
    let mut half_read = Line::new(cut_record.name, cut_record.log.clone(), Incomplete).silent();
    let whole = second(0).records.into_iter().zip(5..9);
    let keys = whole.map(|(record, offset)| (offset, record.key.unwrap()));
    half_read.log.keys.extend(keys);
    thread::scope(|scope| {
        scope.spawn(|| check_all(&lines));
        scope.spawn(|| cut_record.check("wire"));
        scope.spawn(|| tailless(nothing_more).check("wire"));
        if READERS.contains(&"librdkafka") {
            scope.spawn(|| half_read.check("librdkafka"));
            scope.spawn(|| tailless(Incomplete).silent().check("librdkafka"));
        }
    });
}

fn cut_off(script: &mut Script) {
    script.partitions[0].high_watermark = 10;
    script.partitions[0].batches.truncate(2);
}

#[test]
fn logs_that_shrink_while_they_are_read_leave_gaps_of_that_name() {
    let log = Log::of_four_batches;
    let retention = |script: &mut Script| {
        script.at_offset = Some((5, |script| script.partitions[0].log_start_offset = 12));
    };
    let lines = [
        Line::new("M8 to M10, retention", log(), Gaps(&[(5, 12, "deleted")]))
            .options(&SMALL)
            .happening(retention),
        Line::new(
            "M11, a start beyond the end",
            log(),
            Gaps(&[(15, 20, "truncated")]),
        )
        .options(&["--from", "offset:15"])
        .happening(|script| script.at_offset = Some((15, cut_off))),
        Line::new(
            "M12, a log that was cut off",
            log(),
            Gaps(&[(10, 20, "truncated")]),
        )
        .options(&SMALL)
        .silent()
        .happening(|script| script.at_offset = Some((10, cut_off))),
    ];
    check_all(&lines);
}

#[test]
fn offsets_without_records_are_told_and_complete() {
    let first = || Log::default().with(&TestBatch::of_records(0, 5));
    let mut holes = second(0);
    holes.records.truncate(3);
    holes.last_offset_delta = Some(4);
    let mut empty = second(0);
    empty.records.clear();
    empty.last_offset_delta = Some(4);
    let lines = [
        Line::new(
            "M13, a tail compacted away",
            first().with(&holes),
            Gaps(&[(8, 10, "compacted")]),
        )
        .librdkafka(Gaps(&[(8, 10, "control-or-compacted")])),
        Line::new(
            "M13, an empty batch",
            first().with(&empty),
            Gaps(&[(5, 10, "compacted")]),
        )
        .librdkafka(Gaps(&[(5, 10, "control-or-compacted")])),
        Line::new("M13, an empty partition", Log::default(), Gaps(&[])),
    ];
    check_all(&lines);
}

/// An aborted transaction at [0, 5), its marker, three records, and a transaction that was
/// committed, with its marker last.
fn transactions(shows_aborted: bool) -> Log {
    let of = |base_offset, count| TestBatch {
        producer_epoch: 3,
        base_sequence: 0,
        ..TestBatch::transactional(base_offset, count, 9)
    };
    let log = if shows_aborted {
        Log::default().with(&of(0, 5))
    } else {
        Log::default().hidden(&of(0, 5))
    };
    log.hidden(&TestBatch::marker(5, 9, 0))
        .with(&TestBatch::of_records(6, 3))
        .with(&of(9, 2))
        .hidden(&TestBatch::marker(11, 9, 1))
}

#[test]
fn transactions_are_told_by_the_isolation_level() {
    let has_aborted = |script: &mut Script| script.partitions[0].aborted = vec![(9, 0, 5)];
    let committed = Gaps(&[(0, 5, "aborted"), (5, 6, "control"), (11, 12, "control")]);
    let holes = Gaps(&[
        (0, 6, "control-or-compacted"),
        (11, 12, "control-or-compacted"),
    ]);
    let all = Gaps(&[(5, 6, "control"), (11, 12, "control")]);
    let all_holes = Gaps(&[
        (5, 6, "control-or-compacted"),
        (11, 12, "control-or-compacted"),
    ]);
    let open = Gaps(&[(5, 20, "open-transaction")]);
    let lines = [
        Line::new("M15, read_committed", transactions(false), committed)
            .librdkafka(holes)
            .happening(has_aborted),
        Line::new("M15, read_uncommitted", transactions(true), all)
            .librdkafka(all_holes)
            .options(&["--isolation", "read_uncommitted"])
            .happening(has_aborted),
        Line::new("M16, an open transaction", Log::of_four_batches(), open)
            .happening(|script| script.partitions[0].last_stable_offset = Some(5)),
    ];
    check_all(&lines);
}

#[test]
fn brokers_that_never_answer_to_the_point_leave_a_stalled_gap_and_the_others_finish() {
    let log = Log::of_four_batches;
    let all = Gaps(&[(0, 20, "stalled")]);
    let lines = [
        Line::new("M17, an unknown topic", log(), all)
            .silent()
            .happening(|script| script.partitions[0].fetch_error = 3),
        Line::new("M17, not the leader", log(), all)
            .silent()
            .happening(|script| script.partitions[0].fetch_error = 6),
        Line::new("M17, a failing disk", log(), all)
            .silent()
            .happening(|script| script.partitions[0].fetch_error = 56),
        Line::new("M18, no leader", log(), Gaps(&[(5, 20, "stalled")]))
            .silent()
            .options(&SMALL)
            .happening(|script| {
                script.at_offset = Some((5, |script| script.partitions[0].leader = -1));
            }),
        Line::new("M20, no answers to fetches", log(), all)
            .silent()
            .happening(|script| script.silent_broker = Some(0)),
    ];
    check_all(&lines);
}

#[test]
fn a_throttled_partition_is_waited_for_longer_than_for_a_silent_one() {
    let line = Line::new("a quota", Log::of_four_batches(), Gaps(&[]));
    // Long beside the stall timeout and what asking a muted broker for its bounds takes.
    let line = line.happening(|script| script.throttles.extend([8_000, 8_000, 8_000]));
    check_all(&[Line {
        stall_seconds: 2,
        time_max: Duration::from_secs(40),
        ..line
    }]);
}

#[test]
fn a_bomb_is_refused_where_the_memory_is_small_and_read_where_it_is_not() {
    const UNPACKED_BYTES: usize = 68 << 20;
    let mut bomb = second(1);
    bomb.records = vec![TestRecord {
        key: Some(b"bomb".to_vec()),
        value: Some(vec![0; UNPACKED_BYTES]),
        ..TestRecord::default()
    }];
    let first = || Log::default().with(&TestBatch::of_records(0, 5));
    let line = |log, gaps| Line::new("M22, a bomb", log, gaps);
    line(first().hidden(&bomb), Gaps(&[(5, 6, "corrupt")]))
        .options(&["--memory", "16M"])
        .check("wire");
    // librdkafka has no such limit; ours is a quarter of the memory.
    check_all(&[line(first().with(&bomb), Gaps(&[])).options(&["--memory", "512M"])]);
}
