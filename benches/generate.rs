//! Writes charges to standard output, the same ones every time, and what is double among them:
//! `generate jsonl|csv|csv-quoted|kcat|keys|answer RECORDS [BYTES]`.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

/// One record in this many is written a second time; of short keys, one in a thousand times more.
const DUPLICATE_ONE_IN: u64 = 1000;
/// A second copy follows this many records after the first.
const DISTANCE: u64 = 4096;
/// Time between two records.
const STEP_MILLIS: u64 = 100;
/// 2026-10-01T00:00:00Z.
const START_SECONDS: u64 = 1_790_812_800;
const MONTHS: [(u64, u64); 3] = [(10, 31), (11, 30), (12, 31)];
const USAGE: &str = "usage: cargo bench --bench generate -- \
    jsonl|csv|csv-quoted|kcat|keys|answer|answer-keys RECORDS [BYTES a record, line end in]";
const CURRENCIES: [&str; 3] = ["USD", "EUR", "JPY"];
const PADDING: &str = "for one month of the plan named on the invoice, taxes as shown there, \
    to be paid by the card on file, which the customer may change at any time before the next \
    renewal; see the terms. Questions go to the address at the foot of the invoice.............";

fn main() -> ExitCode {
    // Cargo adds `--bench` to what the user types.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let written = match *arguments {
        // `cargo bench` and `cargo test --benches` run it without an argument.
        [] => ["jsonl", "csv", "csv-quoted", "kcat", "keys", "answer"]
            .into_iter()
            .try_for_each(|what| write(&mut io::sink(), what, "10000", "300")),
        [what, records] => write(&mut stdout(), what, records, "300"),
        [what, records, bytes] => write(&mut stdout(), what, records, bytes),
        _ => Err(io::Error::other(USAGE)),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn stdout() -> BufWriter<io::StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 20, io::stdout().lock())
}

fn write(out: &mut dyn Write, what: &str, records: &str, bytes: &str) -> io::Result<()> {
    let records: u64 = records.parse().map_err(io::Error::other)?;
    let bytes: usize = bytes.parse().map_err(io::Error::other)?;
    let one_in = DUPLICATE_ONE_IN;
    match what {
        "jsonl" => write_records(out, (records, one_in), |line, number, charge| {
            push_json(line, number, charge, bytes)
        }),
        "kcat" => write_records(out, (records, one_in), |line, number, charge| {
            push_envelope(line, number, charge, bytes)
        }),
        "csv" | "csv-quoted" => {
            writeln!(
                out,
                "charge_id,customer_id,created_at,amount,currency,status,description"
            )?;
            let is_quoted = what == "csv-quoted";
            write_records(out, (records, one_in), |line, number, charge| {
                push_row(line, (number, charge), bytes, is_quoted)
            })
        }
        "keys" => {
            writeln!(out, "id,amount")?;
            let one_in = one_in * DUPLICATE_ONE_IN;
            write_records(out, (records, one_in), |line, _, charge| {
                writeln!(line, "k{charge:08x},{}", amount(mixed(charge)))
            })
        }
        "answer" => write_answer(out, records, one_in),
        "answer-keys" => write_answer(out, records, one_in * DUPLICATE_ONE_IN),
        _ => Err(io::Error::other(USAGE)),
    }
}

/// Returns the charge that a record is about: a new one, or one written before.
fn charge_of(number: u64, one_in: u64) -> u64 {
    let is_copy = number >= DISTANCE && number.is_multiple_of(one_in);
    if is_copy { number - DISTANCE } else { number }
}

