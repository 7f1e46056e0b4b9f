//! A broker in this process that serves hand-built record batches, and faults on demand.

#[path = "answers.rs"]
mod answers;
#[path = "login.rs"]
mod login;

pub(crate) use login::ScriptedLogin;

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeLogDirsRequest, FetchRequest, FindCoordinatorRequest,
    ListOffsetsRequest, MetadataRequest, RequestHeader, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One partition of the topic as the broker serves it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptedPartition {
    /// Batches with the first and the last offset that the broker knows them by.
    pub(crate) batches: Vec<(i64, i64, Vec<u8>)>,
    pub(crate) log_start_offset: i64,
    pub(crate) high_watermark: i64,
    /// The high watermark, where nothing.
    pub(crate) last_stable_offset: Option<i64>,
    /// Producer ids, first offsets, and those of the markers.
    pub(crate) aborted: Vec<(i64, i64, i64)>,
    /// Leader by number; −1 is none.
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    /// Answers to the next fetches: error codes, used up one by one.
    pub(crate) fetch_errors: VecDeque<i16>,
    /// Answer to all fetches from then on.
    pub(crate) fetch_error: i16,
    /// The next fetches that find no record, as of a log in other storage that answers slowly.
    pub(crate) empty_fetches: u32,
    /// Epoch and end offset that a fetch is told to have diverged at.
    pub(crate) diverging: Option<(i32, i64)>,
}

impl ScriptedPartition {
    /// Returns a partition that holds these batches from offset 0 on.
    pub(crate) fn of_batches(batches: Vec<(i64, i64, Vec<u8>)>) -> Self {
        let high_watermark = batches.last().map_or(0, |(_, last, _)| last + 1);
        Self {
            batches,
            high_watermark,
            ..Self::default()
        }
    }

    fn last_stable_offset(&self) -> i64 {
        self.last_stable_offset.unwrap_or(self.high_watermark)
    }
}

/// Something that happens to the brokers.
pub(crate) type Happening = fn(&mut Script);

/// What the brokers do; changed by tests while they run.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) topic: String,
    pub(crate) topic_id: [u8; 16],
    pub(crate) partitions: Vec<ScriptedPartition>,
    /// Newest version of a request by its number, where it is not what Kafka 4 has.
    pub(crate) newest_versions: BTreeMap<i16, i16>,
    /// Error that the metadata tells of the topic.
    pub(crate) topic_error: i16,
    /// Whether fetches get no answer at all.
    pub(crate) is_silent: bool,
    /// The one broker of which fetches get no answer at all.
    pub(crate) silent_broker: Option<i32>,
    /// What happens when partition 0 is asked for at this offset, once.
    pub(crate) at_offset: Option<(i64, Happening)>,
    /// Bytes after which every connection is cut, once for each entry.
    pub(crate) cuts: VecDeque<usize>,
    /// Bytes sent at a time.
    pub(crate) segment_bytes: usize,
    pub(crate) throttle_time_ms: i32,
    /// Milliseconds for which the next fetches, one each, get nothing and their connection is
    /// not listened to, as under a quota.
    pub(crate) throttles: VecDeque<u64>,
    /// Bytes that each partition's log takes; nothing where the client may not know.
    pub(crate) log_bytes: Option<i64>,
    /// Questions for a group's coordinator, which are refused.
    pub(crate) coordinator_count: usize,
    /// Fetches answered or left unanswered.
    pub(crate) fetch_count: usize,
    /// Name under which the brokers are to be found.
    pub(crate) host: &'static str,
    /// Certificate and key, where connections are under TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Who may log in, where nothing is answered without a login.
    pub(crate) login: Option<ScriptedLogin>,
    /// Ports of the brokers, by number.
    ports: BTreeMap<i32, u16>,
}

/// Brokers that follow one script.
pub(crate) struct ScriptedBroker {
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) bootstrap: String,
}

