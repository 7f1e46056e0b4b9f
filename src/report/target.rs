//! Where a report goes and in which format, from the command line.

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// A format of a report in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// One JSON document.
    Json,
    /// JSON Lines, each with its `type`.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// One page that stands alone, for a browser.
    Html,
    /// A summary for a pull request or an incident channel.
    Markdown,
    /// Metrics, as a textfile of Prometheus.
    Prom,
    /// Typed columns, for programs.
    #[cfg(feature = "parquet")]
    Parquet,
    /// A workbook for people.
    #[cfg(feature = "xlsx")]
    Xlsx,
}

/// Why a report cannot go where it should.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    /// The word says where reading starts, which another option does.
    #[error(
        "`-o {0}` names a file without a report's extension; \
         to start reading at an offset or a time use `--from`"
    )]
    StartOfRange(String),
    /// The extension says nothing.
    #[error(
        "`{0}` does not end in a report's extension; \
         name it .html, .md, .csv, .json, .jsonl, .parquet, .xlsx or .prom"
    )]
    UnknownExtension(String),
    /// The name after `--output-format` says nothing.
    #[error("`{0}` is no output format; there are html, md, csv, json and jsonl")]
    UnknownFormat(String),
    /// Standard output has no extension.
    #[error("`-o -` needs `--output-format html`, `md`, `csv`, `json` or `jsonl`")]
    FormatMissing,
}

impl ReportFormat {
    /// Returns the format that the extension of `path` names, in either case.
    pub fn from_path(path: &Path) -> Result<Self, TargetError> {
        let shown = path.to_string_lossy().into_owned();
        let extension = path
            .extension()
            .and_then(OsStr::to_str)
            .map(str::to_ascii_lowercase)
            .unwrap_or_default();
        match extension.as_str() {
            "json" => Ok(Self::Json),
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            "html" | "htm" => Ok(Self::Html),
            "md" => Ok(Self::Markdown),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self::Parquet),
            #[cfg(feature = "xlsx")]
            "xlsx" => Ok(Self::Xlsx),
            "prom" => Ok(Self::Prom),
            _ if is_start_of_range(&shown) => Err(TargetError::StartOfRange(shown)),
            _ => Err(TargetError::UnknownExtension(shown)),
        }
    }

    /// Returns the name of the format, as after `--output-format`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Markdown => "md",
            Self::Prom => "prom",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
            #[cfg(feature = "xlsx")]
            Self::Xlsx => "xlsx",
        }
    }
}

impl FromStr for ReportFormat {
    type Err = TargetError;

    fn from_str(name: &str) -> Result<Self, TargetError> {
        match name {
            "json" => Ok(Self::Json),
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            "html" => Ok(Self::Html),
            "md" => Ok(Self::Markdown),
            _ => Err(TargetError::UnknownFormat(name.to_owned())),
        }
    }
}

/// What `-o` of kcat takes: users of it type such words here out of habit.
fn is_start_of_range(text: &str) -> bool {
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(text, "beginning" | "end" | "stored")
        || text.starts_with('@')
        || text.starts_with("s@")
        || text.starts_with("e@")
        || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Where a report for programs goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportTarget {
    /// Standard output, in place of the report for people.
    Stdout(ReportFormat),
    /// A file.
    File(PathBuf, ReportFormat),
}

impl ReportTarget {
    /// Returns what `-o target` asks for; `output_format` is that of standard output.
    pub fn parse(target: &OsStr, output_format: Option<ReportFormat>) -> Result<Self, TargetError> {
        if target == "-" {
            return output_format
                .map(Self::Stdout)
                .ok_or(TargetError::FormatMissing);
        }
        let path = PathBuf::from(target);
        let format = ReportFormat::from_path(&path)?;
        Ok(Self::File(path, format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_names_the_format() {
        let of = |name: &str| ReportFormat::from_path(Path::new(name));
        assert_eq!(of("a/b.json"), Ok(ReportFormat::Json));
        assert_eq!(of("b.JSONL"), Ok(ReportFormat::Jsonl));
        assert_eq!(of("2026.01.15.csv"), Ok(ReportFormat::Csv));
        assert_eq!(of("b.HTML"), Ok(ReportFormat::Html));
        assert_eq!(of("b.md"), Ok(ReportFormat::Markdown));
        for name in ["x", "x.txt", "csv", ".csv", "x.csv.gz", "x.", ""] {
            assert!(
                matches!(of(name), Err(TargetError::UnknownExtension(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn what_kcat_takes_after_the_same_flag_is_led_to_from() {
        for name in [
            "beginning",
            "end",
            "stored",
            "@1700000000",
            "s@17",
            "0",
            "-500",
            "88641",
        ] {
            let error = ReportTarget::parse(OsStr::new(name), None).unwrap_err();
            assert!(error.to_string().contains("`--from`"), "{error}");
        }
    }

    #[test]
    fn standard_output_needs_a_format() {
        let dash = OsStr::new("-");
        assert_eq!(
            ReportTarget::parse(dash, None),
            Err(TargetError::FormatMissing)
        );
        let csv = "csv".parse().unwrap();
        assert_eq!(
            ReportTarget::parse(dash, Some(csv)),
            Ok(ReportTarget::Stdout(ReportFormat::Csv))
        );
        assert!("yaml".parse::<ReportFormat>().is_err());
        assert_eq!(ReportFormat::Jsonl.name().parse(), Ok(ReportFormat::Jsonl));
    }
}
