//! Whether the reports can go where they should, known before hours of reading.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::command::{CommandError, OutputRequest};
use crate::report::check_target;
use crate::source::file::walk;

/// Refuses targets that cannot be written, are named twice, or are read by the scan.
pub(super) fn check(outputs: &[OutputRequest], inputs: &[PathBuf]) -> Result<(), CommandError> {
    let paths: Vec<&Path> = outputs
        .iter()
        .filter_map(|output| output.path.as_deref())
        .collect();
    let mut places: Vec<PathBuf> = Vec::with_capacity(paths.len());
    for path in &paths {
        check_target(path)
            .with_context(|| format!("write `{}`", path.display()))
            .map_err(CommandError::configuration)?;
        let place = place_of(path);
        if places.contains(&place) {
            return Err(refused(path, "is asked for twice"));
        }
        places.push(place);
    }
    if paths.iter().any(|path| path.exists()) {
        let inputs = walk::expand(inputs)
            .map_err(CommandError::configuration)?
            .paths;
        let read: Vec<_> = inputs.iter().filter_map(|path| identity(path)).collect();
        let is_read = |path: &&&Path| identity(path).is_some_and(|file| read.contains(&file));
        if let Some(path) = paths.iter().find(is_read) {
            return Err(refused(path, "would replace a file that the scan reads"));
        }
    }
    Ok(())
}

fn refused(path: &Path, why: &str) -> CommandError {
    CommandError::configuration(anyhow!("the report `{}` {why}", path.display()))
        .with_hint("give it a file of its own")
}

/// Returns the path with its directory resolved: `x.json` and `./x.json` are one place.
fn place_of(path: &Path) -> PathBuf {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = fs::canonicalize(parent.unwrap_or(Path::new("."))).unwrap_or_default();
    directory.join(path.file_name().unwrap_or_default())
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
