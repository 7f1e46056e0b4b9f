//! What is no broker: named in one line within 15 seconds.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use super::security::assert_refused_for;
use crate::faults::{FinishedScan, READERS};

#[test]
fn a_web_server_is_no_broker() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { continue };
            let mut request = [0; 512];
            drop(client.read(&mut request));
            let text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            drop(client.write_all(text.as_bytes()));
        }
    });
    for reader in READERS {
        let scan = FinishedScan::of(&address, "charges", reader, &[]);
        assert_refused_for(&scan, &["http", "kafka"]);
    }
}

#[test]
fn a_name_that_nobody_has_is_named() {
    for reader in READERS {
        let scan = FinishedScan::of("no-such-host.invalid:9092", "charges", reader, &[]);
        assert_refused_for(&scan, &["no-such-host.invalid"]);
    }
}
