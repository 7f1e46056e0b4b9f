//! Shows what a scan would read and what that would take, and reads no record.

use crate::command::print;
use crate::command::sources;
use crate::command::state;
use crate::command::{CommandError, Message, Outcome};
use crate::command::{ScanCommand, Surroundings};
use crate::source::kafka::estimate::{PartitionEstimate, RECORDS_PER_SECOND, least_time};

/// Connects, freezes the ranges and prints them with their estimates.
pub(super) fn run(
    scan: &ScanCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let resume = state::resume_points_of(scan)?;
    let Some((source, spec)) = sources::open_topic_source(scan, resume, surroundings)? else {
        return Ok(Outcome::Done);
    };
    let estimates = source.estimate().map_err(sources::kafka_failure)?;
    for estimate in &estimates {
        for note in &estimate.notes {
            let text = format!("{}: {note}", estimate.topic_partition);
            (surroundings.say)(Message::Note(text));
        }
    }
    if !scan.files.is_empty() {
        let text = "a dry run says nothing about files".to_owned();
        (surroundings.say)(Message::Note(text));
    }
    let text = text_of(&estimates, spec.max_rate_bytes);
    print::run(text.as_bytes(), surroundings)
}

fn text_of(estimates: &[PartitionEstimate], max_rate_bytes: Option<u64>) -> String {
    let mut lines = vec![[
        "PARTITION".to_owned(),
        "LEADER".to_owned(),
        "OFFSETS".to_owned(),
        "RECORDS AT MOST".to_owned(),
        "BYTES, ABOUT".to_owned(),
    ]];
    for estimate in estimates {
        let (start, end) = (estimate.start_offset, estimate.end_offset);
        lines.push([
            estimate.topic_partition.to_string(),
            estimate
                .leader
                .map_or("none".to_owned(), |id| id.to_string()),
            format!("[{start}, {end})"),
            estimate.records.to_string(),
            bytes_text(estimate.bytes),
        ]);
    }
    let records: u64 = estimates.iter().map(|estimate| estimate.records).sum();
    let bytes: Option<u64> = estimates.iter().map(|estimate| estimate.bytes).sum();
    lines.push([
        "all".to_owned(),
        String::new(),
        String::new(),
        records.to_string(),
        bytes_text(bytes),
    ]);
    aligned(&lines) + &time_text(records, bytes, max_rate_bytes)
}

fn bytes_text(bytes: Option<u64>) -> String {
    bytes.map_or("unknown".to_owned(), |bytes| bytes.to_string())
}

/// Puts columns under each other: names to the left, numbers to the right.
fn aligned(lines: &[[String; 5]]) -> String {
    let mut widths = [0; 5];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let pad = |(column, (cell, width)): (usize, (&String, usize))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("  {cell:>width$}"),
    };
    let row = |line: &[String; 5]| {
        let cells: String = line.iter().zip(widths).enumerate().map(pad).collect();
        format!("{}\n", cells.trim_end())
    };
    lines.iter().map(row).collect()
}

fn time_text(records: u64, bytes: Option<u64>, max_rate_bytes: Option<u64>) -> String {
    let seconds = least_time(records, bytes, max_rate_bytes)
        .as_millis()
        .div_ceil(1000)
        .max(1);
    let limit = match (max_rate_bytes, bytes) {
        (Some(_), None) => {
            "; longer where `--max-rate` slows it down, since the bytes are not known".to_owned()
        }
        (Some(rate), Some(_)) => format!(" and at most {rate} bytes a second"),
        (None, _) => String::new(),
    };
    let rate = RECORDS_PER_SECOND;
    format!("time: about {seconds} s, if {rate} records a second are read (a guess){limit}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TopicPartition;

    fn estimate(partition: i32, records: u64, bytes: Option<u64>) -> PartitionEstimate {
        PartitionEstimate {
            topic_partition: TopicPartition {
                topic: "t".into(),
                partition,
            },
            leader: Some(1),
            start_offset: 5,
            end_offset: 5 + i64::try_from(records).unwrap(),
            records,
            bytes,
            notes: Vec::new(),
        }
    }

    #[test]
    fn partitions_stand_under_each_other_with_their_sum() {
        let text = text_of(
            &[estimate(0, 10, Some(100)), estimate(11, 2_000, Some(7))],
            None,
        );
        let expected = "\
PARTITION  LEADER    OFFSETS  RECORDS AT MOST  BYTES, ABOUT
t-0             1    [5, 15)               10           100
t-11            1  [5, 2005)             2000             7
all                                      2010           107
time: about 1 s, if 500000 records a second are read (a guess)
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let text = text_of(&[estimate(0, 10, None), estimate(1, 1, Some(1))], Some(5));
        assert!(text.contains("unknown\ntime"), "{text}");
        assert!(text.contains("`--max-rate`"), "{text}");
    }
}
