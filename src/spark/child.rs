//! `spark-submit` as a child: what it says is kept, and it ends with who started it.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::source::StopFlag;
use crate::spark::submission::Submission;

/// Last lines that are kept of what it says.
const LINES_MAX: usize = 400;

/// Bytes of a line that are kept.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// How often is looked whether it has ended, or should.
const POLL: Duration = Duration::from_millis(50);

/// How long it has to end by itself once it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Last lines of one stream: one that says much does not push out what the other says.
type Lines = Arc<Mutex<VecDeque<String>>>;

/// A job that was submitted.
pub(super) struct Running {
    child: Child,
    heard: Vec<(Lines, JoinHandle<()>)>,
}

/// Starts it in a group of processes of its own, so that all of it can be ended.
pub(super) fn start(submission: &Submission) -> io::Result<Running> {
    let mut command = Command::new(submission.program());
    command
        .args(submission.words())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command.envs(submission.variables());
    let mut child = command.spawn()?;
    let mut heard = Vec::new();
    heard.extend(child.stdout.take().map(listen));
    heard.extend(child.stderr.take().map(listen));
    Ok(Running { child, heard })
}

fn listen(stream: impl Read + Send + 'static) -> (Lines, JoinHandle<()>) {
    let heard = Lines::default();
    let lines = Arc::clone(&heard);
    let listener = thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            // A longer line is taken as several.
            match stream
                .by_ref()
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line)
            {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    });
    (heard, listener)
}

impl Running {
    /// Waits for the end; returns nothing where it was ended because of `stop`.
    pub(super) fn wait(&mut self, stop: &StopFlag) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok((!stop.is_stopped() || status.success()).then_some(status));
            }
            if stop.is_stopped() {
                self.end();
                return Ok(None);
            }
            thread::sleep(POLL);
        }
    }

    /// Returns the last lines that it said, once it has ended.
    pub(super) fn said(&self) -> Vec<String> {
        // What it started may live on and hold the streams; the last lines are there by then.
        let deadline = Instant::now() + Duration::from_secs(1);
        let is_over = || {
            self.heard
                .iter()
                .all(|(_, listener)| listener.is_finished())
        };
        while !is_over() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        let mut said = Vec::new();
        for (lines, _) in &self.heard {
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            said.extend(lines.iter().cloned());
        }
        said
    }

    /// Asks all of it to end, so that the cluster is told, and ends what does not.
    fn end(&mut self) {
        self.signal("TERM");
        let deadline = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        self.signal("KILL");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn signal(&self, name: &str) {
        let group = self.child.id().to_string();
        let _ = Command::new("sh")
            .args(["-c", "kill -s \"$1\" -- \"-$0\"", &group, name])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end();
        }
    }
}