impl ScriptedBroker {
    /// Starts `broker_count` brokers, numbered from 0, that serve the partitions of one topic.
    pub(crate) fn start(partitions: Vec<ScriptedPartition>, broker_count: i32) -> Self {
        let script = Arc::new(Mutex::new(Script {
            topic: "orders".to_owned(),
            topic_id: [7; 16],
            partitions,
            newest_versions: BTreeMap::new(),
            topic_error: 0,
            is_silent: false,
            silent_broker: None,
            at_offset: None,
            cuts: VecDeque::new(),
            segment_bytes: usize::MAX,
            throttle_time_ms: 0,
            throttles: VecDeque::new(),
            log_bytes: None,
            coordinator_count: 0,
            fetch_count: 0,
            host: "127.0.0.1",
            tls: None,
            login: None,
            ports: BTreeMap::new(),
        }));
        let mut bootstrap = Vec::new();
        for broker in 0..broker_count {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = listener.local_addr().expect("a bound port").port();
            bootstrap.push(format!("127.0.0.1:{port}"));
            script.lock().expect("no panic").ports.insert(broker, port);
            let script = Arc::clone(&script);
            thread::spawn(move || {
                for socket in listener.incoming().flatten() {
                    let script = Arc::clone(&script);
                    thread::spawn(move || accept(broker, socket, &script));
                }
            });
        }
        Self {
            script,
            bootstrap: bootstrap.join(","),
        }
    }

    /// Changes what the brokers do from now on.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("no panic"));
    }

    /// Returns the fetches that came.
    pub(crate) fn fetch_count(&self) -> usize {
        self.script.lock().expect("no panic").fetch_count
    }
}

fn accept(broker: i32, socket: TcpStream, script: &Mutex<Script>) {
    let tls = script.lock().expect("no panic").tls.clone();
    match tls {
        None => serve(broker, socket, script),
        Some(config) => {
            let session = ServerConnection::new(config).expect("a right configuration");
            serve(broker, StreamOwned::new(session, socket), script);
        }
    }
}

fn serve(broker: i32, mut socket: impl Read + Write, script: &Mutex<Script>) {
    let mut cut = script.lock().expect("no panic").cuts.pop_front();
    let mut login = login::LoginState::default();
    while let Some(mut request) = read_frame(&mut socket) {
        let (answer, mute) = match answer(broker, &mut request, script, &mut login) {
            Reply::Frame(answer) => (answer, Duration::ZERO),
            Reply::Throttled(answer, mute) => (answer, mute),
            Reply::Silence => continue,
            Reply::Close => return,
        };
        let segment_bytes = script.lock().expect("no panic").segment_bytes;
        for segment in answer.chunks(segment_bytes.max(1)) {
            let allowed = cut.map_or(segment.len(), |cut| cut.min(segment.len()));
            let sent = socket.write_all(segment.get(..allowed).unwrap_or_default());
            if sent.is_err() || allowed < segment.len() {
                return;
            }
            cut = cut.map(|cut| cut - allowed);
        }
        thread::sleep(mute);
    }
}

fn read_frame(socket: &mut impl Read) -> Option<Bytes> {
    let mut prefix = [0; 4];
    socket.read_exact(&mut prefix).ok()?;
    let length = usize::try_from(u32::from_be_bytes(prefix)).ok()?;
    // As a broker, which closes on what is no request of Kafka's.
    let mut frame = (length < 100 << 20).then(|| vec![0; length])?;
    socket.read_exact(&mut frame).ok()?;
    Some(frame.into())
}

/// What a request brings about.
enum Reply {
    Frame(Vec<u8>),
    /// An answer, after which nothing is heard for a while.
    Throttled(Vec<u8>, Duration),
    /// Nothing; the connection stays open.
    Silence,
    Close,
}

