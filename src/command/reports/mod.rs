//! Opens the reports asked for; stored reports are read, and written again.

pub(super) mod diff;
pub(super) mod redaction;
pub(super) mod stored;

use crate::command::{CommandError, OutputRequest, ReportOptions, Surroundings};
use crate::report;
use crate::report::{
    ReportFormat, Reports, Style, TerminalOptions, TerminalReport, report_writer, terminal_columns,
};

/// Columns of a report that goes to no terminal.
const DEFAULT_COLUMNS: usize = 100;

/// Which reports are opened, and how.
pub(super) struct ReportsRequest<'a> {
    /// Reports beside, or instead of, the one for people.
    pub(super) outputs: &'a [OutputRequest],
    /// How they are written.
    pub(super) options: ReportOptions,
    /// Whether values are shown where the format has a place for them.
    pub(super) shows_values: bool,
    /// A JSON report that has the same groups, beside those that are written.
    pub(super) json_report: Option<String>,
}

/// Opens the reports; that for people is among them unless another has its place.
pub(super) fn open<'s>(
    request: &ReportsRequest<'_>,
    surroundings: &'s mut Surroundings<'_>,
) -> Result<Reports<'s>, CommandError> {
    let options = report::ReportOptions {
        rows: request.options.rows,
        csv_raw: request.options.is_csv_raw,
        show_values: request.shows_values,
    };
    let mut reports = Reports::new();
    for output in request.outputs {
        if let Some(path) = &output.path {
            reports
                .add_file(path, output.format, options)
                .map_err(CommandError::failed)?;
        }
    }
    let terminal = TerminalOptions {
        width: width(surroundings),
        top: request.options.top,
        style: style(surroundings),
        hints: !request.options.is_quiet,
    };
    let mut files = request.outputs.iter().filter_map(|output| {
        let path = output.path.as_ref()?;
        (output.format == ReportFormat::Json).then(|| path.display().to_string())
    });
    let json_report = files.next().or_else(|| request.json_report.clone());
    let on_stdout = request.outputs.iter().find(|output| output.path.is_none());
    let stdout = &mut *surroundings.stdout;
    reports.add_stdout(match on_stdout {
        Some(output) => report_writer(output.format, Box::new(stdout), options, ""),
        None => Box::new(TerminalReport::new(stdout, terminal).beside_json(json_report)),
    });
    Ok(reports)
}

/// Returns whether headings stand out.
pub(super) fn style(surroundings: &Surroundings<'_>) -> Style {
    if surroundings.is_stdout_terminal && surroundings.allows_color {
        Style::Bold
    } else {
        Style::Plain
    }
}

/// Returns the columns of what goes to standard output.
pub(super) fn width(surroundings: &Surroundings<'_>) -> usize {
    let of_terminal = if surroundings.is_stdout_terminal {
        terminal_columns()
    } else {
        None
    };
    surroundings
        .columns
        .or(of_terminal)
        .unwrap_or(DEFAULT_COLUMNS)
}
