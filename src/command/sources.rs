//! Opens what a scan reads: topics first, then databases, then files by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::audit::AuditPlan;
use crate::command::KafkaRequest;
use crate::command::state::remembering::{FileToRead, Remembering};
use crate::command::stores;
use crate::command::{CommandError, Message, ScanCommand, Surroundings};
use crate::record::{SplitId, TopicPartition};
use crate::source::RecordSource;
use crate::source::file::{FileError, FileFormat, FileOpener, FileOptions, OpenedFile};
use crate::source::file::{ValueMembers, walk};
use crate::source::kafka::{KafkaError, KafkaSource, KafkaSpec, Properties, ResumePoint};

/// What to do where brokers do not answer, or refuse.
const CLUSTER_HINT: &str = "is the broker running, and is -b the address at which clients reach \
                            it? a secured cluster needs its properties: -F FILE or -X NAME=VALUE";

/// Opens every source; splits are numbered so that neither the order of files on the command
/// line nor anything else but their names decides which of two equal records stands.
///
/// Of records in columns the first pass reads only what `plan` looks into.
pub(super) fn open(
    scan: &ScanCommand,
    (plan, mut remembering): (&AuditPlan, Option<&mut Remembering>),
    surroundings: &mut Surroundings<'_>,
) -> Result<Vec<Box<dyn RecordSource>>, CommandError> {
    let mut sources = open_topics(scan, remembering.as_deref_mut(), surroundings)?;
    let first_split = sources.iter().map(|source| source.splits().len()).sum();
    sources.extend(stores::open(scan, first_split, surroundings)?);
    let first_split = sources.iter().map(|source| source.splits().len()).sum();
    let members = plan.value_members().map(Arc::new);
    sources.extend(open_files(
        scan,
        (first_split, members),
        remembering,
        surroundings,
    )?);
    Ok(sources)
}

fn open_files(
    scan: &ScanCommand,
    (first_split, members): (usize, Option<Arc<ValueMembers>>),
    mut remembering: Option<&mut Remembering>,
    surroundings: &mut Surroundings<'_>,
) -> Result<Vec<Box<dyn RecordSource>>, CommandError> {
    let list = walk::expand(&scan.files).map_err(CommandError::configuration)?;
    for note in list.notes {
        (surroundings.say)(Message::Note(note));
    }
    let mut paths = list.paths;
    paths.sort();
    let mut options = file_options(scan, surroundings)?;
    options.members = members;
    let mut sources: Vec<Box<dyn RecordSource>> = Vec::with_capacity(paths.len());
    let mut opener = FileOpener::new(&options, surroundings.stop.clone());
    for (path, split) in paths.iter().zip(first_split..) {
        let split = SplitId(
            u32::try_from(split)
                .context("too many files")
                .map_err(CommandError::configuration)?,
        );
        if remembering.is_some() {
            Remembering::check_file(path)?;
        }
        let mut opened = opener.open(path, split).map_err(open_error)?;
        if let Some(remembering) = &mut remembering {
            let note =
                remembering.know_file(FileToRead { path, split }, &mut opened.source, &options);
            if let Some(note) = note {
                (surroundings.say)(Message::Note(note));
            }
        }
        check_topic_of(scan, &opened)?;
        if scan.kafka.is_some() && !opened.names_topics && scan.plan.mapping.offset.is_none() {
            (surroundings.say)(Message::Warning(format!(
                "`{}` has no offsets: a record that it took from the topic counts as a duplicate",
                opened.source.name()
            )));
        }
        sources.push(opened.source);
    }
    Ok(sources)
}

/// A directory for temporary files that fails is no fault of the file named.
pub(super) fn open_error(error: FileError) -> CommandError {
    match error {
        FileError::Spill(..) => CommandError::failed(error)
            .with_hint("TMPDIR names the directory: set it to one that exists and has room"),
        FileError::Missing(_)
        | FileError::NoFile(_)
        | FileError::Io(..)
        | FileError::Refused(..) => CommandError::configuration(error),
    }
}

/// The part of the memory that may hold what is unpacked ahead of being read, and the most of it:
/// what is further ahead is no longer in a cache when it is read.
const AHEAD_PART: u64 = 16;
/// A smaller part is not worth the memory of the threads that would unpack.
const AHEAD_BYTES_MIN: u64 = 8 * 1024 * 1024;
const AHEAD_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Returns how files are read.
pub(super) fn file_options(
    scan: &ScanCommand,
    surroundings: &Surroundings<'_>,
) -> Result<FileOptions, CommandError> {
    let mut options = FileOptions::new(surroundings.temporary_directory.clone());
    options.format = scan.format.as_deref().map(parse_format).transpose()?;
    options.assume_topic.clone_from(&scan.plan.assume_topic);
    options.decompressed_bytes_max = scan.decompressed_bytes_max;
    options.isolation = scan.isolation;
    options.threads = scan.plan.threads;
    let ahead_bytes = (scan.plan.memory_bytes / AHEAD_PART).min(AHEAD_BYTES_MAX);
    options.ahead_bytes = if ahead_bytes < AHEAD_BYTES_MIN {
        0
    } else {
        ahead_bytes
    };
    Ok(options)
}

