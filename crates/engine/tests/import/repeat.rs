//! Interrupted at every step, in every way, twice in a row: the import ends as if undisturbed.

use std::sync::Arc;
use std::time::Duration;

use engine::{ImportRequest, ImportSettings};
use model::{Failpoints, Import, ImportOptions, JobId, JobStatus};
use testkit::s3::{Fault, Objects, Op, Rule, Settings};

use crate::sites::{Blow, Sites};
use crate::world::{ORG, REPO, Setup, World};

const KEYS: u64 = 60;
/// Every site of an import of small objects, and how often it is passed before the first blow and
/// before the second one.
const SMALL_SITES: [(&str, u64, u64); 9] = [
    ("import.opened", 0, 0),
    ("import.page_listed", 1, 0),
    ("import.listed", 0, 0),
    ("import.object_read", 25, 7),
    ("import.batch_durable", 0, 0),
    ("import.checkpointed", 0, 0),
    ("import.transferred", 0, 0),
    ("import.pages_durable", 0, 0),
    ("import.finished", 0, 0),
];
const LARGE_BYTES: usize = 40_000_000;
/// GETs that may reach the server after the process that asked for them is gone.
const LATE_GETS: u64 = 10;

fn small() -> Objects {
    (0..KEYS).map(|n| (format!("k{n:02}"), vec![n as u8; 2_000 + n as usize])).collect()
}

fn with_large() -> Objects {
    let bytes: Vec<u8> = (0..LARGE_BYTES).map(|n| (n % 239) as u8).collect();
    Objects::from([("large".to_owned(), bytes), ("small".to_owned(), b"x".to_vec())])
}

async fn undisturbed(objects: Objects) -> String {
    let world = World::new(objects).await;
    assert_eq!(world.import().await.status, JobStatus::Completed);
    world.home().digest().await
}

async fn world(objects: Objects, sites: &Arc<Sites>) -> World {
    let settings = Settings { page_keys: 20, ..Settings::default() };
    let failpoints = Arc::clone(sites) as Arc<dyn Failpoints>;
    World::with(objects, Setup { settings, failpoints, ..Setup::default() }).await
}

/// Waits until so many blows have fallen and their consequences are recorded. A frozen process is
/// killed; then nobody works.
async fn interrupted(
    world: &mut World,
    sites: &Arc<Sites>,
    id: JobId,
    (blow, blows): (Blow, u64),
) -> Import {
    sites.until_struck(blows).await;
    if blow != Blow::Freeze {
        return world.ended(id).await;
    }
    let failpoints = Arc::clone(sites) as Arc<dyn Failpoints>;
    world.kill(ImportSettings::default(), failpoints).await;
    world.job(id).await
}

/// Has the job go on.
async fn go_on(world: &mut World, id: JobId, blow: Blow) {
    match blow {
        Blow::Freeze => world.work(),
        Blow::Error | Blow::Panic => {
            let retried = world.engine.retry_import(&world.principal, ORG, REPO, id).await;
            retried.expect("a failed job is retried");
        }
    }
}

