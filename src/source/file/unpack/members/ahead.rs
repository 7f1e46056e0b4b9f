//! Unpacks members ahead of the one that is read, on threads of their own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::thread::JoinHandle;

use crate::source::file::unpack::length_u64;
use crate::source::file::unpack::members::finding::{Finder, Found};
use crate::source::file::unpack::members::input::PlacedFile;
use crate::source::file::unpack::members::member::{Member, MemberKind, PIECE_BYTES};

/// Members found but not read yet.
const JOBS_MAX: usize = 256;

/// How far to go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AheadLimits {
    /// Threads that unpack.
    pub(crate) threads: usize,
    /// Memory for what is unpacked and not read yet, and for what decoders look back at.
    pub(crate) bytes: u64,
}

/// What comes next of a member that was unpacked ahead.
pub(super) enum Next {
    Piece(Vec<u8>),
    /// It has ended, and the next one starts here.
    End(u64),
    /// It is damaged: who reads it alone will say how.
    Failed,
}

/// Members that are unpacked ahead.
pub(super) struct Ahead {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    file: PlacedFile,
    kind: MemberKind,
    bytes_max: u64,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// By place; that which is read comes first.
    jobs: VecDeque<Job>,
    /// Nothing while it looks.
    finder: Option<Finder>,
    /// Where the member starts that is read.
    done: u64,
    /// Memory taken.
    held_bytes: u64,
    is_over: bool,
}

struct Job {
    found: Found,
    pieces: VecDeque<Vec<u8>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Unpacking,
    Ended(u64),
    Failed,
}

impl Ahead {
    /// Starts to look for the members behind the first.
    pub(super) fn start(file: &PlacedFile, kind: MemberKind, limits: AheadLimits) -> Self {
        let shared = Arc::new(Shared {
            file: file.clone(),
            kind,
            bytes_max: limits.bytes,
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                finder: Some(Finder::new(file.clone(), kind)),
                done: 0,
                held_bytes: 0,
                is_over: false,
            }),
            changed: Condvar::new(),
        });
        let workers = (0..limits.threads).filter_map(|_| {
            let shared = Arc::clone(&shared);
            let builder = thread::Builder::new().name("unpack-ahead".to_owned());
            // Without them all is unpacked where it is read.
            builder.spawn(move || shared.work()).ok()
        });
        Self {
            workers: workers.collect(),
            shared,
        }
    }

    /// Goes on to the member at `place`; returns whether it is one that is unpacked ahead.
    pub(super) fn go_to(&self, place: u64) -> bool {
        let mut state = self.shared.lock();
        state.done = place;
        while state
            .jobs
            .front()
            .is_some_and(|job| job.found.place < place)
        {
            state.drop_first();
        }
        let first = state.jobs.front().filter(|job| job.found.place == place);
        let stage = first.map(|job| job.stage);
        if stage == Some(Stage::Waiting) {
            state.drop_first();
        }
        drop(state);
        self.shared.changed.notify_all();
        stage.is_some_and(|stage| stage != Stage::Waiting)
    }

    /// Returns whether the member at `place` was unpacked to its end.
    #[cfg(test)]
    pub(super) fn has_ended(&self, place: u64) -> bool {
        let mut state = self.shared.lock();
        let job = state.job(place);
        job.is_some_and(|job| matches!(job.stage, Stage::Ended(_)))
    }

    /// Waits for what comes next of the member that is read.
    pub(super) fn next(&self) -> Next {
        let mut state = self.shared.lock();
        loop {
            let Some(job) = state.jobs.front_mut() else {
                return Next::Failed;
            };
            let next = match (job.pieces.pop_front(), job.stage) {
                (Some(piece), _) => {
                    state.held_bytes -= length_u64(piece.len());
                    Next::Piece(piece)
                }
                (None, Stage::Ended(end)) => {
                    state.drop_first();
                    Next::End(end)
                }
                (None, Stage::Failed) => {
                    state.drop_first();
                    Next::Failed
                }
                (None, Stage::Waiting | Stage::Unpacking) => {
                    state = self.shared.wait(state);
                    continue;
                }
            };
            drop(state);
            self.shared.changed.notify_all();
            return next;
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // One that has panicked has nothing more to give.
            drop(worker.join());
        }
    }
}

