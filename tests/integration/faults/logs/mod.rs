//! Logs that change, end oddly, or are damaged.

mod bomb;
mod changed;
mod damage;
mod ends;
mod records;
mod timestamps;
mod transactions;
