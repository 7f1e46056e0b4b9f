//! A broker in this process that serves hand-built record batches, and faults on demand.

#[path = "scripted_login.rs"]
mod scripted_login;

pub(crate) use scripted_login::ScriptedLogin;

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader, SaslAuthenticateRequest,
    SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use uuid::Uuid;

/// One partition of the topic as the broker serves it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptedPartition {
    /// Batches with the first and the last offset that the broker knows them by.
    pub(crate) batches: Vec<(i64, i64, Vec<u8>)>,
    pub(crate) log_start_offset: i64,
    pub(crate) high_watermark: i64,
    /// The high watermark, where nothing.
    pub(crate) last_stable_offset: Option<i64>,
    /// Producer ids and first offsets.
    pub(crate) aborted: Vec<(i64, i64)>,
    /// Leader by number; −1 is none.
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    /// Answers to the next fetches: error codes, used up one by one.
    pub(crate) fetch_errors: VecDeque<i16>,
    /// Answer to all fetches from then on.
    pub(crate) fetch_error: i16,
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
    /// Bytes after which every connection is cut, once for each entry.
    pub(crate) cuts: VecDeque<usize>,
    /// Bytes sent at a time.
    pub(crate) segment_bytes: usize,
    pub(crate) throttle_time_ms: i32,
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
            cuts: VecDeque::new(),
            segment_bytes: usize::MAX,
            throttle_time_ms: 0,
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
    let mut login = scripted_login::LoginState::default();
    while let Some(mut request) = read_frame(&mut socket) {
        let answer = match answer(broker, &mut request, script, &mut login) {
            Reply::Frame(answer) => answer,
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
    /// Nothing; the connection stays open.
    Silence,
    Close,
}

fn answer(
    broker: i32,
    request: &mut Bytes,
    script: &Mutex<Script>,
    login: &mut scripted_login::LoginState,
) -> Reply {
    let number = |at: usize| {
        let bytes = request.get(at..).and_then(<[u8]>::first_chunk);
        i16::from_be_bytes(*bytes.expect("a whole request"))
    };
    let (key, version) = (number(0), number(2));
    let header_version = match key {
        1 => FetchRequest::header_version(version),
        2 => ListOffsetsRequest::header_version(version),
        3 => MetadataRequest::header_version(version),
        36 => SaslAuthenticateRequest::header_version(version),
        _ => 1,
    };
    let header = RequestHeader::decode(request, header_version).expect("a right header");
    let mut script = script.lock().expect("no panic");
    let id = header.correlation_id;
    if script.login.is_some() && !login.is_logged_in && ![17, 18, 36].contains(&key) {
        return Reply::Close;
    }
    Reply::Frame(match key {
        1 => {
            script.fetch_count += 1;
            if script.is_silent {
                return Reply::Silence;
            }
            let request = FetchRequest::decode(request, version).expect("a right fetch");
            let response = fetch(broker, &mut script, &request, version);
            let topics = response.responses.iter();
            let is_empty = topics
                .flat_map(|topic| &topic.partitions)
                .all(|data| data.records.as_ref().is_none_or(Bytes::is_empty));
            drop(script);
            if is_empty {
                // As a broker that waits for records.
                thread::sleep(std::time::Duration::from_millis(20));
            }
            frame(id, &response, version)
        }
        2 => {
            let request = ListOffsetsRequest::decode(request, version).expect("a right question");
            frame(id, &list_offsets(&script, &request), version)
        }
        3 => frame(id, &metadata(&script, version), version),
        17 => {
            let request = SaslHandshakeRequest::decode(request, version).expect("a right choice");
            frame(id, &handshake(&script, &request), version)
        }
        18 => frame(id, &versions(&script), version),
        36 => {
            let request = SaslAuthenticateRequest::decode(request, version);
            let message = request.expect("a right message").auth_bytes;
            let known = script.login.clone().expect("a login is asked for");
            frame(id, &authenticate(known.answer(login, &message)), version)
        }
        _ => return Reply::Close,
    })
}

fn handshake(script: &Script, request: &SaslHandshakeRequest) -> SaslHandshakeResponse {
    let offered = script.login.as_ref().map_or("", |login| login.mechanism);
    let is_offered = &*request.mechanism == offered;
    SaslHandshakeResponse::default()
        .with_error_code(if is_offered { 0 } else { 33 })
        .with_mechanisms(vec![StrBytes::from_static_str(offered)])
}

fn authenticate(answer: Option<Vec<u8>>) -> SaslAuthenticateResponse {
    let response = SaslAuthenticateResponse::default();
    match answer {
        Some(answer) => response.with_auth_bytes(answer.into()),
        None => response
            .with_error_code(58)
            .with_error_message(Some(StrBytes::from_static_str("invalid credentials"))),
    }
}

fn frame<R: Encodable + HeaderVersion>(id: i32, response: &R, version: i16) -> Vec<u8> {
    let mut body = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(id);
    header
        .encode(&mut body, R::header_version(version))
        .and_then(|()| response.encode(&mut body, version))
        .expect("a response that can be encoded");
    let length = u32::try_from(body.len()).expect("a small response");
    [&length.to_be_bytes(), &*body].concat()
}

fn versions(script: &Script) -> ApiVersionsResponse {
    let known = [
        (1, 4, 17),
        (2, 1, 10),
        (3, 0, 13),
        (17, 0, 1),
        (18, 0, 4),
        (36, 0, 2),
    ];
    let keys = known.map(|(key, oldest, newest)| {
        ApiVersion::default()
            .with_api_key(key)
            .with_min_version(oldest)
            .with_max_version(script.newest_versions.get(&key).copied().unwrap_or(newest))
    });
    ApiVersionsResponse::default().with_api_keys(keys.to_vec())
}

fn metadata(script: &Script, version: i16) -> MetadataResponse {
    let brokers = script.ports.iter().map(|(&broker, &port)| {
        MetadataResponseBroker::default()
            .with_node_id(broker.into())
            .with_host(StrBytes::from_static_str(script.host))
            .with_port(port.into())
    });
    let partitions = script.partitions.iter().zip(0..).map(|(partition, index)| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(partition.leader.into())
            .with_leader_epoch(if version >= 7 {
                partition.leader_epoch
            } else {
                -1
            })
            .with_error_code(if partition.leader < 0 { 5 } else { 0 })
    });
    let topic = MetadataResponseTopic::default()
        .with_name(Some(topic_name(script)))
        .with_error_code(script.topic_error)
        .with_topic_id(if version >= 10 {
            Uuid::from_bytes(script.topic_id)
        } else {
            Uuid::nil()
        })
        .with_partitions(partitions.collect());
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_topics(vec![topic])
}

