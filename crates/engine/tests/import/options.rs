//! What the options of an import promise: leaving out, mirroring, looking only, and how many.

use std::time::Duration;

use engine::{ChangeStatus, ImportRequest, Kind};
use model::{Import, ImportMode, ImportOptions, JobStatus, OnError, PageRequest};
use sample::Object;
use testkit::s3::{Fault, Gate, Objects, Op, Rule, Settings};

use crate::world::{ORG, REPO, Setup, World, waiting};

fn status(code: u16, s3_code: &'static str) -> Fault {
    Fault::Status { code, s3_code, headers: Vec::new() }
}

fn numbered(count: usize) -> Objects {
    (0..count).map(|n| (format!("k{n:02}"), format!("content of {n}"))).collect()
}

fn with(world: &World, options: ImportOptions) -> ImportRequest {
    ImportRequest { options, ..world.request() }
}

fn skip() -> ImportOptions {
    ImportOptions { on_error: OnError::Skip, ..ImportOptions::default() }
}

fn mirror(max_delete_percent: u8) -> ImportOptions {
    ImportOptions { mode: ImportMode::Mirror { max_delete_percent }, ..ImportOptions::default() }
}

fn assert_completed(job: &Import) {
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{job:?}");
}

/// Four objects that cannot be read, each for another reason.
fn spoil(world: &World) {
    world.server.rule(Rule::on(Op::Get, status(403, "AccessDenied")).key("k01"));
    world.server.rule(Rule::on(Op::Get, status(403, "InvalidObjectState")).key("k02"));
    world.server.rule(Rule::on(Op::Get, Fault::FlippedByte(3)).key("k03"));
    for hit in 0..8 {
        let new = Object::new(format!("change {hit}"));
        world.server.rule(Rule::on(Op::Get, Fault::MutateObject(new)).key("k04").nth(hit));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_left_out_and_named_if_that_is_wanted() {
    let world = World::new(numbered(8)).await;
    spoil(&world);
    let job = world.home().import(with(&world, skip())).await;
    assert_completed(&job);
    let progress = &job.progress;
    assert_eq!((progress.objects_imported, progress.objects_skipped), (4, 4));
    let mut skipped = progress.skipped.clone();
    skipped.sort_by(|left, right| left.key.cmp(&right.key));
    let reasons =
        [("k01", "forbids"), ("k02", "archived"), ("k03", "damaged"), ("k04", "changing")];
    assert_eq!(skipped.len(), reasons.len());
    let commit = &world.commits().await[0];
    assert_eq!(commit.metadata["objects_skipped"], "4");
    for (named, (key, reason)) in skipped.iter().zip(reasons) {
        assert_eq!(named.key, key);
        assert!(named.reason.contains(reason), "{named:?}");
        assert!(commit.metadata["skipped"].contains(&format!("{key}: {}", named.reason)));
    }
    assert_eq!(world.paths().await, ["k00", "k05", "k06", "k07"]);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_is_left_out_the_old_stays_and_a_mirror_does_not_delete_it() {
    for options in [skip(), ImportOptions { on_error: OnError::Skip, ..mirror(100) }] {
        let world = World::new(numbered(6)).await;
        let first = world.import().await;
        for n in [1, 2, 5] {
            world.server.put(&format!("k{n:02}"), Object::new("another content"));
        }
        world.server.put("k08", Object::new("new, and unreadable"));
        world.server.rule(Rule::on(Op::Get, status(403, "AccessDenied")).keys(|key| key != "k05"));
        let job = world.home().import(with(&world, options)).await;
        assert_completed(&job);
        let progress = &job.progress;
        assert_eq!((progress.objects_imported, progress.objects_unchanged), (4, 3));
        assert_eq!((progress.objects_skipped, progress.objects_deleted), (3, 0));
        let expected: Vec<String> = (0..6).map(|n| format!("k{n:02}")).collect();
        assert_eq!(world.paths().await, expected);
        assert_eq!(world.read("k01").await, b"content of 1");
        assert_eq!(world.read("k05").await, b"another content");
        let source = world.home().entry("k02").await.source.expect("provenance");
        assert_eq!(source.import_job_id, first.id, "what stays is as it was");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_down_or_refuses_the_credentials_is_no_object_to_leave_out() {
    for (fault, said) in [
        (status(503, "SlowDown"), "overloaded"),
        (status(403, "InvalidAccessKeyId"), "access_key_id"),
        (status(403, "SignatureDoesNotMatch"), "secret_access_key"),
        (Fault::ResetBeforeHeaders, "closed the connection"),
    ] {
        let world = World::new(numbered(8)).await;
        world.server.rule(Rule::on(Op::Get, fault));
        let job = world.home().import(with(&world, skip())).await;
        assert_eq!((job.status, job.progress.objects_skipped), (JobStatus::Failed, 0));
        assert!(job.error.as_ref().is_some_and(|error| error.contains(said)), "{job:?}");
        assert!(world.commits().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_gets_are_in_flight_than_were_asked_for() {
    for wanted in [1, 3, 16] {
        let latency = Duration::from_millis(10);
        let settings = Settings { latency, ..Settings::default() };
        let world = World::with(numbered(40), Setup { settings, ..Setup::default() }).await;
        let options = ImportOptions { concurrency: Some(wanted), ..ImportOptions::default() };
        let job = world.home().import(with(&world, options)).await;
        assert_completed(&job);
        let most = world.server.stats().max_concurrent_gets;
        assert!((1..=u64::from(wanted)).contains(&most), "{most} of {wanted}");
        assert_eq!(world.paths().await.len(), 40);
    }
}

/// More than two pieces, so that it is asked for by HEAD first, then piece by piece.
fn large() -> Vec<u8> {
    (0..36_000_000_u32).map(|n| (n % 253) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_is_read_one_piece_at_a_time_if_that_is_wanted() {
    let world = World::new(Objects::from([("large", large()), ("small", b"x".to_vec())])).await;
    let options = ImportOptions { concurrency: Some(1), ..ImportOptions::default() };
    assert_completed(&world.home().import(with(&world, options)).await);
    let stats = world.server.stats();
    assert_eq!((stats.max_concurrent_gets, stats.count(Op::Get)), (1, 4));
    assert!(world.read("large").await == large());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_is_left_out_whole_wherever_it_cannot_be_read() {
    let head = Rule::on(Op::Head, status(403, "AccessDenied")).key("large");
    let piece = Rule::on(Op::Get, status(403, "AccessDenied")).key("large").nth(2);
    for rule in [head, piece] {
        let world = World::new(Objects::from([("large", large()), ("small", b"x".to_vec())])).await;
        world.server.rule(rule);
        let job = world.home().import(with(&world, skip())).await;
        assert_completed(&job);
        assert_eq!((job.progress.objects_imported, job.progress.objects_skipped), (1, 1));
        assert_eq!(job.progress.skipped[0].key, "large");
        assert_eq!(world.paths().await, ["small"]);
        world.assert_sound().await;
    }
}

/// What others put where an object could not be read is theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_out_does_not_undo_what_others_committed() {
    for options in [skip(), ImportOptions { on_error: OnError::Skip, ..mirror(0) }] {
        let setup = Setup { timeouts: waiting(60), ..Setup::default() };
        let world = World::with(numbered(3), setup).await;
        world.import().await;
        let other = world.bare(ORG, "other").await;
        world.server.put("k03", Object::new("new"));
        other.import(world.home().as_source()).await;
        let more = world.another("more").await;
        more.import(world.request()).await;
        world.server.put("k01", Object::new("unreadable"));
        let unreadable = Rule::on(Op::Get, status(403, "AccessDenied"));
        world.server.rule(unreadable.keys(|key| matches!(key, "k01" | "k03")));
        let gate = Gate::new();
        world.server.rule(Rule::on(Op::List, Fault::Hold(gate.clone())).hits(0..1));
        let id = world.start(with(&world, options)).await;
        for (repo, prefix) in [(&other, "k01"), (&more, "k03")] {
            let source_prefix = Some(prefix.to_owned());
            let theirs = ImportRequest { source_prefix, ..repo.as_source() };
            assert_completed(&world.home().import(theirs).await);
        }
        let committed = world.home().entries().await;
        gate.open();
        let job = world.ended(id).await;
        assert_completed(&job);
        assert_eq!((job.progress.objects_skipped, world.commits().await.len()), (2, 3));
        assert_eq!(world.home().entries().await, committed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_deletes_what_the_source_lacks_up_to_a_percentage() {
    let world = World::new(numbered(8)).await;
    let elsewhere = ImportRequest { destination_path: "x".to_owned(), ..world.request() };
    world.home().import(elsewhere).await;
    let here = ImportRequest { destination_path: "d".to_owned(), ..world.request() };
    world.home().import(here.clone()).await;
    for n in 0..3 {
        world.server.remove(&format!("k{n:02}"));
    }
    let refused = ImportRequest { options: mirror(37), ..here.clone() };
    let job = world.home().import(refused).await;
    let error = job.error.unwrap_or_default();
    assert_eq!((job.status, job.commit), (JobStatus::Failed, None));
    for said in ["3 of the 8", "(37)", "max_delete_percent"] {
        assert!(error.contains(said), "{said:?} is not in: {error}");
    }
    assert_eq!((world.commits().await.len(), world.paths().await.len()), (2, 16));
    let job = world.home().import(ImportRequest { options: mirror(38), ..here }).await;
    assert_completed(&job);
    assert_eq!((job.progress.objects_deleted, job.progress.objects_imported), (3, 5));
    assert_eq!(world.commits().await[0].metadata["objects_deleted"], "3");
    let kept = world.paths().await;
    assert_eq!(kept.iter().filter(|path| path.starts_with("d/")).count(), 5);
    assert_eq!(kept.iter().filter(|path| path.starts_with("x/")).count(), 8);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_leaves_alone_what_its_filters_and_prefix_do_not_take() {
    let keys = ["a/1.csv", "a/2.csv", "a/2.txt", "b/1.csv", "c.csv"];
    let world = World::new(keys.iter().map(|key| (*key, *key)).collect()).await;
    world.import().await;
    for key in keys {
        world.server.remove(key);
    }
    world.server.put("a/1.csv", Object::new("a/1.csv"));
    let include = vec!["*.csv".to_owned()];
    let exclude = vec!["c.*".to_owned()];
    let options = ImportOptions { include, exclude, ..mirror(100) };
    let job = world.home().import(with(&world, options)).await;
    assert_completed(&job);
    assert_eq!(job.progress.objects_deleted, 2);
    assert_eq!(world.paths().await, ["a/1.csv", "a/2.txt", "c.csv"]);
    let prefix = Some("a/2".to_owned());
    let destination_path = "a".to_owned();
    let request =
        ImportRequest { source_prefix: prefix, destination_path, ..with(&world, mirror(100)) };
    assert_completed(&world.home().import(request).await);
    assert_eq!(world.paths().await, ["a/1.csv", "c.csv"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_counts_what_vanished_while_it_ran_as_deleted() {
    let world = World::new(numbered(8)).await;
    world.import().await;
    world.server.put("k03", Object::new("changed, then gone"));
    world.server.rule(Rule::on(Op::Get, Fault::DeleteObject).key("k03"));
    let job = world.home().import(with(&world, mirror(25))).await;
    assert_completed(&job);
    assert_eq!((job.progress.objects_missing, job.progress.objects_deleted), (1, 1));
    let metadata = &world.commits().await[0].metadata;
    assert!(metadata["missing"].ends_with("/k03"));
    assert!(!world.paths().await.contains(&"k03".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_of_an_empty_source_empties_the_destination_only_if_told_so() {
    let world = World::new(numbered(4)).await;
    world.import().await;
    for n in 0..4 {
        world.server.remove(&format!("k{n:02}"));
    }
    for percent in [0, 25, 99] {
        let job = world.home().import(with(&world, mirror(percent))).await;
        assert_eq!(job.status, JobStatus::Failed);
        assert!(job.error.unwrap_or_default().contains("4 of the 4"));
    }
    let job = world.home().import(with(&world, mirror(100))).await;
    assert_completed(&job);
    assert_eq!((job.progress.objects_imported, job.progress.objects_deleted), (0, 4));
    let commits = world.commits().await;
    assert_eq!((commits.len(), job.commit), (2, Some(commits[0].id)));
    assert!(world.paths().await.is_empty());
    let again = world.home().import(with(&world, mirror(0))).await;
    assert_completed(&again);
    assert_eq!((world.commits().await.len(), again.progress.objects_deleted), (2, 0));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_everything_and_touches_nothing() {
    let world = World::new(numbered(8)).await;
    world.import().await;
    let gets = world.server.stats().count(Op::Get);
    world.server.put("k01", Object::new("changed"));
    world.server.remove("k02");
    world.server.put("k09", Object::new("added!"));
    let options = ImportOptions { dry_run: true, ..mirror(10) };
    let job = world.home().import(with(&world, options)).await;
    assert_completed(&job);
    assert_eq!(job.commit, None);
    let preview = job.preview.expect("a preview");
    let counts = [preview.added, preview.modified, preview.removed, preview.unchanged];
    assert_eq!(counts.map(|count| count.objects), [1, 1, 1, 6]);
    assert_eq!(counts.map(|count| count.bytes), [6, 7, 12, 72]);
    assert!(preview.refusal.is_some_and(|refusal| refusal.contains("1 of the 8")));
    let changes = world.home().changes(job.id, 1).await;
    let changes: Vec<_> =
        changes.iter().map(|change| (&*change.path, change.status, change.size)).collect();
    let expected = [
        ("k01", ChangeStatus::Modified, 7),
        ("k02", ChangeStatus::Removed, 12),
        ("k09", ChangeStatus::Added, 6),
    ];
    assert_eq!(changes, expected);
    assert_eq!(world.server.stats().count(Op::Get), gets, "nothing was read");
    assert_eq!(world.commits().await.len(), 1);
    assert_eq!(world.paths().await.len(), 8);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_dry_run_has_changes_to_look_at() {
    let world = World::new(numbered(2)).await;
    let page = PageRequest { after: None, amount: 10 };
    let (engine, principal) = (&world.engine, &world.principal);
    let job = world.import().await;
    let refused = engine.import_changes(principal, ORG, REPO, job.id, &page).await;
    assert_eq!(refused.expect_err("no dry run").kind, Kind::Conflict);
    world.server.rule(Rule::on(Op::List, status(403, "AccessDenied")));
    let dry = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let job = world.home().import(with(&world, dry)).await;
    assert_eq!(job.status, JobStatus::Failed);
    let refused = engine.import_changes(principal, ORG, REPO, job.id, &page).await;
    assert_eq!(refused.expect_err("a failed dry run").kind, Kind::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_import_reads_nothing_and_confirms_the_head() {
    let world = World::new(numbered(20)).await;
    let first = world.import().await;
    assert_eq!((first.progress.objects_imported, first.progress.objects_unchanged), (20, 0));
    let gets = world.server.stats().count(Op::Get);
    for options in [ImportOptions::default(), mirror(0), skip()] {
        let job = world.home().import(with(&world, options)).await;
        assert_completed(&job);
        let progress = &job.progress;
        assert_eq!((progress.objects_imported, progress.objects_unchanged), (20, 20));
        assert_eq!(progress.bytes_imported, progress.bytes_unchanged);
        assert_eq!(job.commit, first.commit, "the head is confirmed");
    }
    assert_eq!(world.server.stats().count(Op::Get), gets, "nothing was read");
    assert_eq!(world.commits().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_out_of_bounds_are_refused_naming_the_field() {
    let world = World::new(Objects::new()).await;
    let default = ImportOptions::default;
    let globs = |glob: &str, count: usize| vec![glob.to_owned(); count];
    let cases = [
        (ImportOptions { include: globs("a[", 1), ..default() }, "include: \"a[\""),
        (ImportOptions { exclude: globs("{a", 1), ..default() }, "exclude: \"{a\""),
        (ImportOptions { include: globs("", 1), ..default() }, "include"),
        (ImportOptions { exclude: globs(&"x".repeat(1_025), 1), ..default() }, "exclude"),
        (ImportOptions { include: globs("a", 101), ..default() }, "include"),
        (ImportOptions { concurrency: Some(0), ..default() }, "concurrency"),
        (ImportOptions { concurrency: Some(257), ..default() }, "concurrency"),
        (mirror(101), "max_delete_percent"),
    ];
    for (options, said) in cases {
        let request = with(&world, options);
        let refused = world.engine.start_import(&world.principal, ORG, REPO, request, None).await;
        let error = refused.expect_err(said);
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.starts_with(said), "{}", error.message);
    }
}
