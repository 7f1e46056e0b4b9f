//! What `--redact` hides is in no report, no message and no state.

use std::fs;

use crate::reports::write_key;
use crate::support::Workspace;

/// Parts of everything that the log's records hold and that has to stay hidden.
const SECRETS: [&str; 8] = [
    "ch_secret",
    "cus_secret",
    "rkey_secret",
    "val_secret",
    "hdr_secret",
    "filter_secret",
    "refund_secret",
    "/////",
];

const FORMATS: [&str; 6] = ["json", "jsonl", "csv", "html", "md", "prom"];

/// An export of a topic with a conflict, a reversal, a record that cannot be decoded, one without
/// a dedup key, and a record key of bytes.
fn log(workspace: &Workspace) {
    let record = |offset: i64, key: &str, payload: &str| {
        let payload = serde_json::to_string(payload).unwrap();
        format!(
            "{{\"topic\":\"charges\",\"partition\":0,\"offset\":{offset},\"tstype\":\"create\",\
             \"ts\":17684448672{offset:02},\"broker\":1,\"headers\":[\"trace\",\"hdr_secret\"],\
             \"key\":\"{key}\",\"payload\":{payload}}}\n"
        )
    };
    let charge = |id: &str, kind: &str, note: &str| {
        format!(
            "{{\"id\":\"{id}\",\"kind\":\"{kind}\",\"customer\":\"cus_secret_1\",\
             \"amount\":\"9.99\",\"currency\":\"USD\",\"note\":\"{note}\"}}"
        )
    };
    let (kept, taken_back) = ("filter_secret", "refund_secret");
    let records = [
        ("rkey_secret_1", charge("ch_secret_1", kept, "val_secret_1")),
        ("rkey_secret_1", charge("ch_secret_1", kept, "val_secret_1")),
        ("rkey_secret_1", charge("ch_secret_1", kept, "val_secret_2")),
        ("\\u00ff/////", charge("ch_secret_2", kept, "val_secret_3")),
        ("\\u00ff/////", charge("ch_secret_2", kept, "val_secret_3")),
        (
            "rkey_secret_2",
            charge("ch_secret_1", taken_back, "val_secret_4"),
        ),
        ("rkey_secret_3", "val_secret_5 {".to_owned()),
        (
            "rkey_secret_4",
            "{\"kind\":\"filter_secret\",\"note\":\"val_secret_6\"}".to_owned(),
        ),
        (
            "rkey_secret_5",
            charge("ch_secret_3", "other", "val_secret_7"),
        ),
    ];
    let lines = (0..).zip(&records);
    let lines = lines.map(|(offset, (key, payload))| record(offset, key, payload));
    workspace.write("log.jsonl", lines.collect::<String>());
    write_key(workspace);
}

/// Returns a scan of the log that writes every format and keeps a state.
fn scan(redact: &[&str]) -> Vec<String> {
    let words = "scan log.jsonl --by id --amount amount --currency currency --subject customer \
                 --state state --within 1h";
    let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    words.extend(FORMATS.iter().map(|format| format!("-or.{format}")));
    #[cfg(feature = "xlsx")]
    words.extend(["-o", "r.xlsx"].map(str::to_owned));
    #[cfg(feature = "parquet")]
    words.extend(["-o", "r.parquet"].map(str::to_owned));
    let filter = "value.kind == 'filter_secret' || value.kind == \"refund_secret\"";
    words.extend(["--where", filter].map(str::to_owned));
    words.push("--reversal=value.kind == 'refund_secret'".to_owned());
    words.push("--notify-command=cat > told.json".to_owned());
    words.extend(redact.iter().map(|word| (*word).to_owned()));
    words
}

fn expect_hidden(place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {place}: {text}");
    }
}

fn expect_hidden_in(workspace: &Workspace, name: &str) {
    let bytes = fs::read(workspace.path().join(name)).unwrap();
    assert!(!bytes.is_empty(), "{name}");
    expect_hidden(name, &bytes);
}

/// A workbook is an archive whose parts are packed each for itself.
#[cfg(feature = "xlsx")]
fn expect_hidden_in_workbook(workspace: &Workspace, name: &str) {
    use std::io::Read;
    let archive = fs::read(workspace.path().join(name)).unwrap();
    let starts = archive.windows(4).enumerate();
    let starts = starts.filter(|(_, bytes)| bytes == b"PK\x03\x04");
    let mut shown = String::new();
    for (start, _) in starts {
        let length = |at: usize| u16::from_le_bytes([archive[start + at], archive[start + at + 1]]);
        assert_eq!(length(8), 8, "a part is deflated");
        let packed = start + 30 + usize::from(length(26)) + usize::from(length(28));
        let mut part = flate2::read::DeflateDecoder::new(&archive[packed..]);
        part.read_to_string(&mut shown).unwrap();
    }
    assert!(
        shown.contains("charges") && shown.contains("redaction"),
        "{shown}"
    );
    expect_hidden(name, shown.as_bytes());
}

