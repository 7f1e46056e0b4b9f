#![doc = include_str!("README.md")]

pub mod preset;
pub mod record;
pub mod threads;

pub mod finding;
pub mod scan_json;
pub mod sorted_run;
pub mod typed_value;

pub mod source;

pub mod baseline;
pub mod decode;
pub mod dedup_key;
pub mod diagnosis;
pub mod expression;
pub mod impact;
pub mod index;
pub mod report;
pub mod schema;
pub mod state;
pub mod suggest;

pub mod audit;

pub mod spark;

pub mod command;

pub mod cli;
