//! Whatever the keys and whatever is guessed: what comes out is what one stream gives.

use std::ops::Range as Indexes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use model::Timestamp;
use model::limits::LISTING_AHEAD_PAGES;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use super::*;
use crate::{ListPage, ObjectMeta, Opened, PageToken};

const PAGE_LATENCY: Duration = Duration::from_millis(30);

pub(super) fn listed(key: &[u8]) -> Listed {
    let last_modified = Timestamp::from_seconds(1_736_937_000);
    Listed {
        key: key.to_vec(),
        size: 1,
        etag: None,
        last_modified,
        version_id: None,
        details: None,
    }
}

/// A source in memory.
#[derive(Default)]
struct Memory {
    /// In the order they are listed.
    keys: Vec<Vec<u8>>,
    page_keys: usize,
    /// Keys that are not there when a listing starts at a key.
    late: Vec<Vec<u8>>,
    /// Whether a listing that starts at a key that is not there is refused.
    refuses_guesses: bool,
    fails_at: Option<Vec<u8>>,
    dies: bool,
    requests: AtomicUsize,
    open: AtomicUsize,
    open_max: AtomicUsize,
}

impl Memory {
    fn of(keys: impl IntoIterator<Item = Vec<u8>>, page_keys: usize) -> Self {
        let mut keys: Vec<Vec<u8>> = keys.into_iter().collect();
        keys.sort();
        keys.dedup();
        Self { keys, page_keys, ..Self::default() }
    }

    fn page(&self, after: Option<&[u8]>, token: Option<&PageToken>) -> Result<ListPage> {
        let unknown = after.is_some_and(|after| !self.keys.iter().any(|key| key == after));
        if self.refuses_guesses && unknown {
            return Err(Error::protocol("refused"));
        }
        let at = match (token, after) {
            (Some(token), _) => token.as_str().parse().expect("a place"),
            (None, Some(after)) => {
                assert!(std::str::from_utf8(after).is_ok() && after.len() <= 1024);
                self.keys.iter().position(|key| key.as_slice() > after).unwrap_or(self.keys.len())
            }
            (None, None) => 0,
        };
        let end = (at + self.page_keys).min(self.keys.len());
        let keys: &[Vec<u8>] = &self.keys[at..end];
        if !keys.is_sorted() {
            return Err(Error::Unordered);
        }
        if self.fails_at.as_ref().is_some_and(|fails_at| keys.contains(fails_at)) {
            return Err(Error::GaveUp { attempts: 1, seconds: 1, last: Box::new(Error::Vanished) });
        }
        let there = |key: &&Vec<u8>| after.is_none() || !self.late.contains(key);
        let objects = keys.iter().filter(there).map(|key| listed(key)).collect();
        let next = (end < self.keys.len()).then(|| PageToken::new(end.to_string()));
        Ok(ListPage { objects, next })
    }
}

#[async_trait]
impl Source for Memory {
    async fn list(&self, after: Option<&[u8]>, token: Option<&PageToken>) -> Result<ListPage> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.open_max.fetch_max(open, Ordering::SeqCst);
        sleep(PAGE_LATENCY).await;
        assert!(!self.dies, "as the test wants it");
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.page(after, token)
    }

    async fn list_unordered(&self, _: Option<&PageToken>) -> Result<ListPage> {
        unreachable!("nobody asks")
    }

    async fn open(&self, _: &Listed, _: Option<Indexes<u64>>) -> Result<Opened> {
        unreachable!("nobody asks")
    }

    async fn head(&self, _: &Listed) -> Result<ObjectMeta> {
        unreachable!("nobody asks")
    }

    async fn stat(&self, _: &[u8]) -> Result<Option<Listed>> {
        unreachable!("nobody asks")
    }

    fn uri(&self, _: &[u8]) -> String {
        String::new()
    }

    fn kind(&self) -> &'static str {
        "memory"
    }

    fn retries(&self) -> u64 {
        0
    }
}

/// All keys, read as fast as they come.
async fn all(source: &Arc<Memory>, after: Option<&[u8]>) -> Result<Vec<Vec<u8>>> {
    let mut listing = Listing::start(source.clone(), after.map(<[u8]>::to_vec));
    let mut keys = Vec::new();
    while let Some(objects) = listing.next().await? {
        assert!(!objects.is_empty());
        keys.extend(objects.into_iter().map(|object| object.key));
    }
    assert!(source.open_max.load(Ordering::SeqCst) <= LISTING_STREAMS_MAX);
    Ok(keys)
}

