//! Files of libpq: services, and passwords.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Environment;
use crate::source::postgres::error::PostgresError;

/// Returns the parameters of a service, from the user's file or the system's.
pub(super) fn service(
    name: &str,
    environment: Environment<'_>,
) -> Result<Vec<(String, String)>, PostgresError> {
    let of_user = environment("PGSERVICEFILE").map(PathBuf::from);
    let of_home = || Some(Path::new(&environment("HOME")?).join(".pg_service.conf"));
    let of_system = environment("PGSYSCONFDIR").map(|of| Path::new(&of).join("pg_service.conf"));
    let files = of_user.or_else(of_home).into_iter().chain(of_system);
    for path in files {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if let Some(parameters) = section(&text, name) {
            return Ok(parameters);
        }
    }
    let text = format!("there is no service `{name}` in ~/.pg_service.conf or $PGSERVICEFILE");
    Err(PostgresError::Configuration(text))
}

fn section(text: &str, name: &str) -> Option<Vec<(String, String)>> {
    let mut lines = text.lines().map(str::trim);
    let head = format!("[{name}]");
    lines.find(|line| *line == head)?;
    let inside = lines.take_while(|line| !line.starts_with('['));
    let pairs = inside
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    Some(pairs.collect())
}

/// Returns the password of the first line of a file that fits; files that others can read are
/// passed over, as by libpq.
pub(super) fn password(path: &Path, parameters: &BTreeMap<String, String>) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || is_open_to_others(&metadata) {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let of = |name: &str| parameters.get(name).map_or("", String::as_str);
    // A socket's folder counts as this machine.
    let host = of("host");
    let host = if host.starts_with('/') {
        "localhost"
    } else {
        host
    };
    let wanted = [host, of("port"), of("dbname"), of("user")];
    let fits = |fields: &[String]| {
        let mut pairs = fields.iter().zip(wanted);
        pairs.all(|(field, wanted)| field == "*" || field == wanted)
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(fields)
        .find(|fields| fields.len() == 5 && fits(fields))
        .and_then(|fields| fields.into_iter().nth(4))
}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_metadata: &fs::Metadata) -> bool {
    false
}

/// Fields end at colons that have no backslash before them; the fifth may hold colons all the same.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == ':' && fields.len() < 5 {
            fields.push(String::new());
            continue;
        }
        let character = match character {
            '\\' => characters.next().unwrap_or('\\'),
            character => character,
        };
        fields
            .last_mut()
            .into_iter()
            .for_each(|field| field.push(character));
    }
    fields
}
