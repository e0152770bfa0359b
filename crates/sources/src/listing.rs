//! A listing in the order of its keys that is faster than one request after the other.
//!
//! The keys are cut into ranges at guessed keys, and the ranges are listed side by side; what comes
//! out is what one stream would give. A guess decides only how the work is divided: where two
//! ranges meet, the first key behind the seam must be the same seen from both sides. If it is not,
//! because the source changed meanwhile or orders its keys in another way, the listing starts anew
//! behind the last key it gave, and before long with one stream only.

mod guess;
mod stream;
mod width;

use std::collections::VecDeque;
use std::sync::Arc;

use model::limits::LISTING_STREAMS_MAX;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::JoinSet;

use crate::{Error, Listed, Result, Source};
use stream::{Part, Range, Seam, Shared};
use width::Width;

/// Ranges at a time, those that are listed and wait for their turn to be read among them.
const RANGES_MAX: usize = 4 * LISTING_STREAMS_MAX;
/// Pages that a range should have, to begin with, at least and at most. More than its share of the
/// buffer would only make its stream wait.
const RANGE_PAGES: u64 = 8;
const RANGE_PAGES_MIN: u64 = 2;
const RANGE_PAGES_MAX: u64 = stream::SHARE_PAGES as u64;
/// What is left of a range is worth splitting from so many pages on, if there is nothing better.
const SPLIT_PAGES_MIN: u64 = 3;
/// How often a listing starts anew before it goes on with one stream.
const RESTARTS_MAX: u32 = 3;

/// A listing under way. Dropping it ends all its requests.
pub struct Listing {
    shared: Arc<Shared>,
    /// Those that are not read to their end, in the order of their keys. Only the last is open.
    ranges: VecDeque<Range>,
    tasks: JoinSet<()>,
    width: Width,
    /// Pages that the next range should have.
    range_pages: u64,
    /// The last key given, or the one to start behind.
    last: Option<Vec<u8>>,
    /// What has to come next.
    seam: Seam,
    restarts: u32,
}

impl Listing {
    /// All keys behind `after`. Its requests are tasks of the runtime that this is called in.
    pub fn start(source: Arc<dyn Source>, after: Option<Vec<u8>>) -> Self {
        let mut listing = Self {
            shared: Arc::new(Shared::new(source)),
            ranges: VecDeque::new(),
            tasks: JoinSet::new(),
            width: Width::default(),
            range_pages: RANGE_PAGES,
            last: after,
            seam: Seam::Unknown,
            restarts: 0,
        };
        listing.begin();
        listing
    }

    /// The next objects, never none, in strictly ascending order of their keys; `None` at the end.
    /// After an error there is nothing more. Can be dropped while it waits.
    pub async fn next(&mut self) -> Result<Option<Vec<Listed>>> {
        loop {
            let part = match self.ranges.front_mut().map(|front| front.parts.try_recv()) {
                None => return Ok(None),
                Some(Ok(part)) => Some(part),
                Some(Err(TryRecvError::Disconnected)) => None,
                Some(Err(TryRecvError::Empty)) => {
                    self.widen();
                    let Some(front) = self.ranges.front_mut() else { return Ok(None) };
                    tokio::select! {
                        biased;
                        part = front.parts.recv() => part,
                        () = self.shared.progress.notified() => continue,
                    }
                }
            };
            let part = match part {
                Some(Ok(part)) => part,
                Some(Err(error)) => {
                    self.fail(error)?;
                    continue;
                }
                None => {
                    self.begin_anew(Error::protocol("its listing broke off"))?;
                    continue;
                }
            };
            if !self.fits(&part) {
                self.begin_anew(Error::Unordered)?;
                continue;
            }
            if let Some(objects) = self.take(part) {
                return Ok(Some(objects));
            }
        }
    }

    /// Whether a part of the front range comes when it should.
    fn fits(&self, part: &Part) -> bool {
        match (&self.seam, part.objects.first()) {
            (Seam::Unknown, _) | (Seam::End, None) => true,
            (Seam::End, Some(_)) => false,
            (Seam::Key(expected), Some(first)) => first.key == *expected,
            // An empty part is the last of its range: it must end before the expected key.
            (Seam::Key(expected), None) => {
                part.end.as_ref().is_some_and(|end| end.as_slice() < expected.as_slice())
            }
        }
    }

