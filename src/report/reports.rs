//! Several reports of one audit, written side by side.

use std::fmt;
use std::io;
use std::path::Path;

use crate::finding::DuplicateGroup;
use crate::report::ReportFile;
use crate::report::ReportFormat;
use crate::report::ReportHead;
use crate::report::ReportOptions;
use crate::report::ReportWriter;
use crate::report::report_writer;

/// Reports that could not be written, each with its name and reason.
#[derive(Debug)]
pub struct ReportFailure {
    /// Name of the report, as for messages, and what went wrong.
    pub failures: Vec<(String, io::Error)>,
}

impl fmt::Display for ReportFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, error)) in self.failures.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(out, "{separator}write `{name}`: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ReportFailure {}

enum Fate {
    /// Takes what comes.
    Open,
    /// Its reader went away, which is no failure.
    Closed,
    /// Cannot be written.
    Failed(io::Error),
}

struct Report<'a> {
    name: String,
    writer: Box<dyn ReportWriter + 'a>,
    file: Option<ReportFile>,
    fate: Fate,
}

/// All reports of one audit. One that fails is kept out of the way of the others, and is
/// named by [`Reports::commit`].
#[derive(Default)]
pub struct Reports<'a> {
    reports: Vec<Report<'a>>,
}

impl<'a> Reports<'a> {
    /// Returns no reports.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a report on standard output, which ends quietly when its reader goes away.
    pub fn add_stdout(&mut self, writer: Box<dyn ReportWriter + 'a>) {
        self.reports.push(Report {
            name: "standard output".to_owned(),
            writer,
            file: None,
            fate: Fate::Open,
        });
    }

    /// Adds a report in a file, which gets its name at [`Reports::commit`].
    pub fn add_file(
        &mut self,
        path: &Path,
        format: ReportFormat,
        options: ReportOptions,
    ) -> io::Result<()> {
        let named = |error: io::Error| {
            let text = format!("write `{}`: {error}", path.display());
            io::Error::new(error.kind(), text)
        };
        let file = ReportFile::create(path).map_err(named)?;
        if format == ReportFormat::Prom {
            file.share().map_err(named)?;
        }
        let output = file.writer().map_err(named)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        self.reports.push(Report {
            name: path.display().to_string(),
            writer: report_writer(format, Box::new(output), options, &name),
            file: Some(file),
            fate: Fate::Open,
        });
        Ok(())
    }

    /// Returns what the reports that have ended could not hold, each with its name.
    pub fn doubts(&self) -> Vec<String> {
        let open = self.reports.iter();
        open.filter(|report| matches!(report.fate, Fate::Open))
            .filter_map(|report| {
                let doubt = report.writer.doubt()?;
                Some(format!("`{}`: {doubt}", report.name))
            })
            .collect()
    }

    /// Gives every file its name; all that could not be written are named in the error.
    pub fn commit(self) -> Result<(), ReportFailure> {
        let mut failures = Vec::new();
        for report in self.reports {
            let outcome = match (report.fate, report.file) {
                (Fate::Failed(error), _) => Err(error),
                (Fate::Open, Some(file)) => file.commit(),
                (Fate::Open | Fate::Closed, _) => Ok(()),
            };
            if let Err(error) = outcome {
                failures.push((report.name, error));
            }
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(ReportFailure { failures })
        }
    }

    fn each(&mut self, mut write: impl FnMut(&mut (dyn ReportWriter + 'a)) -> io::Result<()>) {
        for report in &mut self.reports {
            if !matches!(report.fate, Fate::Open) {
                continue;
            }
            if let Err(error) = write(&mut *report.writer) {
                let is_closed = report.file.is_none() && error.kind() == io::ErrorKind::BrokenPipe;
                report.fate = if is_closed {
                    Fate::Closed
                } else {
                    Fate::Failed(error)
                };
            }
        }
    }
}

impl ReportWriter for Reports<'_> {
    /// Never fails; see [`Reports::commit`].
    fn begin(&mut self, report: &ReportHead<'_>) -> io::Result<()> {
        self.each(|writer| writer.begin(report));
        Ok(())
    }

    /// Never fails; see [`Reports::commit`].
    fn group(&mut self, group: &DuplicateGroup) -> io::Result<()> {
        self.each(|writer| writer.group(group));
        Ok(())
    }

    /// Never fails; see [`Reports::commit`].
    fn end(&mut self) -> io::Result<()> {
        self.each(ReportWriter::end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::report::CsvReport;
    use crate::report::CsvRows;
    use crate::report::JsonReport;
    use crate::report::sample::sample;

    /// An output that fails.
    struct Broken(io::ErrorKind);

    impl io::Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::Error::new(self.0, "no more"))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_file_is_whole_although_the_reader_of_standard_output_left() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["r.json", "r.jsonl", "r.csv"].map(|name| directory.path().join(name));
        let mut reports = Reports::new();
        let broken = Broken(io::ErrorKind::BrokenPipe);
        reports.add_stdout(Box::new(JsonReport::new(broken, false)));
        for path in &paths {
            let format = ReportFormat::from_path(path).unwrap();
            reports
                .add_file(path, format, ReportOptions::default())
                .unwrap();
        }
        sample().write(&mut reports);
        assert!(paths.iter().all(|path| !path.exists()));
        reports.commit().unwrap();
        for path in &paths {
            assert!(fs::read_to_string(path).unwrap().ends_with('\n'));
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_failure_is_named_and_hurts_no_other_report() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.csv");
        let mut reports = Reports::new();
        let broken = Broken(io::ErrorKind::StorageFull);
        reports.add_stdout(Box::new(CsvReport::new(broken, CsvRows::Records, false)));
        reports
            .add_file(&path, ReportFormat::Csv, ReportOptions::default())
            .unwrap();
        sample().write(&mut reports);
        let failure = reports.commit().unwrap_err();
        assert_eq!(failure.to_string(), "write `standard output`: no more");
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let mut reports = Reports::new();
        let path = Path::new("/nowhere/r.csv");
        let error = reports
            .add_file(path, ReportFormat::Csv, ReportOptions::default())
            .unwrap_err();
        assert!(error.to_string().contains("`/nowhere/r.csv`"), "{error}");
    }

    #[test]
    fn a_broken_pipe_is_passed_through_by_each_writer() {
        let kind = io::ErrorKind::BrokenPipe;
        let sample = sample();
        for format in ["json", "jsonl", "csv", "prom"] {
            let format = ReportFormat::from_path(Path::new(&format!("x.{format}"))).unwrap();
            let broken = Box::new(Broken(kind));
            let mut writer = report_writer(format, broken, ReportOptions::default(), "x");
            assert_eq!(writer.begin(&sample.head()).unwrap_err().kind(), kind);
        }
    }
}
