//! Who may read what, and over which connection.

mod refusals;
mod security;
