//! One range of keys, and the task that lists it.

use std::sync::{Arc, Mutex, MutexGuard};

use model::limits::{LISTING_AHEAD_PAGES, LISTING_STREAMS_MAX};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::guess::Sample;
use super::width::Latency;
use crate::{ListPage, Listed, Result, Source};

/// Pages of one range that are ahead of the reader.
pub(super) const SHARE_PAGES: usize = LISTING_AHEAD_PAGES / LISTING_STREAMS_MAX;

/// What the ranges of a listing share.
pub(super) struct Shared {
    source: Arc<dyn Source>,
    /// Pages that the ranges behind the front one may have ahead. The front range has its share
    /// whatever they hold: it is the one that is read.
    room: Arc<Semaphore>,
    /// Requests of ranges behind the front one.
    turns: Arc<Semaphore>,
    pub(super) latency: Latency,
    /// Told after each page.
    pub(super) progress: Notify,
}

/// What is between the last key of a range and the first of the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Seam {
    Unknown,
    /// The first key behind the range.
    Key(Vec<u8>),
    /// There is no key behind it.
    End,
}

/// Objects of a range; none only in its last part.
pub(super) struct Part {
    pub(super) objects: Vec<Listed>,
    /// Of the last part.
    pub(super) seam: Option<Seam>,
    /// Where the range ended, of the last part.
    pub(super) end: Option<Vec<u8>>,
    _room: Option<OwnedSemaphorePermit>,
}

/// Keys behind one and up to another.
pub(super) struct Range {
    /// Whether it starts at a guessed key.
    pub(super) guessed: bool,
    /// Whether its size is what was aimed at, as far as that was guessed well.
    pub(super) is_whole: bool,
    pub(super) parts: mpsc::Receiver<Result<Part>>,
    span: Arc<Mutex<Span>>,
    front: watch::Sender<bool>,
    task: AbortHandle,
}

/// What the task and whoever splits its range have to agree on.
#[derive(Default)]
struct Span {
    /// The last key that belongs to the range, or any key behind that.
    end: Option<Vec<u8>>,
    sample: Sample,
    pages: u64,
    waits: bool,
    ended: bool,
}

impl Shared {
    pub(super) fn new(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            room: Arc::new(Semaphore::new(LISTING_AHEAD_PAGES - SHARE_PAGES)),
            turns: Arc::new(Semaphore::new(LISTING_STREAMS_MAX - 1)),
            latency: Latency::default(),
            progress: Notify::new(),
        }
    }

    /// Pages that there is room for.
    pub(super) fn room(&self) -> usize {
        self.room.available_permits()
    }
}

impl Range {
    /// Starts to list the keys behind `start`.
    pub(super) fn start(
        shared: &Arc<Shared>,
        tasks: &mut JoinSet<()>,
        start: Option<Vec<u8>>,
        end: Option<Vec<u8>>,
    ) -> Self {
        let span = Arc::new(Mutex::new(Span {
            end,
            sample: Sample::behind(start.as_deref()),
            ..Span::default()
        }));
        let (out, parts) = mpsc::channel(SHARE_PAGES);
        let (front, is_front) = watch::channel(false);
        let stream = Stream { shared: shared.clone(), span: span.clone(), is_front, out };
        let task = tasks.spawn(stream.run(start));
        Self { guessed: false, is_whole: true, parts, span, front, task }
    }

    /// Makes it the one that is read.
    pub(super) fn promote(&self) {
        self.front.send_replace(true);
    }

    /// Whether requests are made for it.
    pub(super) fn is_running(&self) -> bool {
        let span = lock(&self.span);
        !span.ended && !span.waits
    }

    /// Whether nothing of it is known yet.
    pub(super) fn is_new(&self) -> bool {
        let span = lock(&self.span);
        !span.ended && span.pages == 0
    }

    /// Pages listed so far.
    pub(super) fn pages(&self) -> u64 {
        lock(&self.span).pages
    }

