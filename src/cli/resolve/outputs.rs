//! `-o` and `--output-format`: reports beside, or instead of, the one for people.

use std::path::{Path, PathBuf};

use crate::cli::output::{OutputFormatFlag, RedactFlag, RenderFlags};
use crate::cli::usage_error::UsageError;
use crate::command::{OutputRequest, RedactionRequest};
use crate::report::ReportFormat;

/// Returns the reports asked for.
pub fn resolve(flags: &RenderFlags) -> Result<Vec<OutputRequest>, UsageError> {
    let mut requests: Vec<OutputRequest> = Vec::new();
    for path in &flags.output {
        let request = if path.as_os_str() == "-" {
            OutputRequest {
                path: None,
                format: standard_output_format(flags.output_format)?,
            }
        } else {
            file_request(path).map_err(|error| error.at("-o", &path.to_string_lossy()))?
        };
        if requests.iter().any(|other| other.path == request.path) {
            return Err(UsageError::new("this report is asked for twice")
                .hint("give every report a file of its own")
                .at("-o", &path.to_string_lossy()));
        }
        requests.push(request);
    }
    let has_standard_output = requests.iter().any(|request| request.path.is_none());
    if flags.output_format.is_some() && !has_standard_output {
        return Err(UsageError::new("`--output-format` needs `-o -`").hint(
            "add `-o -` for standard output; the format of a file is told by its extension",
        ));
    }
    Ok(requests)
}

/// Returns how dedup keys and subjects are hidden.
pub fn redaction(
    how: Option<RedactFlag>,
    key: Option<&Path>,
) -> Result<Option<RedactionRequest>, UsageError> {
    match (how, key) {
        (None, _) => Ok(None),
        (Some(RedactFlag::Hash), None) => Ok(Some(RedactionRequest::Random)),
        (Some(RedactFlag::Hash), Some(path)) => {
            Ok(Some(RedactionRequest::KeyFile(path.to_owned())))
        }
        (Some(RedactFlag::Mask), None) => Ok(Some(RedactionRequest::Mask)),
        (Some(RedactFlag::Mask), Some(_)) => Err(UsageError::new(
            "`--redact mask` shows nothing that a key could change",
        )
        .hint("leave --redact-key out, or write --redact hash")),
    }
}

fn standard_output_format(flag: Option<OutputFormatFlag>) -> Result<ReportFormat, UsageError> {
    match flag {
        Some(OutputFormatFlag::Csv) => Ok(ReportFormat::Csv),
        Some(OutputFormatFlag::Html) => Ok(ReportFormat::Html),
        Some(OutputFormatFlag::Json) => Ok(ReportFormat::Json),
        Some(OutputFormatFlag::Jsonl) => Ok(ReportFormat::Jsonl),
        Some(OutputFormatFlag::Md) => Ok(ReportFormat::Markdown),
        None => Err(UsageError::new("`-o -` does not say the format")
            .hint("add --output-format html, md, csv, json or jsonl")),
    }
}

fn file_request(path: &Path) -> Result<OutputRequest, UsageError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let format = match extension.to_ascii_lowercase().as_str() {
        "csv" => ReportFormat::Csv,
        "html" | "htm" => ReportFormat::Html,
        "json" => ReportFormat::Json,
        "jsonl" => ReportFormat::Jsonl,
        "prom" => ReportFormat::Prom,
        "md" => ReportFormat::Markdown,
        #[cfg(feature = "parquet")]
        "parquet" => ReportFormat::Parquet,
        #[cfg(not(feature = "parquet"))]
        "parquet" => return Err(not_built("Parquet", "parquet")),
        #[cfg(feature = "xlsx")]
        "xlsx" => ReportFormat::Xlsx,
        #[cfg(not(feature = "xlsx"))]
        "xlsx" => return Err(not_built("workbooks", "xlsx")),
        _ => return Err(unknown_extension(&path.to_string_lossy(), &extension)),
    };
    Ok(OutputRequest {
        path: Some(PathBuf::from(path)),
        format,
    })
}

#[cfg(not(all(feature = "parquet", feature = "xlsx")))]
fn not_built(what: &str, feature: &str) -> UsageError {
    UsageError::new(format!("this dupaudit was built without {what}")).hint(format!(
        "name a file that ends in .csv, or build with `--features {feature}`"
    ))
}