    fn take(&mut self, part: Part) -> Option<Vec<Listed>> {
        let last = part.objects.last().map(|object| object.key.clone());
        if last.is_some() {
            self.last = last.clone();
            self.seam = Seam::Unknown;
        }
        if let Some(seam) = part.seam {
            let ended = self.ranges.pop_front();
            if let (Some(ended), Seam::Key(_)) = (ended, &seam) {
                self.learn(&ended);
            }
            if last.is_some() || matches!(self.seam, Seam::Unknown) {
                self.seam = seam;
            }
            self.ranges.front().inspect(|front| front.promote());
        }
        last.is_some().then_some(part.objects)
    }

    /// Makes the next ranges larger or smaller if this one missed its aim by far.
    fn learn(&mut self, ended: &Range) {
        let pages = ended.pages();
        if ended.is_whole && pages < self.range_pages / 3 {
            self.range_pages = (self.range_pages * 2).min(RANGE_PAGES_MAX);
        } else if ended.is_whole && pages > self.range_pages * 2 {
            self.range_pages = (self.range_pages / 2).max(RANGE_PAGES_MIN);
        }
    }

    /// The one range of everything behind the last key.
    fn begin(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        let range = Range::start(&self.shared, &mut self.tasks, self.last.clone(), None);
        range.promote();
        self.ranges.push_back(range);
    }

    fn begin_anew(&mut self, error: Error) -> Result<()> {
        self.ranges.clear();
        self.tasks.abort_all();
        if self.restarts > RESTARTS_MAX {
            return Err(error);
        }
        self.restarts += 1;
        tracing::debug!(restarts = self.restarts, %error, "a listing starts anew");
        let most = if self.restarts > RESTARTS_MAX { 1 } else { LISTING_STREAMS_MAX };
        self.width = Width::up_to(most);
        self.seam = Seam::Unknown;
        self.begin();
        Ok(())
    }

    /// A source may refuse a request only because of the guessed key in it.
    fn fail(&mut self, error: Error) -> Result<()> {
        let guessed = self.ranges.front().is_some_and(|front| front.guessed);
        if guessed && !matches!(error, Error::GaveUp { .. } | Error::Unordered) {
            return self.begin_anew(error);
        }
        self.ranges.clear();
        self.tasks.abort_all();
        Err(error)
    }

    /// Called while the reader waits: adds streams, where that is known to help or may.
    fn widen(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        let running = self.ranges.iter().filter(|range| range.is_running()).count();
        let wanted = self.width.wanted(running, &self.shared.latency);
        let room = RANGES_MAX.saturating_sub(self.ranges.len()).min(self.shared.room());
        let mut free = wanted.saturating_sub(running).min(room);
        // The sooner a range is read, the more its end is waited for.
        for least in [2 * self.range_pages, SPLIT_PAGES_MIN] {
            let mut index = 0;
            while free > 0 && index < self.ranges.len() {
                let added = self.split(index, least, free);
                free -= added;
                index += 1 + added;
            }
            // What is behind the last range is not known yet.
            if self.ranges.back().is_some_and(Range::is_new) {
                return;
            }
        }
    }

    /// Splits what is left of a range, if it may have `least` pages; says into how many more.
    fn split(&mut self, index: usize, least: u64, most: usize) -> usize {
        let Some(range) = self.ranges.get_mut(index) else { return 0 };
        let starts = range.split(least, self.range_pages, most);
        let is_whole = range.is_whole;
        let added = starts.len();
        for (number, (start, end)) in starts.into_iter().enumerate() {
            let mut new = Range::start(&self.shared, &mut self.tasks, Some(start), end);
            (new.guessed, new.is_whole) = (true, is_whole);
            self.ranges.insert(index + 1 + number, new);
        }
        added
    }
}

#[cfg(test)]
mod tests;