/// Interrupts an import at `site`, twice if it comes there again; `expected` is its digest.
async fn interrupt(site: &'static str, after: [u64; 2], blow: Blow, expected: &str) {
    let sites = Sites::new();
    let mut world = world(small(), &sites).await;
    sites.arm(site, after[0], blow);
    let id = world.start(world.request()).await;
    let mut allowed = KEYS;
    for (blows, next) in [(1, Some(after[1])), (2, None)] {
        let job = interrupted(&mut world, &sites, id, (blow, blows)).await;
        if job.status == JobStatus::Completed {
            break;
        }
        assert_eq!(job.commit, None, "{site} {blow:?}");
        assert!(world.commits().await.is_empty(), "{site} {blow:?}: nothing is visible");
        let durable = world.durable(id).await;
        let gets = world.server.stats().count(Op::Get);
        // What is durable is not read again, the rest once more.
        allowed = gets + KEYS - durable + LATE_GETS;
        if let Some(after) = next {
            sites.arm(site, after, blow);
        }
        go_on(&mut world, id, blow).await;
    }
    let job = world.ended(id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{site} {blow:?}");
    // After the last site there is nothing left to interrupt.
    let blows = if site == "import.finished" { 1 } else { 2 };
    assert_eq!(sites.struck(), blows, "{site} {blow:?}");
    assert_eq!(job.progress.objects_imported, KEYS, "{site} {blow:?}");
    assert_eq!(world.commits().await.len(), 1, "{site} {blow:?}");
    assert_eq!(world.home().digest().await, expected, "{site} {blow:?}");
    let gets = world.server.stats().count(Op::Get);
    assert!(gets <= allowed, "{site} {blow:?}: {gets} GETs, {allowed} would do");
    world.assert_sound().await;
}

async fn interrupt_everywhere(blow: Blow) {
    let expected = undisturbed(small()).await;
    for (site, first, second) in SMALL_SITES {
        interrupt(site, [first, second], blow, &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_at_any_step_costs_only_time() {
    interrupt_everywhere(Blow::Error).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_at_any_step_costs_only_time() {
    interrupt_everywhere(Blow::Panic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_costs_only_time() {
    interrupt_everywhere(Blow::Freeze).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_dry_run_tells_the_same() {
    let sites =
        ["import.opened", "import.page_listed", "import.transferred", "import.pages_durable"];
    for (site, blow) in
        sites.into_iter().zip([Blow::Freeze, Blow::Error, Blow::Freeze].iter().cycle())
    {
        let failpoints = Sites::new();
        let mut world = world(small(), &failpoints).await;
        failpoints.arm(site, 0, *blow);
        let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
        let id = world.start(ImportRequest { options, ..world.request() }).await;
        interrupted(&mut world, &failpoints, id, (*blow, 1)).await;
        go_on(&mut world, id, *blow).await;
        let job = world.ended(id).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{site} {blow:?}");
        assert_eq!(job.preview.map(|preview| preview.added.objects), Some(KEYS));
        assert_eq!(world.home().changes(id, 7).await.len() as u64, KEYS);
        assert_eq!((world.server.stats().count(Op::Get), world.commits().await.len()), (0, 0));
        world.assert_sound().await;
    }
}

/// The third piece drips, so that the two others are durable long before it is.
fn drip(world: &World, hits: u64) {
    let fault = Fault::SlowDrip { bytes: 50_000, every: Duration::from_millis(50) };
    world.server.rule(Rule::on(Op::Get, fault).key("large").nth(hits));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn durable_pieces_of_a_large_object_are_not_read_again() {
    let expected = undisturbed(with_large()).await;
    let sites = Sites::new();
    let mut world = world(with_large(), &sites).await;
    drip(&world, 2);
    drip(&world, 3);
    let id = world.start(world.request()).await;
    let large = |world: &World| world.server.stats().gets.get("large").copied().unwrap_or(0);
    for interruption in 0..2 {
        let pieces = async || {
            let pins = world.catalog.pins(id).await.expect("the job's pins");
            pins.pieces.len()
        };
        let ended = async || world.job(id).await.status.is_terminal();
        while (pieces().await < 2 || large(&world) < 3 + interruption) && !ended().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let failpoints = Arc::clone(&sites) as Arc<dyn Failpoints>;
        world.kill(ImportSettings::default(), failpoints).await;
        world.work();
    }
    let job = world.ended(id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    let gets = large(&world);
    assert!(gets <= 5, "{gets} GETs for three pieces, one of them interrupted twice");
    assert_eq!((world.commits().await.len(), world.home().digest().await), (1, expected));
    assert_eq!(world.read("large").await.len(), LARGE_BYTES);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blow_at_a_durable_piece_costs_only_time() {
    let expected = undisturbed(with_large()).await;
    for blow in [Blow::Error, Blow::Panic, Blow::Freeze] {
        let sites = Sites::new();
        let mut world = world(with_large(), &sites).await;
        sites.arm("import.piece_durable", 1, blow);
        let id = world.start(world.request()).await;
        let job = interrupted(&mut world, &sites, id, (blow, 1)).await;
        assert_eq!((job.commit, sites.struck()), (None, 1), "{blow:?}: {job:?}");
        go_on(&mut world, id, blow).await;
        let job = world.ended(id).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{blow:?}");
        let large = world.server.stats().gets["large"];
        assert!(large <= 6, "{blow:?}: {large} GETs for three pieces");
        assert_eq!(
            (world.commits().await.len(), world.home().digest().await),
            (1, expected.clone())
        );
        world.assert_sound().await;
    }
}
