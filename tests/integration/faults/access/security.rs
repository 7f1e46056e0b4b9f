//! Logins, certificates and permissions on a real broker: what is right works, and what is wrong
//! is named in one line within 15 seconds, without a secret in it.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

use crate::faults::{FinishedScan, READERS, assert_exact, fill};
use crate::support::Workspace;
use crate::support::broker::{or_skip, tool_arguments};
use crate::support::cluster::PlainRecord;
use crate::support::node::{Nodes, NodesSpec};

const PASSWORD: &str = "correct-horse-battery";
const WRONG_PASSWORD: &str = "hunter2-and-more";

const PROPERTIES: &str = "\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:alice;User:CN=client
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl.plain.sasl.jaas.config=PLAIN_MODULE
listener.name.sasl.scram-sha-256.sasl.jaas.config=SCRAM_MODULE
listener.name.sasl.scram-sha-512.sasl.jaas.config=SCRAM_MODULE
listener.name.sasl.oauthbearer.sasl.jaas.config=OAUTH_MODULE
listener.name.sasl.oauthbearer.sasl.server.callback.handler.class=OAUTH_VALIDATOR
listener.name.sasltls.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasltls.scram-sha-512.sasl.jaas.config=SCRAM_MODULE
listener.name.sasltls.ssl.keystore.type=PEM
listener.name.sasltls.ssl.keystore.location=FOLDER/server.pem
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.location=FOLDER/server.pem
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location=FOLDER/expired.pem
listener.name.mtls.ssl.keystore.type=PEM
listener.name.mtls.ssl.keystore.location=FOLDER/server.pem
listener.name.mtls.ssl.truststore.type=PEM
listener.name.mtls.ssl.truststore.location=FOLDER/ca.pem
listener.name.mtls.ssl.client.auth=required
";

/// Names of the listeners, their protocols, and the hosts under which they are to be reached.
const LISTENERS: [(&str, &str, &str); 5] = [
    ("SASL", "SASL_PLAINTEXT", "127.0.0.1"),
    ("TLS", "SSL", "localhost"),
    ("MTLS", "SSL", "localhost"),
    ("SASLTLS", "SASL_SSL", "localhost"),
    ("EXPIRED", "SSL", "localhost"),
];

/// A broker with a listener for each protocol, a topic on it, and what clients need.
struct SecuredBroker {
    nodes: Nodes,
    /// Holds passwords and certificates.
    folder: tempfile::TempDir,
    topic: String,
    seen: Vec<PlainRecord>,
}

fn signed_by(issuer: &CertifiedIssuer<'static, KeyPair>, name: &str) -> String {
    signed_until(issuer, name, 2096)
}