fn paused<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}

fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn numbered(at: u64) -> String {
    format!("obj-{at:07}")
}

fn uuid(at: u64) -> String {
    let (high, low) = (scattered(at), scattered(!at));
    let text = format!("{high:016x}{low:016x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn dated(at: u64) -> String {
    let (month, part) = (at / 800, at % 800);
    format!("year={}/month={:02}/part-{part:04}", 2010 + month / 12, month % 12 + 1)
}

/// Numbered folders that are as large as a page.
fn paged(at: u64) -> String {
    format!("part-{:06}/obj-{at:09}", at / 1000)
}

/// Numbered folders of which a page takes some.
fn foldered(at: u64) -> String {
    format!("part-{:06}/obj-{at:09}", at / 300)
}

/// How many times faster than one stream.
fn gain(key: fn(u64) -> String) -> f64 {
    paused(async {
        let source = Arc::new(Memory::of((0..100_000).map(|at| key(at).into_bytes()), 1000));
        let begun = Instant::now();
        let keys = all(&source, None).await.expect("a listing");
        let took = begun.elapsed();
        assert_eq!(keys, source.keys);
        let requests = source.requests.load(Ordering::SeqCst);
        assert!(requests < 200, "{requests} requests for 100 pages");
        PAGE_LATENCY.as_secs_f64() * 100.0 / took.as_secs_f64()
    })
}

#[test]
fn a_slow_source_is_listed_side_by_side() {
    for (key, least) in [
        (numbered as fn(u64) -> String, 6.0),
        (uuid, 6.0),
        (dated, 3.0),
        (paged, 6.0),
        (foldered, 6.0),
    ] {
        let gain = gain(key);
        println!("{}: {gain:.1}", key(0));
        assert!(gain >= least, "{} is listed only {gain} times faster", key(0));
    }
}

#[test]
fn a_source_that_is_not_waited_for_is_listed_by_one_stream() {
    paused(async {
        let source = Arc::new(Memory::of((0..120).map(|at| numbered(at).into_bytes()), 2));
        let mut listing = Listing::start(source.clone(), None);
        let mut keys = 0;
        sleep(20 * PAGE_LATENCY).await;
        while listing.next().await.expect("a listing").is_some() {
            keys += 1;
            sleep(2 * PAGE_LATENCY).await;
        }
        assert_eq!((keys, source.requests.load(Ordering::SeqCst)), (60, 60));
        assert_eq!(source.open_max.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn no_more_pages_are_ahead_than_allowed() {
    paused(async {
        let source = Arc::new(Memory::of((0..6000).map(|at| numbered(at).into_bytes()), 2));
        let mut listing = Listing::start(source.clone(), None);
        let (mut pages, mut most) = (0, 0);
        while listing.next().await.expect("a listing").is_some() {
            pages += 1;
            // Read now fast, now slowly.
            if pages % 200 > 150 {
                sleep(2 * PAGE_LATENCY).await;
            }
            let ahead: usize = listing.ranges.iter().map(|range| range.parts.len()).sum();
            most = most.max(ahead);
        }
        assert!(pages >= 3000, "{pages}");
        assert!(most <= LISTING_AHEAD_PAGES, "{most}");
        assert!(most > 16, "{most}");
    });
}

#[test]
fn errors_come_in_order() {
    paused(async {
        let keys: Vec<Vec<u8>> = (0..1000).map(|at| numbered(at).into_bytes()).collect();
        let source = Memory { fails_at: Some(keys[777].clone()), ..Memory::of(keys.clone(), 5) };
        let source = Arc::new(source);
        let mut listing = Listing::start(source, None);
        let mut found = Vec::new();
        let error = loop {
            match listing.next().await {
                Ok(Some(objects)) => found.extend(objects.into_iter().map(|object| object.key)),
                Ok(None) => panic!("it does not come to the end"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::GaveUp { .. }), "{error}");
        assert!(found.len() <= 777 && found.len() > 760, "{}", found.len());
        assert!(found.iter().eq(&keys[..found.len()]));
        assert!(listing.next().await.expect("nothing more").is_none());
    });
}

#[test]
fn dropping_a_listing_ends_its_requests() {
    paused(async {
        let source = Arc::new(Memory::of((0..1000).map(|at| numbered(at).into_bytes()), 2));
        let mut listing = Listing::start(source.clone(), None);
        for _ in 0..50 {
            listing.next().await.expect("a listing").expect("more");
        }
        assert!(Arc::strong_count(&source) > 1);
        drop(listing);
        sleep(PAGE_LATENCY).await;
        assert_eq!(Arc::strong_count(&source), 1);
    });
}

#[test]
fn a_key_that_is_refused_as_a_start_costs_nothing_but_time() {
    paused(async {
        let source = Memory::of((0..1000).map(|at| uuid(at).into_bytes()), 5);
        let source = Arc::new(Memory { refuses_guesses: true, ..source });
        assert_eq!(all(&source, None).await.expect("a listing"), source.keys);
        assert!(source.open_max.load(Ordering::SeqCst) > 1, "something was guessed");
    });
}

#[test]
fn a_stream_that_dies_ends_the_listing() {
    paused(async {
        let source = Memory { dies: true, ..Memory::of([b"a".to_vec()], 5) };
        let error = all(&Arc::new(source), None).await.expect_err("no pages");
        assert!(error.to_string().contains("broke off"), "{error}");
    });
}

#[test]
fn keys_that_come_and_go_are_not_lost_behind_a_seam() {
    paused(async {
        let mut source = Memory::of((0..2000).map(|at| numbered(at).into_bytes()), 5);
        source.late = source.keys.iter().step_by(7).cloned().collect();
        let source = Arc::new(source);
        let keys = all(&source, None).await.expect("a listing");
        assert!(keys.is_sorted_by(|left, right| left < right));
        let lasting = source.keys.iter().filter(|key| !source.late.contains(key));
        assert!(lasting.eq(keys.iter().filter(|key| !source.late.contains(key))));
    });
}

#[test]
fn another_order_is_always_found_out() {
    paused(async {
        for page_keys in [2, 5, 100] {
            // Upper case behind lower case of the same letter.
            let keys = (0..400).flat_map(|at| {
                let key = numbered(at);
                [key.clone().into_bytes(), key.to_uppercase().into_bytes()]
            });
            let source = Memory { keys: keys.collect(), page_keys, ..Memory::default() };
            let outcome = all(&Arc::new(source), None).await;
            assert!(matches!(outcome, Err(Error::Unordered)), "{:?}", outcome.map(|all| all.len()));
        }
    });
}

fn kinds() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let made = |key: fn(u64) -> String| {
        let count = prop_oneof![0..3_u64, 0..400_u64];
        (count, 0..100_000_u64)
            .prop_map(move |(count, from)| (from..from + count).map(key).collect::<Vec<_>>())
    };
    let hex: fn(u64) -> String = |at| format!("{:x}", scattered(at));
    let plain: fn(u64) -> String = |at| at.to_string();
    let texts = prop::collection::vec("\\PC{1,6}|[a\u{e9}\u{ffff}\u{10ffff}/]{1,4}", 0..200);
    let one = prop_oneof![made(numbered), made(uuid), made(dated), made(hex), made(plain), texts,];
    prop::collection::vec(one, 1..4)
        .prop_map(|parts| parts.into_iter().flatten().map(String::into_bytes).collect())
}

proptest! {
    #[test]
    fn what_comes_out_is_what_one_stream_gives(
        keys in kinds(),
        after in prop::option::of(any::<prop::sample::Index>()),
        behind in any::<bool>(),
    ) {
        let source = Arc::new(Memory::of(keys, 7));
        let after = after.filter(|_| !source.keys.is_empty()).map(|index| {
            let mut key = index.get(&source.keys).clone();
            key.extend(behind.then_some(b'!'));
            key
        });
        let after = after.as_deref();
        let found = paused(all(&source, after)).expect("a listing");
        let expected = source.keys.iter().filter(|key| after.is_none_or(|after| &key[..] > after));
        prop_assert!(found.iter().eq(expected));
    }
}
