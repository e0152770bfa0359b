//! What an import does when the source goes wrong: it ends right, or it ends `failed` and says why.

use std::time::{Duration, Instant};

use engine::{ImportRequest, ImportSettings};
use model::{Import, JobStatus};
use sample::Object;
use sources::VerifyMode;
use testkit::s3::{Checksum, Etags, Fault, Objects, Op, Rule, Settings};

use crate::world::{Setup, World};

const KEYS: usize = 30;

fn small() -> Objects {
    (0..KEYS).map(|n| (format!("k{n:02}"), format!("content of {n}").repeat(40))).collect()
}

fn large() -> Objects {
    let bytes: Vec<u8> = (0..40_000_000_u32).map(|n| (n % 249) as u8).collect();
    Objects::from([("large".to_owned(), bytes), ("small".to_owned(), b"x".to_vec())])
}

fn status(code: u16, s3_code: &'static str) -> Fault {
    Fault::Status { code, s3_code, headers: Vec::new() }
}

async fn import_with(objects: Objects, rule: Rule) -> (World, Import) {
    let settings = Settings { page_keys: 10, ..Settings::default() };
    let world = World::with(objects, Setup { settings, ..Setup::default() }).await;
    world.server.rule(rule);
    let started = Instant::now();
    let job = world.import().await;
    assert!(started.elapsed() < Duration::from_secs(60), "{job:?}");
    (world, job)
}

/// Faults that pass: the import must survive them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_faults_are_survived() {
    let get = |fault| Rule::on(Op::Get, fault).key("k07").nth(0);
    let list = |fault| Rule::on(Op::List, fault).nth(1);
    let rules = [
        ("slow down", get(status(503, "SlowDown"))),
        ("internal error", get(status(500, "InternalError"))),
        ("reset before headers", get(Fault::ResetBeforeHeaders)),
        ("reset in the body", get(Fault::ResetAfter(5))),
        ("short body", get(Fault::CloseAfter(5))),
        ("flipped byte with MD5 ETag", get(Fault::FlippedByte(3))),
        ("stalled body", get(Fault::StallAfter(5))),
        ("stalled answer", get(Fault::StallBeforeHeaders)),
        ("wrong checksum once", get(Fault::WrongChecksum(Checksum::Crc32c))),
        ("list: slow down", list(status(503, "SlowDown"))),
        ("list: reset", list(Fault::ResetBeforeHeaders)),
        ("list: 200 with an error", list(Fault::OkWithError("InternalError"))),
        ("list: the same key twice", Rule::on(Op::List, Fault::ListDuplicates)),
    ];
    for (name, rule) in rules {
        let (world, job) = import_with(small(), rule).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{name}");
        assert_eq!(job.progress.objects_imported, KEYS as u64, "{name}");
        assert_eq!(world.read("k07").await, b"content of 7".repeat(40), "{name}");
    }
}

