//! Who may read what, and over which connection.

mod quota;
mod refusals;
mod security;
