//! How far a long command is, on standard error: a bar on a terminal, elsewhere a line at times.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::screen::Screen;

/// How often the bar moves by itself, so that one sees the program live.
const TICK: Duration = Duration::from_millis(120);
/// Between two lines where there is no terminal.
const LINE_PERIOD: Duration = Duration::from_secs(5);

/// A bar, lines, or nothing (`--quiet`).
pub(crate) struct Progress {
    screen: Screen,
    bar: ProgressBar,
    /// When the last line was; `None` where there are no lines.
    lines: Option<Mutex<Instant>>,
}

/// What there is to show.
#[derive(Clone, Copy, Default)]
pub(crate) struct State<'a> {
    /// In one word.
    pub(crate) phase: &'a str,
    pub(crate) objects: u64,
    /// How many there will be, if that is known.
    pub(crate) objects_total: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) bytes_total: Option<u64>,
    /// Bytes per second, where somebody else measures it.
    pub(crate) rate: u64,
    pub(crate) eta: Option<Duration>,
}

impl Progress {
    pub(crate) fn new(screen: Screen) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if screen.quiet || !is_terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.enable_steady_tick(TICK);
        }
        let has_lines = !screen.quiet && !is_terminal;
        Self { screen, bar, lines: has_lines.then(|| Mutex::new(Instant::now())) }
    }

    /// Shows a state.
    pub(crate) fn show(&self, state: &State<'_>) {
        if let Some(last) = &self.lines {
            // Whoever is late finds the lock taken, and the line written.
            if let Ok(mut last) = last.try_lock()
                && last.elapsed() >= LINE_PERIOD
            {
                *last = Instant::now();
                self.screen.note(&describe(state));
            }
            return;
        }
        let template = match state.bytes_total {
            Some(total) => {
                self.bar.set_length(total);
                "{spinner} [{bar:24}] {msg}"
            }
            None => "{spinner} {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        self.bar.set_style(style.progress_chars("=> "));
        self.bar.set_position(state.bytes);
        self.bar.set_message(describe(state));
    }

    /// A line that stays, above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| self.screen.insist(line));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// `copying: 3 of 121 objects, 1.00 MiB of 4.81 MiB, 900.00 KiB/s, 5 seconds left`
fn describe(state: &State<'_>) -> String {
    let of = |total: Option<String>| total.map(|total| format!(" of {total}")).unwrap_or_default();
    let mut text = format!(
        "{}: {}{} objects, {}{}",
        state.phase,
        state.objects,
        of(state.objects_total.map(|total| total.to_string())),
        HumanBytes(state.bytes),
        of(state.bytes_total.map(|total| HumanBytes(total).to_string())),
    );
    if state.rate > 0 {
        text += &format!(", {}/s", HumanBytes(state.rate));
    }
    if let Some(eta) = state.eta {
        text += &format!(", {:#} left", HumanDuration(eta));
    }
    text
}

/// Files and bytes of a transfer, and their speed.
pub(crate) struct Meter {
    progress: Progress,
    phase: &'static str,
    began: Instant,
    objects_total: Option<u64>,
    bytes_total: Option<u64>,
    counts: std::sync::Mutex<Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    objects: u64,
    bytes: u64,
    /// Those of the bytes that were moved, not found.
    moved: u64,
}

impl Meter {
    pub(crate) fn new(screen: Screen, phase: &'static str, total: Option<(u64, u64)>) -> Self {
        Self {
            progress: Progress::new(screen),
            phase,
            began: Instant::now(),
            objects_total: total.map(|(objects, _)| objects),
            bytes_total: total.map(|(_, bytes)| bytes),
            counts: std::sync::Mutex::default(),
        }
    }

    /// Bytes came or went.
    pub(crate) fn moved(&self, bytes: u64) {
        self.count(|counts| {
            counts.bytes += bytes;
            counts.moved += bytes;
        });
    }

    /// Bytes were found in place.
    pub(crate) fn found(&self, bytes: u64) {
        self.count(|counts| counts.bytes += bytes);
    }

    /// What was counted of an object counts no more: it begins anew.
    pub(crate) fn taken_back(&self, bytes: u64) {
        self.count(|counts| counts.bytes = counts.bytes.saturating_sub(bytes));
    }

    /// An object is done.
    pub(crate) fn done(&self) {
        self.count(|counts| counts.objects += 1);
    }

    pub(crate) fn say(&self, line: &str) {
        self.progress.say(line);
    }

    pub(crate) fn end(&self) {
        self.progress.end();
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let counts = {
            let mut counts = self.counts.lock().expect("nobody panics while holding it");
            change(&mut counts);
            *counts
        };
        let elapsed = self.began.elapsed().as_secs_f64();
        let rate = if elapsed > 0.5 { (counts.moved as f64 / elapsed) as u64 } else { 0 };
        let left = self.bytes_total.map(|total| total.saturating_sub(counts.bytes));
        let eta = left.and_then(|left| left.checked_div(rate)).map(Duration::from_secs);
        self.progress.show(&State {
            phase: self.phase,
            objects: counts.objects,
            objects_total: self.objects_total,
            bytes: counts.bytes,
            bytes_total: self.bytes_total,
            rate,
            eta,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_said_and_nothing_else() {
        let state = State { phase: "listing", objects: 3, bytes: 1 << 20, ..State::default() };
        assert_eq!(describe(&state), "listing: 3 objects, 1.00 MiB");
        let state = State {
            phase: "copying",
            objects_total: Some(121),
            bytes_total: Some(4 << 20),
            rate: 1 << 10,
            eta: Some(Duration::from_secs(90)),
            ..state
        };
        let expected = "copying: 3 of 121 objects, 1.00 MiB of 4.00 MiB, 1.00 KiB/s, 2m left";
        assert_eq!(describe(&state), expected);
    }
}
