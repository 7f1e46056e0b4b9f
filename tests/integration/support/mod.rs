//! What the tests stand on: a temporary folder, the program run in it, and what it said.

pub(crate) mod picture;
pub(crate) mod python;
pub(crate) mod report;

#[cfg(feature = "kafka")]
pub(crate) mod ack_proxy;
#[cfg(feature = "kafka")]
pub(crate) mod broker;
#[cfg(feature = "kafka")]
pub(crate) mod cluster;
#[cfg(feature = "kafka")]
pub(crate) mod node;
#[cfg(feature = "kafka")]
pub(crate) mod raw_client;
#[cfg(feature = "kafka")]
pub(crate) mod tcp_proxy;

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use report::Report;

/// A temporary folder, removed when the test ends.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// Reads a `.json` report that was written in this folder.
    pub(crate) fn report(&self, name: &str) -> Report {
        let path = self.path().join(name);
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("no report at {}: {error}", path.display()));
        Report::parse(&text)
    }

    /// Returns a run of the program in this folder.
    pub(crate) fn dupaudit<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        Run::new(env!("CARGO_BIN_EXE_dupaudit"), self.path(), arguments)
    }
}

/// Returns what a test needs, or nothing after a loud word; fails where it is required.
pub(crate) fn or_skip<N, E: std::fmt::Display>(needed: Result<N, E>) -> Option<N> {
    let error = match needed {
        Ok(needed) => return Some(needed),
        Err(error) => error,
    };
    let is_required = std::env::var("DUPAUDIT_REQUIRE_BROKER").is_ok_and(|value| value == "1");
    assert!(!is_required, "all that the tests need is required: {error}");
    // Past the capture of the test harness, which would hide it of a test that passes.
    let loud = format!(
        "\nSKIPPED {}: {error}\n",
        thread::current().name().unwrap_or("a test")
    );
    drop(Write::write_all(&mut std::io::stderr(), loud.as_bytes()));
    None
}

/// Returns ports that are free now.
pub(crate) fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT], String> {
    let mut listeners = Vec::new();
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(text)?;
        *port = listener.local_addr().map_err(text)?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Whether there is time for more of the same.
pub(crate) fn is_soak() -> bool {
    std::env::var("DUPAUDIT_SOAK").is_ok_and(|value| value == "1")
}

/// No run of a test takes this long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A program about to be run: by default without input, and not for longer than a minute.
pub(crate) struct Run {
    command: Command,
    stdin: Vec<u8>,
}

impl Run {
    pub(crate) fn new<A: AsRef<OsStr>>(
        program: &str,
        folder: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .args(arguments)
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .env_remove("COLUMNS");
        Self {
            command,
            stdin: Vec::new(),
        }
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end; a run that takes too long is a failing test.
    pub(crate) fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Starts it; what it says can be waited for while it runs.
    pub(crate) fn start(mut self) -> Running {
        let shown = format!("{:?}", self.command);
        let started = Instant::now();
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        let mut input = child.stdin.take().unwrap();
        let stdin = std::mem::take(&mut self.stdin);
        Running {
            shown,
            started,
            // A program that does not read its input may close it early.
            feeding: thread::spawn(move || drop(input.write_all(&stdin))),
            stdout: Heard::from(child.stdout.take().unwrap()),
            stderr: Heard::from(child.stderr.take().unwrap()),
            child,
        }
    }
}

/// A program that runs.
pub(crate) struct Running {
    shown: String,
    started: Instant,
    child: Child,
    feeding: JoinHandle<()>,
    stdout: Heard,
    stderr: Heard,
}

impl Running {
    /// Waits until it says `fragment` on standard error.
    pub(crate) fn wait_for_stderr(&self, fragment: &str) {
        let deadline = self.started + TIMEOUT;
        while !self.stderr.text().contains(fragment) {
            let said = self.stderr.text();
            let is_over = self.stderr.listener.is_finished() && !said.contains(fragment);
            assert!(
                !is_over && Instant::now() < deadline,
                "{}: {said}",
                self.shown
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns whether it has said its last word.
    pub(crate) fn is_over(&self) -> bool {
        self.stderr.listener.is_finished()
    }

    /// Returns what [`peak_kib`] does of it.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        peak_kib(&self.child)
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Outcome {
        self.finish_within(TIMEOUT)
    }

    /// Waits for its end, which may be as late as this after the start.
    pub(crate) fn finish_within(mut self, patience: Duration) -> Outcome {
        let exit_code = wait(&mut self.child, self.started + patience);
        let outcome = Outcome {
            shown: self.shown,
            exit_code,
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
            elapsed: self.started.elapsed(),
        };
        self.feeding.join().unwrap();
        assert!(outcome.exit_code.is_some(), "no exit code: {outcome}");
        outcome
    }
}

/// What came out of a pipe so far.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    listener: JoinHandle<()>,
}

impl Heard {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
        let heard = Arc::clone(&bytes);
        let listener = thread::spawn(move || {
            let mut part = [0; 4096];
            loop {
                match pipe.read(&mut part).unwrap() {
                    0 => return,
                    count => heard.lock().unwrap().extend_from_slice(&part[..count]),
                }
            }
        });
        Self { bytes, listener }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn all(self) -> String {
        self.listener.join().unwrap();
        let bytes = self.bytes.lock().unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Returns the most memory that a child has had at once, in KiB; nothing once it has ended.
pub(crate) fn peak_kib(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix(" kB")?.parse().unwrap())
}

/// Waits for the end; a child that is late is killed and has no exit code.
pub(crate) fn wait(child: &mut Child, deadline: Instant) -> Option<i32> {
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a run came to.
pub(crate) struct Outcome {
    shown: String,
    pub(crate) exit_code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.exit_code, Some(code), "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn expect_stderr(self, fragment: &str) -> Self {
        assert!(
            self.stderr.contains(fragment),
            "stderr lacks `{fragment}`: {self}"
        );
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "{}", self.shown)?;
        writeln!(
            out,
            "exit code {:?} after {:?}",
            self.exit_code, self.elapsed
        )?;
        writeln!(out, "--- stdout\n{}", self.stdout)?;
        writeln!(out, "--- stderr\n{}", self.stderr)
    }
}
