//! Records per second of the stages, one thread each, and of a whole scan of a file.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use dupaudit::decode::FieldReader;
use dupaudit::dedup_key::{DedupKeySpec, KeyField, KeyWriter, MissingPolicy, fingerprint};
use dupaudit::finding::Fingerprint;
use dupaudit::index::{DuplicateIndex, MemoryBudget, NO_TIMESTAMP, Occurrence, Seen};
use dupaudit::record::{FieldValue, RecordBlock, RecordSlot, SplitId};

const BLOCK_RECORDS: u64 = 4096;
const BLOCKS: u64 = 500;
const OCCURRENCES: u64 = 5_000_000;
const FILE_RECORDS: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` only sees that it still works.
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let part = if is_measured { 1 } else { 1000 };
    let folder = tempfile::tempdir()?;
    decode(BLOCKS.div_ceil(part))?;
    index(
        "index in memory",
        OCCURRENCES / part,
        1 << 30,
        folder.path(),
    )?;
    index(
        "index spilling",
        OCCURRENCES / part,
        64 << 20,
        folder.path(),
    )?;
    scan(FILE_RECORDS / part, folder.path())?;
    Ok(())
}

fn charge(number: u64) -> String {
    format!(
        "{{\"charge_id\":\"ch_{number:016}\",\"customer_id\":\"cus_{:06}\",\"amount\":\"19.25\",\
         \"currency\":\"USD\",\"status\":\"captured\",\"description\":\"{:150}\"}}",
        number % 300_000,
        "for one month of the plan"
    )
}

fn print(name: &str, records: u64, bytes: usize, started: Instant) -> io::Result<()> {
    let micros = started.elapsed().as_micros().max(1);
    let bytes = u128::try_from(bytes).map_err(io::Error::other)?;
    writeln!(
        io::stdout(),
        "{name:<24} {:>12} records/s {:>8} MB/s {:>8} ns a record",
        u128::from(records) * 1_000_000 / micros,
        bytes / micros,
        micros * 1000 / u128::from(records.max(1))
    )
}

/// From the bytes of records to fingerprints of their dedup keys.
fn decode(blocks: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut block = RecordBlock::default();
    for number in 0..BLOCK_RECORDS {
        let value = block.push_bytes(charge(number).as_bytes());
        let mut slot = RecordSlot::new(number);
        slot.value = value;
        block.slots.push(slot);
    }
    let field = KeyField::parse("charge_id")?;
    let mut reader = FieldReader::new(vec![field.path.clone()]);
    let mut writer = KeyWriter::new(&DedupKeySpec {
        fields: vec![field],
        ignore: Vec::new(),
        missing: MissingPolicy::Skip,
    });
    let mut canonical = Vec::new();
    let mut mixed = 0;
    let started = Instant::now();
    for _ in 0..blocks {
        for view in block.views() {
            let mut values = [FieldValue::Missing];
            reader.read(view, &mut values);
            writer.write(&values, &mut canonical);
            let Fingerprint([high, low]) = fingerprint(&canonical);
            mixed ^= high ^ low;
        }
    }
    std::hint::black_box(mixed);
    let times = usize::try_from(blocks)?;
    let bytes = block.bytes.len() * times;
    print(
        "decode and fingerprint",
        blocks * BLOCK_RECORDS,
        bytes,
        started,
    )?;
    Ok(())
}

/// From fingerprints to suspects.
fn index(
    name: &str,
    occurrences: u64,
    memory_bytes: u64,
    folder: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let index = DuplicateIndex::new(MemoryBudget::from_bytes(memory_bytes), folder, 1);
    let mut writer = index.writer();
    let started = Instant::now();
    for position in 0..occurrences {
        // One in a thousand comes again.
        let is_copy = position.is_multiple_of(1000);
        let identity = if is_copy { position / 2 } else { position };
        let hash = identity.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writer.add(Occurrence {
            fingerprint: Fingerprint([hash, hash.rotate_left(32)]),
            is_reversal: false,
            timestamp_millis: NO_TIMESTAMP,
            split: SplitId(0),
            position,
            seen: Seen::Now,
        })?;
    }
    let suspects = index.finish(vec![writer], None)?;
    std::hint::black_box(suspects.total());
    let bytes = usize::try_from(occurrences)? * size_of::<Occurrence>();
    print(name, occurrences, bytes, started)?;
    Ok(())
}

/// From a file to a report, all threads.
fn scan(records: u64, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    for number in 0..records {
        let is_copy = number.is_multiple_of(1000);
        let number = if is_copy { number / 2 } else { number };
        writeln!(text, "{}", charge(number))?;
    }
    let path = folder.join("charges.jsonl");
    std::fs::write(&path, &text)?;
    let started = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_dupaudit"))
        .arg("scan")
        .arg(&path)
        .args(["--by", "charge_id", "--quiet"])
        .stdout(Stdio::null())
        .status()?;
    if status.code() != Some(1) {
        return Err(format!("the scan ended with {status}").into());
    }
    print("scan of a file", records, text.len(), started)?;
    Ok(())
}