/// The pages of a Parquet file are packed; what it says of itself is not.
#[cfg(feature = "parquet")]
fn expect_hidden_in_parquet(workspace: &Workspace, name: &str) {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let file = fs::File::open(workspace.path().join(name)).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    let shown: Vec<String> = rows.map(|row| row.unwrap().to_string()).collect();
    assert!(shown.iter().any(|row| row.contains("charges")), "{shown:?}");
    expect_hidden(name, shown.concat().as_bytes());
    expect_hidden_in(workspace, name);
}

fn expect_hidden_everywhere(redact: &[&str]) {
    let workspace = Workspace::new();
    log(&workspace);
    let shown = workspace.dupaudit(scan(redact)).run().expect_code(1);
    assert!(shown.stdout.contains("HIDDEN      dedup keys"), "{shown}");
    expect_hidden("the report for people", shown.stdout.as_bytes());
    expect_hidden("messages", shown.stderr.as_bytes());
    for format in FORMATS {
        expect_hidden_in(&workspace, &format!("r.{format}"));
    }
    #[cfg(feature = "xlsx")]
    expect_hidden_in_workbook(&workspace, "r.xlsx");
    #[cfg(feature = "parquet")]
    expect_hidden_in_parquet(&workspace, "r.parquet");
    expect_hidden_in(&workspace, "told.json");
    for entry in fs::read_dir(workspace.path().join("state")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let bytes = fs::read(workspace.path().join("state").join(&name)).unwrap();
        expect_hidden(&name, &bytes);
    }
    for name in ["r.html", "r.md"] {
        let text = fs::read_to_string(workspace.path().join(name)).unwrap();
        assert!(
            text.contains("Here dedup keys, subjects and record keys are hidden"),
            "{name}"
        );
    }
    // The state goes on by the same expressions, hidden as they are.
    let again = workspace.dupaudit(scan(redact)).run();
    assert!(matches!(again.exit_code, Some(0 | 1)), "{again}");
    expect_hidden("messages of the next run", again.stderr.as_bytes());
}

#[test]
fn nothing_that_hashes_hide_is_in_any_output() {
    expect_hidden_everywhere(&["--redact", "hash", "--redact-key", "key"]);
    expect_hidden_everywhere(&["--redact=hash"]);
}

#[test]
fn nothing_that_a_mask_hides_is_in_any_output() {
    expect_hidden_everywhere(&["--redact", "mask"]);
}

#[test]
fn a_plain_report_that_is_hidden_later_shows_nothing_either() {
    let workspace = Workspace::new();
    log(&workspace);
    workspace
        .dupaudit(scan(&["--show-values"]))
        .run()
        .expect_code(1);
    let plain = fs::read_to_string(workspace.path().join("r.json")).unwrap();
    for secret in SECRETS.iter().filter(|secret| **secret != "hdr_secret") {
        assert!(
            plain.contains(secret),
            "the test has to plant {secret}: {plain}"
        );
    }
    let mut words = vec![
        "report".to_owned(),
        "r.json".to_owned(),
        "--redact=mask".to_owned(),
    ];
    words.extend(FORMATS.iter().map(|format| format!("-o2.{format}")));
    let shown = workspace.dupaudit(words).run().expect_code(0);
    expect_hidden("the report for people", shown.stdout.as_bytes());
    expect_hidden("messages", shown.stderr.as_bytes());
    for format in FORMATS {
        expect_hidden_in(&workspace, &format!("2.{format}"));
    }
}

#[test]
fn a_group_of_a_hidden_report_is_explained_without_its_expressions() {
    let workspace = Workspace::new();
    log(&workspace);
    workspace
        .dupaudit(scan(&["--redact", "mask"]))
        .run()
        .expect_code(1);
    let id = workspace.report("r.json").groups()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let explain = ["explain", "--report", "r.json", "--group", &id];
    let shown = workspace.dupaudit(explain).run().expect_code(0);
    assert!(shown.stdout.contains("charges-0@1"), "{shown}");
}
