//! Imports that read every object by its version.

use std::sync::Arc;
use std::time::Duration;

use engine::{ImportRequest, ImportSettings};
use model::{Entry, Import, ImportOptions, JobStatus, NoFailpoints};
use sample::Object;
use testkit::s3::{Fault, ObjectSet, Objects, Op, Rule, Settings};

use crate::sites::{Blow, Sites};
use crate::world::{Setup, World};

fn numbered(count: usize) -> Objects {
    (0..count).map(|n| (format!("k{n:02}"), format!("content of {n}"))).collect()
}

/// Objects that have versions, some of them several.
fn versioned(count: usize) -> Objects {
    let objects = Objects::new().versioned();
    for n in 0..count {
        for version in 0..=n % 3 {
            objects.put(&format!("k{n:02}"), Object::new(format!("version {version} of {n}")));
        }
    }
    objects
}

fn by_versions(world: &World) -> ImportRequest {
    let options = ImportOptions { use_versioning: true, ..ImportOptions::default() };
    ImportRequest { options, ..world.request() }
}

fn version(entry: &Entry) -> Option<String> {
    entry.source.as_ref().expect("provenance").version_id.as_deref().map(str::to_owned)
}

/// The id of the latest version that the server has.
fn latest(world: &World, key: &str) -> Option<String> {
    world.server.objects().versions(key).first().and_then(|version| version.id.clone())
}

fn assert_completed(job: &Import, imported: u64) {
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{job:?}");
    assert_eq!(job.progress.objects_imported, imported);
}