fn list_offsets(script: &Script, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
    let partitions = asked.map(|question| {
        let index = usize::try_from(question.partition_index).expect("a right partition");
        let partition = script.partitions.get(index).cloned().unwrap_or_default();
        let offset = match question.timestamp {
            -2 => partition.log_start_offset,
            -1 if request.isolation_level == 1 => partition.last_stable_offset(),
            -1 => partition.high_watermark,
            _ => -1,
        };
        ListOffsetsPartitionResponse::default()
            .with_partition_index(question.partition_index)
            .with_offset(offset)
    });
    let topic = ListOffsetsTopicResponse::default()
        .with_name(topic_name(script))
        .with_partitions(partitions.collect());
    ListOffsetsResponse::default().with_topics(vec![topic])
}

fn fetch(broker: i32, script: &mut Script, request: &FetchRequest, version: i16) -> FetchResponse {
    let mut topic = FetchableTopicResponse::default();
    if version >= 13 {
        topic.topic_id = Uuid::from_bytes(script.topic_id);
    } else {
        topic.topic = topic_name(script);
    }
    let asked_topics = request.topics.iter();
    let mut ids = asked_topics.clone().map(|asked| *asked.topic_id.as_bytes());
    let is_known = version < 13 || ids.all(|id| id == script.topic_id);
    if !is_known {
        topic.topic_id = request
            .topics
            .first()
            .map_or(Uuid::nil(), |topic| topic.topic_id);
    }
    let mut left = usize::try_from(request.max_bytes).unwrap_or(0);
    for asked in asked_topics.flat_map(|topic| &topic.partitions) {
        let index = usize::try_from(asked.partition).expect("a right partition");
        let partition = script.partitions.get_mut(index).expect("a right partition");
        let is_committed = request.isolation_level == 1;
        let mut data = match fetch_error(broker, partition, asked, is_known) {
            0 => fetch_records(partition, asked, is_committed, version, &mut left),
            error => PartitionData::default()
                .with_error_code(error)
                .with_high_watermark(-1),
        };
        data.partition_index = asked.partition;
        topic.partitions.push(data);
    }
    FetchResponse::default()
        .with_throttle_time_ms(script.throttle_time_ms)
        .with_responses(vec![topic])
}

