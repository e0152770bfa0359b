//! Listings that never end, say two things of one key, or hold what no path can be.

use model::JobStatus;
use testkit::s3::{Fault, Objects, Op, Rule, Settings};

use super::failure;
use crate::world::{Setup, World};

fn objects() -> Objects {
    (0..60).map(|n| (format!("k{n:02}"), format!("content of {n}"))).collect()
}

fn setup(shuffled: bool) -> Setup {
    let settings = Settings { page_keys: 10, shuffled, ..Settings::default() };
    Setup { settings, ..Setup::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_without_end_is_left_after_few_requests() {
    for (fault, part) in [
        (Fault::ListStartsOver, "repeats a page token"),
        (Fault::ListRepeatsToken, "repeats a page token"),
        (Fault::ListEmptyPages, "one empty page after the other"),
        (Fault::ListTruncatedWithoutToken, "without a token to go on with"),
    ] {
        let world = World::with(objects(), setup(false)).await;
        world.server.rule(Rule::on(Op::List, fault));
        let error = failure(&world, &world.import().await).await;
        assert!(error.contains(part), "wanted {part:?}, got: {error}");
        let requests = world.server.stats().count(Op::List);
        assert!(requests <= 100, "{part}: {requests} requests for six pages");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_objects_under_one_key_the_real_one_is_stored_or_none() {
    let world = World::with(objects(), setup(false)).await;
    world.server.rule(Rule::on(Op::List, Fault::ListTwins));
    let error = failure(&world, &world.import().await).await;
    assert!(error.contains("one key twice, as different objects"), "{error}");
    // Where no order is to be kept either, as the first page tells, what is read decides.
    let world = World::with(objects(), setup(true)).await;
    world.server.rule(Rule::on(Op::List, Fault::ListTwins).hits(1..u64::MAX));
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(job.progress.objects_imported, 60);
    for n in 0..60 {
        let stored = world.read(&format!("k{n:02}")).await;
        assert_eq!(stored, format!("content of {n}").as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_no_text_fails_the_job_and_is_named() {
    let world = World::with(objects(), setup(false)).await;
    world.server.rule(Rule::on(Op::List, Fault::ListInvalidUtf8Key));
    let error = failure(&world, &world.import().await).await;
    assert!(error.contains("UTF-8"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_bucket_is_no_commit() {
    let world = World::new(Objects::new()).await;
    let job = world.import().await;
    assert_eq!((job.status, job.progress.objects_imported), (JobStatus::Completed, 0));
    assert_eq!(job.commit, None);
    assert!(world.commits().await.is_empty());
}
