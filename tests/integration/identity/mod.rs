//! What makes records the same, told by name.

mod presets;
mod suggest;