    /// Ends the range earlier, if there may be `least` pages left of it; gives the ranges that
    /// follow it then, each of about `aim` pages, at most `most`, and together up to its old end.
    pub(super) fn split(
        &mut self,
        least: u64,
        aim: u64,
        most: usize,
    ) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut span = lock(&self.span);
        if span.ended || span.sample.pages_to(span.end.as_deref()).is_none_or(|left| left < least) {
            return Vec::new();
        }
        let mut starts = span.sample.ahead(aim, most, span.end.as_deref());
        if starts.is_empty() {
            // Less is left than was aimed at.
            starts.extend(span.sample.half_way(span.end.as_deref()));
            self.is_whole = false;
        }
        let Some(first) = starts.first() else { return Vec::new() };
        let old_end = span.end.replace(first.clone());
        let ends = starts.iter().skip(1).cloned().map(Some).chain([old_end]);
        starts.iter().cloned().zip(ends).collect()
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Stream {
    shared: Arc<Shared>,
    span: Arc<Mutex<Span>>,
    is_front: watch::Receiver<bool>,
    out: mpsc::Sender<Result<Part>>,
}

impl Stream {
    async fn run(mut self, start: Option<Vec<u8>>) {
        let mut token = None;
        loop {
            let room = self.room().await;
            let Some(slot) = self.slot().await else { return };
            let turn = self.turn().await;
            lock(&self.span).waits = false;
            let asked = Instant::now();
            let page = self.shared.source.list(start.as_deref(), token.as_ref()).await;
            self.shared.latency.note(asked.elapsed());
            drop(turn);
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    lock(&self.span).ended = true;
                    slot.send(Err(error));
                    return self.shared.progress.notify_one();
                }
            };
            token = page.next.clone();
            let (objects, seam, end) = lock(&self.span).take(page);
            let ended = seam.is_some();
            slot.send(Ok(Part { objects, seam, end, _room: room }));
            self.shared.progress.notify_one();
            if ended {
                return;
            }
        }
    }

    /// Waits until there is room for another page. The front range needs none.
    async fn room(&mut self) -> Option<OwnedSemaphorePermit> {
        if *self.is_front.borrow() {
            return None;
        }
        if let Ok(permit) = self.shared.room.clone().try_acquire_owned() {
            return Some(permit);
        }
        lock(&self.span).waits = true;
        tokio::select! {
            biased;
            _ = self.is_front.wait_for(|front| *front) => None,
            permit = self.shared.room.clone().acquire_owned() => permit.ok(),
        }
    }

    /// Waits until the range has less than its share ahead; `None` when nobody reads it any more.
    async fn slot(&self) -> Option<mpsc::OwnedPermit<Result<Part>>> {
        if let Ok(slot) = self.out.clone().try_reserve_owned() {
            return Some(slot);
        }
        lock(&self.span).waits = true;
        self.out.clone().reserve_owned().await.ok()
    }

    /// Waits until a request may be made. The front range's always may.
    async fn turn(&mut self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            _ = self.is_front.wait_for(|front| *front) => None,
            turn = self.shared.turns.clone().acquire_owned() => turn.ok(),
        }
    }
}

impl Span {
    /// What of a page belongs to the range, and how the range ends if it does.
    fn take(&mut self, page: ListPage) -> (Vec<Listed>, Option<Seam>, Option<Vec<u8>>) {
        let ListPage { mut objects, next } = page;
        self.pages += 1;
        self.sample.see(&objects);
        let mut seam = if next.is_none() { Some(Seam::End) } else { None };
        if let Some(end) = &self.end {
            let inside = objects.partition_point(|object| object.key <= *end);
            if let Some(beyond) = objects.get(inside) {
                seam = Some(Seam::Key(beyond.key.clone()));
            } else if objects.last().is_some_and(|last| last.key == *end) {
                seam = seam.or(Some(Seam::Unknown));
            }
            objects.truncate(inside);
        }
        self.ended = seam.is_some();
        let end = self.end.clone().filter(|_| self.ended);
        (objects, seam, end)
    }
}

fn lock(span: &Mutex<Span>) -> MutexGuard<'_, Span> {
    span.lock().expect("no thread panics while it holds the lock")
}
