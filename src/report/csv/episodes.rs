//! The CSV report of episodes.

use std::io;
use std::io::Write;
use std::ops::Range;

use crate::finding::AmountAtRisk;
use crate::finding::Episode;
use crate::report::csv::cell::CsvOutput;
use crate::report::timestamp_text::rfc3339;

const COLUMNS: &str = "episode,cause,topic,partition,groups,extra_records,first_timestamp,\
                       last_timestamp,ongoing,original_topic,original_partition,\
                       original_start_offset,original_end_offset,extra_start_offset,\
                       extra_end_offset,extra_amount,reversed_amount,net_amount,currency,coverage";

/// Writes one row per episode and currency. What is counted stands in the first row of an episode
/// only, so that every column adds up.
pub(super) fn write<W: Write>(
    csv: &mut CsvOutput<W>,
    episodes: &[Episode],
    coverage: &str,
) -> io::Result<()> {
    for name in COLUMNS.split(',') {
        csv.text(name)?;
    }
    csv.end_row()?;
    for episode in episodes {
        row(csv, episode, episode.amounts.first(), (true, coverage))?;
        for amount in episode.amounts.iter().skip(1) {
            row(csv, episode, Some(amount), (false, coverage))?;
        }
    }
    Ok(())
}

fn row<W: Write>(
    csv: &mut CsvOutput<W>,
    episode: &Episode,
    amount: Option<&AmountAtRisk>,
    (is_first, coverage): (bool, &str),
) -> io::Result<()> {
    csv.number(Some(episode.id))?;
    csv.text(episode.cause.code())?;
    csv.optional_text(episode.topic.as_deref())?;
    csv.number(episode.partition)?;
    csv.number(is_first.then_some(episode.groups))?;
    csv.number(is_first.then_some(episode.extra_records))?;
    let first = episode.first_timestamp_millis.map(rfc3339);
    csv.optional_text(first.as_deref())?;
    let last = episode.last_timestamp_millis.map(rfc3339);
    csv.optional_text(last.as_deref())?;
    csv.text(if episode.is_ongoing { "true" } else { "false" })?;
    csv.optional_text(episode.original_topic.as_deref())?;
    csv.number(episode.original_partition)?;
    offsets(csv, episode.original_offsets.as_ref())?;
    offsets(csv, episode.extra_offsets.as_ref())?;
    let texts = amount.map(|amount| [&amount.extra, &amount.reversed, &amount.net]);
    match texts {
        Some(texts) => texts.into_iter().try_for_each(|text| csv.decimal(text))?,
        None => (0..3).try_for_each(|_| csv.text(""))?,
    }
    csv.optional_text(amount.and_then(|amount| amount.currency.as_deref()))?;
    csv.text(coverage)?;
    csv.end_row()
}

fn offsets<W: Write>(csv: &mut CsvOutput<W>, offsets: Option<&Range<i64>>) -> io::Result<()> {
    csv.number(offsets.map(|range| range.start))?;
    csv.number(offsets.map(|range| range.end))
}

#[cfg(test)]
mod tests {
    use crate::report::csv::{CsvReport, CsvRows};
    use crate::report::sample::{Sample, dollars, mixed, sample};

    fn written(sample: &Sample) -> String {
        let mut output = Vec::new();
        sample.write(&mut CsvReport::new(&mut output, CsvRows::Episodes, false));
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_row_tells_when_where_how_many_and_what_it_cost() {
        let mut sample = sample();
        sample.episodes.truncate(2);
        sample.episodes[1].is_ongoing = true;
        let mut euros = dollars("3.00");
        euros.currency = Some("EUR".to_owned());
        euros.reversed = "1.00".to_owned();
        euros.net = "2.00".to_owned();
        sample.episodes[1].amounts.insert(0, euros);
        let expected = "\
episode,cause,topic,partition,groups,extra_records,first_timestamp,last_timestamp,ongoing,\
original_topic,original_partition,original_start_offset,original_end_offset,extra_start_offset,\
extra_end_offset,extra_amount,reversed_amount,net_amount,currency,coverage
1,producer-retry,charges,1,1,1,2026-01-15T02:41:07.218Z,2026-01-15T02:41:07.218Z,false,\
charges,1,88610,88646,88646,88682,19.25,0.00,19.25,USD,complete
2,producer-retry,charges,1,1,1,2026-01-15T02:41:10.218Z,2026-01-15T02:41:10.218Z,true,\
charges,1,88610,88646,88682,88718,3.00,1.00,2.00,EUR,complete
2,producer-retry,charges,1,,,2026-01-15T02:41:10.218Z,2026-01-15T02:41:10.218Z,true,\
charges,1,88610,88646,88682,88718,19.25,0.00,19.25,USD,complete
";
        assert_eq!(written(&sample), expected);
    }

    #[test]
    fn what_is_not_known_is_empty_and_the_counts_add_up() {
        let sample = mixed();
        let text = written(&sample);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(&rows[1][1], "undetermined");
        for column in [2, 3, 6, 7, 9, 10, 11, 12, 13, 14] {
            assert_eq!(&rows[1][column], "", "{column}");
        }
        let extra: u64 = rows.iter().map(|row| row[5].parse::<u64>().unwrap()).sum();
        let episodes = sample.episodes.iter();
        assert_eq!(
            extra,
            episodes.map(|episode| episode.extra_records).sum::<u64>()
        );
    }
}