fn fetch_error(
    broker: i32,
    partition: &mut ScriptedPartition,
    asked: &FetchPartition,
    is_known: bool,
) -> i16 {
    let epoch = asked.current_leader_epoch;
    let range = partition.log_start_offset..=partition.high_watermark;
    if !is_known {
        100
    } else if partition.leader != broker {
        6
    } else if epoch >= 0 && epoch < partition.leader_epoch {
        74
    } else if let Some(error) = partition.fetch_errors.pop_front() {
        error
    } else if partition.fetch_error != 0 {
        partition.fetch_error
    } else {
        i16::from(!range.contains(&asked.fetch_offset))
    }
}

fn fetch_records(
    partition: &ScriptedPartition,
    asked: &FetchPartition,
    is_committed: bool,
    version: i16,
    left: &mut usize,
) -> PartitionData {
    let data = PartitionData::default()
        .with_high_watermark(partition.high_watermark)
        .with_last_stable_offset(partition.last_stable_offset())
        .with_log_start_offset(if version >= 5 {
            partition.log_start_offset
        } else {
            -1
        });
    if let Some((epoch, end)) = partition.diverging.filter(|_| version >= 12) {
        let diverging = EpochEndOffset::default().with_epoch(epoch);
        return data.with_diverging_epoch(diverging.with_end_offset(end));
    }
    let limit = if is_committed {
        partition.last_stable_offset()
    } else {
        partition.high_watermark
    };
    let wanted = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
    let is_first = *left > 0;
    let records = records_from(
        partition,
        asked.fetch_offset..limit,
        wanted.min(*left),
        is_first,
    );
    *left = left.saturating_sub(records.len());
    let aborted = partition
        .aborted
        .iter()
        .map(|&(producer_id, first_offset)| {
            AbortedTransaction::default()
                .with_producer_id(producer_id.into())
                .with_first_offset(first_offset)
        });
    data.with_records(Some(records.into()))
        .with_aborted_transactions(is_committed.then(|| aborted.collect()))
}

/// Returns the batches from an offset on, the last one cut where the bytes end.
fn records_from(
    partition: &ScriptedPartition,
    offsets: Range<i64>,
    bytes_max: usize,
    is_first_whole: bool,
) -> Vec<u8> {
    let mut records = Vec::new();
    for (first, last, batch) in &partition.batches {
        if *last < offsets.start || *first >= offsets.end {
            continue;
        }
        let room = bytes_max.saturating_sub(records.len());
        if room >= batch.len() || (records.is_empty() && is_first_whole) {
            records.extend_from_slice(batch);
        } else {
            records.extend_from_slice(batch.get(..room).unwrap_or_default());
            break;
        }
    }
    records
}

fn topic_name(script: &Script) -> TopicName {
    TopicName(StrBytes::from_string(script.topic.clone()))
}
