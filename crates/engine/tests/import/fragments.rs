//! Large objects from a slow source: what has come is durable before a piece is whole.

use std::sync::Arc;
use std::time::Duration;

use engine::ImportSettings;
use model::{Failpoints, JobStatus, NoFailpoints};
use testkit::s3::{Checksum, Etags, Fault, Objects, Op, Rule, Settings};

use crate::sites::{Blow, Sites};
use crate::world::{Setup, World};

/// Three pieces, the last one shorter.
const BYTES: u64 = 40_000_000;

fn object() -> Objects {
    let bytes: Vec<u8> = (0..BYTES as u32).map(|n| ((n % 251) ^ (n >> 16)) as u8).collect();
    [("large".to_owned(), bytes)].into_iter().collect()
}

/// Some 3 MB a second on each connection.
fn drip() -> Rule {
    Rule::on(Op::Get, Fault::SlowDrip { bytes: 64 << 10, every: Duration::from_millis(20) })
}

async fn world(failpoints: Arc<dyn Failpoints>) -> World {
    // The CRC of the whole is put together from pieces that are put together from fragments.
    let checksums = vec![Checksum::Crc64Nvme];
    let settings = Settings { checksums, etags: Etags::Opaque, ..Settings::default() };
    World::with(object(), Setup { settings, failpoints, ..Setup::default() }).await
}

/// Bytes that were asked for, by the ranges of all GETs from one on.
fn asked(world: &World, from: usize) -> u64 {
    let seen = world.server.stats().seen;
    let gets = seen.iter().filter(|seen| seen.op == Op::Get).skip(from);
    gets.map(|seen| {
        let range = seen.headers["range"].to_str().expect("text");
        let (first, last) = range["bytes=".len()..].split_once('-').expect("a range");
        last.parse::<u64>().expect("a number") + 1 - first.parse::<u64>().expect("a number")
    })
    .sum()
}

async fn undisturbed() -> String {
    let world = world(Arc::new(NoFailpoints)).await;
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(asked(&world, 0), BYTES, "nothing is asked for twice, and no piece is cut");
    assert_eq!(world.server.stats().count(Op::Get), 3);
    world.home().digest().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_costs_what_came_in_the_last_seconds() {
    let expected = undisturbed().await;
    let sites = Sites::new();
    let mut world = world(Arc::clone(&sites) as Arc<dyn Failpoints>).await;
    world.server.rule(drip());
    // Three pieces are on their way, each cut for the second time or so.
    sites.arm("import.checkpointed", 2, Blow::Freeze);
    let id = world.start(world.request()).await;
    sites.until_struck(1).await;
    world.kill(ImportSettings::default(), Arc::new(NoFailpoints)).await;
    world.server.clear_rules();
    let gets = world.server.stats().count(Op::Get) as usize;
    world.work();
    let job = world.ended(id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    let again = asked(&world, gets);
    assert!(again + (3 << 20) <= BYTES, "{again} bytes were asked for anew");
    assert_eq!(world.home().digest().await, expected);
    assert_eq!(world.commits().await.len(), 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_are_put_together_from_what_came_slowly() {
    let expected = undisturbed().await;
    let world = world(Arc::new(NoFailpoints)).await;
    world.server.rule(drip());
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert!(world.server.stats().count(Op::Get) > 3, "pieces are cut");
    assert_eq!(world.home().digest().await, expected);
    world.assert_sound().await;
}
