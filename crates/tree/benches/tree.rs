//! How fast trees of a million entries are, on local disk: measured beside what is asked of them.
//! `cargo xtask bench tree` runs it; it fails if something falls short.

use std::collections::HashMap;
use std::ops::Bound;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use blocks::{Blocks, Local, Locate, Writer};
use futures_util::stream;
use model::{
    ConnectorId, Content, Entry, Extent, Hash, JobId, ObjectPath, Piece, RepositoryId, Root,
    SegmentId, SegmentRecord, SourceMetadata, Timestamp, WriterId,
};
use tree::{Edit, Error, ListQuery, Tree};
use uuid::Uuid;

const ENTRIES: u32 = 1_000_000;
/// Changes between the two commits that are compared.
const CHANGES: u32 = 100;
/// Rows of a listing page.
const ROWS: usize = 1_000;
/// Bytes of pages that the tree keeps.
const CACHE_BYTES: u64 = 32 << 20;
/// Times each small thing is measured; the median counts.
const ROUNDS: usize = 9;

/// The catalog's table of segments.
#[derive(Default)]
struct Table(Mutex<HashMap<SegmentId, SegmentRecord>>);

#[async_trait]
impl Locate for Table {
    async fn locate(&self, id: SegmentId) -> blocks::Result<Option<SegmentRecord>> {
        Ok(self.0.lock().expect("nothing panics with it").get(&id).cloned())
    }
}

struct Bench {
    blocks: Blocks,
    table: Arc<Table>,
    writer: Writer,
    misses: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-tree");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("the folder of the last run can be removed");
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    let (store, table) = (Local::open(&folder).expect("a store"), Arc::new(Table::default()));
    let blocks = Blocks::new(Arc::new(store), table.clone());
    let writer = blocks.writer(RepositoryId(Uuid::nil()), WriterId(1));
    let mut bench = Bench { blocks, table, writer, misses: 0 };

    println!("| {ENTRIES} entries | measured | must |\n|---|---|---|");
    let base = bench.build().await;
    bench.change_one(&base).await;
    bench.diff(&base).await;
    bench.list(&base).await;
    bench.scan(&base).await;
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    if bench.misses == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Bench {
    async fn build(&mut self) -> Root {
        let edits = (0..ENTRIES).map(|n| edit(n, 1));
        let (root, segments, took) = self.apply(&self.tree(), &Tree::empty(), edits).await;
        let rate = f64::from(ENTRIES) / took.as_secs_f64();
        self.row("bulk build", format!("{rate:.0} entries/s"), "300,000", rate >= 300_000.0);
        let bytes: u64 = segments.iter().map(|segment| segment.length).sum();
        self.note("bytes per entry", format!("{:.0}", bytes as f64 / f64::from(ENTRIES)));
        root
    }

    async fn change_one(&mut self, base: &Root) {
        let (mut times, mut written) = (Vec::new(), 0);
        for round in 0..ROUNDS as u32 {
            let at = ENTRIES / 10 * round + 5;
            let (root, segments, took) = self.apply(&self.tree(), base, [edit(at, 2)]).await;
            assert_ne!(root.hash, base.hash);
            times.push(took);
            written = written.max(segments.iter().map(|segment| segment.length).sum());
        }
        let took = median(times);
        let good = took < Duration::from_millis(10);
        self.row("commit of one change", millis(took), "10 ms", good);
        let text = format!("{} KiB", written.div_ceil(1 << 10));
        self.row("bytes it writes, most", text, "256 KiB", written <= 256 << 10);
    }

    async fn diff(&mut self, base: &Root) {
        let step = ENTRIES / CHANGES;
        let edits = (0..CHANGES).map(|n| edit(n * step + n, 2));
        let (changed, _, _) = self.apply(&self.tree(), base, edits).await;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let tree = self.tree();
            let started = Instant::now();
            let mut diff = tree.diff(base, &changed, Bound::Unbounded, None);
            let mut found = 0;
            while diff.next().await.expect("a sound tree").is_some() {
                found += 1;
            }
            times.push(started.elapsed());
            assert_eq!(found, CHANGES);
        }
        let took = median(times);
        let good = took < Duration::from_millis(20);
        self.row("diff of 100 changes, nothing cached", millis(took), "20 ms", good);
    }

