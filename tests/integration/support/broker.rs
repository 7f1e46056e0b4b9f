//! A real Apache Kafka broker: fetched by Maven once, started by the tests, ended with them.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
pub(crate) use super::or_skip;
use super::{free_ports, text};

/// What Maven fetches of a release.
const POM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka.pom.xml");

/// Runs Java until its own input ends, which it does with the test that holds the other end;
/// then nothing is left behind, however the test came to its end.
const WATCHER: &str = r#"
"$@" </dev/null >"$BROKER_LOG" 2>&1 &
broker=$!
trap '' INT TERM HUP
read -r _
kill -9 $broker
wait $broker 2>/dev/null
rm -rf "$BROKER_FOLDER"
"#;

/// A broker with a second listener, whose advertised port belongs to a proxy.
pub(crate) struct ApacheKafka {
    pub(crate) bootstrap: String,
    pub(crate) proxied_port: u16,
    /// Where it keeps the folders of partitions.
    pub(crate) data: PathBuf,
    proxy_listener: Mutex<Option<TcpListener>>,
    log_path: PathBuf,
    watcher: Child,
    /// Ends the broker when it is closed.
    lifeline: Option<ChildStdin>,
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        drop(self.watcher.wait());
    }
}

impl ApacheKafka {
    /// Starts a broker on free ports and waits until it answers.
    pub(crate) fn start() -> Result<Self, String> {
        let libraries = libraries("4.1.0")?;
        let mut last_error = String::new();
        for _ in 0..3 {
            match Self::start_on_free_ports(&libraries) {
                Ok(broker) => return Ok(broker),
                // Another process may have taken a port between the choice and the start.
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    fn start_on_free_ports(libraries: &Path) -> Result<Self, String> {
        let proxy_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(text)?;
        let advertised = proxy_listener.local_addr().map_err(text)?.port();
        let [plain, proxied, controller] = free_ports()?;
        let folder = tempfile::tempdir().map_err(text)?.keep();
        let properties = folder.join("server.properties");
        let ports = [plain, proxied, controller, advertised];
        fs::write(&properties, server_properties(&folder, ports)).map_err(text)?;
        let log_path = log_path(libraries, plain);
        format_storage(libraries, &properties, &[])?;
        let mut watcher = Command::new("sh")
            .args(["-c", WATCHER, "sh", "java"])
            .args(java_arguments(libraries))
            .arg("kafka.Kafka")
            .arg(&properties)
            .env("BROKER_LOG", &log_path)
            .env("BROKER_FOLDER", &folder)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let lifeline = watcher.stdin.take();
        let broker = Self {
            bootstrap: format!("127.0.0.1:{plain}"),
            proxied_port: proxied,
            data: data_folder(&folder),
            proxy_listener: Mutex::new(Some(proxy_listener)),
            log_path,
            watcher,
            lifeline,
        };
        broker.wait_until_it_answers()?;
        Ok(broker)
    }

    fn wait_until_it_answers(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while Instant::now() < deadline {
            if TcpStream::connect(&self.bootstrap).is_ok() && Cluster::new(&self.bootstrap).is_up()
            {
                return Ok(());
            }
            let log = fs::read_to_string(&self.log_path).unwrap_or_default();
            if log.contains("Address already in use") || log.contains("FATAL") {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(&self.log_path).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        Err(format!(
            "the broker does not answer; the end of {}:\n{}",
            self.log_path.display(),
            tail.into_iter().rev().collect::<Vec<_>>().join("\n")
        ))
    }

    /// Returns the listener on the port that the second listener advertises; once.
    pub(crate) fn take_proxy_listener(&self) -> TcpListener {
        self.proxy_listener.lock().unwrap().take().unwrap()
    }
}

/// Returns the cluster that all tests share, or says loudly why there is none.
///
/// With `DUPAUDIT_REQUIRE_BROKER=1` having none is a failing test.
pub(crate) fn shared() -> Option<Cluster> {
    if let Ok(brokers) = std::env::var("DUPAUDIT_TEST_BROKERS") {
        return Some(Cluster::new(&brokers));
    }
    own().map(|broker| Cluster::new(&broker.bootstrap))
}

/// Returns the broker that the tests started themselves, whose files are at hand.
pub(crate) fn own() -> Option<&'static ApacheKafka> {
    static SHARED: OnceLock<Result<ApacheKafka, String>> = OnceLock::new();
    or_skip(SHARED.get_or_init(ApacheKafka::start).as_ref())
}

/// Returns the folder of a release's jars, fetching them the first time.
pub(super) fn libraries(release: &str) -> Result<PathBuf, String> {
    for (program, argument) in [("java", "-version"), ("mvn", "-version")] {
        let mut command = Command::new(program);
        command.arg(argument).stdout(Stdio::null());
        match command.stderr(Stdio::null()).stdin(Stdio::null()).status() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(format!("`{program}` is not installed"));
            }
            Err(error) => return Err(format!("`{program}`: {error}")),
            Ok(_) => {}
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kafka-tools-{release}"));
    fs::create_dir_all(&folder).map_err(text)?;
    let lock = File::create(folder.join("lock")).map_err(text)?;
    lock.lock().map_err(text)?;
    let libraries = folder.join("libraries");
    if !libraries.exists() {
        fetch(release, &folder, &libraries)?;
    }
    Ok(libraries)
}

fn fetch(release: &str, folder: &Path, libraries: &Path) -> Result<(), String> {
    let partial = folder.join("partial");
    let mut maven = Command::new("mvn");
    maven
        .args(["-q", "-B", "-f", POM, "dependency:copy-dependencies"])
        .arg("-DincludeScope=runtime")
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .arg(format!("-Dkafka={release}"));
    if !release.starts_with('4') {
        maven.arg("-Dlogging=old");
    }
    if release.starts_with("2.0.") {
        maven.arg("-Dscala=2.12");
    }
    let maven = maven
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(text)?;
    if !maven.status.success() {
        let said = String::from_utf8_lossy(&maven.stdout).into_owned();
        return Err(format!("Maven cannot fetch Apache Kafka: {said}"));
    }
    fs::rename(&partial, libraries).map_err(text)
}

pub(super) fn java_arguments(libraries: &Path) -> Vec<String> {
    let log4j = "-Dlog4j2.level=WARN";
    let mut arguments = vec![
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        log4j,
    ]
    .into_iter()
    .map(str::to_owned)
    .collect::<Vec<_>>();
    arguments.extend(["-cp".to_owned(), format!("{}/*", libraries.display())]);
    arguments
}

/// Returns how Java runs one of Kafka's own tools.
pub(crate) fn tool_arguments(class: &str) -> Result<Vec<String>, String> {
    tool_arguments_of("4.1.0", class)
}

/// Returns how Java runs one of the tools of a release.
pub(crate) fn tool_arguments_of(release: &str, class: &str) -> Result<Vec<String>, String> {
    let mut arguments = java_arguments(&libraries(release)?);
    arguments.push(class.to_owned());
    Ok(arguments)
}

/// Makes a broker's folder as its properties say; `more` are users and the like.
pub(super) fn format_storage(
    libraries: &Path,
    properties: &Path,
    more: &[&str],
) -> Result<(), String> {
    let output = Command::new("java")
        .args(java_arguments(libraries))
        .args(["kafka.tools.StorageTool", "format", "-t"])
        .args(["MkU3OEVBNTcwNTJENDM2Qg", "-c"])
        .arg(properties)
        .args(more)
        .stdin(Stdio::null())
        .output()
        .map_err(text)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("cannot format the storage: {said}"))
}

fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn server_properties(folder: &Path, ports: [u16; 4]) -> String {
    let [plain, proxied, controller, advertised] = ports;
    let data = data_folder(folder);
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAIN://127.0.0.1:{plain},PROXIED://127.0.0.1:{proxied},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAIN://127.0.0.1:{plain},PROXIED://127.0.0.1:{advertised}
listener.security.protocol.map=PLAIN:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
log.dirs={}
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=100
log.retention.ms=-1
",
        data.display()
    )
}

/// Returns where a broker logs to; logs of yesterday go, so that those of failures can stay.
pub(super) fn log_path(libraries: &Path, port: u16) -> PathBuf {
    let logs = libraries.with_file_name("logs");
    drop(fs::create_dir_all(&logs));
    for old in fs::read_dir(&logs).into_iter().flatten().flatten() {
        let modified = old.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > Duration::from_hours(24)) {
            drop(fs::remove_file(old.path()));
        }
    }
    logs.join(format!("broker-{}-{port}.log", std::process::id()))
}