/// For users of kcat, where `-o` is where to begin.
fn unknown_extension(text: &str, extension: &str) -> UsageError {
    let is_kcat_offset = matches!(text, "beginning" | "end" | "stored" | "")
        || text.contains('@') && extension.is_empty()
        || text.starts_with('@')
        || text.parse::<i64>().is_ok();
    if is_kcat_offset {
        return UsageError::new("`-o` names a file to write, not where to begin")
            .hint("where to begin is --from, such as --from offset:88110 or --from -2h");
    }
    let message = if extension.is_empty() {
        "the file has no extension, so its format is not known".to_owned()
    } else {
        format!("`.{extension}` is no format of a report")
    };
    UsageError::new(message)
        .hint("name a file that ends in .html, .md, .csv, .json, .jsonl, .parquet, .xlsx or .prom")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::RowsFlag;

    fn outputs(
        paths: &[&str],
        output_format: Option<OutputFormatFlag>,
    ) -> Result<Vec<OutputRequest>, UsageError> {
        resolve(&RenderFlags {
            output: paths.iter().map(PathBuf::from).collect(),
            output_format,
            rows: RowsFlag::Records,
            top: 20,
            csv_raw: false,
        })
    }

    #[test]
    fn the_extension_says_the_format() {
        let requests = outputs(&["a.csv", "dir.x/b.JSON", "c.jsonl"], None).unwrap();
        let formats: Vec<ReportFormat> = requests.iter().map(|request| request.format).collect();
        let expected = [ReportFormat::Csv, ReportFormat::Json, ReportFormat::Jsonl];
        assert_eq!(formats, expected);
        assert_eq!(requests[1].path.as_deref(), Some(Path::new("dir.x/b.JSON")));
    }

    #[test]
    fn standard_output_needs_a_format() {
        for (flag, format) in [
            (OutputFormatFlag::Csv, ReportFormat::Csv),
            (OutputFormatFlag::Json, ReportFormat::Json),
            (OutputFormatFlag::Jsonl, ReportFormat::Jsonl),
            (OutputFormatFlag::Html, ReportFormat::Html),
            (OutputFormatFlag::Md, ReportFormat::Markdown),
        ] {
            let requests = outputs(&["-", "a.csv"], Some(flag)).unwrap();
            assert_eq!(requests[0], OutputRequest { path: None, format });
        }
        assert!(
            outputs(&["-"], None)
                .unwrap_err()
                .hint
                .unwrap()
                .contains("--output-format")
        );
        let error = outputs(&["a.csv"], Some(OutputFormatFlag::Csv)).unwrap_err();
        assert!(error.message.contains("needs `-o -`"));
    }

    #[test]
    fn an_unknown_extension_is_an_error() {
        for path in ["a.xml", "a", "dir.csv/a", ".csv", "a.csv.gz"] {
            let error = outputs(&[path], None).unwrap_err();
            assert!(
                error.message.starts_with(&format!("`-o {path}`: ")),
                "{error:?}"
            );
            assert!(error.hint.unwrap().contains(".jsonl"));
        }
    }

    #[test]
    fn what_is_no_part_of_the_build_is_an_error_that_says_so() {
        for (path, is_built) in [
            ("a.parquet", cfg!(feature = "parquet")),
            ("a.xlsx", cfg!(feature = "xlsx")),
        ] {
            match outputs(&[path], None) {
                Ok(requests) => assert!(is_built && requests.len() == 1, "{path}"),
                Err(error) => {
                    assert!(!is_built, "{path}");
                    assert!(error.message.contains("built without"), "{error:?}");
                    assert!(error.hint.unwrap().contains("--features"), "{path}");
                }
            }
        }
    }

    #[test]
    fn a_place_to_begin_points_to_from() {
        for path in [
            "beginning",
            "end",
            "stored",
            "@1768444200000",
            "s@1768444200000",
            "88110",
            "-10",
        ] {
            let error = outputs(&[path], None).unwrap_err();
            assert!(error.hint.unwrap().contains("--from"), "{path}");
        }
    }

    #[test]
    fn one_file_is_not_two_reports() {
        assert!(outputs(&["a.csv", "a.csv"], None).is_err());
        assert!(outputs(&["-", "-"], Some(OutputFormatFlag::Csv)).is_err());
    }
}
