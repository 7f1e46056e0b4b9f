//! Reads the records of one reported group again and lays them side by side.

mod causes;
mod places;
mod see_it;

use std::collections::BTreeMap;

use anyhow::Context;

use crate::audit;
use crate::audit::RecalledRecord;
use crate::command::reports;
use crate::command::scan::audit_failure;
use crate::command::schemas;
use crate::command::stores;
use crate::command::{CommandError, Message, Outcome, ScanCommand, Surroundings};
use crate::diagnosis::StoredCopy;
use crate::finding::Fingerprint;
use crate::record::{FieldPath, TimestampType, TopicPartition, lossless_text};
use crate::report::TerminalOptions;
use crate::report::explain::{CopyState, ExplainScreen, ExplainedCopy, ExplainedGroup};
use crate::report::read::{ReadGroup, ReadRecord};

use places::Place;

/// One group to explain, fully decided.
#[derive(Debug)]
pub struct ExplainCommand {
    /// The scan that found it, with the sources to read now.
    pub scan: ScanCommand,
    /// The group as the report has it.
    pub group: ReadGroup,
    /// Whether values of records are shown.
    pub shows_values: bool,
    /// Whether the report hides dedup keys and subjects.
    pub is_redacted: bool,
    /// How kcat reaches the cluster, such as `-b host:9092`.
    pub kcat_connection: String,
    /// Options given now that nothing of the group needs.
    pub unused: Vec<&'static str>,
}

/// Reads the records again and shows them.
pub fn run(
    explain: &ExplainCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let group = &explain.group;
    for option in &explain.unused {
        let text = format!("`{option}` is not used: the group's records are in files");
        (surroundings.say)(Message::Warning(text));
    }
    let paths = differing_paths(group);
    let plan = schemas::plan(&explain.scan, surroundings)?;
    let opened = places::open(explain, surroundings)?;
    let wanted = opened.wanted();
    let found = audit::recall(&plan, &opened.sources, &wanted, &paths).map_err(audit_failure)?;
    let records: Vec<Option<&RecalledRecord>> = opened
        .places
        .iter()
        .map(|place| match place {
            Place::At(split, position) => found.get(&(*split, *position)),
            Place::Nowhere | Place::NotRead => None,
        })
        .collect();
    let expected = expected_fingerprint(explain, &records);
    let copies = group
        .records
        .iter()
        .zip(&records)
        .zip(&opened.places)
        .map(|((reported, found), place)| copy(reported, *found, *place, expected))
        .collect::<Vec<_>>();
    let inputs = inputs(explain, &records);
    let shows_values = explain.shows_values;
    let inputs = stores::inputs(&explain.scan, &inputs, shows_values, surroundings)?;
    let mut explained = explained(explain, copies, &paths, &records, &opened);
    explained.inputs = inputs;
    show(&explained, surroundings)?;
    Ok(Outcome::Done)
}

/// Only paths that can be read field by field; of the others the bytes are compared.
fn differing_paths(group: &ReadGroup) -> Vec<FieldPath> {
    let paths = group.differing_fields.iter();
    paths
        .filter_map(|path| FieldPath::parse(path).ok())
        .filter(|path| !path.steps.is_empty() || !path.is_in_value())
        .collect()
}

/// The id holds the fingerprint, unless it is redacted; then the copies have to be equal.
fn expected_fingerprint(
    explain: &ExplainCommand,
    records: &[Option<&RecalledRecord>],
) -> Option<Fingerprint> {
    if explain.is_redacted {
        return records.iter().flatten().find_map(|found| found.fingerprint);
    }
    let hex = explain.group.id.strip_prefix("g_")?;
    let hex = hex.split('-').next()?;
    let (high, low) = hex.split_at_checked(16)?;
    let half = |text| u64::from_str_radix(text, 16).ok();
    Some(Fingerprint([half(high)?, half(low)?]))
}

