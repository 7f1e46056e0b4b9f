//! `--notify-command`: somebody is told, by a command that gets the summary on standard input.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::report::{JsonReport, ReportHead, ReportWriter};

/// Bytes of what the command says that are kept.
const SAID_BYTES: u64 = 4096;

/// How often is looked whether the command has ended.
const POLL: Duration = Duration::from_millis(20);

/// How long what the command said is waited for once it has ended.
const SAID_WAIT: Duration = Duration::from_secs(1);

/// A command to run where something counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyRequest {
    /// As the shell takes it; nothing of the findings is put into it.
    pub command: String,
    /// How long it may take, in milliseconds.
    pub timeout_millis: u64,
}

/// Returns the JSON report without its groups.
pub(super) fn summary(head: &ReportHead<'_>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut report = JsonReport::new(&mut text, false);
    report.begin(head)?;
    report.end()?;
    drop(report);
    Ok(text)
}

/// Runs the command; returns what went wrong, in words.
pub(super) fn run(request: &NotifyRequest, input: Vec<u8>) -> Result<(), String> {
    let mut child = start(request).map_err(|error| format!("cannot be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that reads none of it is not wrong.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let said = listen(&mut child);
    let timeout = Duration::from_millis(request.timeout_millis);
    let Some(status) = wait(&mut child, timeout).map_err(|error| error.to_string())? else {
        end(&mut child);
        return Err(format!(
            "has not ended within {} s, and was ended",
            timeout.as_secs_f64()
        ));
    };
    if status.success() {
        return Ok(());
    }
    let said = said.recv_timeout(SAID_WAIT).unwrap_or_default();
    Err(failure(status, &said))
}

/// A group of processes of its own, so that all that the shell started can be ended.
fn start(request: &NotifyRequest) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", &request.command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Keeps the beginning of what the command says, and reads the rest so that it is not held up.
fn listen(child: &mut Child) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        thread::spawn(move || {
            let mut said = Vec::new();
            let _ = stderr.by_ref().take(SAID_BYTES).read_to_end(&mut said);
            let _ = sender.send(said);
            let _ = io::copy(&mut stderr, &mut io::sink());
        });
    }
    receiver
}

fn wait(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

fn end(child: &mut Child) {
    let group = child.id().to_string();
    let killer = Command::new("sh")
        .args(["-c", "kill -KILL -- \"-$0\"", &group])
        .stderr(Stdio::null())
        .status();
    if !killer.is_ok_and(|status| status.success()) {
        let _ = child.kill();
    }
    let _ = child.wait();
}

fn failure(status: ExitStatus, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    match said.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("ended with {status}: {}", line.trim()),
        None => format!("ended with {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(command: &str) -> NotifyRequest {
        NotifyRequest {
            command: command.to_owned(),
            timeout_millis: 60_000,
        }
    }

    #[test]
    fn the_command_gets_its_input_and_its_failure_is_told() {
        let input = b"{\"a\":1}\n".repeat(100_000);
        let length = input.len();
        let counts = format!("test $(wc -c) -eq {length}");
        assert_eq!(run(&request(&counts), input.clone()), Ok(()));
        assert_eq!(run(&request("true"), input.clone()), Ok(()));
        let failed = run(&request("echo; echo 'no route' >&2; exit 7"), input.clone());
        assert_eq!(failed.unwrap_err(), "ended with exit status: 7: no route");
        let unknown = run(&request("no-such-command-here"), input.clone()).unwrap_err();
        assert!(
            unknown.contains("127") && unknown.contains("not found"),
            "{unknown}"
        );
        let loud = "yes loud | head -c 1000000 >&2; exit 3";
        assert_eq!(
            run(&request(loud), input).unwrap_err(),
            "ended with exit status: 3: loud"
        );
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let mark = directory.path().join("mark");
        let hang = NotifyRequest {
            command: format!("(sleep 600; touch '{}') & sleep 600", mark.display()),
            timeout_millis: 300,
        };
        let start = Instant::now();
        let failed = run(&hang, Vec::new()).unwrap_err();
        assert!(failed.contains("within 0.3 s"), "{failed}");
        assert!(start.elapsed() < Duration::from_mins(1));
        // The background job would write its mark as soon as its sleep is over or ended.
        thread::sleep(Duration::from_millis(200));
        assert!(!mark.exists());
    }
}