    async fn list(&mut self, base: &Root) {
        for (place, at) in [("first", 0), ("middle", ENTRIES / 2), ("last", ENTRIES - 1_001)] {
            let query = ListQuery { after: Some(name(at)), limit: ROWS, ..ListQuery::default() };
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                let tree = self.tree();
                let started = Instant::now();
                let page = tree.list(base, &query).await.expect("a sound tree");
                times.push(started.elapsed());
                assert_eq!(page.rows.len(), ROWS);
            }
            let took = median(times);
            let good = took < Duration::from_millis(5);
            let what = format!("page of {ROWS}, {place}, nothing cached");
            self.row(&what, millis(took), "5 ms", good);
        }
    }

    async fn scan(&mut self, base: &Root) {
        let started = Instant::now();
        let mut scan = self.tree().scan(base, Bound::Unbounded, None);
        let mut found = 0;
        while scan.next().await.expect("a sound tree").is_some() {
            found += 1;
        }
        assert_eq!(found, ENTRIES);
        let rate = f64::from(ENTRIES) / started.elapsed().as_secs_f64();
        self.note("scan", format!("{rate:.0} entries/s"));
    }

    /// A tree with empty caches.
    fn tree(&self) -> Tree {
        Tree::new(self.blocks.clone(), CACHE_BYTES)
    }

    async fn apply(
        &self,
        tree: &Tree,
        base: &Root,
        edits: impl IntoIterator<Item = Edit>,
    ) -> (Root, Vec<SegmentRecord>, Duration) {
        let edits = stream::iter(edits.into_iter().map(Ok::<_, Error>));
        let started = Instant::now();
        let applied = tree.apply(base, edits, &self.writer).await.expect("a sound tree");
        let took = started.elapsed();
        let mut table = self.table.0.lock().expect("nothing panics with it");
        table.extend(applied.segments.iter().map(|record| (record.id, record.clone())));
        (applied.root, applied.segments, took)
    }

    fn row(&mut self, what: &str, measured: String, must: &str, good: bool) {
        let verdict = if good { "" } else { " MISSED" };
        println!("| {what} | {measured}{verdict} | {must} |");
        self.misses += u32::from(!good);
    }

    fn note(&self, what: &str, measured: String) {
        println!("| {what} | {measured} | |");
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn name(n: u32) -> String {
    format!("imported/dataset/{:04}/part-{n:07}.parquet", n / 1_000)
}

/// An entry as an import makes it; `version` decides what is in it.
fn edit(n: u32, version: u8) -> Edit {
    let at = name(n);
    let hash = Hash::of(&[at.as_bytes(), &[version]].concat());
    let segment = SegmentId { writer: WriterId(77), number: n / 6_000 };
    let extent = Extent { segment, offset: n % 6_000 * 10_000 + 44, length: 10_000 };
    let source = SourceMetadata {
        connector_id: Some(ConnectorId(Uuid::from_u128(9))),
        connector_type: "s3".into(),
        source_path: format!("s3://bucket/data/{at}").into(),
        version_id: None,
        source_etag: Some(format!("\"{}\"", &hash.to_string()[..32]).into()),
        import_time: Timestamp::from_seconds(1_736_937_000),
        import_job_id: JobId(Uuid::from_u128(u128::from(version))),
        origin: None,
    };
    let entry = Entry {
        size: 10_000,
        hash,
        content_type: "application/octet-stream".into(),
        last_modified: Timestamp::from_seconds(1_700_000_000 + i64::from(n)),
        metadata: Default::default(),
        source: Some(Arc::new(source)),
        content: Content::Pieces(vec![Piece { extent, hash }]),
    };
    Edit { path: ObjectPath::new(&at).expect("a path"), entry: Some(entry) }
}
