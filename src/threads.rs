//! The same work on several threads.

use std::iter;
use std::panic::resume_unwind;
use std::thread;

/// Does the work on so many threads, this one among them, each with its number from 0 on; returns
/// what they came to, by number. A panic of one goes on here, once all have ended.
pub fn on_threads<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let spawn = |number| scope.spawn(move || work(number));
        let others: Vec<_> = (1..count).map(spawn).collect();
        let join = |other: thread::ScopedJoinHandle<'_, T>| {
            other.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        let own = work(0);
        let others = others.into_iter().map(join);
        iter::once(own).chain(others).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn each_thread_has_its_number_and_its_place() {
        let own = thread::current().id();
        let worked = on_threads(3, |number| (number, thread::current().id() == own));
        assert_eq!(worked, [(0, true), (1, false), (2, false)]);
        assert_eq!(on_threads(0, |number| number), [0]);
    }

    #[test]
    fn a_panic_goes_on() {
        let caught = catch_unwind(|| {
            on_threads(2, |number| assert_eq!(number, 0, "the second fails"));
        });
        let message = caught.unwrap_err();
        assert!(
            message
                .downcast_ref::<String>()
                .unwrap()
                .contains("the second fails")
        );
    }
}
