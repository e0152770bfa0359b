//! How many streams a listing has: one, and more as long as more is faster.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use model::limits::LISTING_STREAMS_MAX;

/// A source that gives a page in less is not waited for.
const SLOW_PAGE: Duration = Duration::from_millis(10);
/// Twice the streams should give at least this much more; a fifth is more than chance.
const GAIN_PERCENT_MIN: u128 = 120;
/// After a growth that was none, so many times more pages pass before the next is tried.
const CAUTION: usize = 8;
const CAUTION_MAX: usize = 512;

/// How long pages took lately.
#[derive(Default)]
pub(super) struct Latency(Mutex<(Duration, u32)>);

impl Latency {
    pub(super) fn note(&self, took: Duration) {
        let (sum, pages) = &mut *self.locked();
        *sum += took;
        *pages += 1;
    }

    fn mean(&self, pages_min: usize) -> Option<Duration> {
        let (sum, pages) = *self.locked();
        (pages as usize >= pages_min.max(1)).then(|| sum / pages)
    }

    fn forget(&self) {
        *self.locked() = Default::default();
    }

    fn locked(&self) -> MutexGuard<'_, (Duration, u32)> {
        self.0.lock().expect("no thread panics while it holds the lock")
    }
}

/// The number of streams.
pub(super) struct Width {
    streams: usize,
    most: usize,
    /// Pages per hour before the last growth, unless that was taken back.
    rate: Option<u128>,
    /// Pages of each stream to look at before the next step.
    caution: usize,
}

impl Default for Width {
    fn default() -> Self {
        Self::up_to(LISTING_STREAMS_MAX)
    }
}

impl Width {
    pub(super) fn up_to(most: usize) -> Self {
        Self { streams: 1, most, rate: None, caution: 1 }
    }

    /// The number of streams there should be while so many are running and the reader waits.
    pub(super) fn wanted(&mut self, running: usize, latency: &Latency) -> usize {
        // What was just tried is not kept up for as long as what is known to be no better.
        let caution = if self.rate.is_some() { self.caution.min(CAUTION) } else { self.caution };
        let full = running >= self.streams && self.streams < self.most;
        let Some(mean) =
            latency.mean(self.streams * caution).filter(|mean| full && *mean >= SLOW_PAGE)
        else {
            return self.streams;
        };
        let hour = Duration::from_secs(3600).as_micros();
        let rate = self.streams as u128 * hour / mean.as_micros().max(1);
        if self.rate.is_some_and(|before| rate * 100 < before * GAIN_PERCENT_MIN) {
            self.streams = (self.streams / 2).max(1);
            self.caution = (self.caution * CAUTION).min(CAUTION_MAX);
            self.rate = None;
        } else {
            self.streams = (self.streams * 2).min(self.most);
            self.rate = Some(rate);
        }
        latency.forget();
        self.streams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many streams give most of the pages of a source that takes so many milliseconds for a
    /// page of one of so many streams.
    fn grown(latency_ms: impl Fn(usize) -> u64) -> usize {
        let (mut width, latency) = (Width::default(), Latency::default());
        let mut streams = 1;
        let mut pages = [0; LISTING_STREAMS_MAX + 1];
        for _ in 0..3000 {
            latency.note(Duration::from_millis(latency_ms(streams)));
            pages[streams] += 1;
            streams = width.wanted(streams, &latency);
        }
        (0..pages.len()).max_by_key(|streams| pages[*streams]).unwrap_or(0)
    }

    #[test]
    fn streams_are_added_while_that_is_faster() {
        assert_eq!(grown(|_| 30), LISTING_STREAMS_MAX);
        assert_eq!(grown(|_| 5), 1);
        assert_eq!(grown(|streams| 30 * streams as u64), 1);
        assert_eq!(grown(|streams| 30 * (streams as u64).div_ceil(4)), 4);
    }

    #[test]
    fn one_slow_page_does_not_spoil_a_listing() {
        let (mut width, latency) = (Width::default(), Latency::default());
        let mut streams = 1;
        for page in 0..500 {
            latency.note(Duration::from_millis(if page == 2 { 1000 } else { 30 }));
            streams = width.wanted(streams, &latency);
            assert!(page != 2 || streams == 1, "no gain");
        }
        assert_eq!(streams, LISTING_STREAMS_MAX);
    }

    #[test]
    fn streams_are_not_added_before_those_there_have_shown_what_they_do() {
        let (mut width, latency) = (Width::default(), Latency::default());
        assert_eq!(width.wanted(1, &latency), 1);
        latency.note(Duration::from_millis(30));
        assert_eq!(width.wanted(1, &latency), 2);
        latency.note(Duration::from_millis(30));
        assert_eq!(width.wanted(2, &latency), 2);
        latency.note(Duration::from_millis(30));
        assert_eq!(width.wanted(1, &latency), 2);
        assert_eq!(width.wanted(2, &latency), 4);
    }
}
