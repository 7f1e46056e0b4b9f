//! Brokers that a test kills, stops and starts again; all that they are ends with the test.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::broker::{format_storage, java_arguments, libraries, log_path};
use super::cluster::Cluster;
use super::{free_ports, text};

/// Runs a program and does to it what its input says: `start` it again, or a signal's name.
/// When the input ends, as it does with the test, the program is killed.
const WATCHER: &str = r#"
begin() { "$@" </dev/null >>"$NODE_LOG" 2>&1 & child=$!; }
trap '' INT TERM HUP
begin "$@"
while read -r word; do
  case $word in
    start) begin "$@" ;;
    KILL) kill -KILL $child; wait $child 2>/dev/null ;;
    *) kill -$word $child ;;
  esac
done
kill -KILL $child 2>/dev/null
wait $child 2>/dev/null
rm -rf "$NODE_FOLDER"
"#;

/// Properties of brokers whose death is noticed within seconds.
pub(crate) const QUICK_ELECTIONS: &str =
    "broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500";

/// One process of a cluster.
pub(crate) struct Node {
    watcher: Child,
    /// Ends the process when it is closed.
    input: Option<ChildStdin>,
    log_path: PathBuf,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.watcher.wait());
    }
}

impl Node {
    fn spawn(libraries: &Path, port: u16, class: &str, properties: &Path) -> Result<Self, String> {
        let log_path = log_path(libraries, port);
        let mut watcher = Command::new("sh")
            .args(["-c", WATCHER, "sh", "java"])
            .args(java_arguments(libraries))
            .arg(class)
            .arg(properties)
            .env("NODE_LOG", &log_path)
            // What the cluster keeps goes with its first process.
            .env("NODE_FOLDER", properties.parent().unwrap_or(properties))
            .stdin(Stdio::piped())
            .spawn()
            .map_err(text)?;
        Ok(Self {
            input: watcher.stdin.take(),
            watcher,
            log_path,
        })
    }

    /// Sends a signal, such as `STOP`; `start` starts it again.
    pub(crate) fn tell(&mut self, word: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{word}").unwrap();
        input.flush().unwrap();
        // The shell takes it in at once.
        thread::sleep(Duration::from_millis(50));
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log_path).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        format!(
            "the end of {}:\n{}",
            self.log_path.display(),
            tail.join("\n")
        )
    }
}

/// A cluster of nodes of a test's own.
pub(crate) struct Nodes {
    pub(crate) processes: Vec<Node>,
    pub(crate) bootstrap: String,
    /// Ports of the listeners asked for beside the plain one, then of the proxied ones.
    pub(crate) ports: Vec<u16>,
    folder: PathBuf,
}

/// What is special about the brokers of a cluster.
#[derive(Clone, Copy, Default)]
pub(crate) struct NodesSpec<'a> {
    /// Release of Kafka; 4.1.0 where empty.
    pub(crate) release: &'a str,
    /// Brokers; the first is the controller.
    pub(crate) count: usize,
    /// Names and protocols of more listeners of the first broker, and the hosts they give out,
    /// with a port where it is another's.
    pub(crate) listeners: &'a [(&'a str, &'a str, &'a str)],
    /// Ports of proxies, which the brokers after the first give out for a listener `PROXIED`.
    pub(crate) proxies: &'a [u16],
    /// More properties; `FOLDER` stands for the cluster's folder.
    pub(crate) properties: &'a str,
    /// More arguments for the storage tool.
    pub(crate) users: &'a [&'a str],
    /// Files to put into the folder.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

impl Nodes {
    /// Starts one broker as it comes.
    pub(crate) fn one() -> Result<Self, String> {
        Self::start(NodesSpec::default())
    }

