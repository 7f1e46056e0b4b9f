//! The progress line: drawn from counters by a thread of its own, gone when the work is done.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::audit::AuditProgress;
use crate::audit::Phase;
use crate::record::counted;
use crate::source::RecordSource;

/// Time between two drawings.
const INTERVAL: Duration = Duration::from_millis(100);

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
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    while is_done.recv_timeout(INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
        update(&bar, sources, progress);
    }
    bar.finish_and_clear();
}

fn update(bar: &ProgressBar, sources: &[Box<dyn RecordSource>], progress: &AuditProgress) {
    match progress.phase() {
        Phase::Collect => {
            let reached: Vec<_> = sources.iter().map(|source| source.progress()).collect();
            let is_known = reached.iter().all(|source| source.total > 0);
            bar.set_length(reached.iter().map(|source| source.total).sum());
            bar.set_position(reached.iter().map(|source| source.done).sum());
            bar.set_style(style(is_known));
            bar.set_message(counted(progress.records_read(), "record"));
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

fn say(bar: &ProgressBar, message: String) {
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is fixed"));
    bar.set_message(message);
    bar.tick();
}

fn style(is_total_known: bool) -> ProgressStyle {
    let template = if is_total_known {
        "{msg}  [{bar:24}] {percent}%  {elapsed} elapsed, {eta} left"
    } else {
        "{spinner} {msg}  {elapsed} elapsed"
    };
    ProgressStyle::with_template(template)
        .expect("the template is fixed")
        .progress_chars("=> ")
}
