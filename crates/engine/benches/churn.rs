//! How much disk a repository takes whose objects are replaced again and again, once what has
//! expired is collected: measured beside what is asked for. `cargo xtask bench engine` runs it and
//! reads the rows, a JSON object each; it fails if something falls short or is damaged.

use std::ops::Bound;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use blocks::{Blocks, Local};
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use engine::{
    CollectSettings, ConnectorSpec, Credential, Engine, ImportRequest, ImportSettings, Located,
    OrganizationSpec, Parts, Principal, RepositorySpec, Scope, Worker,
};
use model::{
    Clock, CollectOptions, CollectReport, ConnectorId, Entropy, ImportMode, ImportOptions,
    JobStatus, NoFailpoints,
};
use sample::Object;
use sample::listing::Entry;
use serde_json::{Value, json};
use sources::{Egress, Private, Sources, Timeouts};
use testkit::s3::{
    ACCESS_KEY_ID, BUCKET, Content, HostileS3, ObjectSet, SECRET_ACCESS_KEY, Settings, Stored,
};
use testkit::{ManualClock, SeededEntropy};

const OBJECTS: u64 = 100_000;
const QUICK_OBJECTS: u64 = 10_000;
/// The smallest and the largest object.
const SIZES: (u64, u64) = (1 << 10, 4 << 10);
const MIRRORS: u64 = 20;
/// Of a hundred objects, those that a mirror finds replaced.
const REPLACED_PERCENT: u64 = 30;
/// Disk use over live bytes.
const OVER_LIVE_AIM: f64 = 1.5;
/// What one import, or one collection, may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(20);
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

const ORG: &str = "bench";
const REPO: &str = "churn";