fn answer(
    broker: i32,
    request: &mut Bytes,
    script: &Mutex<Script>,
    login: &mut login::LoginState,
) -> Reply {
    let number = |at: usize| {
        let bytes = request.get(at..).and_then(<[u8]>::first_chunk);
        i16::from_be_bytes(*bytes.expect("a whole request"))
    };
    let (key, version) = (number(0), number(2));
    let header = RequestHeader::decode(request, header_version(key, version));
    let id = header.expect("a right header").correlation_id;
    let mut script = script.lock().expect("no panic");
    if script.login.is_some() && !login.is_logged_in && ![17, 18, 36].contains(&key) {
        return Reply::Close;
    }
    Reply::Frame(match key {
        1 => {
            let request = FetchRequest::decode(request, version).expect("a right fetch");
            let reply = fetch(broker, &mut script, &request, (id, version));
            let (reply, is_empty) = match reply {
                Ok(reply) => reply,
                Err(reply) => return reply,
            };
            drop(script);
            if is_empty {
                // As a broker that waits for records.
                thread::sleep(Duration::from_millis(20));
            }
            reply
        }
        2 => {
            let request = ListOffsetsRequest::decode(request, version).expect("a right question");
            answers::frame(id, &answers::list_offsets(&script, &request), version)
        }
        3 => answers::frame(id, &answers::metadata(&script, version), version),
        10 => {
            script.coordinator_count += 1;
            answers::frame(id, &answers::no_coordinator(), version)
        }
        17 => {
            let request = SaslHandshakeRequest::decode(request, version).expect("a right choice");
            answers::frame(id, &answers::handshake(&script, &request), version)
        }
        18 => answers::frame(id, &answers::versions(&script), version),
        35 => {
            let request = DescribeLogDirsRequest::decode(request, version);
            let request = request.expect("a right question");
            answers::frame(id, &answers::log_dirs(&script, &request), version)
        }
        36 => {
            let request = SaslAuthenticateRequest::decode(request, version);
            let message = request.expect("a right message").auth_bytes;
            let known = script.login.clone().expect("a login is asked for");
            let answer = answers::authenticate(known.answer(login, &message));
            answers::frame(id, &answer, version)
        }
        _ => return Reply::Close,
    })
}

fn header_version(key: i16, version: i16) -> i16 {
    match key {
        1 => FetchRequest::header_version(version),
        2 => ListOffsetsRequest::header_version(version),
        3 => MetadataRequest::header_version(version),
        10 => FindCoordinatorRequest::header_version(version),
        18 => ApiVersionsRequest::header_version(version),
        35 => DescribeLogDirsRequest::header_version(version),
        36 => SaslAuthenticateRequest::header_version(version),
        _ => 1,
    }
}

/// Returns the answer to a fetch and whether it is empty, or the reply where there is no more.
fn fetch(
    broker: i32,
    script: &mut Script,
    request: &FetchRequest,
    (id, version): (i32, i16),
) -> Result<(Vec<u8>, bool), Reply> {
    script.fetch_count += 1;
    let topics = request.topics.iter();
    let mut asked = topics.flat_map(|topic| &topic.partitions);
    let happening = script.at_offset.filter(|&(offset, _)| {
        asked.any(|asked| asked.partition == 0 && asked.fetch_offset == offset)
    });
    if let Some((_, happening)) = happening {
        script.at_offset = None;
        happening(script);
    }
    if script.is_silent || script.silent_broker == Some(broker) {
        return Err(Reply::Silence);
    }
    if let Some(millis) = script.throttles.pop_front() {
        let answer = answers::throttled(millis);
        let answer = answers::frame(id, &answer, version);
        return Err(Reply::Throttled(answer, Duration::from_millis(millis)));
    }
    let response = answers::fetch(broker, script, request, version);
    let topics = response.responses.iter();
    let is_empty = topics
        .flat_map(|topic| &topic.partitions)
        .all(|data| data.records.as_ref().is_none_or(Bytes::is_empty));
    Ok((answers::frame(id, &response, version), is_empty))
}
