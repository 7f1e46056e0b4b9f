//! TLS to a real server: whom it is, is asked as `sslmode` says, and told where it is not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::{fill, settled};
use crate::formats::postgres::Postgres;
use crate::support::{Outcome, Workspace, or_skip};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Returns the key and the certificate of a host.
fn host(authority: &Authority, name: &str) -> (String, String) {
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (key.serialize_pem(), certificate.pem())
}

/// Has the server show a certificate from now on.
fn show(database: &Postgres, workspace: &Workspace, (key, certificate): &(String, String)) {
    let data = database.data();
    let owner = fs::metadata(&data).unwrap().uid();
    for (name, text) in [("server.key", key), ("server.crt", certificate)] {
        let path = data.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner), None).unwrap();
    }
    database.psql(workspace, "alter system set ssl = on");
    database.psql(workspace, "select pg_reload_conf()");
}

fn scan(database: &Postgres, workspace: &Workspace, host: &str, tls: &str) -> Outcome {
    let port = database.port;
    let address = format!("host={host} port={port} user=postgres dbname=message_store {tls}");
    let by = ["--category", "payment", "--by", "id", "-o", "r.json"];
    let arguments = ["scan", "--postgres", &address];
    workspace.dupaudit(arguments.iter().chain(&by)).run()
}

#[test]
fn a_server_is_asked_who_it_is_and_one_that_is_another_is_refused() {
    let Some(database) = or_skip(Postgres::with_message_db()) else {
        return;
    };
    let workspace = Workspace::new();
    fill(&database, &workspace);
    let [ours, theirs] = ["ours", "theirs"].map(authority);
    workspace.write("ours.crt", ours.pem());
    workspace.write("theirs.crt", theirs.pem());
    workspace.write("none.crt", "no certificate");
    let scan = |host: &str, tls: &str| scan(&database, &workspace, host, tls);
    let full = "sslmode=verify-full sslrootcert=ours.crt";
    scan("localhost", full)
        .expect_code(4)
        .expect_stderr("server does not support TLS");

    show(&database, &workspace, &host(&ours, "localhost"));
    settled(|| scan("localhost", full), 0);
    for (tls, said) in [
        (
            "sslmode=verify-full sslrootcert=theirs.crt",
            "is signed by no authority that is trusted",
        ),
        (
            "sslmode=verify-ca sslrootcert=theirs.crt",
            "is signed by no authority that is trusted",
        ),
        (
            "sslmode=verify-full sslrootcert=system",
            "is signed by no authority that is trusted",
        ),
    ] {
        let outcome = scan("localhost", tls).expect_code(4).expect_stderr(said);
        outcome.expect_stderr("name the authority that signed the server's certificate");
    }
    let other = scan("127.0.0.1", full).expect_code(4);
    let other = other.expect_stderr("the server's certificate is for another host");
    other.expect_stderr("is one that the certificate names");
    for file in ["none.crt", "missing.crt"] {
        let tls = format!("sslmode=verify-full sslrootcert={file}");
        scan("localhost", &tls).expect_code(2).expect_stderr(file);
    }
    // Who only wants to know the authority, or nobody, is asked for no more.
    for tls in ["sslmode=verify-ca sslrootcert=ours.crt", "sslmode=require"] {
        scan("127.0.0.1", tls).expect_code(0);
    }

    // A certificate that signs itself, as many servers have, is its own authority.
    let itself = (ours.key().serialize_pem(), ours.pem());
    show(&database, &workspace, &itself);
    let by_theirs = "sslmode=verify-full sslrootcert=theirs.crt";
    settled(|| scan("localhost", full), 0);
    scan("127.0.0.1", full).expect_code(4);
    scan("localhost", by_theirs)
        .expect_code(4)
        .expect_stderr("is signed by no authority that is trusted");
}
