//! The progress line: drawn from counters by a thread of its own, gone when the work is done.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::audit::AuditProgress;
use crate::audit::Phase;
use crate::record::{counted, grouped};
use crate::report::visible_start;
use crate::source::RecordSource;
use crate::source::SourceProgress;

/// Time between two drawings.
const INTERVAL: Duration = Duration::from_millis(100);
/// A source that takes longer gets a line of its own.
const SLOW_AFTER: Duration = Duration::from_secs(2);
/// Slow sources that are shown.
const SLOW_MAX: usize = 3;
/// Characters of a source's name that are shown.
const NAME_MAX: usize = 48;

/// Does the work, with a progress line on standard error meanwhile if asked for.
pub(super) fn with_progress_line<T: Send>(
    is_shown: bool,
    sources: &[Box<dyn RecordSource>],
    progress: &AuditProgress,
    work: impl FnOnce() -> T,
) -> T {
    if !is_shown {
        return work();
    }
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || draw(sources, progress, &is_done));
        let result = work();
        drop(done);
        result
    })
}

fn draw(sources: &[Box<dyn RecordSource>], progress: &AuditProgress, is_done: &mpsc::Receiver<()>) {
    let started = Instant::now();
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    while is_done.recv_timeout(INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
        update(&bar, sources, progress, started.elapsed());
    }
    bar.finish_and_clear();
}

fn update(
    bar: &ProgressBar,
    sources: &[Box<dyn RecordSource>],
    progress: &AuditProgress,
    elapsed: Duration,
) {
    match progress.phase() {
        Phase::Collect => {
            let reached: Vec<_> = sources.iter().map(|source| source.progress()).collect();
            let is_known = reached.iter().all(|source| source.total > 0);
            let slow = if elapsed < SLOW_AFTER {
                Vec::new()
            } else {
                slow_lines(&reached, |index| {
                    sources.get(index).map_or_else(String::new, |it| it.name())
                })
            };
            bar.set_length(reached.iter().map(|source| source.total).sum());
            bar.set_position(reached.iter().map(|source| source.done).sum());
            bar.set_style(style(is_known, !slow.is_empty()));
            bar.set_prefix(slow.join("\n"));
            let (records, bytes) = (progress.records_read(), progress.bytes_read());
            bar.set_message(reading(records, bytes, elapsed));
        }
        Phase::Group => say(bar, "comparing dedup keys".to_owned()),
        Phase::Revisit => {
            say(
                bar,
                format!(
                    "reading again: {}",
                    counted(progress.records_revisited(), "record")
                ),
            );
        }
        Phase::Report => say(bar, "writing the report".to_owned()),
    }
}

/// Returns what was read so far, and how fast.
fn reading(records: u64, bytes: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_millis().max(1);
    let rate = u128::from(records) * 1_000 / seconds;
    format!(
        "{}, {}, {}/s",
        counted(records, "record"),
        DecimalBytes(bytes),
        grouped(rate)
    )
}

/// Returns a line for each source that is being read while others are or were, the least read
/// first.
fn slow_lines(reached: &[SourceProgress], name: impl Fn(usize) -> String) -> Vec<String> {
    let is_read = |source: &SourceProgress| 0 < source.done && source.done < source.total;
    let mut slow: Vec<(u128, usize)> = reached
        .iter()
        .enumerate()
        .filter(|(_, source)| reached.len() > 1 && is_read(source))
        .map(|(index, source)| {
            let percent = u128::from(source.done) * 100 / u128::from(source.total);
            (percent, index)
        })
        .collect();
    slow.sort_unstable();
    let lines = slow.into_iter().take(SLOW_MAX).map(|(percent, index)| {
        let name = visible_start(&name(index), NAME_MAX);
        format!("  {percent:>3}%  {name}")
    });
    lines.collect()
}

fn say(bar: &ProgressBar, message: String) {
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is fixed"));
    bar.set_message(message);
    bar.tick();
}

fn style(is_total_known: bool, has_slow: bool) -> ProgressStyle {
    let template = match (is_total_known, has_slow) {
        (true, false) => "[{bar:16}] {percent:>3}%  {eta} left  {wide_msg}",
        (true, true) => "[{bar:16}] {percent:>3}%  {eta} left  {wide_msg}\n{prefix}",
        (false, false) => "{spinner} {elapsed}  {wide_msg}",
        (false, true) => "{spinner} {elapsed}  {wide_msg}\n{prefix}",
    };
    ProgressStyle::with_template(template)
        .expect("the template is fixed")
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_bytes_and_rate_are_told() {
        let text = reading(12_000, 3_400_000, Duration::from_secs(3));
        assert_eq!(text, "12,000 records, 3.40 MB, 4,000/s");
        assert_eq!(reading(0, 0, Duration::ZERO), "0 records, 0 B, 0/s");
    }

    #[test]
    fn the_slowest_of_several_sources_have_lines_that_move_no_cursor() {
        let at = |done, total| SourceProgress { done, total };
        let name = |index: usize| format!("log\x1b[2J{index}");
        assert_eq!(slow_lines(&[at(1, 9)], name), [""; 0], "the bar says it");
        let reached = [at(9, 9), at(50, 100), at(0, 9), at(4, 0), at(1, 10)];
        let expected = [r"   10%  log\x1b[2J4", r"   50%  log\x1b[2J1"];
        assert_eq!(slow_lines(&reached, name), expected);
        assert_eq!(slow_lines(&[at(1, 9); 7], name).len(), SLOW_MAX);
    }

    #[test]
    fn every_template_is_one() {
        for (is_known, has_slow) in [(false, false), (false, true), (true, false), (true, true)] {
            style(is_known, has_slow);
        }
    }
}
