//! A schema registry of the test's own making.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

/// A registry that has the schemas of a folder, but for some of them.
pub(super) struct Registry {
    pub(super) url: String,
}

impl Registry {
    /// Starts one that wants to hear `user:hunter2`.
    pub(super) fn start(folder: &Path, without: &[u32]) -> Self {
        let answers = answers(folder, without);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&stream.unwrap(), &answers);
            }
        });
        Self { url }
    }
}

/// Returns the answers by path.
fn answers(folder: &Path, without: &[u32]) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    answers.insert("/schemas/types".to_owned(), "[]".to_owned());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(id) = path.file_stem().unwrap().to_str().unwrap().parse::<u32>() else {
            continue;
        };
        let schema = fs::read_to_string(&path).unwrap();
        let answer = match path.extension().unwrap().to_str().unwrap() {
            "avsc" => serde_json::json!({"schema": schema}),
            "proto" => serde_json::json!({"schema": schema, "schemaType": "PROTOBUF"}),
            _ => serde_json::json!({"schema": schema, "schemaType": "JSON"}),
        };
        if !without.contains(&id) {
            answers.insert(format!("/schemas/ids/{id}"), answer.to_string());
        }
    }
    answers
}

fn serve(mut stream: &TcpStream, answers: &BTreeMap<String, String>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = lines.first().and_then(|line| line.split(' ').nth(1));
    let is_known = |line: &String| line.ends_with("Basic dXNlcjpodW50ZXIy");
    let (status, body) = match path.and_then(|path| answers.get(path)) {
        _ if !lines.iter().any(is_known) => ("401 Unauthorized", "{}"),
        Some(body) => ("200 OK", &**body),
        None => ("404 Not Found", "{}"),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    drop(stream.write_all(format!("{head}{body}").as_bytes()));
}
