//! A Python with packages of its own.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::text;

/// Returns a Python that has the packages, which pip fetches the first time under this name.
pub(crate) fn python(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    installed(name, &[&["--only-binary", ":all:"], packages].concat())
}

/// Returns the `spark-submit` of Apache Spark as the Python package brings it.
pub(crate) fn spark_submit() -> Result<PathBuf, String> {
    // It comes as sources only, with all of Spark in them.
    let python = installed("spark", &["pyspark==4.2.0"])?;
    Ok(python.with_file_name("spark-submit"))
}

fn installed(name: &str, words: &[&str]) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    fs::create_dir_all(&folder).map_err(text)?;
    let lock = File::create(folder.join("lock")).map_err(text)?;
    lock.lock().map_err(text)?;
    let python = folder.join("venv/bin/python");
    let is_done = folder.join("done");
    if !is_done.exists() {
        let venv = folder.join("venv").display().to_string();
        run("python3", &["-m", "venv", "--clear", &venv])?;
        let install = ["-m", "pip", "install", "-q"];
        let arguments = [&install[..], words].concat();
        run(&python.display().to_string(), &arguments)?;
        File::create(is_done).map_err(text)?;
    }
    Ok(python)
}

/// Runs a program to its end; one that fails is told with what it said.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("`{program} {}`: {said}", arguments.join(" ")))
}
