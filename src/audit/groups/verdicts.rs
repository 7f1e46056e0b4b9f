//! What the diagnosis says of the extra records of one group, in stretches of the same words.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::audit::groups::spool::{OccurrenceSpool, SpoolFiles, Spooled};
use crate::audit::groups::spool::{push_item, walk_items};
use crate::finding::Cause;
use crate::finding::Confidence;
use crate::finding::EvidenceTexts;

/// Bytes of verdicts that a group carries with it; more go to a file.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// What the diagnosis says of one extra record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) cause: Cause,
    pub(super) confidence: Option<Confidence>,
    pub(super) episode: u64,
    /// What speaks for and against it; nothing where it need not be told from the group's.
    pub(super) texts: Option<Arc<EvidenceTexts>>,
}

/// A stretch of extra records with the same verdict.
#[derive(Debug, Serialize, Deserialize)]
struct VerdictRun {
    count: u64,
    cause: Cause,
    confidence: Option<Confidence>,
    episode: u64,
    /// Nothing where it is what the group has.
    texts: Option<EvidenceTexts>,
}

impl VerdictRun {
    fn is_of(&self, verdict: &Verdict) -> bool {
        self.cause == verdict.cause
            && self.confidence == verdict.confidence
            && self.episode == verdict.episode
            && self.texts.as_ref() == verdict.texts.as_deref()
    }
}

/// The verdicts of one group while they arrive.
#[derive(Default)]
pub(super) struct VerdictSpool {
    runs: Vec<VerdictRun>,
    bytes: usize,
    buffer: Vec<u8>,
    start: Option<u64>,
    length: u64,
}

impl VerdictSpool {
    /// Takes the verdict on the next extra record.
    pub(super) fn push(
        &mut self,
        verdict: &Verdict,
        spool: &mut OccurrenceSpool,
    ) -> io::Result<()> {
        if let Some(last) = self.runs.last_mut()
            && last.is_of(verdict)
        {
            last.count += 1;
            return Ok(());
        }
        let texts = verdict.texts.iter();
        let texts = texts.flat_map(|texts| texts.evidence.iter().chain(&texts.contrary));
        self.bytes += size_of::<VerdictRun>() + texts.map(String::len).sum::<usize>();
        self.runs.push(VerdictRun {
            count: 1,
            cause: verdict.cause,
            confidence: verdict.confidence,
            episode: verdict.episode,
            texts: verdict.texts.as_deref().cloned(),
        });
        if self.bytes > INLINE_BYTES_MAX {
            return self.flush(spool);
        }
        Ok(())
    }

    fn flush(&mut self, spool: &mut OccurrenceSpool) -> io::Result<()> {
        self.encode();
        let start = spool.append(&self.buffer)?;
        self.start.get_or_insert(start);
        self.length += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        self.buffer.clear();
        Ok(())
    }

    fn encode(&mut self) {
        for run in self.runs.drain(..) {
            push_item(&mut self.buffer, &run);
        }
        self.bytes = 0;
    }

    /// Returns where the verdicts are; `texts` are those of the group.
    pub(super) fn finish(
        mut self,
        texts: &EvidenceTexts,
        spool: &mut OccurrenceSpool,
    ) -> io::Result<Spooled> {
        if let Some(start) = self.start {
            self.flush(spool)?;
            return Ok(spool.spooled(start, self.length));
        }
        for run in &mut self.runs {
            if run.texts.as_ref() == Some(texts) {
                run.texts = None;
            }
        }
        self.encode();
        Ok(Spooled::Inline(self.buffer))
    }
}

/// The verdicts of a group, read back for the report.
pub(super) struct Verdicts {
    pub(super) spooled: Spooled,
    pub(super) files: SpoolFiles,
    /// What the group has.
    pub(super) texts: Arc<EvidenceTexts>,
}

impl Verdicts {
    /// Walks the verdicts on the extra records, one by one.
    pub(super) fn walk(&self) -> impl Iterator<Item = io::Result<Verdict>> + '_ {
        let mut runs = walk_items::<VerdictRun>(&self.spooled, &self.files);
        let mut current: Option<(Verdict, u64)> = None;
        std::iter::from_fn(move || {
            if let Some((verdict, left)) = &mut current
                && *left > 0
            {
                *left -= 1;
                return Some(Ok(verdict.clone()));
            }
            match runs.next()? {
                Err(error) => Some(Err(error)),
                Ok(run) => {
                    let left = run.count.saturating_sub(1);
                    let verdict = self.verdict(run);
                    current = Some((verdict.clone(), left));
                    Some(Ok(verdict))
                }
            }
        })
    }

    fn verdict(&self, run: VerdictRun) -> Verdict {
        Verdict {
            cause: run.cause,
            confidence: run.confidence,
            episode: run.episode,
            texts: Some(match run.texts {
                Some(texts) => Arc::new(texts),
                None => Arc::clone(&self.texts),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> EvidenceTexts {
        EvidenceTexts {
            evidence: vec![text.to_owned()],
            contrary: Vec::new(),
        }
    }

    fn walked(all: &[String], group: &str) -> (Spooled, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = OccurrenceSpool::new(dir.path(), 0, false);
        let mut verdicts = VerdictSpool::default();
        for text in all {
            let verdict = Verdict {
                cause: Cause::ProducerRetry,
                confidence: Some(Confidence::Strong),
                episode: 7,
                texts: Some(Arc::new(texts(text))),
            };
            verdicts.push(&verdict, &mut spool).unwrap();
        }
        let spooled = verdicts.finish(&texts(group), &mut spool).unwrap();
        let verdicts = Verdicts {
            spooled: spooled.clone(),
            files: spool.into_files(),
            texts: Arc::new(texts(group)),
        };
        let text = |verdict: io::Result<Verdict>| {
            let verdict = verdict.unwrap();
            assert_eq!(verdict.episode, 7);
            verdict.texts.unwrap().evidence[0].clone()
        };
        (spooled, verdicts.walk().map(text).collect())
    }

    #[test]
    fn each_extra_record_has_its_own_evidence() {
        let all = ["a", "a", "b", "a"].map(str::to_owned);
        let (spooled, walked) = walked(&all, "a");
        assert_eq!(walked, all);
        let Spooled::Inline(bytes) = spooled else {
            panic!("{spooled:?}")
        };
        // The words of the group are kept once, with the group.
        assert!(bytes.len() < 60, "{bytes:?}");
    }

    #[test]
    fn many_go_to_a_file_and_come_back_in_order() {
        let all: Vec<String> = (0..5_000)
            .map(|number| format!("{number}").repeat(9))
            .collect();
        let (spooled, walked) = walked(&all, &all[0]);
        assert!(matches!(spooled, Spooled::InFile { .. }));
        assert_eq!(walked, all);
    }
}