#[tokio::main]
async fn main() -> ExitCode {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let objects = if is_quick { QUICK_OBJECTS } else { OBJECTS };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let bench = Bench::new(folder.path(), objects).await;
    let worker = Worker::start(bench.engine.clone());
    bench.mirror().await;
    let mut mirror_s = Vec::new();
    for generation in 1..=MIRRORS {
        bench.generation.store(generation, Ordering::SeqCst);
        mirror_s.push(bench.mirror().await);
        eprintln!("{generation}/{MIRRORS}: {:.1} s", mirror_s[mirror_s.len() - 1]);
    }
    worker.stop().await;
    mirror_s.sort_by(f64::total_cmp);
    row("a mirror (median)", "s", mirror_s[mirror_s.len() / 2], Value::Null);

    // All commits but the head expire.
    bench.clock.advance_ms(2 * DAY_MS);
    let before = bench.disk_bytes();
    for name in ["first collection", "second collection"] {
        let begun = Instant::now();
        let report = bench.collect(false).await;
        eprintln!("{name}: {report:?}");
        row(name, "s", begun.elapsed().as_secs_f64(), Value::Null);
    }
    let (after, live) = (bench.disk_bytes(), bench.collect(true).await.live_bytes as f64);
    row("live bytes", "MB", live / 1e6, Value::Null);
    row("disk before collecting, over live bytes", "x", before as f64 / live, Value::Null);
    let over_live = after as f64 / live;
    row("disk after collecting, over live bytes", "x", over_live, json!(OVER_LIVE_AIM));
    bench.check(objects).await;
    if over_live <= OVER_LIVE_AIM { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn row(what: &str, unit: &str, value: f64, at_most: Value) {
    println!("{}", json!({"what": what, "unit": unit, "value": value, "at_most": at_most}));
}

/// An engine, and a source whose objects change.
struct Bench<'a> {
    folder: &'a Path,
    engine: Engine,
    principal: Principal,
    connector: ConnectorId,
    clock: Arc<ManualClock>,
    generation: Arc<AtomicU64>,
    _source: HostileS3,
}

impl<'a> Bench<'a> {
    async fn new(folder: &'a Path, objects: u64) -> Self {
        let generation = Arc::new(AtomicU64::new(0));
        let source = Replaced { count: objects, generation: generation.clone() };
        // The engine's clock is not the source's, which would refuse its signatures.
        let settings = Settings { checks_signatures: false, records: false, ..Settings::default() };
        let source = HostileS3::start_with(source, settings).await;
        let clock = Arc::new(ManualClock::default());
        let engine = open(folder, clock.clone());
        let key = engine.bootstrap(None, None).await.expect("bootstrap").expect("a first user");
        let credential = Credential::Token(key.token);
        let principal = engine.authenticate(&credential, None).await.expect("the first user");
        let spec = OrganizationSpec { name: ORG.to_owned(), display_name: "Bench".to_owned() };
        engine.create_organization(&principal, spec).await.expect("an organization");
        let spec = RepositorySpec {
            name: REPO.to_owned(),
            retention_days: Some(1),
            ..RepositorySpec::default()
        };
        engine.create_repository(&principal, ORG, spec).await.expect("a repository");
        let spec = ConnectorSpec {
            name: "source".to_owned(),
            kind: "s3".to_owned(),
            source_uri: format!("s3://{BUCKET}/"),
            config: json!({
                "access_key_id": ACCESS_KEY_ID,
                "secret_access_key": SECRET_ACCESS_KEY,
                "endpoint": source.endpoint(),
            }),
        };
        let connector = engine.create_connector(&principal, ORG, spec).await.expect("a connector");
        engine.attach(&principal, ORG, REPO, connector.id).await.expect("attached");
        let connector = connector.id;
        Self { folder, engine, principal, connector, clock, generation, _source: source }
    }

    /// Imports what the source has now, and deletes what it has no more; in so many seconds.
    async fn mirror(&self) -> f64 {
        self.clock.advance_ms(MINUTE_MS);
        let mode = ImportMode::Mirror { max_delete_percent: 100 };
        let request = ImportRequest {
            connector_id: Some(self.connector),
            options: ImportOptions { mode, ..ImportOptions::default() },
            ..ImportRequest::default()
        };
        let begun = Instant::now();
        let started = self.engine.start_import(&self.principal, ORG, REPO, request, None).await;
        let id = started.expect("an import starts");
        while begun.elapsed() < STEP_TIMEOUT {
            let job = self.engine.import(&self.principal, ORG, REPO, id).await.expect("the job");
            if job.status.is_terminal() {
                assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
                return begun.elapsed().as_secs_f64();
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("the import has not ended after {} s", STEP_TIMEOUT.as_secs());
    }

    /// Without any time of grace: what is not needed goes now.
    async fn collect(&self, dry_run: bool) -> CollectReport {
        self.clock.advance_ms(MINUTE_MS);
        // Far more has expired than a mistake could be told from.
        let options = CollectOptions { force: true, dry_run, ..CollectOptions::default() };
        let settings = CollectSettings {
            interval: Duration::ZERO,
            grace: Duration::ZERO,
            trash: Duration::ZERO,
        };
        let collect = self.engine.collect(&options, &settings);
        let collected = tokio::time::timeout(STEP_TIMEOUT, collect).await;
        collected.expect("a collection ends in time").expect("a collection")
    }

    fn disk_bytes(&self) -> u64 {
        folder_bytes(&self.folder.join("segments"))
    }

    /// Everything that is needed is still there.
    async fn check(&self, objects: u64) {
        let report = self.engine.check(Scope::All, &mut |_| {}).await.expect("a check");
        assert!(report.damage.is_empty(), "{:?}", report.damage);
        assert!(report.entries >= objects, "{} entries of {objects} are left", report.entries);
    }
}

/// Bytes of all files below a folder.
fn folder_bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).expect("the folder can be read");
    let bytes = files.map(|file| {
        let file = file.expect("the folder can be read");
        let meta = file.metadata().expect("a file of a server at rest");
        if meta.is_dir() { folder_bytes(&file.path()) } else { meta.len() }
    });
    bytes.sum()
}

fn open(folder: &Path, clock: Arc<dyn Clock>) -> Engine {
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
    let catalog = Sqlite::open(&folder.join("tilde.db"), &*entropy).expect("a catalog");
    let catalog: Arc<dyn catalog::Catalog> = Arc::new(catalog);
    let located = Arc::new(Located::new(Arc::clone(&catalog)));
    let store = Arc::new(Local::open(folder).expect("a block store"));
    let config = sources::Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts: Timeouts::default(),
    };
    let sources = Sources::new(config, Arc::clone(&clock), Arc::clone(&entropy)).expect("sources");
    let keys = vec![("bench".to_owned(), [7; 32])];
    Engine::new(Parts {
        catalog,
        blocks: Blocks::new(store, located.clone()),
        located,
        sources: Arc::new(sources),
        keys: Arc::new(KeyRing::new(keys, Arc::clone(&entropy)).expect("keys")),
        clock,
        entropy,
        failpoints: Arc::new(NoFailpoints),
        imports: ImportSettings::default(),
        page_cache_bytes: 32 << 20,
    })
}

