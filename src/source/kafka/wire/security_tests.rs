//! TLS and logins against brokers of the test's own making.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

use super::WireClient;
use super::scripted_broker::{ScriptedBroker, ScriptedLogin, ScriptedPartition};
use crate::source::kafka::ClusterClient;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;

const WAIT: Duration = Duration::from_secs(5);

/// An authority, and what it signed, as PEM.
struct Certificates {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { issuer }
    }

    /// Returns certificate and key for a name.
    fn sign(&self, name: &str) -> (String, String) {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Returns a server's side of TLS under a name.
    fn server(&self, name: &str, wants_client_certificate: bool) -> Arc<ServerConfig> {
        let (certificate, key) = self.sign(name);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if wants_client_certificate {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }

    fn write(folder: &Path, name: &str, pem: &str) -> String {
        let path = folder.join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string()
    }
}

fn broker() -> ScriptedBroker {
    ScriptedBroker::start(vec![ScriptedPartition::default()], 1)
}

/// Lists the topics over `localhost` and returns what goes wrong, if anything.
fn list(broker: &ScriptedBroker, options: &[&str]) -> Result<(), String> {
    let brokers = broker.bootstrap.replace("127.0.0.1", "localhost");
    let mut spec = KafkaSpec::new(brokers, vec!["orders".to_owned()]);
    for option in options {
        let (name, value) = option.split_once('=').unwrap();
        let value = value.strip_prefix("env:").unwrap_or(value);
        spec.properties.add(name, value).unwrap();
    }
    let begin = Instant::now();
    let listed = WireClient::new(&spec).and_then(|mut client| client.list_topics(None, WAIT));
    assert!(begin.elapsed() < WAIT);
    listed
        .map(drop)
        .map_err(|error: KafkaError| error.to_string())
}

fn assert_says(result: Result<(), String>, word: &str) {
    let text = result.unwrap_err();
    assert!(text.contains(word), "{text}");
    assert!(!text.contains('\n') && !text.contains("secret"), "{text}");
}

#[test]
fn certificates_are_checked_for_authority_and_name() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::new();
    let ca = Certificates::write(folder.path(), "ca.pem", &certificates.issuer.pem());
    let ca = format!("ssl.ca.location={ca}");
    let other = Certificates::new().issuer.pem();
    let other = Certificates::write(folder.path(), "other.pem", &other);
    let other = format!("ssl.ca.location={other}");
    let tls = "security.protocol=SSL";
    let broker = broker();
    assert_says(list(&broker, &[tls, &ca]), "security.protocol");
    broker.change(|script| script.tls = Some(certificates.server("localhost", false)));
    assert_eq!(list(&broker, &[tls, &ca]), Ok(()));
    assert_says(list(&broker, &[tls, &other]), "ssl.ca.location");
    assert_says(list(&broker, &[]), "security.protocol=SSL");
    broker.change(|script| script.tls = Some(certificates.server("elsewhere", false)));
    assert_says(list(&broker, &[tls, &ca]), "not valid for name");
    assert_says(
        list(&broker, &[tls, "ssl.ca.location=/none.pem"]),
        "/none.pem",
    );
}

#[test]
fn client_certificates_are_shown_where_the_broker_asks() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::new();
    let ca = Certificates::write(folder.path(), "ca.pem", &certificates.issuer.pem());
    let (certificate, key) = certificates.sign("client");
    let certificate = Certificates::write(folder.path(), "client.pem", &certificate);
    let key = Certificates::write(folder.path(), "client.key", &key);
    let broker = broker();
    broker.change(|script| script.tls = Some(certificates.server("localhost", true)));
    let common = [
        "security.protocol=SSL".to_owned(),
        format!("ssl.ca.location={ca}"),
    ];
    let [tls, ca] = &common;
    assert_says(list(&broker, &[tls, ca]), "client certificate");
    let own = format!("ssl.certificate.location={certificate}");
    assert_says(list(&broker, &[tls, ca, &own]), "ssl.key.location");
    let key = format!("ssl.key.location={key}");
    assert_eq!(list(&broker, &[tls, ca, &own, &key]), Ok(()));
}

#[test]
fn logins_work_and_a_wrong_password_is_named_and_not_shown() {
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "OAUTHBEARER"] {
        let broker = broker();
        let login = ScriptedLogin {
            mechanism,
            user: "ann",
            password: "secret",
        };
        broker.change(|script| script.login = Some(login));
        let chosen = format!("sasl.mechanism={mechanism}");
        let common = [
            "security.protocol=SASL_PLAINTEXT",
            &chosen,
            "sasl.username=ann",
        ];
        // A value of `env:NAME` is NAME here.
        let right = if mechanism == "OAUTHBEARER" {
            "sasl.oauthbearer.token=env:secret"
        } else {
            "sasl.password=env:secret"
        };
        let wrong = right.replace("env:secret", "env:secret2");
        assert_eq!(list(&broker, &[&common[..], &[right]].concat()), Ok(()));
        let refused = list(&broker, &[&common[..], &[&wrong]].concat());
        let word = if mechanism == "OAUTHBEARER" {
            "invalid_token"
        } else {
            "invalid credentials"
        };
        assert_says(refused, word);
        assert_says(list(&broker, &[]), "login");
        let other = [
            "security.protocol=SASL_PLAINTEXT",
            "sasl.mechanism=SCRAM-SHA-512",
        ];
        let user = ["sasl.username=ann", "sasl.password=env:secret"];
        let refused = list(&broker, &[&other[..], &user[..]].concat());
        assert_says(refused, mechanism);
    }
}
