//! What an import does when nothing goes wrong.

use engine::{ImportRequest, Kind};
use model::JobStatus;
use sample::Object;
use testkit::ODD_KEYS;
use testkit::s3::{BUCKET, ObjectSet, Objects, Op};

use crate::world::{ORG, REPO, Setup, World};

fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|n| ((n * 31 + n / 251 + seed * 7) % 256) as u8).collect()
}

/// Objects on both sides of every size at which they are stored another way.
fn sizes() -> Vec<(String, Vec<u8>)> {
    let (packed, piece) = (1 << 20, 16 << 20);
    [0, 1, 4096, packed - 1, packed, packed + 1, piece - 1, piece, piece + 1, 5 * piece + 3]
        .into_iter()
        .map(|size: usize| (format!("sizes/{size}"), pattern(size, size)))
        .collect()
}

fn objects(list: &[(String, Vec<u8>)]) -> Objects {
    list.iter().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_every_size_arrive_byte_for_byte_and_outlive_the_source() {
    let list = sizes();
    let world = World::new(objects(&list)).await;
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    assert_eq!(job.progress.objects_imported, list.len() as u64);
    assert!(world.server.stats().max_concurrent_gets <= 10);
    let (principal, connector) = (world.principal.clone(), world.connector);
    world.server.set(|settings| settings.checks_signatures = false);
    world.engine.delete_connector(&principal, ORG, connector).await.expect("deleted");
    for (key, bytes) in &list {
        assert!(world.read(key).await == *bytes, "{key}");
        let entry = world
            .engine
            .head_object(&principal, ORG, REPO, key, &engine::At::Head)
            .await
            .expect(key);
        assert_eq!(entry.hash, model::Hash::of(bytes), "{key}");
    }
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provenance_is_that_of_the_source() {
    let mut object = Object::new(&b"a,b\n1,2\n"[..]);
    object.content_type = "text/csv".to_owned();
    object.metadata.insert("owner".to_owned(), "data team".to_owned());
    let objects = Objects::new();
    objects.put("datasets/file.csv", object.clone());
    let setup = Setup { source_uri: format!("s3://{BUCKET}/datasets"), ..Setup::default() };
    let world = World::with(objects, setup).await;
    let request = ImportRequest {
        source_prefix: Some("datasets/".to_owned()),
        destination_path: "imported/datasets".to_owned(),
        ..world.request()
    };
    let job = world.ended(world.start(request).await).await;
    assert_eq!(job.status, JobStatus::Completed, "{:?}", job.error);
    let path = "imported/datasets/file.csv";
    let entry =
        world.engine.head_object(&world.principal, ORG, REPO, path, &engine::At::Head).await;
    let entry = entry.expect("the object");
    let source = entry.source.as_deref().expect("provenance");
    assert_eq!(source.connector_id, Some(world.connector));
    assert_eq!(&*source.connector_type, "s3");
    assert_eq!(&*source.source_path, format!("s3://{BUCKET}/datasets/file.csv"));
    assert_eq!(source.version_id, None);
    assert_eq!(source.source_etag.as_deref(), Some(&*object.etag()));
    assert_eq!((source.import_time, source.import_job_id), (job.created_at, job.id));
    assert_eq!(&*entry.content_type, "text/csv");
    assert_eq!(entry.metadata["owner"], "data team");
    assert_eq!(entry.last_modified.seconds(), object.last_modified.unix_timestamp());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_keys_arrive_byte_for_byte() {
    let list: Vec<_> =
        ODD_KEYS.iter().map(|key| ((*key).to_owned(), key.as_bytes().to_vec())).collect();
    let world = World::new(objects(&list)).await;
    let job = world.import().await;
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    let mut expected: Vec<String> = list.iter().map(|(key, _)| key.clone()).collect();
    expected.sort();
    assert_eq!(world.paths().await, expected);
    for (key, bytes) in &list {
        assert_eq!(world.read(key).await, *bytes, "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn importing_again_reads_only_what_changed() {
    let list: Vec<_> = (0..60).map(|n| (format!("k{n:03}"), pattern(2_000 + n, n))).collect();
    let world = World::new(objects(&list)).await;
    let first = world.import().await;
    let gets = world.server.stats().count(Op::Get);
    assert_eq!(gets, 60);
    let same = world.import().await;
    assert_eq!((same.status, same.progress.objects_imported), (JobStatus::Completed, 60));
    assert_eq!(same.commit, first.commit, "no new commit where nothing changed");
    assert_eq!(world.server.stats().count(Op::Get), gets, "nothing was read");
    world.server.put("k007", Object::new(&b"new"[..]));
    world.server.put("k999", Object::new(&b"more"[..]));
    let third = world.import().await;
    assert_ne!(third.commit, first.commit);
    assert_eq!(world.server.stats().count(Op::Get), gets + 2);
    assert_eq!(world.read("k007").await, b"new");
    assert_eq!(world.commits().await.len(), 2);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_overlays_and_leaves_other_paths_alone() {
    let list = [("a".to_owned(), b"one".to_vec()), ("b".to_owned(), b"two".to_vec())];
    let world = World::new(objects(&list)).await;
    world.import().await;
    world.server.remove("a");
    world.server.put("b", Object::new(&b"three"[..]));
    let request = ImportRequest { destination_path: "x".to_owned(), ..world.request() };
    world.ended(world.start(request).await).await;
    world.import().await;
    assert_eq!(world.paths().await, ["a", "b", "x/b"]);
    assert_eq!(world.read("a").await, b"one");
    assert_eq!(world.read("b").await, b"three");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_matched_is_no_commit() {
    let world = World::new(objects(&[("a".to_owned(), b"1".to_vec())])).await;
    let request = ImportRequest { source_prefix: Some("nothing/".to_owned()), ..world.request() };
    let job = world.ended(world.start(request).await).await;
    assert_eq!((job.status, job.progress.objects_imported), (JobStatus::Completed, 0));
    assert_eq!(job.commit, None);
    assert!(world.commits().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_marker_of_the_root_is_left_out_and_counted() {
    let list = [("d/".to_owned(), Vec::new()), ("d/x".to_owned(), b"1".to_vec())];
    let setup = Setup { source_uri: format!("s3://{BUCKET}/d/"), ..Setup::default() };
    let world = World::with(objects(&list), setup).await;
    let job = world.import().await;
    assert_eq!((job.status, job.progress.objects_imported), (JobStatus::Completed, 1));
    assert_eq!(world.commits().await[0].metadata["markers_left_out"], "1");
    let request = ImportRequest { destination_path: "in".to_owned(), ..world.request() };
    let job = world.ended(world.start(request).await).await;
    assert_eq!(job.progress.objects_imported, 2, "elsewhere the marker has a path");
    assert_eq!(world.paths().await, ["in/", "in/x", "x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_side_by_side_all_land() {
    let list: Vec<_> = (0..40).map(|n| (format!("k{n:02}"), pattern(500, n))).collect();
    let world = World::new(objects(&list)).await;
    let mut jobs = Vec::new();
    for n in 0..8 {
        let destination_path = format!("copy-{}", n % 4);
        jobs.push(world.start(ImportRequest { destination_path, ..world.request() }).await);
    }
    for id in jobs {
        let job = world.ended(id).await;
        assert_eq!((job.status, &job.error), (JobStatus::Completed, &None));
    }
    assert_eq!(world.paths().await.len(), 160);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_refused_naming_the_field() {
    let world = World::new(Objects::new()).await;
    let other = || Some("other".to_owned());
    let cases = [
        (ImportRequest { connector_id: None, ..world.request() }, "connector_id"),
        (
            ImportRequest {
                source_organization: other(),
                source_repository: other(),
                ..world.request()
            },
            "connector_id",
        ),
        (
            ImportRequest {
                connector_id: None,
                source_organization: other(),
                ..ImportRequest::default()
            },
            "source_repository",
        ),
        (
            ImportRequest { destination_path: "a\0".to_owned(), ..world.request() },
            "destination_path",
        ),
    ];
    for (request, field) in cases {
        let refused = world.engine.start_import(&world.principal, ORG, REPO, request, None).await;
        let error = refused.expect_err("a bad request");
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.starts_with(field), "{}", error.message);
    }
    world.engine.detach(&world.principal, ORG, REPO, world.connector).await.expect("detached");
    let request = world.request();
    let refused = world.engine.start_import(&world.principal, ORG, REPO, request, None).await;
    assert_eq!(refused.expect_err("not attached").kind, Kind::Invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_gives_the_first_job_back() {
    let world = World::new(Objects::new()).await;
    let start = async || {
        let request = world.request();
        let key = Some("nightly-1");
        let started = world.engine.start_import(&world.principal, ORG, REPO, request, key).await;
        started.expect("a job")
    };
    assert_eq!(start().await, start().await);
    let request = ImportRequest { destination_path: "x".to_owned(), ..world.request() };
    let key = Some("nightly-1");
    let other = world.engine.start_import(&world.principal, ORG, REPO, request, key).await;
    assert_eq!(other.expect_err("another request").kind, Kind::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_names_the_start_and_the_commit() {
    let world = World::new(objects(&[("a".to_owned(), b"1".to_vec())])).await;
    let (first, again) = (world.import().await, world.import().await);
    assert_eq!(again.commit, first.commit, "nothing has changed");
    let page = model::PageRequest { after: None, amount: 100 };
    let log = world.engine.audit(&world.principal, ORG, page).await.expect("a page").rows;
    let resource = |job: &model::Import| format!("repositories/{REPO}/import/{}", job.id);
    let of_imports: Vec<_> = log
        .iter()
        .filter(|record| record.resource.contains("/import/"))
        .map(|record| (&*record.action, record.resource.clone()))
        .collect();
    let (first_path, again_path) = (resource(&first), resource(&again));
    assert_eq!(
        of_imports,
        [
            ("StartImport", again_path),
            ("CompleteImport", first_path.clone()),
            ("StartImport", first_path),
        ]
    );
    let completed = log.iter().find(|record| record.action == "CompleteImport").expect("a row");
    let user = &world.principal.user;
    assert_eq!(completed.actor, model::Actor::User { id: user.id, name: user.username.clone() });
    assert_eq!(completed.details["commit"], first.commit.expect("a commit").to_string());
    assert_eq!(completed.details["objects_imported"], "1");
    let actions: Vec<_> = log.iter().map(|record| &*record.action).collect();
    for action in ["CreateOrganization", "CreateRepository", "CreateConnector", "AttachConnector"] {
        assert!(actions.contains(&action), "{action}");
    }
}
