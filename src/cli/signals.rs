//! The first SIGINT or SIGTERM asks the command to stop; the second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::source::StopFlag;

/// Exit codes of a process that a signal ended, as shells report them.
const ENDED_BY: [(i32, i32); 2] = [(SIGINT, 130), (SIGTERM, 143)];

/// Takes the signals over and returns the flag that the first of them sets.
pub fn install() -> io::Result<StopFlag> {
    let switch = Arc::new(AtomicBool::new(false));
    for (signal, exit_code) in ENDED_BY {
        // In this order: the first signal finds the switch off, and only then turns it on.
        flag::register_conditional_shutdown(signal, exit_code, Arc::clone(&switch))?;
        flag::register(signal, Arc::clone(&switch))?;
    }
    // Without a handler a file at its size limit would kill the process; with one the write
    // fails with an error that can be reported.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(StopFlag::from_switch(switch))
}

#[cfg(test)]
mod tests {
    use signal_hook::low_level::raise;

    use super::*;

    #[test]
    fn the_first_signal_asks_to_stop_and_a_full_file_does_not() {
        let stop = install().unwrap();
        raise(SIGXFSZ).unwrap();
        assert!(!stop.is_stopped());
        raise(SIGTERM).unwrap();
        assert!(stop.is_stopped());
    }
}