fn copy(
    reported: &ReadRecord,
    found: Option<&RecalledRecord>,
    place: Place,
    expected: Option<Fingerprint>,
) -> ExplainedCopy {
    let partition = reported.partition.or_else(|| {
        // A topic without partitions is one of a database.
        reported.file.is_none().then_some(TopicPartition::UNKNOWN)
    });
    let topic_partition = reported.topic.clone().zip(partition);
    let known = ExplainedCopy {
        topic_partition,
        offset: reported.offset,
        file: reported.file.clone(),
        line: reported.line,
        byte_offset: reported.byte_offset,
        ..ExplainedCopy::default()
    };
    let Some(found) = found else {
        return ExplainedCopy {
            state: match place {
                Place::NotRead => CopyState::NotRead,
                Place::At(..) | Place::Nowhere => CopyState::Gone,
            },
            timestamp_millis: reported.timestamp.as_deref().and_then(millis),
            timestamp_type: timestamp_type(reported.timestamp_type.as_deref()),
            ..known
        };
    };
    ExplainedCopy {
        state: state(reported, found, expected),
        timestamp_millis: found.timestamp_millis,
        timestamp_type: found.timestamp_type,
        batch: found.batch,
        key: found.key.as_deref().map(lossless_text),
        headers: found.headers.clone(),
        value: found.value.clone(),
        amount: found
            .amount
            .clone()
            .map(|amount| (found.currency.clone(), amount)),
        fields: found.fields.clone(),
        ..known
    }
}

/// The dedup key may be right and the record another copy: a file may have been written anew.
fn state(
    reported: &ReadRecord,
    found: &RecalledRecord,
    expected: Option<Fingerprint>,
) -> CopyState {
    let timestamp = reported.timestamp.as_deref().and_then(millis);
    if found.fingerprint.is_none() || found.fingerprint != expected {
        CopyState::Replaced
    } else if found.offset != reported.offset
        || found.topic_partition != reported.topic.clone().zip(reported.partition)
        || timestamp.is_some() && found.timestamp_millis != timestamp
    {
        CopyState::OtherCopy
    } else {
        CopyState::Found
    }
}

/// Returns the messages that the records of a message store follow, each once.
fn inputs(explain: &ExplainCommand, records: &[Option<&RecalledRecord>]) -> Vec<(String, i64)> {
    let reported = explain.group.records.iter().zip(records);
    let stored = reported.filter(|(reported, _)| {
        reported.file.is_none() && reported.topic.is_some() && reported.partition.is_none()
    });
    let mut inputs: Vec<(String, i64)> = stored
        .filter_map(|(_, found)| StoredCopy::of_value(found.as_ref()?.value.as_deref()?).input)
        .collect();
    inputs.sort();
    inputs.dedup();
    inputs
}

fn millis(text: &str) -> Option<i64> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_millis())
}

fn timestamp_type(name: Option<&str>) -> TimestampType {
    let all = [
        TimestampType::CreateTime,
        TimestampType::LogAppendTime,
        TimestampType::Database,
    ];
    all.into_iter()
        .find(|kind| kind.name() == name)
        .unwrap_or_default()
}

fn explained(
    explain: &ExplainCommand,
    copies: Vec<ExplainedCopy>,
    paths: &[FieldPath],
    records: &[Option<&RecalledRecord>],
    opened: &places::Opened,
) -> ExplainedGroup {
    let group = &explain.group;
    let key = group
        .key
        .iter()
        .map(|(path, value)| (path.clone(), value.get().to_owned()));
    ExplainedGroup {
        id: group.id.clone(),
        key: key.collect(),
        count: group.count,
        extra: group.extra,
        amount: group
            .amount
            .clone()
            .map(|amount| (amount.currency, amount.net.unwrap_or(amount.extra))),
        subject: group.subject.clone(),
        differing_fields: paths.iter().map(ToString::to_string).collect(),
        causes: causes::of(group, &copies, records),
        inputs: Vec::new(),
        commands: see_it::commands(&explain.kcat_connection, group, opened),
        copies,
        shows_values: explain.shows_values,
        shows_keys: !explain.is_redacted,
    }
}

fn show(group: &ExplainedGroup, surroundings: &mut Surroundings<'_>) -> Result<(), CommandError> {
    let options = TerminalOptions {
        width: reports::width(surroundings),
        style: reports::style(surroundings),
        ..TerminalOptions::default()
    };
    match ExplainScreen::new(&mut *surroundings.stdout, options).write(group) {
        // Whoever closes the pipe has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written
            .context("write to standard output")
            .map_err(CommandError::failed),
    }
}

/// Records of a group by the file that the report names.
fn by_file(group: &ReadGroup) -> BTreeMap<&str, Vec<&ReadRecord>> {
    let mut files: BTreeMap<&str, Vec<&ReadRecord>> = BTreeMap::new();
    for record in &group.records {
        if let Some(file) = &record.file {
            files.entry(file).or_default().push(record);
        }
    }
    files
}
