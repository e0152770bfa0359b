//! Sources that refuse: for a while, from some moment on, or always and for one object.

use std::time::{Duration, Instant};

use engine::ConnectorUpdate;
use model::{ImportOptions, JobStatus, OnError};
use serde_json::json;
use testkit::s3::{ACCESS_KEY_ID, Fault, Objects, Op, Rule, SECRET_ACCESS_KEY, Settings};

use super::{failure, pattern, status};
use crate::world::{ORG, REPO, Setup, World};

const KEYS: u64 = 60;

async fn world() -> World {
    let objects = (0..KEYS).map(|n| (format!("k{n:02}"), pattern(700, n as u8)));
    let settings = Settings { page_keys: 10, ..Settings::default() };
    World::with(objects.collect(), Setup { settings, ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_refuses_every_second_request_for_a_while_is_read_to_the_end() {
    let world = world().await;
    let headers = vec![("Retry-After", "0".to_owned())];
    let slow_down = Fault::Status { code: 503, s3_code: "SlowDown", headers };
    world.server.rule(Rule::on(Op::List, slow_down.clone()).hits(0..8).every(2));
    world.server.rule(Rule::on(Op::Get, slow_down).hits(0..60).every(2));
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(job.progress.objects_imported, KEYS);
    assert_eq!(world.server.stats().count(Op::Get), KEYS + 30, "no request but the needed ones");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_that_lasts_fails_the_job_and_a_retry_reads_only_the_rest() {
    let world = world().await;
    let storm = Rule::on(Op::Get, status(500, "InternalError")).keys(|key| key >= "k30");
    world.server.rule(storm);
    let job = world.import().await;
    let error = failure(&world, &job).await;
    assert!(error.contains("overloaded or out of order") && error.contains("gave up"), "{error}");
    world.server.clear_rules();
    let before = world.server.stats();
    let retried = world.engine.retry_import(&world.principal, ORG, REPO, job.id).await;
    let job = world.ended(retried.expect("retried")).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(job.progress.objects_imported, KEYS);
    let after = world.server.stats();
    for n in 0..30 {
        let key = format!("k{n:02}");
        assert_eq!((before.gets[&key], after.gets[&key]), (1, 1), "{key} was read before");
    }
}

/// The engine keeps the config of a connector; this is what a user sends who has new credentials.
async fn renew(world: &World, session_token: &str) {
    let config = json!({
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
        "session_token": session_token,
        "endpoint": world.server.endpoint(),
    });
    let update = ConnectorUpdate { config: Some(config), ..ConnectorUpdate::default() };
    let updated = world.engine.update_connector(&world.principal, ORG, world.connector, update);
    updated.await.expect("a config of good form");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_expire_midway_fail_the_job_and_new_ones_read_the_rest() {
    for (op, from, code, s3_code) in [
        (Op::Get, 20, 403, "ExpiredToken"),
        (Op::Get, 20, 400, "ExpiredToken"),
        (Op::Get, 20, 401, ""),
        (Op::Get, 20, 403, "InvalidAccessKeyId"),
        (Op::List, 3, 403, "ExpiredToken"),
    ] {
        let world = world().await;
        world.server.rule(Rule::on(op, status(code, s3_code)).hits(from..u64::MAX));
        let started = Instant::now();
        let job = world.import().await;
        // The retry budget of these tests alone is four seconds.
        let took = started.elapsed();
        let error = failure(&world, &job).await;
        assert!(error.contains("does not accept the credentials"), "{error}");
        assert_eq!(error.contains("it has expired"), s3_code == "ExpiredToken", "{error}");
        let before = world.server.stats();
        let asked = before.count(op);
        assert!(asked <= from + 20, "{asked} requests in {took:?}: it is not tried again");
        // From now on only who has the new token gets in.
        world.server.clear_rules();
        world.server.set(|settings| settings.session_token = Some("fresh".to_owned()));
        renew(&world, "fresh").await;
        let retried = world.engine.retry_import(&world.principal, ORG, REPO, job.id).await;
        let job = world.ended(retried.expect("retried")).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{s3_code}");
        assert_eq!(job.progress.objects_imported, KEYS);
        let refused = if op == Op::Get { before.count(Op::Get) - from } else { 0 };
        let gets = world.server.stats().count(Op::Get);
        assert_eq!(gets, KEYS + refused, "{s3_code}: what was read was read again");
        assert_eq!(world.commits().await.len(), 1);
    }
}

/// `on_error: skip` is about objects. Large ones are looked at before they are read, and the answer
/// to that look says nothing but a number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_no_object_to_leave_out() {
    for (code, s3_code) in [(403, "ExpiredToken"), (400, "ExpiredToken"), (401, "")] {
        let objects = Objects::from([("a", vec![1; 10]), ("large", vec![2; 17 << 20])]);
        let world = World::new(objects).await;
        for op in [Op::Head, Op::Get] {
            world.server.rule(Rule::on(op, status(code, s3_code)).key("large"));
        }
        let options = ImportOptions { on_error: OnError::Skip, ..ImportOptions::default() };
        let request = engine::ImportRequest { options, ..world.request() };
        let job = world.ended(world.start(request).await).await;
        let error = failure(&world, &job).await;
        assert!(error.contains("does not accept the credentials"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_object_that_may_not_be_read_is_named_with_the_reason() {
    for (code, s3_code, part) in [
        (400, "InvalidRequest", "(SSE-C), which is not supported"),
        (403, "AccessDenied", "need s3:GetObject"),
        (403, "InvalidObjectState", "restore it in the source first"),
        (405, "MethodNotAllowed", "(HTTP 405, MethodNotAllowed)"),
    ] {
        let list = [("a", vec![1; 10]), ("k", vec![2; 10]), ("large", vec![3; 17 << 20])];
        let world = World::new(Objects::from(list)).await;
        for op in [Op::Head, Op::Get] {
            world.server.rule(Rule::on(op, status(code, s3_code)).keys(|key| key != "a"));
        }
        let started = Instant::now();
        let error = failure(&world, &world.import().await).await;
        assert!(started.elapsed() < Duration::from_secs(60));
        assert!(error.contains(part), "wanted {part:?}, got: {error}");
        assert!(error.contains("\"k\"") || error.contains("\"large\""), "{error}");
        assert!(!error.contains("script of the test"), "a foreign message: {error}");
    }
}
