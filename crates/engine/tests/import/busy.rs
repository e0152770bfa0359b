//! Another process holds the catalog for longer than a statement waits for it: an import waits.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use model::{Failpoints, Import, Injected, JobStatus};
use testkit::s3::{Fault, Objects, Op, Rule};

use crate::world::{Setup, World};

const KEYS: u64 = 30;
/// How long a statement waits.
const BUSY_TIMEOUT: Duration = Duration::from_millis(20);
/// How long the catalog is held: many times as long.
const HELD: Duration = Duration::from_millis(600);

/// Another process, which begins a long write the first time the work reaches a site.
struct Holder {
    site: &'static str,
    catalog: OnceLock<PathBuf>,
    came: AtomicBool,
    left: Arc<AtomicBool>,
}

impl Failpoints for Holder {
    fn reach(&self, site: &'static str) -> Result<(), Injected> {
        if site != self.site || self.came.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let path = self.catalog.get().expect("the work begins when it is known");
        let catalog = rusqlite::Connection::open(path).expect("a database");
        catalog.execute_batch("BEGIN IMMEDIATE").expect("the others write for a moment only");
        let left = Arc::clone(&self.left);
        std::thread::spawn(move || {
            std::thread::sleep(HELD);
            // Before the end of the transaction: who can write knows that it has left.
            left.store(true, Ordering::SeqCst);
            drop(catalog);
        });
        Ok(())
    }
}

/// An import of some objects, during which the catalog is held from `site` on.
async fn import_held_at(site: &'static str, rule: Option<Rule>) -> (World, Import) {
    let holder = Arc::new(Holder {
        site,
        catalog: OnceLock::new(),
        came: AtomicBool::new(false),
        left: Arc::default(),
    });
    let objects: Objects =
        (0..KEYS).map(|n| (format!("k{n:02}"), format!("content of {n}").repeat(40))).collect();
    let failpoints = Arc::clone(&holder) as Arc<dyn Failpoints>;
    let setup = Setup { idle: true, failpoints, busy_timeout: BUSY_TIMEOUT, ..Setup::default() };
    let mut world = World::with(objects, setup).await;
    holder.catalog.set(world.catalog_file()).expect("set once");
    if let Some(rule) = rule {
        world.server.rule(rule);
    }
    let id = world.start(world.request()).await;
    world.work();
    let job = world.ended(id).await;
    assert!(holder.left.load(Ordering::SeqCst), "{site}: nobody held the catalog");
    (world, job)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_catalog_is_waited_for_and_nothing_is_done_twice() {
    for site in ["import.batch_durable", "import.pages_durable"] {
        let (world, job) = import_held_at(site, None).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{site}");
        assert_eq!(job.progress.objects_imported, KEYS, "{site}");
        assert_eq!(world.server.stats().count(Op::Get), KEYS, "{site}");
        let commits: Vec<_> = world.commits().await.iter().map(|commit| commit.id).collect();
        assert_eq!(commits, Vec::from_iter(job.commit), "{site}");
        world.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_an_import_failed_is_recorded_once_the_catalog_is_free() {
    let denied = Fault::Status { code: 403, s3_code: "AccessDenied", headers: Vec::new() };
    let (world, job) = import_held_at("import.opened", Some(Rule::on(Op::List, denied))).await;
    assert_eq!((job.status, job.commit), (JobStatus::Failed, None));
    assert!(job.error.is_some_and(|error| error.contains("AccessDenied")));
    assert_eq!(world.server.stats().count(Op::List), 1, "it was not begun again");
}