fn write_records(
    out: &mut dyn Write,
    (records, one_in): (u64, u64),
    push: impl Fn(&mut Vec<u8>, u64, u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 0..records {
        line.clear();
        push(&mut line, number, charge_of(number, one_in))?;
        out.write_all(&line)?;
    }
    out.flush()
}

/// Writes what an audit must find: as many groups as extra records, and their amounts in cents.
fn write_answer(out: &mut dyn Write, records: u64, one_in: u64) -> io::Result<()> {
    let copies = (0..records)
        .map(|number| (number, charge_of(number, one_in)))
        .filter(|(number, charge)| number != charge);
    let (mut groups, mut cents) = (0, 0);
    for (_, charge) in copies {
        groups += 1;
        let mixed = mixed(charge);
        cents += (mixed >> 8 & 0xff) * 100 + mixed % 100;
    }
    writeln!(
        out,
        "{{\"records\":{records},\"groups\":{groups},\"cents\":{cents}}}"
    )
}

/// Writes one charge as JSON, its description as long as it takes to come to `bytes`.
fn push_json(line: &mut Vec<u8>, number: u64, charge: u64, bytes: usize) -> io::Result<()> {
    let mixed = mixed(charge);
    write!(
        line,
        "{{\"charge_id\":\"{}\",\"customer_id\":\"cus_{:06}\",\"created_at\":\"{}\",\
         \"amount\":\"{}\",\"currency\":\"{}\",\"status\":\"captured\",\"description\":\"",
        charge_id(charge),
        mixed % 300_000,
        created_at(number)?,
        amount(mixed),
        currency(mixed),
    )?;
    let room = bytes.saturating_sub(line.len() + "\"}\n".len());
    line.extend(PADDING.bytes().cycle().take(room));
    line.extend_from_slice(b"\"}\n");
    Ok(())
}

/// Writes one charge as `kcat -J` does, its JSON within a string.
fn push_envelope(line: &mut Vec<u8>, number: u64, charge: u64, bytes: usize) -> io::Result<()> {
    let mut value = Vec::new();
    push_json(&mut value, number, charge, bytes)?;
    let value = String::from_utf8(value).map_err(io::Error::other)?;
    let millis = START_SECONDS * 1000 + number * STEP_MILLIS;
    writeln!(
        line,
        "{{\"topic\":\"charges\",\"partition\":{},\"offset\":{},\"tstype\":\"create\",\
         \"ts\":{millis},\"broker\":1,\"key\":null,\"payload\":\"{}\"}}",
        number % 4,
        number / 4,
        value.trim_end().replace('"', "\\\""),
    )
}

fn push_row(
    line: &mut Vec<u8>,
    (number, charge): (u64, u64),
    bytes: usize,
    is_quoted: bool,
) -> io::Result<()> {
    let mixed = mixed(charge);
    write!(
        line,
        "{},cus_{:06},{},{},{},captured,",
        charge_id(charge),
        mixed % 300_000,
        created_at(number)?,
        amount(mixed),
        currency(mixed),
    )?;
    let (open, close): (&[u8], &[u8]) = if is_quoted {
        (b"\"said \"\"yes\"\",\n", b"\"\n")
    } else {
        (b"", b"\n")
    };
    line.extend_from_slice(open);
    let room = bytes.saturating_sub(line.len() + close.len());
    let text = PADDING.bytes().filter(|&byte| byte != b',');
    line.extend(text.cycle().take(room));
    line.extend_from_slice(close);
    Ok(())
}

fn charge_id(charge: u64) -> String {
    format!("ch_{:08x}{charge:08}", mixed(charge) >> 32)
}

fn amount(mixed: u64) -> String {
    format!("{}.{:02}", mixed >> 8 & 0xff, mixed % 100)
}

fn currency(mixed: u64) -> &'static str {
    let index = usize::try_from(mixed % 3).ok();
    index
        .and_then(|index| CURRENCIES.get(index))
        .unwrap_or(&"USD")
}

fn created_at(number: u64) -> io::Result<String> {
    let millis = number * STEP_MILLIS;
    let seconds = millis / 1000;
    let mut day = seconds / 86_400;
    for (month, days) in MONTHS {
        if day < days {
            return Ok(format!(
                "2026-{month}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                day + 1,
                seconds / 3600 % 24,
                seconds / 60 % 60,
                seconds % 60,
                millis % 1000
            ));
        }
        day -= days;
    }
    Err(io::Error::other("so many records do not fit into the year"))
}

/// Returns a number with the bits of `state` well mixed (`SplitMix64`).
fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
