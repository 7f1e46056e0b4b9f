//! Brokers that stop, die and come back.

mod elections;
mod leaders;
mod stopped;
