//! Logs that change, end oddly, or are damaged.

mod changed;
mod ends;
