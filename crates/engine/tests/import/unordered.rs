//! Sources that list their keys in an order of their own: the import is the same.

use std::sync::Arc;
use std::time::Duration;

use engine::{ImportRequest, ImportSettings};
use model::{Import, ImportMode, ImportOptions, JobStatus, NoFailpoints};
use sample::Object;
use testkit::s3::{Fault, ObjectSet, Objects, Op, Rule, Settings};

use crate::sites::{Blow, Sites};
use crate::world::{ORG, REPO, Setup, World};

const KEYS: usize = 240;

fn objects() -> Objects {
    (0..KEYS).map(|n| (format!("d{}/k{n:03}", n % 7), vec![(n % 251) as u8; 700 + n])).collect()
}

async fn world(settings: Settings) -> World {
    World::with(objects(), Setup { settings, ..Setup::default() }).await
}

/// The digest of an import that nothing disturbs. All worlds draw the same ids.
async fn undisturbed() -> String {
    let world = World::new(objects()).await;
    assert_eq!(world.import().await.status, JobStatus::Completed);
    world.home().digest().await
}

fn assert_whole(job: &Import) {
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{job:?}");
    let progress = &job.progress;
    assert_eq!((progress.objects_imported, progress.objects_listed), (KEYS as u64, KEYS as u64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_a_listing_does_not_show() {
    let expected = undisturbed().await;
    for page_keys in [1_000, 23] {
        let world = world(Settings { shuffled: true, page_keys, ..Settings::default() }).await;
        let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
        let dry = world.home().import(ImportRequest { options, ..world.request() }).await;
        assert_eq!(dry.preview.map(|preview| preview.added.objects), Some(KEYS as u64));
        let first = world.import().await;
        assert_whole(&first);
        assert_eq!(world.home().digest().await, expected);
        assert_eq!(world.server.stats().count(Op::Get), KEYS as u64, "each was read once");
        let again = world.import().await;
        assert_whole(&again);
        assert_eq!((again.progress.objects_unchanged, again.commit), (KEYS as u64, first.commit));
        world.server.remove("d0/k000");
        let mode = ImportMode::Mirror { max_delete_percent: 1 };
        let options = ImportOptions { mode, ..ImportOptions::default() };
        let mirror = world.home().import(ImportRequest { options, ..world.request() }).await;
        assert_eq!((mirror.progress.objects_deleted, world.paths().await.len()), (1, KEYS - 1));
        assert_eq!(world.server.stats().count(Op::Get), KEYS as u64, "nothing was read again");
        world.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_listed_more_than_once_are_one_object() {
    let expected = undisturbed().await;
    for shuffled in [false, true] {
        let world = world(Settings { shuffled, page_keys: 23, ..Settings::default() }).await;
        world.server.rule(Rule::on(Op::List, Fault::ListDuplicates));
        let job = world.import().await;
        assert_whole(&job);
        assert_eq!(world.home().digest().await, expected);
        assert_eq!(world.server.stats().count(Op::Get), KEYS as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_may_come_out_of_order_too() {
    for ordered_pages in [0, 2] {
        let source = Objects::new().versioned();
        for n in 0..50 {
            for version in 0..=n % 2 {
                source.put(&format!("k{n:02}"), Object::new(format!("version {version} of {n}")));
            }
        }
        let settings = Settings { page_keys: 9, ..Settings::default() };
        let world = World::with(source, Setup { settings, ..Setup::default() }).await;
        let disorder = Rule::on(Op::Versions, Fault::ListOutOfOrder);
        world.server.rule(disorder.hits(ordered_pages..u64::MAX));
        let options = ImportOptions { use_versioning: true, ..ImportOptions::default() };
        let job = world.home().import(ImportRequest { options, ..world.request() }).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        assert_eq!((job.progress.objects_imported, world.paths().await.len()), (50, 50));
        assert_eq!(world.read("k07").await, b"version 1 of 7");
        assert_eq!(world.server.stats().count(Op::Get), 50);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disorder_after_ordered_pages_reads_nothing_twice() {
    let expected = undisturbed().await;
    let world = world(Settings { page_keys: 23, ..Settings::default() }).await;
    world.server.rule(Rule::on(Op::List, Fault::ListOutOfOrder).hits(3..u64::MAX));
    let job = world.import().await;
    assert_whole(&job);
    assert_eq!(world.home().digest().await, expected);
    assert_eq!(world.server.stats().count(Op::Get), KEYS as u64);
    assert_eq!(world.commits().await.len(), 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_an_unordered_import_goes_on_and_is_the_same() {
    let expected = undisturbed().await;
    for ordered_pages in [0, 3] {
        let sites = Sites::new();
        let latency = Duration::from_millis(15);
        let settings = Settings { page_keys: 23, latency, ..Settings::default() };
        let imports = ImportSettings { transfers_max: 2, ..ImportSettings::default() };
        let failpoints = Arc::clone(&sites) as Arc<dyn model::Failpoints>;
        let setup = Setup { settings, failpoints, imports, ..Setup::default() };
        let mut world = World::with(objects(), setup).await;
        let disorder = Rule::on(Op::List, Fault::ListOutOfOrder);
        world.server.rule(disorder.hits(ordered_pages..u64::MAX));
        // The first checkpoint after some ordered pages is that of what they brought.
        sites.arm("import.checkpointed", ordered_pages.min(1), Blow::Freeze);
        let id = world.start(world.request()).await;
        sites.until_struck(1).await;
        world.kill(ImportSettings::default(), Arc::new(NoFailpoints)).await;
        world.work();
        let job = world.ended(id).await;
        assert_whole(&job);
        assert_eq!(world.home().digest().await, expected);
        assert_eq!(world.commits().await.len(), 1);
        world.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_copied_before_the_disorder_is_not_read_again_by_a_later_claim() {
    let sites = Sites::new();
    let settings = Settings { page_keys: 23, ..Settings::default() };
    let failpoints = Arc::clone(&sites) as Arc<dyn model::Failpoints>;
    let world = World::with(objects(), Setup { settings, failpoints, ..Setup::default() }).await;
    world.server.rule(Rule::on(Op::List, Fault::ListOutOfOrder).hits(3..u64::MAX));
    // Three pages come in order; the next ones are those of the survey.
    sites.arm("import.page_listed", 5, Blow::Error);
    let job = world.import().await;
    assert_eq!((job.status, sites.struck()), (JobStatus::Failed, 1), "{job:?}");
    assert!(world.server.stats().count(Op::Get) <= 69);
    let retried = world.engine.retry_import(&world.principal, ORG, REPO, job.id).await;
    assert_whole(&world.ended(retried.expect("retried")).await);
    assert_eq!(world.server.stats().count(Op::Get), KEYS as u64, "each was read once");
}

/// A page of a listing as S3 would write it.
fn page(keys: &[&str], next: Option<&str>) -> Fault {
    let etag = Object::new(&b"bytes"[..]).etag();
    let contents: String = keys
        .iter()
        .map(|key| {
            format!(
                "<Contents><Key>{key}</Key><Size>5</Size><ETag>{etag}</ETag>\
                 <LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>"
            )
        })
        .collect();
    let more = match next {
        Some(token) => format!(
            "<IsTruncated>true</IsTruncated>\
             <NextContinuationToken>{token}</NextContinuationToken>"
        ),
        None => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    Fault::Body(format!("<ListBucketResult>{more}{contents}</ListBucketResult>").into_bytes())
}

/// Once disorder was seen, the cursor of the ordered pass means nothing to any later claim: keys
/// before it may not have been listed yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_lost_if_the_sorted_pass_is_cut_off_at_once() {
    let objects: Objects = ["a", "m", "z"].into_iter().map(|key| (key, "bytes")).collect();
    let world = World::new(objects).await;
    let denied = Fault::Status { code: 403, s3_code: "AccessDenied", headers: Vec::new() };
    let list = |fault| Rule::on(Op::List, fault);
    world.server.rule(list(page(&["a", "z"], Some("more"))).nth(0));
    world.server.rule(list(page(&["m"], None)).nth(1));
    world.server.rule(list(denied).nth(2));
    let job = world.import().await;
    assert_eq!(job.status, JobStatus::Failed, "{job:?}");
    let retried = world.engine.retry_import(&world.principal, ORG, REPO, job.id).await;
    let job = world.ended(retried.expect("retried")).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(world.paths().await, ["a", "m", "z"]);
    assert_eq!(job.progress.objects_imported, 3);
    assert_eq!(world.server.stats().count(Op::Get), 3, "each was read once");
}
