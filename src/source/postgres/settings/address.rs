//! An address of a database comes to parameters: a URL, or `name=value` words.

use std::collections::BTreeMap;

use crate::source::postgres::error::PostgresError;

const EXAMPLE: &str = "it is postgresql://USER@HOST:PORT/DATABASE, or host=HOST dbname=DATABASE";

/// Returns the parameters that an address names.
pub(super) fn parse(address: &str) -> Result<BTreeMap<String, String>, PostgresError> {
    let url = ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme));
    match url {
        Some(rest) => of_url(rest),
        None if address.contains("://") || !address.contains('=') => Err(wrong(EXAMPLE)),
        None => of_words(address),
    }
}

fn wrong(text: &str) -> PostgresError {
    PostgresError::Configuration(format!("this is no address of a database: {text}"))
}

fn of_url(rest: &str) -> Result<BTreeMap<String, String>, PostgresError> {
    let mut parameters = BTreeMap::new();
    let mut set = |name: &str, text: &str| -> Result<(), PostgresError> {
        if !text.is_empty() {
            parameters.insert(name.to_owned(), decoded(text)?);
        }
        Ok(())
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    set("user", user)?;
    set("password", password)?;
    set("dbname", database)?;
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        match host.rsplit_once(':').filter(|(_, port)| is_port(port)) {
            Some((name, port)) => {
                names.push(name);
                ports.push(port);
            }
            None if host.contains(':') && !host.ends_with(']') => return Err(wrong(EXAMPLE)),
            None => names.push(host),
        }
    }
    set("host", names.join(",").trim_matches(['[', ']']))?;
    set("port", &ports.join(","))?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| wrong(EXAMPLE))?;
        set(name, value)?;
    }
    Ok(parameters)
}

/// Returns text whose `%XX` are the bytes that they stand for.
fn decoded(text: &str) -> Result<String, PostgresError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap_or(0), rest.next().unwrap_or(0)];
        let hex = std::str::from_utf8(&digits).ok();
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.ok_or_else(|| wrong("`%` begins two hexadecimal digits"))?);
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is no UTF-8"))
}

/// Values may stand in single quotes; a backslash takes the next character as it is.
fn of_words(address: &str) -> Result<BTreeMap<String, String>, PostgresError> {
    let mut parameters = BTreeMap::new();
    let mut rest = address.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(|| wrong(EXAMPLE))?;
        let after = after.trim_start();
        let (after, is_quoted) = match after.strip_prefix('\'') {
            Some(inner) => (inner, true),
            None => (after, false),
        };
        let mut value = String::new();
        let mut characters = after.chars();
        let mut is_closed = !is_quoted;
        while let Some(character) = characters.next() {
            match character {
                '\\' => value.extend(characters.next()),
                '\'' if is_quoted => {
                    is_closed = true;
                    break;
                }
                _ if !is_quoted && character.is_whitespace() => break,
                _ => value.push(character),
            }
        }
        if !is_closed {
            return Err(wrong("a quote is not closed"));
        }
        parameters.insert(name.trim().to_owned(), value);
        rest = characters.as_str().trim_start();
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> String {
        let parameters = parse(address).unwrap();
        let words = parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        words.collect::<Vec<String>>().join(" ")
    }

    #[test]
    fn urls_and_words_come_to_the_same() {
        assert_eq!(
            parsed("postgresql://me:p%40ss@a:1,b:2/store?sslmode=verify-full"),
            "dbname=store host=a,b password=p@ss port=1,2 sslmode=verify-full user=me"
        );
        assert_eq!(
            parsed(r"host=a  user = 'it\'s me' dbname=a\ b"),
            "dbname=a b host=a user=it's me"
        );
        assert_eq!(parsed("postgres://[::1]/x"), "dbname=x host=::1");
        assert_eq!(
            parsed("postgresql:///x?host=/run/pg"),
            "dbname=x host=/run/pg"
        );
    }
}
