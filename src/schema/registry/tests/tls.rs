//! TLS: who the registry is, and who asks it.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::open;
use super::stub::{ok, request};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Returns certificate and key for a name, as PEM.
fn signed(authority: &Authority, name: &str) -> (String, String) {
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// Starts a registry that knows nothing, and may want to know who asks.
fn start(authority: &Authority, asks_back: bool) -> String {
    let (certificate, key) = signed(authority, "127.0.0.1");
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if asks_back {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream.unwrap());
            let (path, _) = request(&mut stream);
            if !path.is_empty() {
                drop(stream.write_all(&ok("[]")));
            }
            drop(stream.flush());
        }
    });
    url
}

fn write(folder: &Path, name: &str, pem: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, pem).unwrap();
    path.display().to_string()
}

#[test]
fn a_registry_has_to_be_who_it_says_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority();
    let url = start(&ours, false);
    let trusted = write(folder.path(), "ca.pem", &ours.pem());
    let other = write(folder.path(), "other.pem", &authority().pem());
    let result = |ca: &str| open(&url, &[("ssl.ca.location", ca)]).map(drop);
    assert_eq!(result(&trusted), Ok(()));
    let error = result(&other).unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    let error = open(&url, &[]).err().unwrap();
    assert!(error.contains("certificate"), "{error}");
    let empty = write(folder.path(), "empty.pem", "");
    assert!(result(&empty).unwrap_err().contains("no certificate"));
    assert!(result("/none").unwrap_err().contains("/none"));
}

#[test]
fn a_registry_may_ask_who_we_are() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority();
    let url = start(&ours, true);
    let ca = write(folder.path(), "ca.pem", &ours.pem());
    let (certificate, key) = signed(&ours, "auditor");
    let both = write(folder.path(), "both.pem", &format!("{certificate}{key}"));
    let certificate = write(folder.path(), "certificate.pem", &certificate);
    let key = write(folder.path(), "key.pem", &key);
    let ca = ("ssl.ca.location", &*ca);
    let certificate = ("ssl.certificate.location", &*certificate);
    let key = ("ssl.key.location", &*key);
    assert!(open(&url, &[ca, certificate, key]).is_ok());
    assert!(open(&url, &[ca, ("ssl.keystore.location", &both)]).is_ok());
    assert!(open(&url, &[ca]).is_err());
    let error = open(&url, &[ca, certificate]).err().unwrap();
    assert!(error.contains("needs both"), "{error}");
}
