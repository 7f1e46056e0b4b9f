//! Everything that needs the built program, in one binary.
//!
//! | module | what it shows |
//! |---|---|
//! | `browser` | HTML reports in a real browser: seen, sorted, unfolded, and nothing runs |
//! | `cases` | every folder of `fixtures/cases` |
//! | `configuration` | files of audits, their JSON Schema, and units that run them nightly |
//! | `demo` | the demo finds the duplicates that it made |
//! | `explain` | one group, its records read again side by side |
//! | `faults` | brokers and networks at fault: a result is exact or says what it lacks |
//! | `formats` | the same records in every format give the same report |
//! | `identity` | presets find what they are for, and `suggest` names the right fields |
//! | `incidents` | each cause, made for real on a broker, is told from the others |
//! | `interrupted` | signals, full disks and closed pipes: said, and never a half report |
//! | `limits` | little room or memory, few files, signals at any time: reports are whole |
//! | `lost_acks` | duplicates of a real broker whose acknowledgements were lost are found exactly |
//! | `scripted` | faults that only a scripted broker has, by both readers |
//! | `shards` | an audit in parts is the report of one scan, to the byte |
//! | `spark` | the same reports from a real Spark, whatever is killed |
//! | `state` | runs that remember: what they find night after night is what one scan finds |
//! | `stores` | messages and tables of a real Postgres |
//! | `terminal` | a real terminal: nothing of the data moves it, lines fit, and its picture |
//! | `topics` | transactions, compaction, ranges, exports, and no trace on the cluster |
//! | `reports` | stored reports are rendered again, compared, and hide what they should |
//! | `readme` | the README's commands print what it shows |
//! | `values` | what serializers wrote is read with its schemas |
//! | `verdict` | what counts of the findings: baselines, thresholds, and who is told |
//! | `support` | temporary folders, runs of the program, brokers, the proxy that loses acks |
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a surprise in a test is a failing test"
)]
#![cfg_attr(
    not(feature = "kafka"),
    expect(dead_code, reason = "what only brokers need is there all the same")
)]

#[expect(dead_code, reason = "tests of single modules use the rest")]
mod batch_encoder;
mod browser;
mod cases;
mod configuration;
#[cfg(feature = "kafka")]
mod demo;
mod explain;
#[cfg(feature = "kafka")]
mod faults;
mod formats;
mod identity;
#[cfg(feature = "kafka")]
mod incidents;
mod interrupted;
mod limits;
#[cfg(feature = "kafka")]
mod lost_acks;
mod readme;
mod reports;
mod scripted;
mod scripted_broker;
mod shards;
mod spark;
mod state;
#[cfg(feature = "postgres")]
mod stores;
mod support;
mod terminal;
#[cfg(feature = "kafka")]
mod topics;
mod values;
mod verdict;