impl State {
    fn drop_first(&mut self) {
        let pieces = self.jobs.pop_front().map(|job| job.pieces);
        for piece in pieces.into_iter().flatten() {
            self.held_bytes -= length_u64(piece.len());
        }
    }

    fn job(&mut self, place: u64) -> Option<&mut Job> {
        let index = self
            .jobs
            .binary_search_by_key(&place, |job| job.found.place);
        self.jobs.get_mut(index.ok()?)
    }

    /// Returns the first member that waits, if there is memory for it.
    fn take_waiting(&mut self, bytes_max: u64) -> Option<Found> {
        let mut jobs = self.jobs.iter_mut();
        let job = jobs.find(|job| job.stage == Stage::Waiting)?;
        let needed = job
            .found
            .decoder_bytes
            .saturating_add(length_u64(PIECE_BYTES));
        if self.held_bytes.saturating_add(needed) > bytes_max {
            return None;
        }
        self.held_bytes += job.found.decoder_bytes;
        job.stage = Stage::Unpacking;
        Some(job.found)
    }

    /// Returns whether a piece may be added to what was unpacked of a member.
    fn has_room(&self, place: u64, piece: &[u8], bytes_max: u64) -> bool {
        let first = self.jobs.front();
        let is_waited_for = first.is_some_and(|of| of.found.place == place && of.pieces.is_empty());
        is_waited_for || self.held_bytes.saturating_add(length_u64(piece.len())) <= bytes_max
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Unpacks members, and looks for more of them, until it is over.
    fn work(&self) {
        let mut state = self.lock();
        while !state.is_over {
            if let Some(found) = state.take_waiting(self.bytes_max) {
                drop(state);
                // Where a decoder panics, the one who reads meets that again, and does not wait.
                let unpacked = catch_unwind(AssertUnwindSafe(|| self.unpack(found)));
                let stage = unpacked.unwrap_or(Stage::Failed);
                state = self.lock();
                state.held_bytes -= found.decoder_bytes;
                if let Some(job) = state.job(found.place) {
                    job.stage = stage;
                }
            } else if let Some(mut finder) = self.take_finder(&mut state) {
                drop(state);
                let found = finder.step();
                state = self.lock();
                let is_ahead = |found: &Found| found.place > state.done;
                if let Some(found) = found.filter(is_ahead) {
                    state.jobs.push_back(Job {
                        found,
                        pieces: VecDeque::new(),
                        stage: Stage::Waiting,
                    });
                }
                state.finder = Some(finder);
            } else {
                state = self.wait(state);
                continue;
            }
            self.changed.notify_all();
        }
    }

    fn take_finder(&self, state: &mut State) -> Option<Finder> {
        let (done, is_full) = (state.done, state.jobs.len() >= JOBS_MAX);
        let finder = state.finder.as_mut()?;
        finder.follow(done);
        let has_more = finder.has_more(done) && !is_full && state.held_bytes < self.bytes_max;
        state.finder.take_if(|_| has_more)
    }

    /// Unpacks a member as far as somebody still wants it.
    fn unpack(&self, found: Found) -> Stage {
        let Ok(mut member) = Member::open(&self.file, self.kind, found.place) else {
            return Stage::Failed;
        };
        loop {
            let mut piece = Vec::new();
            if member.read_piece(&mut piece).is_err() {
                return Stage::Failed;
            }
            let is_last = piece.len() < PIECE_BYTES;
            piece.shrink_to_fit();
            if !self.hand_over(found.place, piece) {
                return Stage::Failed;
            }
            if is_last {
                return Stage::Ended(member.input().place());
            }
        }
    }

    /// Adds a piece once there is room; returns false where nobody wants it any more.
    fn hand_over(&self, place: u64, piece: Vec<u8>) -> bool {
        let mut state = self.lock();
        while !state.is_over && !state.has_room(place, &piece, self.bytes_max) {
            if state.job(place).is_none() {
                return false;
            }
            state = self.wait(state);
        }
        let length = length_u64(piece.len());
        let is_over = state.is_over;
        let Some(job) = state.job(place).filter(|_| !is_over) else {
            return false;
        };
        if length > 0 {
            job.pieces.push_back(piece);
            state.held_bytes += length;
        }
        drop(state);
        self.changed.notify_all();
        true
    }
}