/// Objects of which each generation replaces a share: half of them by other bytes under their key,
/// half by an object with a key of its own.
struct Replaced {
    count: u64,
    generation: Arc<AtomicU64>,
}

const FOLDER_OBJECTS: u64 = 1_000;
/// Bytes of a key that tell which object it is.
const PLACE_BYTES: usize = "00000/00000000".len();

impl Replaced {
    /// The generation that made the object as it is now.
    fn made_in(&self, index: u64) -> u64 {
        let now = self.generation.load(Ordering::SeqCst);
        let is_replaced =
            |generation: &u64| scatter((index << 8) | generation) % 100 < REPLACED_PERCENT;
        (1..=now).rev().find(is_replaced).unwrap_or(0)
    }

    fn key(&self, index: u64) -> String {
        let folder = index / FOLDER_OBJECTS;
        match index % 2 {
            0 => format!("{folder:05}/{index:08}.bin"),
            _ => format!("{folder:05}/{index:08}-{}.bin", self.made_in(index)),
        }
    }

    fn stored(&self, index: u64) -> Stored {
        let seed = scatter((index << 8) | self.made_in(index));
        let (least, most) = SIZES;
        let len = least + seed % (most - least + 1);
        let Object { content_type, last_modified, metadata, .. } = Object::new("");
        let etag = format!("\"{seed:016x}-1\"");
        let entry = Entry { key: self.key(index), size: len, etag, last_modified };
        Stored { entry, content_type, metadata, content: Content::Made { seed, len } }
    }

    /// How many keys `is_before` holds for; they are the first ones, and end at or near `near`.
    fn position(&self, is_before: impl Fn(&str) -> bool, near: &str) -> u64 {
        // What is asked for is almost always a key, or begins like one.
        let place = near.get(..PLACE_BYTES).and_then(|place| place.split_once('/'));
        if let Some(index) = place.and_then(|(_, index)| index.parse::<u64>().ok())
            && index < self.count
            && self.key(index).get(..PLACE_BYTES) == near.get(..PLACE_BYTES)
        {
            return index + u64::from(is_before(&self.key(index)));
        }
        let (mut start, mut end) = (0, self.count);
        while start < end {
            let middle = start.midpoint(end);
            match is_before(&self.key(middle)) {
                true => start = middle + 1,
                false => end = middle,
            }
        }
        start
    }
}

impl ObjectSet for Replaced {
    fn seek(&self, from: Bound<&str>) -> Option<Entry> {
        let index = match from {
            Bound::Unbounded => 0,
            Bound::Included(key) => self.position(|found| found < key, key),
            Bound::Excluded(key) => self.position(|found| found <= key, key),
        };
        (index < self.count).then(|| self.stored(index).entry)
    }

    fn get(&self, key: &str) -> Option<Stored> {
        let index = self.position(|found| found < key, key);
        (index < self.count && self.key(index) == key).then(|| self.stored(index))
    }

    fn put(&self, key: &str, _object: Object) {
        panic!("{key:?} cannot be put: the set is computed");
    }

    fn remove(&self, key: &str) {
        panic!("{key:?} cannot be removed: the set is computed");
    }
}

/// Scatters a number over all 64 bits.
fn scatter(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
