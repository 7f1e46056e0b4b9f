//! A registry of the test's own making.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A server on a port of its own, until the test ends.
pub(super) struct Stub {
    pub(super) url: String,
    asked: Arc<AtomicUsize>,
}

pub(super) fn ok(body: &str) -> Vec<u8> {
    response("200 OK", body)
}

pub(super) fn response(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

impl Stub {
    /// Answers each path so; an empty answer never comes.
    pub(super) fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        Self::serve(move |path, _| answer(path))
    }

    /// Answers everyone who sends this header with nothing, the others with a refusal.
    pub(super) fn start_with_login(authorization: &str) -> Self {
        let wanted = format!("authorization: {authorization}");
        Self::serve(move |_, headers| {
            let is_right = headers.iter().any(|header| {
                let (name, value) = header.split_once(':').unwrap_or_default();
                format!("{}:{value}", name.to_ascii_lowercase()) == wanted
            });
            if is_right {
                ok("[]")
            } else {
                response("401 Unauthorized", "{}")
            }
        })
    }

    fn serve(answer: impl Fn(&str, &[String]) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (path, headers) = request(&stream);
                counter.fetch_add(1, Ordering::SeqCst);
                let bytes = answer(&path, &headers);
                if bytes.is_empty() {
                    silent.push(stream);
                    continue;
                }
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let closing = text.replacen("\r\n", "\r\nConnection: close\r\n", 1);
                // Who has read enough hangs up.
                drop((&stream).write_all(closing.as_bytes()));
            }
        });
        Self { url, asked }
    }

    /// Returns how often it was asked for anything.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Reads the path and the headers of a request.
pub(super) fn request(stream: impl Read) -> (String, Vec<String>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut lines = lines.take_while(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    (path, lines.collect())
}
