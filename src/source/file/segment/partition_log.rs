//! The segments of one partition: which transactions in them were committed, and where offsets
//! are missing between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::record::TopicPartition;
use crate::source::StopFlag;
use crate::source::file::opening::whole::WholeFile;
use crate::source::file::segment::headers::{self, Outline};
use crate::source::file::segment::names;
use crate::source::file::segment::transactions::Transactions;
use crate::source::file::unpack::stored::RegularFile;

/// One segment that is read.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    /// Its bytes.
    pub(crate) whole: WholeFile,
    /// First offset, by its name.
    pub(crate) base_offset: Option<i64>,
}

/// The segments of one partition.
#[derive(Debug)]
pub(crate) struct PartitionLog {
    /// The partition, where the folder is named for it.
    pub(crate) topic_partition: Option<TopicPartition>,
    /// The folder, if other segments in it belong to the same partition.
    folder: Option<PathBuf>,
    segments: Mutex<Vec<Arc<SegmentFile>>>,
    survey: OnceLock<Survey>,
}

/// What the headers of all segments of a partition tell.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) transactions: Transactions,
    /// Segments that were looked at, in order.
    looks: Vec<Look>,
    /// Segments that were not named but looked at for transaction markers.
    pub(super) others: Vec<String>,
    /// Why transactions cannot be told for certain.
    pub(super) damage: Option<String>,
}

#[derive(Debug)]
struct Look {
    name: String,
    base_offset: Option<i64>,
    is_named: bool,
    outline: Outline,
}

/// Offsets that are missing between a segment and the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) start: i64,
    pub(super) end: i64,
    /// The segment behind them.
    pub(super) next: String,
    /// Whether the partition has holes elsewhere, as compaction leaves them.
    pub(super) may_be_compacted: bool,
}

impl PartitionLog {
    /// Returns the log whose segments lie in `folder`, none of them known so far.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        let name = folder
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        let topic_partition = name.and_then(names::topic_partition);
        Self {
            folder: folder
                .filter(|_| topic_partition.is_some())
                .map(Path::to_owned),
            topic_partition,
            segments: Mutex::default(),
            survey: OnceLock::new(),
        }
    }

    /// Adds a segment that will be read; all are added before the first is.
    pub(crate) fn add(&self, segment: Arc<SegmentFile>) {
        self.segments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(segment);
    }

    /// Returns what the headers of all segments tell; the first caller looks, the others wait.
    pub(super) fn survey(&self, stop: &StopFlag) -> &Survey {
        self.survey.get_or_init(|| self.look(stop))
    }

    fn look(&self, stop: &StopFlag) -> Survey {
        let mut survey = Survey::default();
        let mut candidates = self.candidates();
        candidates.sort_by(|left, right| left.order().cmp(&right.order()));
        let last_named = candidates
            .iter()
            .rposition(|candidate| candidate.named.is_some());
        for (index, candidate) in candidates.iter().enumerate() {
            let is_behind = Some(index) > last_named;
            if stop.is_stopped() || (is_behind && !survey.transactions.has_open()) {
                break;
            }
            survey.add(candidate, stop);
        }
        survey
    }

    /// Returns the segments that are read and those beside and behind the first of them.
    fn candidates(&self) -> Vec<Candidate> {
        let named = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        let mut candidates: Vec<Candidate> = named.iter().map(Candidate::named).collect();
        let known: Vec<i64> = named.iter().filter_map(|of| of.base_offset).collect();
        let first = known.iter().min().copied();
        let entries = self.folder.as_ref().and_then(|of| fs::read_dir(of).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| names::is_segment(name)) else {
                continue;
            };
            let base_offset = names::base_offset(name);
            let is_new = base_offset.is_some_and(|base| !known.contains(&base));
            if is_new && base_offset > first {
                candidates.push(Candidate {
                    path: entry.path(),
                    base_offset,
                    named: None,
                });
            }
        }
        candidates
    }
}

/// A segment that may have to be looked at.
struct Candidate {
    path: PathBuf,
    base_offset: Option<i64>,
    named: Option<Arc<SegmentFile>>,
}

impl Candidate {
    fn named(segment: &Arc<SegmentFile>) -> Self {
        Self {
            path: PathBuf::from(&segment.whole.name),
            base_offset: segment.base_offset,
            named: Some(Arc::clone(segment)),
        }
    }

    fn order(&self) -> (Option<i64>, &Path) {
        (self.base_offset, &self.path)
    }
}

impl Survey {
    fn add(&mut self, candidate: &Candidate, stop: &StopFlag) {
        let name = candidate.path.display().to_string();
        let opened = match &candidate.named {
            Some(segment) => segment
                .whole
                .open()
                .map(|file| (file, segment.whole.length())),
            None => fs::File::open(&candidate.path).and_then(|file| {
                let file = Arc::new(file);
                let frozen = RegularFile::freeze(&candidate.path, Arc::clone(&file), false)?;
                Ok((file, frozen.length()))
            }),
        };
        let outline = opened
            .and_then(|(file, length)| headers::scan(&file, length, &mut self.transactions, stop));
        match outline {
            Ok(outline) => self.looks.push(Look {
                name: name.clone(),
                base_offset: candidate.base_offset,
                is_named: candidate.named.is_some(),
                outline,
            }),
            Err(error) => {
                let what = format!("the transaction markers in `{name}` cannot be read: {error}");
                self.damage.get_or_insert(what);
            }
        }
        if candidate.named.is_none() {
            self.others.push(name);
        }
    }

    /// Returns the offsets that are missing between a segment and the next one that is read.
    pub(super) fn missing_behind(&self, name: &str) -> Option<Missing> {
        let at = self.looks.iter().position(|look| look.name == name)?;
        let (this, next) = (self.looks.get(at)?, self.looks.get(at + 1)?);
        let start = this.outline.first_offset.map(|_| this.outline.end_offset)?;
        let end = next.base_offset.or(next.outline.first_offset)?;
        (next.is_named && start < end).then(|| Missing {
            start,
            end,
            next: next.name.clone(),
            may_be_compacted: self.looks.iter().any(|look| look.outline.has_holes),
        })
    }
}
