//! Processes that incidents kill with SIGKILL: this program again, doing one part of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{replays, resends};

/// Names the part that a process is to do, and how, separated by tabs.
const PART: &str = "DUPAUDIT_INCIDENT_PART";

/// What a process says when it stands where it is to be killed.
const HERE: &str = "here";

/// What a process says when it is done.
const DONE: &str = "done";

/// A process of an incident, killed with the test at the latest.
pub(super) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    /// Starts a process that does one part of an incident.
    pub(super) fn start(part: &[&str]) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["incidents::process::a_part_of_an_incident", "--exact"])
            .args(["--nocapture", "--test-threads=1"])
            .env(PART, part.join("\t"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// Waits until it stands where it is to be killed, and kills it there.
    pub(super) fn kill_there(mut self) {
        self.wait_for(HERE);
        self.0.kill().unwrap();
        let status = self.0.wait().unwrap();
        assert_eq!(status.code(), None, "it ended by itself: {status}");
    }

    /// Waits until it has done all.
    pub(super) fn finish(mut self) {
        self.wait_for(DONE);
        // Waiting closes its input, at whose end it would end too early.
        let input = self.0.stdin.take();
        assert!(self.0.wait().unwrap().success());
        drop(input);
    }

    fn wait_for(&mut self, word: &str) {
        let mut said = String::new();
        let mut lines = BufReader::new(self.0.stderr.as_mut().unwrap());
        while !said.ends_with(&format!("{word}\n")) {
            let count = lines.read_line(&mut said).unwrap();
            assert!(count > 0, "it ended without `{word}`: {said}");
        }
    }
}

/// Stands still to be killed.
pub(super) fn stand_here() -> ! {
    say(HERE);
    loop {
        thread::sleep(Duration::from_mins(1));
    }
}

fn say(word: &str) {
    let line = format!("{word}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Does nothing as a test: it is the process that other tests start and kill.
#[test]
fn a_part_of_an_incident() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    // Ends with the test that holds the other end of its input.
    thread::spawn(|| {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        std::process::abort();
    });
    match part.split('\t').collect::<Vec<_>>().as_slice() {
        ["work", rest @ ..] => replays::do_work(rest),
        ["send-list", rest @ ..] => resends::do_send_list(rest),
        other => panic!("there is no part {other:?}"),
    }
    say(DONE);
}
