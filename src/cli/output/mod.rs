//! Options of what is written, and of reports that are written again.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// What is written, and where.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// The reports.
    #[command(flatten)]
    pub render: RenderFlags,
    /// Show the values of records
    #[arg(long, conflicts_with = "redact")]
    pub show_values: bool,
    /// Hide dedup keys, subjects and record keys: behind hashes, or all behind a mask
    #[arg(long, value_name = "HOW", value_enum)]
    pub redact: Option<RedactFlag>,
    /// Key of `--redact hash`, so that several reports have the same hashes and ids
    /// [default: another key for each report]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "redact")]
    pub redact_key: Option<PathBuf>,
    /// No progress, no hints; the report stays
    #[arg(short, long)]
    pub quiet: bool,
}

/// Which reports are written, and how.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct RenderFlags {
    /// Write a report, by its extension: `.csv`, `.json`, `.jsonl`, `.xlsx` or `.parquet` with
    /// every group, `.html` to look at, `.md` for a pull request or a channel, `.prom` with
    /// metrics for Prometheus; `-` for standard output (repeatable)
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath,
        allow_negative_numbers = true)]
    pub output: Vec<PathBuf>,
    /// Format of `-o -`
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub output_format: Option<OutputFormatFlag>,
    /// What one row of a CSV, XLSX or Parquet report stands for: a record, a group, or an
    /// episode
    #[arg(long, value_name = "ROWS", value_enum, default_value = "records")]
    pub rows: RowsFlag,
    /// Groups in the report for people; 0 for totals only
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Leave CSV cells alone that a spreadsheet would run as a formula
    #[arg(long)]
    pub csv_raw: bool,
}

/// Options of `report`.
#[derive(Args, Debug)]
pub struct StoredReportFlags {
    /// A report that `scan` wrote, .json or .jsonl, plain or compressed; `-` is standard input
    #[arg(value_name = "REPORT", value_hint = ValueHint::FilePath)]
    pub report: PathBuf,
    /// How it is rendered.
    #[command(flatten)]
    pub render: RenderFlags,
    /// Hide dedup keys, subjects and record keys: behind hashes, or all behind a mask
    #[arg(long, value_name = "HOW", value_enum, help_heading = "Output")]
    pub redact: Option<RedactFlag>,
    /// Key of `--redact hash`, so that several reports have the same hashes and ids
    /// [default: another key for each report]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "redact",
        help_heading = "Output")]
    pub redact_key: Option<PathBuf>,
    /// No hints; the report stays
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
}

/// Values of `--output-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormatFlag {
    /// Comma-separated cells.
    #[value(help = None)]
    Csv,
    /// One page for a browser.
    #[value(help = None)]
    Html,
    /// One JSON document.
    #[value(help = None)]
    Json,
    /// One JSON document a line.
    #[value(help = None)]
    Jsonl,
    /// A summary in Markdown.
    #[value(help = None)]
    Md,
}

/// Values of `--rows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowsFlag {
    /// One row for each occurrence.
    #[value(help = None)]
    Records,
    /// One row for each group.
    #[value(help = None)]
    Groups,
    /// One row for each episode.
    #[value(help = None)]
    Episodes,
}

/// Values of `--redact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RedactFlag {
    /// A keyed hash of the text.
    #[value(help = None)]
    Hash,
    /// Nothing of the text.
    #[value(help = None)]
    Mask,
}

/// Options of `diff`.
#[derive(Args, Debug)]
pub struct DiffFlags {
    /// The older report, .json or .jsonl, plain or compressed
    #[arg(value_name = "OLD", value_hint = ValueHint::FilePath)]
    pub old: PathBuf,
    /// The newer report
    #[arg(value_name = "NEW", value_hint = ValueHint::FilePath)]
    pub new: PathBuf,
    /// Write every group that changed as JSON
    #[arg(long)]
    pub json: bool,
    /// Groups shown of each kind; 0 for totals only
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
}
