//! How fast it is, printed; run by hand, in a build for speed:
//! `cargo test --release -p tree --test tree speed -- --ignored --nocapture`.

use std::ops::Bound;
use std::time::Instant;

use futures_util::stream;
use tree::{Edit, Error, ListQuery, Tree};

use crate::world::{World, entry, put};

const ENTRIES: u32 = 1_000_000;

fn name(n: u32) -> String {
    format!("imported/dataset/{:04}/part-{n:07}.parquet", n / 1_000)
}

fn edit(n: u32, version: u8) -> Edit {
    put(&name(n), entry(&name(n), version, n))
}

#[tokio::test]
#[ignore = "measures"]
async fn speed() {
    let world = World::new();
    let edits: Vec<_> = (0..ENTRIES).map(|n| edit(n, 1)).collect();
    let start = Instant::now();
    let edits = stream::iter(edits.into_iter().map(Ok::<_, Error>));
    let built = world.tree.apply(&Tree::empty(), edits, &world.writer).await.expect("built");
    let seconds = start.elapsed().as_secs_f64();
    world.register(&built.segments);
    let bytes: u64 = built.segments.iter().map(|segment| segment.length).sum();
    println!("build: {:.0} entries/s, {} bytes each", f64::from(ENTRIES) / seconds, {
        bytes / u64::from(ENTRIES)
    });

    let base = built.root;
    let world_tree = world.fresh_tree();
    let start = Instant::now();
    let one = stream::iter([Ok::<_, Error>(edit(ENTRIES / 2, 3))]);
    let one = world_tree.apply(&base, one, &world.writer).await.expect("applied");
    println!("one change: {:?}, {} bytes", start.elapsed(), one.segments[0].length);

    let step = ENTRIES / 100;
    let hundred = world.apply(&base, (0..100).map(|n| edit(n * step, 3)).collect()).await;
    for (what, tree) in [("cold", world.fresh_tree()), ("warm", world.tree.clone())] {
        let start = Instant::now();
        let mut diff = tree.diff(&base, &hundred.root, Bound::Unbounded, None);
        let mut changes = 0;
        while diff.next().await.expect("sound").is_some() {
            changes += 1;
        }
        println!("diff of {changes}, {what}: {:?}", start.elapsed());
    }
    for at in [0, ENTRIES / 2, ENTRIES - 1_001] {
        let query = ListQuery { after: Some(name(at)), limit: 1_000, ..ListQuery::default() };
        let start = Instant::now();
        let page = world.fresh_tree().list(&base, &query).await.expect("sound");
        println!("{} rows after {at}: {:?}", page.rows.len(), start.elapsed());
    }
    let start = Instant::now();
    let mut scan = world.tree.scan(&base, Bound::Unbounded, None);
    while scan.next().await.expect("sound").is_some() {}
    println!("scan: {:.0} entries/s", f64::from(ENTRIES) / start.elapsed().as_secs_f64());
}