/// Returns a certificate that holds from 2020 to the end of `year`, with its key.
fn signed_until(issuer: &CertifiedIssuer<'static, KeyPair>, name: &str, year: i32) -> String {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    key.serialize_pem() + &certificate.pem()
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "an authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl SecuredBroker {
    fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<SecuredBroker, String>> = OnceLock::new();
        or_skip(SHARED.get_or_init(Self::start).as_ref())
    }

    fn start() -> Result<Self, String> {
        let issuer = authority();
        let server = signed_by(&issuer, "localhost");
        let module = "org.apache.kafka.common.security";
        let users: Vec<String> = ["alice", "bob", "carol", "dave"]
            .iter()
            .map(|user| format!("user_{user}=\"{PASSWORD}\""))
            .collect();
        let plain = format!(
            "{module}.plain.PlainLoginModule required {};",
            users.join(" ")
        );
        let scram = format!("{module}.scram.ScramLoginModule required;");
        let oauth = format!(
            "{module}.oauthbearer.OAuthBearerLoginModule required \
             unsecuredLoginStringClaim_sub=\"broker\";"
        );
        let validator = "oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidator";
        let properties = PROPERTIES
            .replace("PLAIN_MODULE", &plain)
            .replace("SCRAM_MODULE", &scram)
            .replace("OAUTH_MODULE", &oauth)
            .replace(
                "OAUTH_VALIDATOR",
                &format!("{module}.{validator}CallbackHandler"),
            );
        let credentials = ["SCRAM-SHA-256", "SCRAM-SHA-512"]
            .map(|mechanism| format!("{mechanism}=[name=alice,password={PASSWORD}]"));
        let nodes = Nodes::start(NodesSpec {
            listeners: &LISTENERS,
            properties: &properties,
            users: &[
                "--add-scram",
                &credentials[0],
                "--add-scram",
                &credentials[1],
            ],
            files: &[
                ("server.pem", &server),
                ("expired.pem", &signed_until(&issuer, "localhost", 2021)),
                ("ca.pem", &issuer.pem()),
            ],
            ..NodesSpec::default()
        })?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let client = signed_by(&issuer, "client");
        for (name, text) in [
            ("password", PASSWORD),
            ("wrong", WRONG_PASSWORD),
            ("ca.pem", &*issuer.pem()),
            ("other-ca.pem", &*authority().pem()),
            ("client.pem", &*client),
            ("token", &*token(now_seconds() + 3_600)),
            ("old-token", &*token(OLD_SECONDS)),
            ("principal", "principal=alice"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let cluster = nodes.cluster();
        let topic = fill(&cluster, 2, 600, 50);
        let seen = cluster.read_all(&topic, "read_committed");
        Ok(Self {
            nodes,
            folder,
            topic,
            seen,
        })
    }

    /// Scans through a listener, by its place, under a host.
    fn scan(
        &self,
        reader: &str,
        (host, listener): (&str, usize),
        properties: &[&str],
    ) -> FinishedScan {
        let options = self.options(properties);
        let bootstrap = format!("{host}:{}", self.nodes.ports[listener]);
        FinishedScan::of(&bootstrap, &self.topic, reader, &borrowed(&options))
    }

    /// Returns the options that set properties; `@` stands for the folder of files.
    fn options(&self, properties: &[&str]) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let option = |property: &&str| format!("-X{}", property.replace('@', &folder));
        let mut options: Vec<String> = properties.iter().map(option).collect();
        for option in &mut options {
            for secret in ["password=", "oauthbearer.token=", "oauthbearer.config="] {
                *option = option.replace(secret, &format!("{secret}@"));
            }
        }
        options
    }

    #[track_caller]
    fn assert_works(&self, listener: usize, properties: &[&str]) {
        let host = if listener == SASL {
            "127.0.0.1"
        } else {
            "localhost"
        };
        for reader in READERS {
            let scan = self.scan(reader, (host, listener), properties);
            let report = scan.expect(&[1]);
            assert!(report.is_complete(), "{}", scan.outcome);
            assert_exact(&report, &self.topic, &self.seen);
        }
    }

    /// A scan by each reader fails with code 4 and says one of `words`.
    #[track_caller]
    fn assert_refused(&self, host: (&str, usize), properties: &[&str], words: &[&str]) {
        for reader in READERS {
            let scan = self.scan(reader, host, properties);
            assert_refused_for(&scan, words);
        }
    }
}

/// A scan that failed in time, with one line that says one of `words` and no secret.
#[track_caller]
pub(super) fn assert_refused_for(scan: &FinishedScan, words: &[&str]) {
    let outcome = &scan.outcome;
    assert_eq!(outcome.exit_code, Some(4), "{outcome}");
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
    let errors: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("error"))
        .collect();
    let [error] = errors.as_slice() else {
        panic!("not one line: {outcome}")
    };
    let error = error.to_lowercase();
    assert!(words.iter().any(|word| error.contains(word)), "{outcome}");
    for secret in [PASSWORD, WRONG_PASSWORD, &token(OLD_SECONDS)] {
        let said = [&outcome.stdout, &outcome.stderr];
        assert!(said.iter().all(|text| !text.contains(secret)), "{outcome}");
    }
}

/// When a token ended that is good no more.
const OLD_SECONDS: u64 = 1_000_000_000;

fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// Returns an unsecured token of alice's that is good until then.
fn token(expires_seconds: u64) -> String {
    let claims = format!(
        r#"{{"sub":"alice","iat":{},"exp":{expires_seconds}}}"#,
        expires_seconds - 3_600
    );
    let [header, claims] = [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.")
}

const SASL: usize = 0;
const TLS: usize = 1;
const MTLS: usize = 2;
const SASL_TLS: usize = 3;
const EXPIRED: usize = 4;

fn borrowed(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

fn login<'a>(mechanism: &'a str, user: &'a str, password: &'a str) -> [&'a str; 4] {
    [
        "security.protocol=sasl_plaintext",
        mechanism,
        user,
        password,
    ]
}

#[test]
fn every_login_works_and_a_wrong_password_is_named_and_not_shown() {
    let Some(broker) = SecuredBroker::shared() else {
        return;
    };
    for mechanism in [
        "sasl.mechanism=PLAIN",
        "sasl.mechanism=SCRAM-SHA-256",
        "sasl.mechanism=SCRAM-SHA-512",
    ] {
        let right = login(mechanism, "sasl.username=alice", "sasl.password=@password");
        broker.assert_works(SASL, &right.map(|option| option));
        let wrong = login(mechanism, "sasl.username=alice", "sasl.password=@wrong");
        broker.assert_refused(("127.0.0.1", SASL), &wrong, &["authentication", "login"]);
    }
    let nobody = login(
        "sasl.mechanism=SCRAM-SHA-256",
        "sasl.username=nobody",
        "sasl.password=@password",
    );
    broker.assert_refused(("127.0.0.1", SASL), &nobody, &["authentication", "login"]);
}

#[test]
fn a_token_is_taken_for_a_login_and_one_that_is_over_is_named_and_not_shown() {
    let Some(broker) = SecuredBroker::shared() else {
        return;
    };
    let common = [
        "security.protocol=sasl_plaintext",
        "sasl.mechanism=OAUTHBEARER",
    ];
    let unsecured = [
        "enable.sasl.oauthbearer.unsecure.jwt=true",
        "sasl.oauthbearer.config=@principal",
    ];
    broker.assert_works(SASL, &[common, unsecured].concat());
    let host = ("127.0.0.1", SASL);
    let with = |token| broker.scan("wire", host, &[&common[..], &[token]].concat());
    let right = with("sasl.oauthbearer.token=@token");
    let report = right.expect(&[1]);
    assert!(report.is_complete(), "{}", right.outcome);
    assert_exact(&report, &broker.topic, &broker.seen);
    let secret = token(OLD_SECONDS);
    let command_line = report.0["header"]["command_line"].to_string();
    assert!(
        command_line.contains("sasl.oauthbearer.token=***"),
        "{command_line}"
    );
    assert_refused_for(
        &with("sasl.oauthbearer.token=@old-token"),
        &["invalid_token"],
    );
    let typed = format!("-Xsasl.oauthbearer.token={secret}");
    let scan = FinishedScan::of("localhost:1", &broker.topic, "wire", &[&typed]);
    assert_eq!(scan.outcome.exit_code, Some(2), "{}", scan.outcome);
    assert!(!scan.outcome.stderr.contains(&secret), "{}", scan.outcome);
    assert!(scan.outcome.stderr.contains("@FILE"), "{}", scan.outcome);
}

#[test]
fn certificates_are_checked_for_authority_and_name_and_shown_where_asked_for() {
    let Some(broker) = SecuredBroker::shared() else {
        return;
    };
    let tls = "security.protocol=ssl";
    broker.assert_works(TLS, &[tls, "ssl.ca.location=@ca.pem"]);
    let certificate = ["certificate", "ssl"];
    let other = [tls, "ssl.ca.location=@other-ca.pem"];
    broker.assert_refused(("localhost", TLS), &other, &certificate);
    let by_number = [tls, "ssl.ca.location=@ca.pem"];
    broker.assert_refused(("127.0.0.1", TLS), &by_number, &["certificate"]);
    for reader in READERS {
        let scan = broker.scan(reader, ("localhost", EXPIRED), &by_number);
        assert_refused_for(&scan, &["expired"]);
    }
    let with_client = [
        tls,
        "ssl.ca.location=@ca.pem",
        "ssl.certificate.location=@client.pem",
        "ssl.key.location=@client.pem",
    ];
    broker.assert_works(MTLS, &with_client);
    broker.assert_refused(("localhost", MTLS), &with_client[..2], &certificate);
    let both = [
        "security.protocol=sasl_ssl",
        "ssl.ca.location=@ca.pem",
        "sasl.mechanism=SCRAM-SHA-512",
        "sasl.username=alice",
        "sasl.password=@password",
    ];
    broker.assert_works(SASL_TLS, &both);
}

#[test]
fn protocols_that_do_not_fit_the_port_are_named() {
    let Some(broker) = SecuredBroker::shared() else {
        return;
    };
    let tls = ["security.protocol=ssl", "ssl.ca.location=@ca.pem"];
    let words = ["tls", "ssl"];
    broker.assert_refused(("127.0.0.1", SASL), &tls, &words);
    broker.assert_refused(("localhost", TLS), &[], &words);
    broker.assert_refused(("127.0.0.1", SASL), &[], &["login", "sasl"]);
}

/// Allows a user to do something with a topic.
fn allow(broker: &SecuredBroker, user: &str, operation: &str, topic: &str) {
    let bootstrap = &broker.nodes.bootstrap;
    let tool = tool_arguments("org.apache.kafka.tools.AclCommand").unwrap();
    let output = Command::new("java")
        .args(tool)
        .args(["--bootstrap-server", bootstrap, "--add", "--topic", topic])
        .args(["--allow-principal", &format!("User:{user}")])
        .args(["--operation", operation])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn permissions_that_lack_are_named() {
    let Some(broker) = SecuredBroker::shared() else {
        return;
    };
    let other = fill(&broker.nodes.cluster(), 1, 60, 50);
    allow(broker, "bob", "Describe", &broker.topic);
    allow(broker, "bob", "Read", &other);
    let as_user = |user| login("sasl.mechanism=PLAIN", user, "sasl.password=@password");
    let host = ("127.0.0.1", SASL);
    // Without Describe there is nothing to be known of the topic.
    let carol = as_user("sasl.username=carol");
    broker.assert_refused(host, &carol, &["acl operations describe and read"]);
    // With it but without Read, the ranges are known and nothing in them can be read.
    let bob = as_user("sasl.username=bob");
    broker.assert_refused(host, &bob, &["acl operation read"]);
    for reader in READERS {
        // One topic that may not be read ends the scan before the other is half read.
        let bootstrap = format!("127.0.0.1:{}", broker.nodes.ports[SASL]);
        let mut options = broker.options(&bob);
        let scan = FinishedScan::of(&bootstrap, &other, reader, &borrowed(&options));
        assert!(scan.expect(&[1]).is_complete(), "{}", scan.outcome);
        options.push(format!("-t{}", broker.topic));
        let scan = FinishedScan::of(&bootstrap, &other, reader, &borrowed(&options));
        let named = format!("the topic {} cannot be read", broker.topic);
        assert_refused_for(&scan, &[&named]);
        assert!(!scan.workspace.path().join("x.json").exists());
    }
}

#[test]
fn no_permission_for_groups_is_needed() {
    let Some(broker) = SecuredBroker::shared() else {
        return;
    };
    allow(broker, "dave", "Read", &broker.topic);
    let dave = login(
        "sasl.mechanism=PLAIN",
        "sasl.username=dave",
        "sasl.password=@password",
    );
    broker.assert_works(SASL, &dave);
}

#[test]
fn sizes_of_logs_are_told_to_those_who_may_describe_the_cluster() {
    let Some(broker) = SecuredBroker::shared() else {
        return;
    };
    let topic = fill(&broker.nodes.cluster(), 1, 600, 50);
    allow(broker, "dave", "Read", &topic);
    let bytes_for = |user: &str| {
        let user = format!("sasl.username={user}");
        let login = login("sasl.mechanism=PLAIN", &user, "sasl.password=@password");
        let options = broker.options(&login);
        let bootstrap = format!("127.0.0.1:{}", broker.nodes.ports[SASL]);
        let sources = ["scan", "--dry-run", "-b", &bootstrap, "-t", &topic];
        let range = ["--from", "offset:300", "--reader", "wire"];
        let options = borrowed(&options);
        let arguments = sources.iter().chain(&range).chain(&options);
        let outcome = Workspace::new().dupaudit(arguments).run().expect_code(0);
        let mut lines = outcome.stdout.lines();
        let line = lines.find(|line| line.starts_with(&topic)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    let half: u64 = bytes_for("alice").parse().unwrap();
    // Half of 600 records of some 50 bytes, in batches.
    assert!((5_000..60_000).contains(&half), "{half} bytes");
    assert_eq!(bytes_for("dave"), "unknown");
}
