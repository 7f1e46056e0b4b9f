//! What Message DB makes of its own for every message, whatever it says.

use std::sync::LazyLock;

static OWN_MEMBERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    ["global_position", "id", "position", "time"]
        .map(str::to_owned)
        .to_vec()
});

/// Returns the members that no two messages have alike, or that only say when they were written.
pub fn own_members() -> &'static [String] {
    &OWN_MEMBERS
}
