//! The grammar of JSON text: where its parts end, and how deep they nest.

pub(super) mod bit_stack;
pub(super) mod parts;
pub(super) mod quoted;
pub(super) mod skip;
pub(super) mod special;
pub(super) mod string;
