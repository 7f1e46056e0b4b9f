//! Writes charges to standard output, the same ones every time: `generate RECORDS [BYTES]`.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

/// One record in this many is written a second time.
const DUPLICATE_ONE_IN: u64 = 1000;
/// A second copy follows this many records after the first.
const DISTANCE: u64 = 4096;
const USAGE: &str = "usage: cargo bench --bench generate -- RECORDS [BYTES a record, line end in]";
const CURRENCIES: [&str; 3] = ["USD", "EUR", "JPY"];
const PADDING: &str = "for one month of the plan named on the invoice, taxes as shown there, \
    to be paid by the card on file, which the customer may change at any time before the next \
    renewal; see the terms. Questions go to the address at the foot of the invoice.............";

fn main() -> ExitCode {
    // Cargo adds `--bench` to what the user types.
    let numbers = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let numbers: Result<Vec<u64>, _> = numbers.map(|argument| argument.parse()).collect();
    let written = match numbers.as_deref() {
        // `cargo bench` and `cargo test --benches` run it without a number.
        Ok([]) => write_records(&mut io::sink(), 1000, 300),
        Ok([records]) => write_records(&mut stdout(), *records, 300),
        Ok([records, bytes]) => write_records(&mut stdout(), *records, *bytes),
        Ok(_) | Err(_) => Err(io::Error::other(USAGE)),
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

fn write_records(out: &mut dyn Write, records: u64, bytes: u64) -> io::Result<()> {
    let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
    let mut line = Vec::with_capacity(bytes);
    for number in 0..records {
        let is_copy = number >= DISTANCE && number.is_multiple_of(DUPLICATE_ONE_IN);
        let charge = if is_copy { number - DISTANCE } else { number };
        line.clear();
        write_charge(&mut line, charge, bytes)?;
        out.write_all(&line)?;
    }
    out.flush()
}

/// Writes one charge, its description as long as it takes to come to `bytes`.
fn write_charge(line: &mut Vec<u8>, charge: u64, bytes: usize) -> io::Result<()> {
    let mixed = mixed(charge);
    let currency = usize::try_from(mixed % 3)
        .ok()
        .and_then(|index| CURRENCIES.get(index));
    write!(
        line,
        "{{\"charge_id\":\"ch_{:08x}{charge:08}\",\"customer_id\":\"cus_{:06}\",\
         \"amount\":\"{}.{:02}\",\"currency\":\"{}\",\"status\":\"captured\",\"description\":\"",
        mixed >> 32,
        mixed % 300_000,
        mixed >> 8 & 0xff,
        mixed % 100,
        currency.unwrap_or(&"USD"),
    )?;
    let room = bytes.saturating_sub(line.len() + "\"}\n".len());
    line.extend(PADDING.bytes().cycle().take(room));
    line.extend_from_slice(b"\"}\n");
    Ok(())
}

/// Returns a number with the bits of `state` well mixed (`SplitMix64`).
fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
