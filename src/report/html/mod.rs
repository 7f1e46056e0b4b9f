//! The HTML report: one page that stands alone, without network, for people who look first.
//!
//! The head is written at once by a template that escapes everything. Groups follow as rows of
//! JSON, the first ones that fit into the page; a small script of the page's own makes the table.

mod amounts;
mod axis;
mod coverage;
mod episodes;
mod over_time;
mod page;
mod rows;
mod view;

use std::io;
use std::io::Write;

use crate::finding::DuplicateGroup;
use crate::report::ReportHead;
use crate::report::ReportWriter;
use crate::report::html::rows::GroupRows;

/// Writes the HTML report.
pub struct HtmlReport<W> {
    output: W,
    rows: GroupRows,
    groups: u64,
}

impl<W: Write> HtmlReport<W> {
    /// Returns the writer; the values of records are written only with `show_values`.
    pub fn new(output: W, show_values: bool) -> Self {
        Self {
            output,
            rows: GroupRows::new(show_values),
            groups: 0,
        }
    }
}

impl<W: Write> ReportWriter for HtmlReport<W> {
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        let head = page::head(report)?;
        self.rows.begin(report.header, head.len());
        self.output.write_all(head.as_bytes())?;
        self.output.write_all(GroupRows::START.as_bytes())
    }

    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        self.groups += 1;
        match self.rows.row(group)? {
            Some(row) => self.output.write_all(row.as_bytes()),
            None => Ok(()),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.output.write_all(self.rows.end()?.as_bytes())?;
        let foot = page::foot(self.rows.kept(), self.groups)?;
        self.output.write_all(foot.as_bytes())?;
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::KeyText;
    use crate::report::sample::group;
    use crate::report::sample::record;
    use crate::report::sample::sample;

    fn written(sample: &crate::report::sample::Sample, show_values: bool) -> String {
        let mut output = Vec::new();
        sample.write(&mut HtmlReport::new(&mut output, show_values));
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_page_stands_alone_and_says_what_was_found() {
        let page = written(&sample(), false);
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        assert!(page.contains("default-src 'none'"));
        for outside in [
            "src=",
            "href=\"h",
            "@import",
            "url(",
            "<link",
            " style=",
            " onclick=",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        for said in [
            "DUPLICATES",
            "Coverage is complete",
            "producer-retry",
            "57.75",
        ] {
            assert!(page.contains(said), "{said}");
        }
        assert!(!page.contains("secret"));
        assert!(written(&sample(), true).contains("secret"));
    }

    #[test]
    fn a_page_stays_small_whatever_the_number_of_groups_and_says_where_the_others_are() {
        let sample = sample();
        let mut output = Vec::new();
        let mut report = HtmlReport::new(&mut output, true);
        report.begin(&sample.head()).unwrap();
        for number in 0..30_000 {
            let key = KeyText::Text(format!("ch_{number:06}"));
            let mut records = vec![record(1, number, number), record(2, number + 7, number)];
            records[1].value = Some("<".repeat(5_000));
            report.group(&group(key, records)).unwrap();
        }
        report.end().unwrap();
        let page = String::from_utf8(output).unwrap();
        assert!(page.len() < 2_000_000, "{}", page.len());
        assert!(
            page.contains("of 30,000 groups"),
            "{}",
            &page[page.len() - 2_000..]
        );
        assert!(page.contains("class=\"cut\""));
    }

    #[test]
    fn ten_thousand_groups_of_usual_size_are_all_in_a_page_under_two_megabytes() {
        let sample = sample();
        let mut output = Vec::new();
        let mut report = HtmlReport::new(&mut output, false);
        report.begin(&sample.head()).unwrap();
        for number in 0..10_000 {
            let key = KeyText::Text(format!("ch_{number:06}"));
            let at = 1_768_444_867_218 + number * 17;
            let offset = 88_641 + number * 2;
            let records = vec![record(1, offset, at), record(2, offset + 40, at)];
            report.group(&group(key, records)).unwrap();
        }
        report.end().unwrap();
        let page = String::from_utf8(output).unwrap();
        assert!(page.len() < 2_000_000, "{}", page.len());
        assert!(!page.contains("class=\"cut\""));
        assert!(page.contains("ch_009999"));
    }
}