    /// Starts a cluster and waits until it answers.
    pub(crate) fn start(spec: NodesSpec<'_>) -> Result<Self, String> {
        let mut last_error = String::new();
        for _ in 0..3 {
            match Self::start_on_free_ports(spec) {
                Ok(nodes) => return Ok(nodes),
                // Another process may have taken a port between the choice and the start.
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    fn start_on_free_ports(spec: NodesSpec<'_>) -> Result<Self, String> {
        let release = if spec.release.is_empty() {
            "4.1.0"
        } else {
            spec.release
        };
        let libraries = libraries(release)?;
        let folder = tempfile::tempdir().map_err(text)?.keep();
        for (name, contents) in spec.files {
            fs::write(folder.join(name), contents).map_err(text)?;
        }
        let ports: [u16; 14] = free_ports()?;
        let (own, more) = ports.split_at(6);
        let mut nodes = Self {
            processes: Vec::new(),
            bootstrap: String::new(),
            ports: more[..spec.listeners.len() + spec.proxies.len()].to_vec(),
            folder,
        };
        let controller = own[0];
        let mut addresses = Vec::new();
        let numbers = 1..=spec.count.max(1);
        for (number, &port) in numbers.zip(&own[1..]) {
            let properties = nodes.properties(spec, number, [controller, port]);
            let path = nodes.folder.join(format!("{number}.properties"));
            fs::write(&path, properties).map_err(text)?;
            format_storage(&libraries, &path, spec.users)?;
            let node = Node::spawn(&libraries, port, "kafka.Kafka", &path)?;
            nodes.processes.push(node);
            addresses.push(format!("127.0.0.1:{port}"));
        }
        nodes.bootstrap = addresses.join(",");
        nodes.wait_until_all_answer(&addresses)?;
        Ok(nodes)
    }

    fn properties(&self, spec: NodesSpec<'_>, number: usize, ports: [u16; 2]) -> String {
        let [controller, port] = ports;
        let folder = self.folder.display().to_string();
        let is_controller = number == 1;
        let mut listeners = vec![format!("PLAIN://127.0.0.1:{port}")];
        let mut advertised = listeners.clone();
        let mut protocols = vec!["CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT".to_owned()];
        if is_controller {
            listeners.push(format!("CONTROLLER://127.0.0.1:{controller}"));
            for ((name, protocol, host), own) in spec.listeners.iter().zip(&self.ports) {
                listeners.push(format!("{name}://127.0.0.1:{own}"));
                advertised.push(if host.contains(':') {
                    format!("{name}://{host}")
                } else {
                    format!("{name}://{host}:{own}")
                });
                protocols.push(format!("{name}:{protocol}"));
            }
        }
        let proxies = spec.proxies.iter().zip(&self.ports[spec.listeners.len()..]);
        if let Some((proxy, own)) = proxies
            .zip(2..)
            .find_map(|(of, to)| (to == number).then_some(of))
        {
            listeners.push(format!("PROXIED://127.0.0.1:{own}"));
            advertised.push(format!("PROXIED://127.0.0.1:{proxy}"));
            protocols.push("PROXIED:PLAINTEXT".to_owned());
        }
        let roles = if is_controller {
            "broker,controller"
        } else {
            "broker"
        };
        format!(
            "process.roles={roles}
node.id={number}
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={}
advertised.listeners={}
listener.security.protocol.map={}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
log.dirs={folder}/data-{number}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
{}
",
            listeners.join(","),
            advertised.join(","),
            protocols.join(","),
            spec.properties.replace("FOLDER", &folder)
        )
    }

    /// Starts a broker of the time of `ZooKeeper`, whose topics may have old message formats.
    pub(crate) fn with_zookeeper(release: &str) -> Result<Self, String> {
        let libraries = libraries(release)?;
        let folder = tempfile::tempdir().map_err(text)?.keep();
        let at = folder.display();
        let [zookeeper, port] = free_ports()?;
        let keeper = folder.join("zookeeper.properties");
        let settings = format!(
            "dataDir={at}/zookeeper\nclientPort={zookeeper}\n\
             clientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
        );
        fs::write(&keeper, settings).map_err(text)?;
        let broker = folder.join("broker.properties");
        let settings = format!(
            "broker.id=1\nzookeeper.connect=127.0.0.1:{zookeeper}\n\
             listeners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={at}/data\n\
             offsets.topic.replication.factor=1\n"
        );
        fs::write(&broker, settings).map_err(text)?;
        let class = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
        let keeper = Node::spawn(&libraries, zookeeper, class, &keeper)?;
        let nodes = Self {
            processes: vec![
                keeper,
                Node::spawn(&libraries, port, "kafka.Kafka", &broker)?,
            ],
            bootstrap: format!("127.0.0.1:{port}"),
            ports: Vec::new(),
            folder,
        };
        nodes.wait_until_all_answer(std::slice::from_ref(&nodes.bootstrap))?;
        Ok(nodes)
    }

    /// Returns where a broker keeps the folders of partitions.
    pub(crate) fn data(&self, number: usize) -> PathBuf {
        self.folder.join(format!("data-{number}"))
    }

    pub(crate) fn cluster(&self) -> Cluster {
        Cluster::new(&self.bootstrap)
    }

    /// Waits until every broker answers.
    pub(crate) fn wait_until_up(&self) {
        let addresses: Vec<String> = self.bootstrap.split(',').map(str::to_owned).collect();
        self.wait_until_all_answer(&addresses).unwrap();
    }

    fn wait_until_all_answer(&self, addresses: &[String]) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut open = addresses.to_vec();
        while Instant::now() < deadline {
            open.retain(|address| {
                TcpStream::connect(address).is_err() || !Cluster::new(address).is_up()
            });
            if open.is_empty() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        let words: Vec<String> = self.processes.iter().map(Node::last_words).collect();
        Err(format!("{open:?} do not answer; {}", words.join("\n")))
    }
}