fn gets(world: &World) -> u64 {
    world.server.stats().count(Op::Get)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_latest_version_of_each_key_is_imported_and_recorded() {
    let objects = numbered(2).versioned();
    for n in 1..9 {
        objects.put(&format!("k{n:02}"), Object::new("first"));
        objects.put(&format!("k{n:02}"), Object::new(format!("second of {n}")));
    }
    objects.remove("k03");
    objects.put("k04", Object::new("a third"));
    let settings = Settings { page_keys: 4, ..Settings::default() };
    let world = World::with(objects, Setup { settings, ..Setup::default() }).await;
    assert_completed(&world.home().import(by_versions(&world)).await, 8);
    let entries = world.home().entries().await;
    let expected = ["k00", "k01", "k02", "k04", "k05", "k06", "k07", "k08"];
    assert!(entries.keys().eq(expected.iter()), "no delete marker: {:?}", entries.keys());
    for (key, entry) in &entries {
        assert_eq!(version(entry), latest(&world, key), "{key}");
        assert_eq!(version(entry).is_none(), key == "k00", "`null` is not recorded");
    }
    assert_eq!(world.read("k00").await, b"content of 0");
    assert_eq!(world.read("k04").await, b"a third");
    assert_eq!(world.read("k08").await, b"second of 8");
    let stats = world.server.stats();
    assert_eq!((stats.count(Op::List), stats.count(Op::Get)), (0, 8));
    let named =
        stats.targets(Op::Get).iter().filter(|target| target.contains("versionId=")).count();
    assert_eq!(named, 7, "all but `null` are asked for by their ids");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_without_versions_is_imported_as_it_is() {
    let world = World::new(numbered(5)).await;
    let first = world.home().import(by_versions(&world)).await;
    assert_completed(&first, 5);
    for entry in world.home().entries().await.values() {
        assert_eq!(version(entry), None);
    }
    for request in [by_versions(&world), world.request()] {
        let again = world.home().import(request).await;
        assert_completed(&again, 5);
        assert_eq!((again.progress.objects_unchanged, again.commit), (5, first.commit));
    }
    assert_eq!(gets(&world), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_overwritten_after_the_listing_is_read_as_listed() {
    for fault in [Fault::MutateObject(Object::new("too late")), Fault::DeleteObject] {
        let world = World::new(versioned(5)).await;
        let listed = latest(&world, "k02");
        world.server.rule(Rule::on(Op::Get, fault).key("k02"));
        let job = world.home().import(by_versions(&world)).await;
        assert_completed(&job, 5);
        let entry = world.home().entry("k02").await;
        assert_eq!((version(&entry), job.progress.objects_missing), (listed, 0));
        assert_eq!(world.read("k02").await, b"version 2 of 2");
        assert_eq!(gets(&world), 5, "each was read once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_gone_is_read_anew_as_the_new_latest() {
    let world = World::new(versioned(5)).await;
    let new = Object::new("put after the listing");
    world.server.rule(Rule::on(Op::Get, Fault::ReplaceObject(new.clone())).key("k02").nth(0));
    assert_completed(&world.home().import(by_versions(&world)).await, 5);
    assert_eq!(world.read("k02").await, new.bytes);
    let entry = world.home().entry("k02").await;
    assert_eq!(version(&entry), latest(&world, "k02"));
    let etag = entry.source.as_ref().and_then(|source| source.source_etag.as_deref());
    assert_eq!(etag, Some(&*new.etag()));
    assert_eq!(world.server.stats().gets["k02"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_without_versions_that_changes_gets_the_version_it_has_then() {
    let world = World::new(numbered(3).versioned()).await;
    let new = Object::new("its first version");
    world.server.rule(Rule::on(Op::Get, Fault::MutateObject(new.clone())).key("k01").nth(0));
    assert_completed(&world.home().import(by_versions(&world)).await, 3);
    assert_eq!(world.read("k01").await, new.bytes);
    let recorded = version(&world.home().entry("k01").await);
    assert!(recorded.is_some() && recorded == latest(&world, "k01"), "{recorded:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_import_reads_the_versions_that_were_listed() {
    let quiet = World::new(versioned(40)).await;
    assert_completed(&quiet.home().import(by_versions(&quiet)).await, 40);
    let expected = quiet.home().digest().await;
    let sites = Sites::new();
    let latency = Duration::from_millis(5);
    let settings = Settings { page_keys: 9, latency, ..Settings::default() };
    let failpoints = Arc::clone(&sites) as Arc<dyn model::Failpoints>;
    let setup = Setup { settings, failpoints, ..Setup::default() };
    let mut world = World::with(versioned(40), setup).await;
    // One object does not come: it is pending, by its version, when the rest is durable.
    world.server.rule(Rule::on(Op::Get, Fault::StallBeforeHeaders).key("k07"));
    sites.arm("import.checkpointed", 0, Blow::Freeze);
    let id = world.start(by_versions(&world)).await;
    sites.until_struck(1).await;
    world.kill(ImportSettings::default(), Arc::new(NoFailpoints)).await;
    world.server.clear_rules();
    world.server.put("k07", Object::new("too late"));
    let (read, durable) = (gets(&world), world.durable(id).await);
    world.work();
    assert_completed(&world.ended(id).await, 40);
    assert_eq!(world.home().digest().await, expected);
    assert_eq!(world.commits().await.len(), 1);
    assert!(durable > 0 && gets(&world) <= read + 40 - durable, "{durable} were durable");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn importing_again_with_versions_or_without_reads_nothing() {
    let world = World::new(versioned(12)).await;
    let first = world.home().import(by_versions(&world)).await;
    assert_completed(&first, 12);
    for request in [by_versions(&world), world.request(), by_versions(&world)] {
        let again = world.home().import(request).await;
        assert_completed(&again, 12);
        assert_eq!((again.progress.objects_unchanged, again.commit), (12, first.commit));
    }
    assert_eq!(gets(&world), 12, "nothing was read again");
    // The same bytes as another version are another object only to whom versions matter.
    world.server.put("k05", Object::new("version 2 of 5"));
    assert_eq!(world.home().import(world.request()).await.commit, first.commit);
    assert_eq!(gets(&world), 12);
    assert_completed(&world.home().import(by_versions(&world)).await, 12);
    assert_eq!(gets(&world), 13);
    assert_eq!(version(&world.home().entry("k05").await), latest(&world, "k05"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_imported_without_versions_is_read_to_record_them() {
    let world = World::new(versioned(4)).await;
    assert_completed(&world.import().await, 4);
    assert_eq!(version(&world.home().entry("k01").await), None);
    assert_completed(&world.home().import(by_versions(&world)).await, 4);
    assert_eq!((gets(&world), world.commits().await.len()), (8, 2));
    assert_eq!(version(&world.home().entry("k01").await), latest(&world, "k01"));
}
