//! The README's units for cron, systemd and Kubernetes: each is one, and heeds exit codes.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{PACKAGES, examples};
use crate::support::python::python;
use crate::support::{Outcome, Run, Workspace, or_skip};

const PROGRAM: &str = "/usr/local/bin/dupaudit";
const FILE: &str = "/etc/dupaudit/dupaudit.toml";

/// Returns the blocks of a language in the README.
fn blocks(language: &str) -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let begin = format!("```{language}\n");
    let parts = readme.split(&begin).skip(1);
    let blocks = parts.map(|part| part.split("```").next().unwrap().to_owned());
    blocks.collect()
}

fn sh(workspace: &Workspace, script: &str) -> Outcome {
    Run::new("sh", workspace.path(), ["-c", script]).run()
}

#[test]
fn cron_mails_only_what_is_not_clean() {
    let line = blocks("cron").remove(0);
    let fields: Vec<&str> = line.trim().splitn(6, ' ').collect();
    let folder = Path::new(env!("CARGO_BIN_EXE_dupaudit")).parent().unwrap();
    let path = format!("PATH={}:$PATH\n", folder.display());
    // A `%` would end the command there.
    assert!(!line.contains('%'), "{line}");
    let script = path + &fields[5].replace(FILE, "dupaudit.toml");
    let workspace = examples();
    let outcome = sh(&workspace, &script).expect_code(0);
    assert!(outcome.stdout.starts_with("DUPLICATES  12"), "{outcome}");
    workspace.write("clean.jsonl", "{\"id\":1}\n{\"id\":2}\n");
    let clean = "[audit.charges]\nfiles = 'clean.jsonl'\nby = 'id'\nquiet = true\n";
    workspace.write("dupaudit.toml", clean);
    let outcome = sh(&workspace, &script).expect_code(0);
    assert_eq!(format!("{}{}", outcome.stdout, outcome.stderr), "");
    workspace.write("dupaudit.toml", "[audit.mails]\n");
    let outcome = sh(&workspace, &script).expect_code(0);
    assert!(
        outcome.stdout.contains("there is no such audit"),
        "{outcome}"
    );
}

#[test]
fn systemd_takes_the_units() {
    let found = Command::new("systemd-analyze").arg("--version").output();
    if or_skip(found.map_err(|error| format!("systemd-analyze: {error}"))).is_none() {
        return;
    }
    let workspace = Workspace::new();
    let units = blocks("ini");
    assert_eq!(units.len(), 2);
    let mut names = Vec::new();
    for unit in units {
        let (first, _) = unit.split_once('\n').unwrap();
        let name = first.rsplit('/').next().unwrap().to_owned();
        let unit = unit.replace(PROGRAM, env!("CARGO_BIN_EXE_dupaudit"));
        // The one exit code of a oneshot that means success is 0, and nothing restarts it.
        assert!(!unit.contains("Restart=") && !unit.contains("SuccessExitStatus="));
        workspace.write(&name, unit);
        names.push(name.replace('@', "@charges"));
    }
    let script = format!(
        "for unit in *@.*; do cp $unit $(echo $unit | sed 's/@/@charges/'); done\n\
         SYSTEMD_UNIT_PATH=$PWD: systemd-analyze verify --man=no ./{}",
        names.join(" ./")
    );
    let outcome = sh(&workspace, &script).expect_code(0);
    assert_eq!(outcome.stderr, "", "{outcome}");
    // A key that is none is told, so silence means something.
    let service = workspace.path().join("dupaudit@charges.service");
    let unit = fs::read_to_string(&service).unwrap();
    fs::write(&service, unit.replace("Nice=", "Nicer=")).unwrap();
    let script =
        "SYSTEMD_UNIT_PATH=$PWD: systemd-analyze verify --man=no ./dupaudit@charges.service";
    sh(&workspace, script).expect_stderr("Nicer");
}

#[test]
fn kubernetes_does_not_repeat_a_job_that_found_something() {
    let Some(python) = or_skip(python("validators", &PACKAGES)) else {
        return;
    };
    let workspace = examples();
    workspace.write("job.yaml", blocks("yaml").remove(0));
    let script = "import json, yaml; print(json.dumps(yaml.safe_load(open('job.yaml'))))";
    let python = python.display().to_string();
    let said = Run::new(&python, workspace.path(), ["-c", script]).run();
    let job: Value = serde_json::from_str(&said.expect_code(0).stdout).unwrap();
    assert_eq!(
        (&job["apiVersion"], &job["kind"]),
        (&"batch/v1".into(), &"CronJob".into())
    );
    let spec = &job["spec"];
    assert_eq!(spec["concurrencyPolicy"], "Forbid");
    let job = &spec["jobTemplate"]["spec"];
    assert_eq!(job["backoffLimit"], 0);
    let pod = &job["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    let container = &pod["containers"][0];
    let names = |of: &Value| -> Vec<Value> {
        let named = of.as_array().unwrap().iter();
        named.map(|of| of["name"].clone()).collect()
    };
    let mounts = &container["volumeMounts"];
    assert_eq!(names(mounts), names(&pod["volumes"]));
    // What is remembered is written to a volume that outlives the job.
    assert_eq!(mounts[1]["mountPath"], "/var/lib/dupaudit");
    assert_eq!(mounts[1].get("readOnly"), None);
    let claim = &pod["volumes"][1]["persistentVolumeClaim"]["claimName"];
    assert!(claim.is_string(), "{pod}");
    let arguments: Vec<String> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().replace(FILE, "dupaudit.toml"))
        .collect();
    workspace.dupaudit(arguments).run().expect_code(1);
}
