//! Loops that do nothing but read, as the limit of the machine:
//! `bare lines FILE` and `bare topic BROKERS TOPIC`.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const PIECE_BYTES: usize = 256 * 1024;
const USAGE: &str = "usage: cargo bench --bench bare -- lines FILE | topic BROKERS TOPIC";

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench` to what the user types.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let counted: Result<u64, Box<dyn Error>> = match *arguments {
        // `cargo bench` and `cargo test --benches` run it without an argument.
        [] => lines("Cargo.toml").map_err(Into::into),
        ["lines", path] => lines(path).map_err(Into::into),
        #[cfg(feature = "kafka")]
        ["topic", brokers, topic] => topic::records(brokers, topic),
        _ => Err(USAGE.into()),
    };
    Ok(writeln!(io::stdout(), "{}", counted?)?)
}

/// Counts newlines, on all processors.
fn lines(path: &str) -> io::Result<u64> {
    let file = File::open(path)?;
    let piece_bytes = u64::try_from(PIECE_BYTES).map_err(io::Error::other)?;
    let (next, lines) = (AtomicU64::new(0), AtomicU64::new(0));
    let count = || -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let start = next.fetch_add(piece_bytes, Ordering::Relaxed);
            let mut filled = 0;
            while let Some(room) = piece.get_mut(filled..).filter(|room| !room.is_empty()) {
                let at = start + u64::try_from(filled).map_err(io::Error::other)?;
                match file.read_at(room, at)? {
                    0 => break,
                    read => filled += read,
                }
            }
            let found = memchr::memchr_iter(b'\n', piece.get(..filled).unwrap_or_default()).count();
            let found = u64::try_from(found).map_err(io::Error::other)?;
            lines.fetch_add(found, Ordering::Relaxed);
            if filled < PIECE_BYTES {
                return Ok(());
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
        started.into_iter().try_for_each(|one| {
            one.join()
                .unwrap_or_else(|_| Err(io::Error::other("panic")))
        })
    })?;
    Ok(lines.into_inner())
}

#[cfg(feature = "kafka")]
mod topic {
    #![expect(
        unsafe_code,
        reason = "the batch queue of librdkafka has no safe wrapper; each message is freed once"
    )]

    use std::error::Error;
    use std::time::Duration;

    use rdkafka::bindings as librdkafka;
    use rdkafka::config::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::{Offset, TopicPartitionList};

    const BATCH: usize = 10_000;
    const SETTINGS: [(&str, &str); 9] = [
        ("group.id", "bare"),
        ("enable.auto.commit", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "error"),
        // The fastest of those tried; the defaults take five times as long.
        ("fetch.queue.backoff.ms", "5"),
        ("fetch.wait.max.ms", "50"),
        ("queued.max.messages.kbytes", "16384"),
        ("queued.min.messages", "20000"),
        ("allow.auto.create.topics", "false"),
    ];

    /// Counts the records of a topic.
    pub(super) fn records(brokers: &str, topic: &str) -> Result<u64, Box<dyn Error>> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        for (name, value) in SETTINGS {
            config.set(name, value);
        }
        let consumer: BaseConsumer = config.create()?;
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10))?;
        let mut assignment = TopicPartitionList::new();
        for known in metadata.topics() {
            for partition in known.partitions() {
                assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
            }
        }
        consumer.assign(&assignment)?;
        count(&consumer, assignment.count())
    }

    fn count(consumer: &BaseConsumer, partitions: usize) -> Result<u64, Box<dyn Error>> {
        let mut batch = vec![std::ptr::null_mut(); BATCH];
        let (mut records, mut ended) = (0, 0);
        // SAFETY: the client lives as long as `consumer`; the queue is given back below.
        let queue =
            unsafe { librdkafka::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        while ended < partitions {
            // SAFETY: the batch has room for as many messages as are asked for.
            let filled = unsafe {
                librdkafka::rd_kafka_consume_batch_queue(queue, 100, batch.as_mut_ptr(), BATCH)
            };
            for &message in batch.iter().take(usize::try_from(filled)?) {
                // SAFETY: librdkafka filled this place, and the message is used before it is freed.
                let error = unsafe {
                    let error = (*message).err;
                    librdkafka::rd_kafka_message_destroy(message);
                    error
                };
                if error == librdkafka::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    records += 1;
                } else if error == librdkafka::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF
                {
                    ended += 1;
                } else {
                    return Err(format!("librdkafka says {error:?}").into());
                }
            }
        }
        // SAFETY: taken above, and not used again.
        unsafe { librdkafka::rd_kafka_queue_destroy(queue) };
        Ok(records)
    }
}