/// Faults that stay: the job fails, says what happened, and leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lasting_faults_fail_the_job_and_name_the_cause() {
    let get = |fault| Rule::on(Op::Get, fault).key("k07");
    let list = |fault| Rule::on(Op::List, fault);
    let cases = [
        (get(status(403, "AccessDenied")), "k07"),
        (get(status(403, "InvalidObjectState")), "k07"),
        (get(Fault::ContentLengthOff(-3)), "k07"),
        (get(Fault::ContentLengthOff(3)), "k07"),
        (get(Fault::CloseAfter(5)), "k07"),
        (get(Fault::FlippedByte(3)), "k07"),
        (get(Fault::WrongChecksum(Checksum::Sha256)), "k07"),
        (get(Fault::PartialToFull), "k07"),
        (get(Fault::StallBeforeHeaders), "k07"),
        (get(status(404, "NoSuchKey")), "404"),
        (list(status(403, "InvalidAccessKeyId")), "access_key_id"),
        (list(status(403, "SignatureDoesNotMatch")), "secret_access_key"),
        (list(status(403, "AccessDenied")), "AccessDenied"),
        (list(status(404, "NoSuchBucket")), "bucket"),
        (list(Fault::RequestTimeTooSkewed), "clock"),
        (list(Fault::ListRepeatsToken), "token"),
        (list(Fault::ListTruncatedWithoutToken), "token"),
        (list(Fault::ListEmptyPages), "empty"),
        (list(Fault::ListGarbageXml), "XML"),
        (list(Fault::ListHugePage), ""),
        (list(Fault::ListEntityBomb), ""),
        (list(Fault::StallBeforeHeaders), "did not"),
        (
            list(Fault::Redirect {
                code: 301,
                location: "http://169.254.169.254/".to_owned(),
                region: "eu-west-1".to_owned(),
            }),
            "eu-west-1",
        ),
    ];
    for (rule, expected) in cases {
        let (world, job) = import_with(small(), rule).await;
        let error = job.error.clone().unwrap_or_default();
        assert_eq!(job.status, JobStatus::Failed, "expected {expected:?}: {job:?}");
        assert!(error.contains(expected), "{expected:?} is not in: {error}");
        assert!(!error.contains("testkit/secret"), "{error}");
        assert_eq!(job.commit, None);
        assert!(world.commits().await.is_empty(), "nothing of a failed import is visible");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_off_the_prefix_fails_the_job() {
    let world = World::new(small()).await;
    world.server.rule(Rule::on(Op::List, Fault::ListKeyOutsidePrefix));
    let request = ImportRequest { source_prefix: Some("k0".to_owned()), ..world.request() };
    let job = world.ended(world.start(request).await).await;
    assert_eq!(job.status, JobStatus::Failed);
    assert!(job.error.unwrap_or_default().contains("prefix"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_survives_broken_pieces() {
    for fault in [
        Fault::ResetAfter(1_000_000),
        Fault::CloseAfter(1_000_000),
        status(503, "SlowDown"),
        Fault::ResetBeforeHeaders,
    ] {
        let (world, job) = import_with(large(), Rule::on(Op::Get, fault).key("large").nth(1)).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        let bytes: Vec<u8> = (0..40_000_000_u32).map(|n| (n % 249) as u8).collect();
        assert!(world.read("large").await == bytes);
        world.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_that_is_not_answered_as_one_fails_the_job() {
    for fault in [Fault::FullToRange, Fault::WrongContentRange, Fault::CloseAfter(9)] {
        let (_, job) = import_with(large(), Rule::on(Op::Get, fault).key("large")).await;
        assert_eq!(job.status, JobStatus::Failed, "{job:?}");
        assert!(job.error.unwrap_or_default().contains("large"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_changes_is_read_as_it_is_then() {
    let new = Object::new(&b"another content"[..]);
    let mutate = Fault::MutateObject(new.clone());
    let (world, job) = import_with(small(), Rule::on(Op::Get, mutate).key("k05").nth(0)).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(world.read("k05").await, new.bytes);
    let principal = &world.principal;
    let entry = world.engine.head_object(principal, "acme", "data", "k05", &engine::At::Head).await;
    let entry = entry.expect("the object");
    let etag = entry.source.as_ref().and_then(|source| source.source_etag.as_deref());
    assert_eq!(etag, Some(&*new.etag()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_of_two_versions_are_never_joined() {
    let other: Vec<u8> = (0..40_000_000_u32).map(|n| (n % 241) as u8).collect();
    for honours_if_match in [true, false] {
        let settings = Settings { honours_if_match, ..Settings::default() };
        let world = World::with(large(), Setup { settings, ..Setup::default() }).await;
        let mutate = Fault::MutateObject(Object::new(other.clone()));
        world.server.rule(Rule::on(Op::Get, mutate).key("large").nth(1));
        let job = world.import().await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
        assert!(world.read("large").await == other);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_vanished_is_left_out_and_named() {
    let (world, job) =
        import_with(small(), Rule::on(Op::Get, Fault::DeleteObject).key("k03")).await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!((job.progress.objects_imported, job.progress.objects_missing), (KEYS as u64 - 1, 1));
    assert!(world.commits().await[0].metadata["missing"].ends_with("/k03"));
    let (_, job) = import_with(small(), Rule::on(Op::Get, Fault::DeleteObject).hits(0..11)).await;
    assert_eq!(job.status, JobStatus::Failed);
    assert!(job.error.unwrap_or_default().contains("11 of 30"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_etags_and_checksums_length_still_counts() {
    let settings = Settings { etags: Etags::Opaque, ..Settings::default() };
    let world = World::with(small(), Setup { settings, ..Setup::default() }).await;
    world.server.rule(Rule::on(Op::List, Fault::ListNoEtags));
    world.server.rule(Rule::on(Op::Get, Fault::NoEtag));
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(world.read("k29").await, b"content of 29".repeat(40));
}

/// Pieces are checked together, by the CRC that the source gives for the whole or, if that is asked
/// for, by its MD5; what is wrong once is read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_source_promises_of_large_objects_is_compared_too() {
    let sums = [vec![], vec![Checksum::Crc32], vec![Checksum::Crc32c], vec![Checksum::Crc64Nvme]];
    for checksums in sums {
        let verify = if checksums.is_empty() { VerifyMode::Full } else { VerifyMode::Auto };
        for (flipped, status) in
            [(0, JobStatus::Completed), (1, JobStatus::Completed), (u64::MAX, JobStatus::Failed)]
        {
            let imports = ImportSettings { verify, ..ImportSettings::default() };
            let settings = Settings { checksums: checksums.clone(), ..Settings::default() };
            let setup = Setup { imports, settings, ..Setup::default() };
            let world = World::with(large(), setup).await;
            let rule = Rule::on(Op::Get, Fault::FlippedByte(9)).key("large");
            world.server.rule(rule.hits(0..flipped));
            let job = world.import().await;
            assert_eq!(job.status, status, "{checksums:?} {flipped}: {job:?}");
            let error = job.error.unwrap_or_default();
            assert_eq!(error.contains("checksum"), flipped > 1, "{error}");
        }
    }
}