/// Beside a topic, an export has to say which topic it is of.
pub(super) fn check_topic_of(scan: &ScanCommand, opened: &OpenedFile) -> Result<(), CommandError> {
    let plan = &scan.plan;
    let is_named =
        opened.names_topics || plan.mapping.topic.is_some() || plan.assume_topic.is_some();
    if scan.kafka.is_none() || is_named {
        return Ok(());
    }
    let error = anyhow::anyhow!(
        "`{}` does not say which topic it is of",
        opened.source.name()
    );
    Err(CommandError::configuration(error).with_hint(
        "name the topic with --assume-topic, or the field that holds it with --map topic=FIELD",
    ))
}

fn parse_format(name: &str) -> Result<FileFormat, CommandError> {
    FileFormat::parse(name).ok_or_else(|| {
        let known = FileFormat::names().join(", ");
        CommandError::configuration(anyhow::anyhow!(
            "`--format {name}`: there is no such format"
        ))
        .with_hint(format!("there are {known}"))
    })
}

fn open_topics(
    scan: &ScanCommand,
    remembering: Option<&mut Remembering>,
    surroundings: &mut Surroundings<'_>,
) -> Result<Vec<Box<dyn RecordSource>>, CommandError> {
    let resume = remembering.as_ref().map(|of| of.resume_points());
    let opened = open_topic_source(scan, resume.unwrap_or_default(), surroundings)?;
    if let (Some(remembering), Some((source, _))) = (remembering, &opened) {
        remembering.know_topics(source.topic_ids());
    }
    Ok(opened
        .map(|(source, _)| -> Box<dyn RecordSource> { Box::new(source) })
        .into_iter()
        .collect())
}

/// Connects and freezes the ranges; says what will be read before the first fetch.
pub(super) fn open_topic_source(
    scan: &ScanCommand,
    resume: BTreeMap<TopicPartition, ResumePoint>,
    surroundings: &mut Surroundings<'_>,
) -> Result<Option<(KafkaSource, KafkaSpec)>, CommandError> {
    let Some(mut spec) = kafka_spec(scan, surroundings)? else {
        return Ok(None);
    };
    spec.resume = resume;
    let source =
        KafkaSource::open(&spec, SplitId(0), surroundings.stop.clone()).map_err(kafka_failure)?;
    for line in source.notes().iter().cloned().chain(source.ranges()) {
        (surroundings.say)(Message::Note(line));
    }
    Ok(Some((source, spec)))
}

/// Returns what to read from a cluster, if topics are asked for.
pub(super) fn kafka_spec(
    scan: &ScanCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<Option<KafkaSpec>, CommandError> {
    let Some(request) = &scan.kafka else {
        return Ok(None);
    };
    let properties = properties(request, surroundings)?;
    let brokers = request
        .brokers
        .clone()
        .or_else(|| properties.get("bootstrap.servers").map(str::to_owned))
        .ok_or_else(|| {
            CommandError::configuration(anyhow::anyhow!("no broker is named"))
                .with_hint("add the brokers: -b HOST:PORT, or bootstrap.servers in the file of -F")
        })?;
    let mut spec = KafkaSpec::new(brokers, request.topics.clone());
    spec.partitions.clone_from(&request.partitions);
    spec.properties = properties;
    spec.isolation = scan.isolation;
    spec.reader = request.reader;
    spec.range = scan.plan.range.clone();
    spec.now_millis = Some(scan.started_at_millis);
    let stall_millis = u64::try_from(request.stall_timeout_millis).unwrap_or_default();
    spec.stall_timeout = Duration::from_millis(stall_millis);
    spec.limit_memory(scan.plan.memory_bytes);
    spec.threads = scan.plan.threads;
    if let Some(rate) = request.max_rate_bytes {
        spec.limit_rate(rate);
    }
    Ok(Some(spec))
}

fn properties(
    request: &KafkaRequest,
    surroundings: &mut Surroundings<'_>,
) -> Result<Properties, CommandError> {
    let mut properties = Properties::default();
    // As in kcat, what is typed wins over what a file says.
    for path in &request.property_files {
        properties
            .add_file(path, surroundings.variable)
            .map_err(CommandError::configuration)?;
    }
    for (name, value) in &request.properties {
        properties
            .add(name, value)
            .map_err(CommandError::configuration)?;
    }
    for note in properties.notes() {
        (surroundings.say)(Message::Note(note.clone()));
    }
    Ok(properties)
}

pub(super) fn kafka_failure(error: KafkaError) -> CommandError {
    if error.is_usage() {
        return CommandError::configuration(error);
    }
    let is_cluster = matches!(error, KafkaError::Cluster(_));
    let error = CommandError::failed(error);
    if is_cluster {
        error.with_hint(CLUSTER_HINT)
    } else {
        error
    }
}
