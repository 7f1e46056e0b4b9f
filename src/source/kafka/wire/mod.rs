//! Our own reader: connections, TLS, logins, questions and fetches over the Kafka protocol.

mod client;
mod connection;
mod control;
mod error;
mod fetch;
mod log_sizes;
mod sasl;
mod settings;
mod state;
mod watcher;

pub use client::WireClient;

#[cfg(test)]
#[path = "../../../../tests/integration/scripted_broker/mod.rs"]
mod scripted_broker;

#[cfg(test)]
mod security_tests;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::scripted_broker::{ScriptedBroker, ScriptedPartition};
    use super::*;
    use crate::finding::{GapReason, OffsetGap};
    use crate::record::{RecordBlock, RecordView, SplitId, TopicPartition};
    use crate::source::kafka::{
        ClientEvent, ClusterClient, FaultKind, Isolation, KafkaSource, KafkaSpec, LogBounds,
        TopicError,
    };
    use crate::source::record_batch::batch_encoder::{TestBatch, pack};
    use crate::source::{RecordSource, StopFlag};

    const WAIT: Duration = Duration::from_secs(15);

    /// What a client told of one partition.
    #[derive(Debug, Default)]
    struct Told {
        offsets: Vec<i64>,
        gaps: Vec<OffsetGap>,
        ends: Vec<i64>,
        /// Whether an end was told that the records do not reach.
        has_inferred_end: bool,
        faults: Vec<(FaultKind, i64, String)>,
        next: i64,
    }

    impl Told {
        fn kinds(&self) -> Vec<FaultKind> {
            self.faults.iter().map(|(kind, ..)| *kind).collect()
        }

        fn reasons(&self) -> Vec<(i64, i64, GapReason)> {
            let gaps = self.gaps.iter();
            gaps.map(|gap| (gap.start, gap.end, gap.reason)).collect()
        }
    }

    struct Reader {
        client: WireClient,
        told: Vec<Told>,
        cluster_faults: Vec<String>,
        bounds: Vec<LogBounds>,
    }

    fn spec(broker: &ScriptedBroker, options: &[&str]) -> KafkaSpec {
        let mut spec = KafkaSpec::new(broker.bootstrap.clone(), vec!["orders".to_owned()]);
        for option in options {
            let (name, value) = option.split_once('=').unwrap();
            spec.properties.add(name, value).unwrap();
        }
        spec
    }

    impl Reader {
        fn open(spec: &KafkaSpec, partition_count: i32) -> Self {
            let mut client = WireClient::new(spec).unwrap();
            let partitions: Vec<_> = (0..partition_count)
                .map(|partition| TopicPartition {
                    topic: "orders".into(),
                    partition,
                })
                .collect();
            client.assign(&partitions).unwrap();
            let all: Vec<usize> = (0..partitions.len()).collect();
            let bounds = client.log_bounds(&all, WAIT).unwrap();
            Self {
                client,
                told: partitions.iter().map(|_| Told::default()).collect(),
                cluster_faults: Vec::new(),
                bounds: bounds.into_iter().map(Result::unwrap).collect(),
            }
        }

        fn read_all(&mut self) {
            for partition in 0..self.told.len() {
                let LogBounds {
                    log_start_offset,
                    high_watermark,
                    ..
                } = self.bounds[partition];
                self.told[partition].next = log_start_offset;
                self.client
                    .read_from(partition, log_start_offset, high_watermark)
                    .unwrap();
            }
        }

        /// Polls until `is_done`, for at most five seconds.
        fn poll_until(&mut self, is_done: impl Fn(&[Told]) -> bool) {
            let deadline = Instant::now() + WAIT;
            let mut block = RecordBlock::default();
            while !is_done(&self.told) {
                assert!(Instant::now() < deadline, "{:?}", self.told);
                self.poll(&mut block);
            }
        }

        fn poll_for(&mut self, time: Duration) {
            let deadline = Instant::now() + time;
            let mut block = RecordBlock::default();
            while Instant::now() < deadline {
                self.poll(&mut block);
            }
        }

        fn poll(&mut self, block: &mut RecordBlock) {
            block.clear(SplitId(0));
            match self.client.poll(Duration::from_millis(20), block).unwrap() {
                ClientEvent::Nothing => {}
                ClientEvent::Records {
                    partition,
                    next_offset,
                    absent,
                } => {
                    let told = &mut self.told[partition];
                    told.gaps.extend(absent);
                    told.offsets
                        .extend(block.slots.iter().map(|slot| slot.offset));
                    told.next = next_offset.unwrap();
                }
                ClientEvent::End { partition, offset } => {
                    let told = &mut self.told[partition];
                    told.ends.push(offset);
                    told.has_inferred_end |= told.next < offset;
                }
                ClientEvent::Fault {
                    partition,
                    offset,
                    kind,
                    text,
                } => self.told[partition].faults.push((kind, offset, text)),
                ClientEvent::Throttled { text, .. } | ClientEvent::ClusterFault(text) => {
                    self.cluster_faults.push(text);
                }
            }
        }
    }

    /// Twenty records in batches of five.
    fn batches() -> Vec<(i64, i64, Vec<u8>)> {
        let batch = |first: i64| {
            let batch = TestBatch::of_records(first, 5);
            (first, first + 4, batch.encode())
        };
        [0, 5, 10, 15].map(batch).to_vec()
    }

    fn of_batches(batches: Vec<(i64, i64, Vec<u8>)>) -> Vec<ScriptedPartition> {
        vec![ScriptedPartition::of_batches(batches)]
    }

    fn read_to(end: i64, partitions: Vec<ScriptedPartition>, options: &[&str]) -> (Reader, usize) {
        let broker = ScriptedBroker::start(partitions, 1);
        let mut reader = Reader::open(&spec(&broker, options), 1);
        reader.read_all();
        reader.poll_until(|told| told[0].next >= end);
        (reader, broker.fetch_count())
    }

    #[test]
    fn old_and_new_brokers_are_read_by_name_and_by_topic_id() {
        for newest in [4, 8, 11, 12, 13, 15, 17] {
            let partitions = [batches(), batches()].map(ScriptedPartition::of_batches);
            let broker = ScriptedBroker::start(partitions.to_vec(), 1);
            let metadata = if newest < 13 { 9 } else { 12 };
            broker.change(|script| {
                script
                    .newest_versions
                    .extend([(1, newest), (3, metadata), (2, 3)]);
            });
            let mut reader = Reader::open(&spec(&broker, &[]), 2);
            reader.read_all();
            reader.poll_until(|told| told.iter().all(|told| told.next >= 20));
            for told in &reader.told {
                assert_eq!(told.offsets, (0..20).collect::<Vec<_>>(), "{newest}");
                assert_eq!((told.gaps.len(), told.faults.len()), (0, 0));
            }
        }
    }

    #[test]
    fn topics_are_listed_and_unknown_ones_named() {
        let broker = ScriptedBroker::start(of_batches(batches()), 1);
        let mut client = WireClient::new(&spec(&broker, &[])).unwrap();
        let listed = client.list_topics(None, WAIT).unwrap();
        assert_eq!(listed[0].partitions.len(), 1);
        broker.change(|script| script.topic_error = 3);
        let listed = client.list_topics(None, WAIT).unwrap();
        assert_eq!(listed[0].error, Some(TopicError::Unknown));
    }

    #[test]
    fn a_flipped_byte_costs_its_batch_wherever_it_lies() {
        for damaged in 0..4 {
            let mut batches = batches();
            batches[damaged].2[70] ^= 1;
            let (reader, fetches) = read_to(20, of_batches(batches), &[]);
            let first = i64::try_from(damaged * 5).unwrap();
            let told = &reader.told[0];
            let lost = first..first + 5;
            let expected: Vec<i64> = (0..20).filter(|offset| !lost.contains(offset)).collect();
            assert_eq!(told.offsets, expected);
            assert_eq!(told.reasons(), [(first, first + 5, GapReason::Corrupt)]);
            assert_eq!(told.kinds(), [FaultKind::SteppedOver]);
            assert!(fetches <= 10, "{fetches} fetches");
        }
    }

    #[test]
    fn what_cannot_be_unpacked_or_is_unknown_costs_its_batch() {
        let gzip = TestBatch {
            attributes: 1,
            ..TestBatch::of_records(5, 5)
        };
        let packed = pack(1, &gzip.encode_records());
        let cut_gzip = gzip.encode_with(&packed[..packed.len() * 6 / 10]);
        let garbage = TestBatch {
            attributes: 4,
            ..gzip.clone()
        };
        let codec = TestBatch {
            attributes: 7,
            ..gzip.clone()
        };
        let plain = TestBatch::of_records(5, 5);
        let records = plain.encode_records();
        let cut_record = plain.encode_with(&records[..records.len() - 3]);
        let mut magic = plain.encode();
        magic[16] = 3;
        for bad in [
            cut_gzip,
            garbage.encode_with(&[1, 2, 3]),
            codec.encode_with(&[1, 2, 3]),
            cut_record,
            magic,
        ] {
            let mut batches = batches();
            batches[1].2 = bad;
            let (reader, fetches) = read_to(20, of_batches(batches), &[]);
            let told = &reader.told[0];
            assert_eq!(told.offsets.len(), 15);
            assert_eq!(told.reasons(), [(5, 10, GapReason::Corrupt)]);
            assert!(fetches <= 10, "{fetches} fetches");
        }
    }

    #[test]
    fn compacted_control_and_aborted_offsets_have_their_reasons() {
        let mut holes = TestBatch::of_records(0, 5);
        holes.records.remove(1);
        let aborted = TestBatch::transactional(8, 2, 9);
        let mut partition = ScriptedPartition::of_batches(vec![
            (0, 4, holes.encode()),
            (8, 9, aborted.encode()),
            (10, 10, TestBatch::marker(10, 9, 0).encode()),
            (11, 11, TestBatch::of_records(11, 1).encode()),
        ]);
        partition.aborted = vec![(9, 8, 10)];
        let (reader, _) = read_to(12, vec![partition.clone()], &[]);
        assert_eq!(reader.told[0].offsets, [0, 2, 3, 4, 11]);
        let compacted = GapReason::Compacted;
        assert_eq!(
            reader.told[0].reasons(),
            [
                (1, 2, compacted),
                (5, 8, compacted),
                (8, 10, GapReason::Aborted),
                (10, 11, GapReason::Control)
            ]
        );
        let broker = ScriptedBroker::start(vec![partition], 1);
        let mut spec = spec(&broker, &[]);
        spec.isolation = Isolation::ReadUncommitted;
        let mut reader = Reader::open(&spec, 1);
        reader.read_all();
        reader.poll_until(|told| told[0].next >= 12);
        assert_eq!(reader.told[0].offsets, [0, 2, 3, 4, 8, 9, 11]);
    }

    #[test]
    fn the_last_stable_offset_is_the_end_under_read_committed() {
        let mut partitions = of_batches(batches());
        partitions[0].last_stable_offset = Some(10);
        let broker = ScriptedBroker::start(partitions, 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        let bounds = reader.bounds[0];
        assert_eq!((bounds.last_stable_offset, bounds.high_watermark), (10, 20));
        reader.read_all();
        reader.poll_until(|told| !told[0].ends.is_empty());
        assert_eq!(reader.told[0].ends, [10]);
        assert_eq!(reader.told[0].offsets, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_tail_that_holds_nothing_ends_at_the_log_end() {
        let mut partitions = of_batches(batches());
        partitions[0].high_watermark = 30;
        let broker = ScriptedBroker::start(partitions, 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        reader.read_all();
        reader.poll_until(|told| !told[0].ends.is_empty());
        assert_eq!(
            (reader.told[0].next, &*reader.told[0].ends),
            (20, &[30][..])
        );
        assert_eq!(reader.told[0].kinds(), [FaultKind::SteppedOver]);
    }

    #[test]
    fn records_that_a_broker_has_to_fetch_itself_are_not_taken_for_a_tail_without_any() {
        let mut partitions = of_batches(batches());
        partitions[0].empty_fetches = 6;
        let broker = ScriptedBroker::start(partitions, 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        reader.read_all();
        reader.poll_until(|told| told[0].next >= 20 || !told[0].ends.is_empty());
        assert_eq!(reader.told[0].offsets, (0..20).collect::<Vec<_>>());
        assert!(!reader.told[0].has_inferred_end);
    }

    #[test]
    fn partitions_that_get_no_bytes_are_not_taken_for_empty() {
        let partitions = vec![ScriptedPartition::of_batches(batches()); 30];
        let broker = ScriptedBroker::start(partitions, 1);
        let options = ["fetch.message.max.bytes=100", "fetch.max.bytes=100"];
        let mut reader = Reader::open(&spec(&broker, &options), 30);
        reader.read_all();
        reader.poll_until(|told| told.iter().all(|told| told.next >= 20));
        for told in &reader.told {
            assert_eq!(told.offsets, (0..20).collect::<Vec<_>>());
            assert!(!told.has_inferred_end, "{told:?}");
        }
    }

    #[test]
    fn offsets_out_of_range_stop_the_partition_and_reading_goes_on_where_told() {
        let broker = ScriptedBroker::start(of_batches(batches()), 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        broker.change(|script| script.partitions[0].log_start_offset = 10);
        reader.read_all();
        reader.poll_until(|told| !told[0].faults.is_empty());
        assert_eq!(reader.told[0].kinds(), [FaultKind::OutOfRange]);
        assert_eq!(reader.told[0].faults[0].1, 0);
        let before = broker.fetch_count();
        reader.poll_for(Duration::from_millis(300));
        assert_eq!(broker.fetch_count(), before);
        reader.client.read_from(0, 10, 20).unwrap();
        reader.poll_until(|told| told[0].next >= 20);
        assert_eq!(reader.told[0].offsets, (10..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_that_was_cut_off_is_told() {
        let broker = ScriptedBroker::start(of_batches(batches()), 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        broker.change(|script| script.partitions[0].diverging = Some((3, 12)));
        reader.read_all();
        reader.poll_until(|told| !told[0].faults.is_empty());
        assert_eq!(reader.told[0].kinds(), [FaultKind::Truncated]);
        assert_eq!(reader.told[0].faults[0].1, 12);
    }

    #[test]
    fn a_topic_made_again_is_told() {
        let mut partitions = of_batches(batches());
        partitions[0].high_watermark = 100;
        let broker = ScriptedBroker::start(partitions, 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        reader.read_all();
        reader.poll_until(|told| told[0].next >= 20);
        broker.change(|script| script.topic_id = [8; 16]);
        reader.poll_until(|told| told[0].kinds().contains(&FaultKind::Recreated));
    }

    #[test]
    fn a_leader_that_moves_is_followed() {
        let broker = ScriptedBroker::start(of_batches(batches()), 2);
        let options = ["fetch.message.max.bytes=1"];
        let mut reader = Reader::open(&spec(&broker, &options), 1);
        reader.read_all();
        reader.poll_until(|told| told[0].next >= 5);
        broker.change(|script| {
            script.partitions[0].leader = 1;
            script.partitions[0].leader_epoch = 1;
        });
        reader.poll_until(|told| told[0].next >= 20);
        assert_eq!(reader.told[0].offsets, (0..20).collect::<Vec<_>>());
        assert!(
            reader.told[0]
                .kinds()
                .iter()
                .all(|kind| *kind == FaultKind::Transient)
        );
    }

    #[test]
    fn trouble_that_stays_is_told_once_and_asked_about_seldom() {
        for error in [3, 6, 56, 100] {
            let broker = ScriptedBroker::start(of_batches(batches()), 1);
            let mut reader = Reader::open(&spec(&broker, &[]), 1);
            broker.change(|script| script.partitions[0].fetch_error = error);
            reader.read_all();
            reader.poll_for(Duration::from_millis(700));
            assert_eq!(reader.told[0].kinds(), [FaultKind::Transient], "{error}");
            let fetches = broker.fetch_count();
            assert!((1..=8).contains(&fetches), "{error}: {fetches} fetches");
            broker.change(|script| script.partitions[0].fetch_error = 0);
            reader.poll_until(|told| told[0].next >= 20);
        }
    }

    #[test]
    fn a_refusal_is_told_and_the_partition_left_alone() {
        let broker = ScriptedBroker::start(of_batches(batches()), 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        broker.change(|script| script.partitions[0].fetch_error = 29);
        reader.read_all();
        reader.poll_until(|told| !told[0].faults.is_empty());
        reader.poll_for(Duration::from_millis(200));
        assert_eq!(reader.told[0].kinds(), [FaultKind::Forbidden]);
        assert_eq!(broker.fetch_count(), 1);
    }

    #[test]
    fn a_partition_without_leader_is_told_and_read_once_it_has_one() {
        let broker = ScriptedBroker::start(of_batches(batches()), 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        broker.change(|script| script.partitions[0].leader = -1);
        let bounds = reader.client.log_bounds(&[0], Duration::from_millis(300));
        assert!(bounds.unwrap()[0].is_err());
        reader.read_all();
        reader.poll_until(|told| !told[0].faults.is_empty());
        broker.change(|script| script.partitions[0].leader = 0);
        reader.poll_until(|told| told[0].next >= 20);
    }

    #[test]
    fn a_silent_broker_holds_up_neither_poll_nor_the_end() {
        let broker = ScriptedBroker::start(of_batches(batches()), 1);
        let options = ["socket.timeout.ms=300"];
        let mut reader = Reader::open(&spec(&broker, &options), 1);
        broker.change(|script| script.is_silent = true);
        reader.read_all();
        reader.poll_for(Duration::from_millis(900));
        assert!(reader.cluster_faults[0].contains("does not answer"));
        assert!(broker.fetch_count() <= 4);
        broker.change(|script| script.is_silent = false);
        reader.poll_until(|told| told[0].next >= 20);
        broker.change(|script| script.is_silent = true);
        let begin = Instant::now();
        drop(reader);
        assert!(begin.elapsed() < Duration::from_millis(200));
    }

    #[test]
    fn connections_cut_anywhere_lose_and_repeat_nothing() {
        let size: usize = batches().iter().map(|(_, _, batch)| batch.len()).sum();
        for seed in 0..60 {
            let broker = ScriptedBroker::start(of_batches(batches()), 1);
            let mut reader = Reader::open(&spec(&broker, &["fetch.message.max.bytes=200"]), 1);
            broker.change(|script| {
                script
                    .cuts
                    .extend([seed * 13 % (size + 300), seed * 31 % 900]);
                script.segment_bytes = 1 + seed * 7 % 100;
            });
            reader.read_all();
            reader.poll_until(|told| told[0].next >= 20);
            assert_eq!(
                reader.told[0].offsets,
                (0..20).collect::<Vec<_>>(),
                "{seed}"
            );
            assert_eq!(reader.told[0].gaps, []);
        }
    }

    #[test]
    fn a_batch_larger_than_asked_for_comes_all_the_same() {
        let options = ["fetch.message.max.bytes=10", "fetch.max.bytes=10"];
        let (reader, _) = read_to(20, of_batches(batches()), &options);
        assert_eq!(reader.told[0].offsets, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn reading_from_elsewhere_makes_void_what_was_under_way() {
        let broker = ScriptedBroker::start(of_batches(batches()), 1);
        let mut reader = Reader::open(&spec(&broker, &[]), 1);
        reader.read_all();
        std::thread::sleep(Duration::from_millis(100));
        reader.client.read_from(0, 15, 20).unwrap();
        reader.poll_until(|told| told[0].next >= 20);
        assert_eq!(reader.told[0].offsets, (15..20).collect::<Vec<_>>());
        reader.client.read_from(0, 0, 20).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        reader.client.pause(0).unwrap();
        reader.poll_for(Duration::from_millis(100));
        assert_eq!(reader.told[0].offsets.len(), 5);
    }

    #[test]
    fn a_throttled_client_waits_and_says_so() {
        let broker = ScriptedBroker::start(of_batches(batches()), 1);
        broker.change(|script| script.throttle_time_ms = 150);
        let mut reader = Reader::open(&spec(&broker, &["fetch.message.max.bytes=1"]), 1);
        reader.read_all();
        let begin = Instant::now();
        reader.poll_until(|told| told[0].next >= 20);
        assert!(begin.elapsed() >= Duration::from_millis(450));
        assert!(reader.cluster_faults[0].contains("quota"));
    }

    #[test]
    fn throttling_is_told_of_all_partitions_of_the_broker_and_waited_out() {
        let partitions = [batches(), batches()].map(ScriptedPartition::of_batches);
        let broker = ScriptedBroker::start(partitions.to_vec(), 1);
        broker.change(|script| script.throttles.extend([200]));
        let mut reader = Reader::open(&spec(&broker, &[]), 2);
        reader.read_all();
        let mut block = RecordBlock::default();
        let begin = Instant::now();
        let mut throttled = Vec::new();
        while throttled.is_empty() {
            assert!(begin.elapsed() < WAIT);
            block.clear(SplitId(0));
            let event = reader.client.poll(WAIT, &mut block).unwrap();
            if let ClientEvent::Throttled {
                partitions, wait, ..
            } = event
            {
                assert_eq!(wait, Duration::from_millis(200));
                throttled = partitions;
            }
        }
        assert_eq!(throttled, [0, 1]);
        reader.poll_until(|told| told.iter().all(|told| told.next >= 20));
    }

    #[test]
    fn sizes_of_logs_come_from_their_leaders_and_are_unknown_where_they_do_not() {
        let mut partitions = [batches(), batches()].map(ScriptedPartition::of_batches);
        partitions[1].leader = 1;
        let broker = ScriptedBroker::start(partitions.to_vec(), 2);
        let mut reader = Reader::open(&spec(&broker, &[]), 2);
        let client = &mut reader.client;
        assert_eq!(client.log_bytes(&[0, 1], WAIT).unwrap(), [None, None]);
        broker.change(|script| script.log_bytes = Some(700));
        let sizes = client.log_bytes(&[1, 0], WAIT).unwrap();
        assert_eq!(sizes, [Some(700), Some(700)]);
        broker.change(|script| {
            script.newest_versions.insert(35, 0);
        });
        let mut reader = Reader::open(&spec(&broker, &[]), 2);
        let sizes = reader.client.log_bytes(&[0, 1], WAIT).unwrap();
        assert_eq!(sizes, [None, None]);
    }

    #[test]
    fn what_is_no_kafka_is_named_within_its_time() {
        let spec = KafkaSpec::new("127.0.0.1:1", vec![]);
        let mut client = WireClient::new(&spec).unwrap();
        let error = client.list_topics(None, WAIT).unwrap_err();
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            use std::io::Write;
            for socket in listener.incoming() {
                let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
                drop(socket.unwrap().write_all(answer));
            }
        });
        let mut client = WireClient::new(&KafkaSpec::new(address, vec![])).unwrap();
        let error = client.list_topics(None, WAIT).unwrap_err();
        assert!(error.to_string().contains("HTTP"), "{error}");
    }

    /// Reads a topic to its end, changes the broker, and reads some records again: returns
    /// whether each was found, and the fetches of the second reading.
    fn read_again(
        kept_bytes: u64,
        change: impl FnOnce(&mut scripted_broker::Script),
    ) -> (Vec<u64>, usize) {
        let partitions = [batches(), batches()].map(ScriptedPartition::of_batches);
        let broker = ScriptedBroker::start(partitions.to_vec(), 1);
        let mut spec = spec(&broker, &["fetch.message.max.bytes=300"]);
        (spec.kept_bytes, spec.threads) = (kept_bytes, 2);
        spec.stall_timeout = Duration::from_secs(5);
        let source = KafkaSource::open(&spec, SplitId(4), StopFlag::default()).unwrap();
        let mut block = RecordBlock::default();
        let mut records = 0;
        while source.next_block(&mut block).unwrap() {
            records += block.slots.len();
        }
        assert_eq!(records, 40);
        let before = broker.fetch_count();
        broker.change(change);
        let mut revisitor = source.revisit(SplitId(5)).unwrap();
        let (mut found, mut rest) = (Vec::new(), [1, 3, 7, 12, 13, 19].as_slice());
        while !rest.is_empty() {
            let dealt_with = revisitor.fetch(rest, &mut block).unwrap();
            found.extend(block.slots.iter().map(|slot| slot.position));
            let is_value = |view: RecordView<'_>| view.value().bytes().is_some();
            assert!(block.views().all(is_value));
            rest = &rest[dealt_with..];
        }
        drop(revisitor);
        (found, broker.fetch_count() - before)
    }

    #[test]
    fn what_is_kept_of_the_first_pass_is_not_fetched_again_and_the_rest_is() {
        let all = vec![1, 3, 7, 12, 13, 19];
        let (found, fetches) = read_again(1 << 20, |script| script.is_silent = true);
        assert_eq!((found, fetches), (all.clone(), 0));
        let (found, fetches) = read_again(0, |_| {});
        assert!(found == all && fetches > 0, "{found:?} {fetches}");
        // Room for some batches of twenty.
        let (found, some) = read_again(2_500, |_| {});
        assert!(
            found == all && some > 0 && some < fetches,
            "{found:?} {some}"
        );
    }

    #[test]
    fn what_is_gone_and_was_not_kept_is_gone() {
        let retain = |script: &mut scripted_broker::Script| {
            for partition in &mut script.partitions {
                partition.log_start_offset = 10;
                partition.batches.retain(|(first, ..)| *first >= 10);
            }
        };
        assert_eq!(read_again(0, retain).0, [12, 13, 19]);
        assert_eq!(read_again(1 << 20, retain).0.len(), 6);
    }
}
