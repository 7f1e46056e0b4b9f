//! Scans of topics of a real broker.

mod aborted;
mod choice;
mod ends;
mod explained;
mod exports;
mod faults;
mod ranges;
pub(crate) mod segments;
mod tansu;
mod traces;

use crate::support::cluster::Cluster;
use crate::support::report::Report;
use crate::support::{Outcome, Workspace};

/// A scan of one topic by `charge_id`, with its report.
struct Scan {
    workspace: Workspace,
    outcome: Outcome,
}

impl Scan {
    fn of(cluster: &Cluster, topic: &str, options: &[&str]) -> Self {
        let workspace = Workspace::new();
        let sources = ["scan", "-b", &cluster.bootstrap, "-t", topic];
        let fields = ["--by", "charge_id", "-o", "x.json"];
        let arguments = sources.iter().chain(&fields).chain(options);
        let outcome = workspace.dupaudit(arguments).run();
        Self { workspace, outcome }
    }

    /// Returns the report of a scan that ended with `code`.
    #[track_caller]
    fn expect(self, code: i32) -> Report {
        self.outcome.expect_code(code);
        self.workspace.report("x.json")
    }
}

/// Returns the keys of the groups, sorted.
fn keys(report: &Report) -> Vec<String> {
    report.places_by("value.charge_id").into_keys().collect()
}

/// Returns the offsets of the group of `charge_id`.
fn offsets(report: &Report, charge_id: &str) -> Vec<i64> {
    let places = &report.places_by("value.charge_id")[charge_id];
    places.iter().map(|(_, _, offset)| *offset).collect()
}
