//! Bodies that do not come as they should: what is stored is what the source holds, byte for byte.

use std::time::Duration;

use model::JobStatus;
use testkit::s3::{Checksum, Etags, Fault, Gate, Objects, Op, Rule, Settings};

use super::{LARGE_BYTES, entry, failure, pattern};
use crate::world::{Setup, World};

const KINDS: [Etags; 6] =
    [Etags::Md5, Etags::Opaque, Etags::Weak, Etags::Unquoted, Etags::Kms, Etags::Absent];

/// An ETag is compared as a text; only one that can be an MD5, and is not said to be none, is
/// taken for a sum. No kind of it raises a false alarm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_etag_is_borne_and_never_misread() {
    let list = || Objects::from([("small", pattern(900, 1)), ("streamed", pattern(1_100_000, 2))]);
    for etags in KINDS {
        let settings = Settings { etags, ..Settings::default() };
        let world = World::with(list(), Setup { settings, ..Setup::default() }).await;
        let job = world.import().await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{etags:?}");
        assert!(world.read("small").await == pattern(900, 1), "{etags:?}");
        assert!(world.read("streamed").await == pattern(1_100_000, 2), "{etags:?}");
        // What has a name is not read again as long as it is the same.
        let gets = world.server.stats().count(Op::Get);
        assert_eq!(world.import().await.status, JobStatus::Completed, "{etags:?}");
        let again = if etags == Etags::Absent { 2 } else { 0 };
        assert_eq!(world.server.stats().count(Op::Get), gets + again, "{etags:?}");
        // An answer with another name is another object; only that of a nameless one is not told.
        world.server.rule(Rule::on(Op::Get, Fault::WrongEtag("\"other\"".into())).key("small"));
        world.server.put("small", sample::Object::new(pattern(901, 3)));
        let job = world.import().await;
        assert_eq!(job.status == JobStatus::Failed, etags != Etags::Absent, "{etags:?}: {job:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bytes_are_found_by_whatever_sum_there_is() {
    let sums = [Checksum::Crc32, Checksum::Crc64Nvme, Checksum::Sha1, Checksum::Sha256];
    let sums = [None].into_iter().chain(sums.map(Some)).cycle();
    // Most of the time they wait before they read again.
    let checks: Vec<_> = KINDS
        .into_iter()
        .zip(sums)
        .map(|(etags, sum)| tokio::spawn(wrong_bytes_are_found(etags, sum)))
        .collect();
    for check in checks {
        check.await.expect("a check that holds");
    }
}

async fn wrong_bytes_are_found(etags: Etags, sum: Option<Checksum>) {
    let checksums = sum.into_iter().collect();
    let settings = Settings { etags, checksums, ..Settings::default() };
    let objects = Objects::from([("good", "whole"), ("k", "0123456789")]);
    let world = World::with(objects, Setup { settings, ..Setup::default() }).await;
    world.server.rule(Rule::on(Op::Get, Fault::FlippedByte(3)).key("k"));
    let job = world.import().await;
    // The last kind has no name and its turn is again that without a sum: nothing can tell.
    if etags == Etags::Absent {
        return assert_eq!(job.status, JobStatus::Completed);
    }
    let error = failure(&world, &job).await;
    assert!(error.contains("\"k\"") && error.contains("do not have the"), "{etags:?}: {error}");
    assert!(!error.contains("good"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_cut_at_any_place_is_read_again() {
    let keys: Vec<String> = (0..=24).map(|at| format!("k{at:02}")).collect();
    let mut list: Vec<(String, Vec<u8>)> =
        keys.iter().map(|key| (key.clone(), pattern(25, 7))).collect();
    list.push(("large".to_owned(), pattern(LARGE_BYTES, 9)));
    let world = World::new(list.iter().cloned().collect()).await;
    for (at, key) in keys.iter().enumerate() {
        world.server.rule(Rule::on(Op::Get, Fault::CloseAfter(at as u64)).key(key).nth(0));
    }
    for (nth, at) in [3, 70_001, 9_999_999, 65_536].into_iter().enumerate() {
        let rule = Rule::on(Op::Get, Fault::CloseAfter(at)).key("large");
        world.server.rule(rule.nth(nth as u64));
    }
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    for (key, bytes) in &list {
        assert!(world.read(key).await == *bytes, "{key}");
    }
    assert!(keys.iter().all(|key| world.server.stats().gets[key] == 2));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_that_no_object_has_are_refused_before_anything_is_planned_by_them() {
    let lie = |by: i64| Rule::on(Op::List, Fault::ListSizeOff(by));
    for (by, shuffled) in [(1 << 60, false), (i64::MAX, false), (i64::MAX, true)] {
        let settings = Settings { shuffled, ..Settings::default() };
        let objects = Objects::from([("a", "1"), ("b", "2"), ("c", "3")]);
        let world = World::with(objects, Setup { settings, ..Setup::default() }).await;
        world.server.rule(lie(by));
        // A source that tells the same lie twice.
        let length = (1_i128 + i128::from(by)).to_string();
        world.server.rule(Rule::on(Op::Head, Fault::ContentLengthLines(vec![length.clone()])));
        let job = world.import().await;
        let error = failure(&world, &job).await;
        assert!(error.contains(&format!("with {length} bytes, more than")), "{error}");
        assert_eq!(world.server.stats().count(Op::Get), 0);
    }
    // One that a source may have is believed until the object is asked for.
    let world = World::new(Objects::from([("a", "1")])).await;
    world.server.rule(lie(1 << 40));
    let error = failure(&world, &world.import().await).await;
    assert!(error.contains("announces 1 bytes where its listing says 1099511627777"), "{error}");
    // Told twice it costs as many requests as may be in flight, each time it is read again.
    world.server.clear_rules();
    world.server.rule(lie(1 << 45));
    let length = ((1_u64 << 45) + 1).to_string();
    world.server.rule(Rule::on(Op::Head, Fault::ContentLengthLines(vec![length])));
    let error = failure(&world, &world.import().await).await;
    assert!(error.contains("\"a\""), "{error}");
    let gets = world.server.stats().count(Op::Get);
    assert!(gets <= 4 * 10, "{gets} GETs for two million pieces");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_comes_with_status_200_is_no_object() {
    let world = World::new(Objects::from([("a", "1"), ("k", "0123456789")])).await;
    world.server.rule(Rule::on(Op::Get, Fault::OkWithError("InternalError")).key("k"));
    let error = failure(&world, &world.import().await).await;
    assert!(error.contains("\"k\""), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_keeps_one_job_waiting_keeps_no_other() {
    let objects = (0..40).map(|n| (format!("{}/{n:02}", ["fast", "slow"][n % 2]), "x"));
    let world = World::new(Objects::from_iter(objects)).await;
    let gate = Gate::new();
    let slow = Rule::on(Op::Get, Fault::Hold(gate.clone())).keys(|key| key.starts_with("slow/"));
    world.server.rule(slow);
    let under = |prefix: &str| engine::ImportRequest {
        source_prefix: Some(prefix.to_owned()),
        ..world.request()
    };
    let slow = world.start(under("slow/")).await;
    world.server.until(|stats| stats.concurrent_gets >= 10).await;
    let fast = world.ended(world.start(under("fast/")).await).await;
    assert_eq!((fast.status, fast.progress.objects_imported), (JobStatus::Completed, 20));
    gate.open();
    let slow = world.ended(slow).await;
    assert_eq!((slow.status, slow.progress.objects_imported), (JobStatus::Completed, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_are_not_kept() {
    let keys: Vec<String> = (0..40).map(|n| format!("k{n:02}")).collect();
    let objects = Objects::from_iter(keys.iter().map(|key| (key, "0123456789")));
    let settings = Settings { page_keys: 10, ..Settings::default() };
    let world = World::with(objects, Setup { settings, ..Setup::default() }).await;
    world.server.rule(Rule::on(Op::List, Fault::ResetBeforeHeaders).hits(0..3));
    world.server.rule(Rule::on(Op::Get, Fault::ResetAfter(3)).hits(0..10));
    world.server.rule(Rule::on(Op::Get, Fault::ResetBeforeHeaders).hits(10..20));
    world.server.rule(Rule::on(Op::Get, Fault::CloseAfter(5)).hits(20..30));
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(job.progress.objects_imported, 40);
    let stats = world.server.stats();
    assert!(stats.connections > 30, "{} were broken", stats.connections);
    // What is still open is idle: at most what GETs and pages in flight have needed at a time.
    let closed = world.server.until(|stats| stats.open_connections <= 24);
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("the broken ones close");
    assert_eq!(world.server.stats().concurrent_gets, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_packed_is_stored_packed() {
    let packed = |len| [b"\x1f\x8b\x08\x00", &*pattern(len, 5)].concat();
    let list =
        [("small", packed(400)), ("streamed", packed(1_200_000)), ("large", packed(17 << 20))];
    for encoding in ["gzip", "zstd", "br"] {
        let world = World::new(Objects::from(list.clone())).await;
        for op in [Op::Get, Op::Head] {
            let header = Fault::Header("Content-Encoding", encoding.to_owned());
            world.server.rule(Rule::on(op, header));
        }
        let job = world.import().await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{encoding}");
        for (key, bytes) in &list {
            assert!(world.read(key).await == *bytes, "{encoding}: {key}");
            assert_eq!(entry(&world, key).await.metadata["content-encoding"], encoding);
        }
    }
}
