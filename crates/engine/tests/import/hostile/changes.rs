//! Objects and listings that change while they are read: what is stored is one version of each.

use std::time::Duration;

use model::{Hash, JobStatus};
use sample::Object;
use testkit::s3::{Checksum, Etags, Fault, Gate, Objects, Op, Rule, Settings};

use super::{LARGE_BYTES, entry, failure, pattern};
use crate::world::{Setup, World};

/// Whole in memory, streamed in one piece, read in two pieces.
const SIZES: [(&str, usize); 3] = [("small", 500), ("streamed", 2 << 20), ("large", LARGE_BYTES)];

fn source_etag(entry: &model::Entry) -> Option<&str> {
    entry.source.as_ref().and_then(|source| source.source_etag.as_deref())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_is_stored_and_recorded_as_it_was_read() {
    for honours_if_match in [true, false] {
        let old = SIZES.map(|(key, size)| (key, pattern(size, 1)));
        let settings = Settings { honours_if_match, ..Settings::default() };
        let setup = Setup { settings, ..Setup::default() };
        let world = World::with(Objects::from(old), setup).await;
        let new = SIZES.map(|(key, size)| (key, Object::new(pattern(size, 2))));
        for (key, object) in &new {
            let mutate = Fault::MutateObject(object.clone());
            let last = u64::from(object.bytes.len() == LARGE_BYTES);
            world.server.rule(Rule::on(Op::Get, mutate).key(key).nth(last));
        }
        let job = world.import().await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        for (key, object) in &new {
            let entry = entry(&world, key).await;
            assert_eq!(entry.hash, Hash::of(&object.bytes), "{key}, {honours_if_match}");
            assert_eq!(source_etag(&entry), Some(&*object.etag()), "{key}");
        }
        world.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_changing_is_read_again_three_times_and_then_named() {
    for changes in [3, 4] {
        let world = World::new(Objects::from([("a", "whole"), ("k", "as it was listed")])).await;
        for nth in 0..changes {
            let mutate = Fault::MutateObject(Object::new(format!("version {nth}")));
            world.server.rule(Rule::on(Op::Get, mutate).key("k").nth(nth));
        }
        let job = world.import().await;
        assert_eq!(world.server.stats().gets["k"], 4);
        if changes == 3 {
            assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
            assert_eq!(world.read("k").await, b"version 2");
        } else {
            let error = failure(&world, &job).await;
            assert!(error.contains("\"k\"") && error.contains("kept changing"), "{error}");
        }
    }
}

/// How the versions of an object that is read in pieces can be told apart.
fn signs() -> [Settings; 4] {
    let lax = Settings { honours_if_match: false, ..Settings::default() };
    let nameless = Settings { etags: Etags::Absent, ..lax.clone() };
    [
        Settings::default(),
        lax,
        Settings { checksums: vec![Checksum::Crc32c], ..nameless.clone() },
        // Nothing is left but the time of the last change.
        nameless,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_versions_are_ever_spliced() {
    let old = pattern(LARGE_BYTES, 1);
    let mut new = Object::new(pattern(LARGE_BYTES, 2));
    let hash = Hash::of(&new.bytes);
    for (number, settings) in signs().into_iter().enumerate() {
        if number == 3 {
            new.last_modified += Duration::from_secs(3_600);
        }
        // Between the two pieces; between the two halves of one that is cut and read again.
        for is_cut in [false, true] {
            let setup = Setup { settings: settings.clone(), ..Setup::default() };
            let world = World::with(Objects::from([("large", old.clone())]), setup).await;
            let mutate = Fault::MutateObject(new.clone());
            world.server.rule(Rule::on(Op::Get, mutate).nth(1 + u64::from(is_cut)));
            if is_cut {
                world.server.rule(Rule::on(Op::Get, Fault::ResetAfter(40_000)).nth(0));
            }
            let job = world.import().await;
            let case = format!("{number}, {is_cut}: {job:?}");
            assert_eq!(job.status, JobStatus::Completed, "{case}");
            assert_eq!(entry(&world, "large").await.hash, hash, "{case}");
            assert!(world.read("large").await == new.bytes, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_objects_or_one_in_a_hundred_may_vanish() {
    for (objects, vanished, is_borne) in [(30, 10, true), (1_100, 11, true), (1_100, 12, false)] {
        let list = (0..objects).map(|n| (format!("k{n:04}"), "x"));
        let world = World::new(Objects::from_iter(list)).await;
        world.server.rule(Rule::on(Op::Get, Fault::DeleteObject).hits(0..vanished));
        let job = world.import().await;
        if !is_borne {
            let error = failure(&world, &job).await;
            assert!(error.contains("12 of 1100 listed objects had vanished"), "{error}");
            continue;
        }
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        let progress = &job.progress;
        assert_eq!((progress.objects_missing, progress.objects_listed), (vanished, objects));
        assert_eq!(progress.objects_imported, objects - vanished);
        let commit = &world.commits().await[0];
        let named = commit.metadata["missing"].matches("s3://").count() as u64;
        assert_eq!(named, vanished, "{:?}", commit.metadata);
    }
}

/// Whatever comes and goes between the pages of a listing, what was there all the time is in the
/// commit once, what never was is not, and every listed object is accounted for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_come_and_go_between_pages_are_accounted_for() {
    let content = |key: &str| format!("content of {key}").into_bytes();
    let keys: Vec<String> = (0..60).map(|n| format!("k{n:02}")).collect();
    let objects = Objects::from_iter(keys.iter().map(|key| (key, content(key))));
    let settings = Settings { page_keys: 10, ..Settings::default() };
    let world = World::with(objects, Setup { settings, ..Setup::default() }).await;
    let gate = Gate::new();
    world.server.rule(Rule::on(Op::List, Fault::Hold(gate.clone())).hits(2..u64::MAX));
    let id = world.start(world.request()).await;
    world.server.until(|stats| stats.count(Op::List) >= 3).await;
    let (gone, come) = (["k05", "k25", "k55"], ["k00-new", "k25-new", "k58-new"]);
    gone.iter().for_each(|key| world.server.remove(key));
    come.iter().for_each(|key| world.server.put(key, Object::new(content(key))));
    world.server.put("k45", Object::new("new"));
    gate.open();
    let job = world.ended(id).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    let paths = world.paths().await;
    assert_eq!(job.progress.objects_imported, paths.len() as u64);
    let settled = job.progress.objects_imported + job.progress.objects_missing;
    assert_eq!(settled, job.progress.objects_listed);
    for key in keys.iter().filter(|key| !gone.contains(&key.as_str())) {
        assert!(paths.contains(key), "{key} was there all the time");
    }
    for path in &paths {
        assert!(keys.contains(path) || come.contains(&path.as_str()), "{path} never was");
        let is_new = path == "k45" && world.read(path).await == b"new";
        assert!(is_new || world.read(path).await == content(path), "{path}");
    }
}
