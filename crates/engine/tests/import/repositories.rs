//! Imports from another repository: entries are taken over, bytes and all.

use engine::{Credential, ImportRequest, Kind, NewUserSpec, Principal};
use model::{Entry, Import, ImportMode, ImportOptions, JobId, JobStatus, Role, SourceMetadata};
use sample::Object;
use testkit::s3::{Objects, Op};

use crate::repo::Repo;
use crate::world::{ORG, REPO, Setup, World};

fn objects() -> Objects {
    let mut list: Vec<(String, Vec<u8>)> =
        (0..30).map(|n| (format!("d{}/k{n:02}.csv", n % 3), vec![n; 9_000])).collect();
    list.push(("large".to_owned(), (0..20_000_000_u32).map(|n| (n % 251) as u8).collect()));
    list.push(("empty".to_owned(), Vec::new()));
    list.into_iter().collect()
}

/// A world whose repository holds `objects`.
async fn filled(objects: Objects) -> World {
    let world = World::new(objects).await;
    assert_eq!(world.import().await.status, JobStatus::Completed);
    world
}

fn some() -> Objects {
    ["a/1.csv", "a/2.txt", "b/1.csv", "c"].iter().map(|key| (*key, *key)).collect()
}

fn requests(world: &World) -> usize {
    world.server.stats().seen.len()
}

fn assert_completed(job: &Import, imported: u64) {
    assert_eq!((job.status, &job.error), (JobStatus::Completed, &None), "{job:?}");
    assert_eq!(job.progress.objects_imported, imported);
}

fn provenance(entry: &Entry) -> &SourceMetadata {
    entry.source.as_deref().expect("provenance")
}

/// Another user, who belongs to these organizations.
async fn user(world: &World, name: &str, organizations: &[&str]) -> Principal {
    let spec = NewUserSpec {
        username: name.to_owned(),
        email: String::new(),
        full_name: String::new(),
        password: None,
    };
    world.engine.add_user(spec).await.expect("a user");
    for organization in organizations {
        let added =
            world.engine.add_member(&world.principal, organization, name, Role::Member).await;
        added.expect("a member");
    }
    let key = world.engine.issue_key(name, "key").await.expect("a key");
    world.engine.authenticate(&Credential::Token(key.token), None).await.expect("the user")
}

/// Bytes of all segments that hold something of this repository's own.
async fn own_bytes(repo: &Repo<'_>) -> u64 {
    let id = repo.commits().await[0].repository;
    let segments = repo.world.catalog.segments(None, 10_000).await.expect("segments");
    segments.iter().filter(|one| one.repository == id).map(|one| one.length).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_shared_and_each_entry_tells_where_it_came_from() {
    let world = filled(objects()).await;
    world.organization("other").await;
    let (home, asked) = (world.home(), requests(&world));
    let head = home.commits().await[0].id;
    let originals = home.entries().await;
    for organization in [ORG, "other"] {
        let copy = world.bare(organization, "copy").await;
        let job = copy.import(home.as_source()).await;
        assert_completed(&job, 32);
        assert_eq!((job.progress.objects_unchanged, job.source_commit), (0, Some(head)));
        let copies = copy.entries().await;
        assert!(copies.keys().eq(originals.keys()));
        for (path, entry) in &copies {
            let original = &originals[path];
            assert_eq!((entry.hash, &entry.content), (original.hash, &original.content), "{path}");
            assert_eq!(entry.last_modified, original.last_modified);
            let source = provenance(entry);
            assert_eq!((source.connector_id, &*source.connector_type), (None, "repository"));
            assert_eq!(*source.source_path, format!("tilde://{ORG}/{REPO}/{path}"));
            assert_eq!(source.version_id.as_deref(), Some(&*head.to_string()));
            assert_eq!(source.source_etag.as_deref(), Some(&*format!("\"{}\"", entry.hash)));
            assert_eq!((source.import_job_id, source.import_time), (job.id, job.created_at));
            assert_eq!(source.origin, original.source, "and the S3 object it was before");
        }
        let commits = copy.commits().await;
        assert_eq!((commits.len(), job.commit), (1, Some(commits[0].id)));
        let own = own_bytes(&copy).await;
        assert!(own < 100_000, "{own} bytes written to share 20,270,000");
        assert!(copy.read("large").await == home.read("large").await);
    }
    assert_eq!(requests(&world), asked, "the S3 source was asked nothing");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn importing_again_makes_a_commit_only_of_what_changed() {
    let world = filled(some()).await;
    let copy = world.bare(ORG, "copy").await;
    let first = copy.import(world.home().as_source()).await;
    let second = copy.import(world.home().as_source()).await;
    assert_completed(&second, 4);
    assert_eq!((second.progress.objects_unchanged, second.commit), (4, first.commit));
    world.server.put("c", Object::new("another content"));
    world.import().await;
    let third = copy.import(world.home().as_source()).await;
    assert_completed(&third, 4);
    assert_eq!((third.progress.objects_unchanged, copy.commits().await.len()), (3, 2));
    assert_eq!(copy.read("c").await, b"another content");
    assert_eq!(provenance(&copy.entry("c").await).import_job_id, third.id);
    assert_eq!(provenance(&copy.entry("a/1.csv").await).import_job_id, first.id);
    let elsewhere = ImportRequest { destination_path: "x".to_owned(), ..copy.as_source() };
    assert_completed(&copy.import(elsewhere).await, 4);
    assert_eq!(copy.paths().await.len(), 8, "a repository can be imported from itself");
    world.assert_sound().await;
}

/// What of a repository is asked for, and the paths it gets.
struct Choice {
    prefix: &'static str,
    destination: &'static str,
    include: Vec<String>,
    exclude: Vec<String>,
    expected: Vec<&'static str>,
}

impl Choice {
    fn new(prefix: &'static str, destination: &'static str, expected: &[&'static str]) -> Self {
        let (include, exclude, expected) = (Vec::new(), Vec::new(), expected.to_vec());
        Self { prefix, destination, include, exclude, expected }
    }

    fn filtered(self, include: &str, exclude: &str) -> Self {
        Self { include: vec![include.to_owned()], exclude: vec![exclude.to_owned()], ..self }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefix_destination_and_filters_choose() {
    let world = filled(some()).await;
    let choices = [
        Choice::new("", "in/", &["in/a/1.csv", "in/a/2.txt", "in/b/1.csv", "in/c"]),
        Choice::new("a/", "x", &["x/1.csv", "x/2.txt"]),
        Choice::new("a/1", "", &["1.csv"]),
        Choice::new("", "", &["a/1.csv"]).filtered("*.csv", "b/*"),
        Choice::new("a/", "y/", &["y/1.csv"]).filtered("?.csv", "a/*"),
        Choice::new("nothing", "", &[]),
    ];
    for (number, choice) in choices.into_iter().enumerate() {
        let copy = world.bare(ORG, &format!("copy-{number}")).await;
        let Choice { prefix, destination, include, exclude, expected } = choice;
        let request = ImportRequest {
            source_prefix: Some(prefix.to_owned()),
            destination_path: destination.to_owned(),
            options: ImportOptions { include, exclude, ..ImportOptions::default() },
            ..world.home().as_source()
        };
        let job = copy.import(request).await;
        assert_completed(&job, expected.len() as u64);
        assert_eq!(copy.paths().await, expected);
        assert_eq!(job.commit.is_some(), !expected.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_deletes_and_a_dry_run_foretells_it() {
    let world = filled(some()).await;
    let copy = world.bare(ORG, "copy").await;
    let into = ImportRequest { destination_path: "in".to_owned(), ..world.home().as_source() };
    copy.import(into.clone()).await;
    copy.import(world.home().as_source()).await;
    world.server.remove("a/2.txt");
    world.server.put("c", Object::new("another"));
    world.server.put("d", Object::new("new"));
    let mirror = |max_delete_percent| ImportOptions {
        mode: ImportMode::Mirror { max_delete_percent },
        ..ImportOptions::default()
    };
    let options = mirror(50);
    world.home().import(ImportRequest { options, ..world.request() }).await;
    let options = ImportOptions { dry_run: true, ..mirror(24) };
    let job = copy.import(ImportRequest { options, ..into.clone() }).await;
    assert_completed(&job, 0);
    let preview = job.preview.expect("a preview");
    let counts = [preview.added, preview.modified, preview.removed, preview.unchanged];
    assert_eq!(counts.map(|count| count.objects), [1, 1, 1, 2]);
    assert!(preview.refusal.is_some_and(|refusal| refusal.contains("1 of the 4")));
    let changes = copy.changes(job.id, 2).await;
    let changes: Vec<_> =
        changes.iter().map(|change| (&*change.path, change.status.as_str())).collect();
    assert_eq!(changes, [("in/a/2.txt", "removed"), ("in/c", "modified"), ("in/d", "added")]);
    let job = copy.import(ImportRequest { options: mirror(24), ..into.clone() }).await;
    assert_eq!((job.status, copy.commits().await.len()), (JobStatus::Failed, 2));
    assert!(job.error.unwrap_or_default().contains("1 of the 4"));
    let job = copy.import(ImportRequest { options: mirror(25), ..into }).await;
    assert_completed(&job, 4);
    assert_eq!(job.progress.objects_deleted, 1);
    let expected =
        ["a/1.csv", "a/2.txt", "b/1.csv", "c", "in/a/1.csv", "in/b/1.csv", "in/c", "in/d"];
    assert_eq!(copy.paths().await, expected);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_chain_of_origins_keeps_its_ends() {
    let world = filled(some()).await;
    let mut from = world.home();
    let links = tree::ORIGINS_MAX + 3;
    for link in 0..links {
        let next = world.bare(ORG, &format!("link-{link:02}")).await;
        assert_completed(&next.import(from.as_source()).await, 4);
        let again = next.import(from.as_source()).await;
        assert_eq!((again.progress.objects_unchanged, next.commits().await.len()), (4, 1));
        from = next;
    }
    let entry = from.entry("c").await;
    let mut chain = vec![provenance(&entry)];
    while let Some(origin) = &chain[chain.len() - 1].origin {
        chain.push(origin);
    }
    assert_eq!(chain.len(), tree::ORIGINS_MAX + 1);
    let last = format!("tilde://{ORG}/link-{:02}/c", links - 2);
    assert_eq!(*chain[0].source_path, last);
    let first = chain[chain.len() - 1];
    assert_eq!((&*first.connector_type, first.connector_id), ("s3", Some(world.connector)));
    assert_eq!(from.read("c").await, b"c");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_outlives_its_source() {
    let world = filled(objects()).await;
    world.organization("other").await;
    let copy = world.bare("other", "copy").await;
    assert_completed(&copy.import(world.home().as_source()).await, 32);
    world.engine.delete_repository(&world.principal, ORG, REPO).await.expect("deleted");
    world.engine.sweep().await.expect("a sweep");
    let expected: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    assert!(copy.read("large").await == expected);
    assert_eq!(copy.read("d1/k04.csv").await, vec![4; 9_000]);
    assert_eq!(copy.read("empty").await, b"");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_repository_gives_nothing_and_no_commit() {
    let world = World::new(Objects::new()).await;
    let empty = world.bare(ORG, "empty").await;
    let job = world.home().import(empty.as_source()).await;
    assert_completed(&job, 0);
    assert_eq!((job.commit, job.source_commit), (None, None));
    assert!(world.commits().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_would_be_too_long_fails_the_job_naming_it() {
    let key = "k".repeat(1_000);
    let world = filled(Objects::from([(key.as_str(), "bytes"), ("short", "bytes")])).await;
    let copy = world.bare(ORG, "copy").await;
    let destination_path = "d".repeat(1_100);
    let request = ImportRequest { destination_path, ..world.home().as_source() };
    let job = copy.import(request).await;
    assert_eq!((job.status, job.commit), (JobStatus::Failed, None));
    let error = job.error.unwrap_or_default();
    assert!(error.starts_with("1 source keys") && error.contains(&key), "{error}");
    assert!(copy.commits().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reads_the_commit_that_was_the_head_when_it_was_started() {
    let mut world = filled(some()).await;
    let head = world.commits().await[0].id;
    world.bare(ORG, "copy").await;
    world.pause().await;
    let copy = Repo { world: &world, organization: ORG.to_owned(), name: "copy".to_owned() };
    world.server.put("c", Object::new("another content"));
    let (copying, moving) =
        (copy.start(world.home().as_source()).await, world.start(world.request()).await);
    world.work();
    let copy = Repo { world: &world, organization: ORG.to_owned(), name: "copy".to_owned() };
    assert_completed(&world.ended(moving).await, 4);
    let job = copy.ended(copying).await;
    assert_completed(&job, 4);
    assert_eq!((job.source_commit, copy.read("c").await), (Some(head), b"c".to_vec()));
    assert_eq!(world.read("c").await, b"another content");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_may_not_read_is_not_there() {
    let world = filled(some()).await;
    world.organization("theirs").await;
    let theirs = world.bare("theirs", "data").await;
    let stranger = user(&world, "stranger", &["theirs"]).await;
    let from = |organization: &str, name: &str| ImportRequest {
        source_organization: Some(organization.to_owned()),
        source_repository: Some(name.to_owned()),
        ..ImportRequest::default()
    };
    for request in [from(ORG, REPO), from(ORG, "nothing"), from("nobody", "data")] {
        let started = world.engine.start_import(&stranger, "theirs", "data", request, None).await;
        let refused = started.expect_err("a stranger");
        assert_eq!(refused.kind, Kind::NotFound);
        assert!(refused.message.contains("source_repository"), "{}", refused.message);
    }
    assert!(theirs.commits().await.is_empty());
    let started =
        world.engine.start_import(&stranger, ORG, REPO, from("theirs", "data"), None).await;
    assert_eq!(started.expect_err("a stranger to the target").kind, Kind::NotFound);
}

/// Starts an import as another user while nobody works.
async fn started(world: &World, principal: &Principal) -> JobId {
    let request = ImportRequest {
        source_organization: Some("theirs".to_owned()),
        source_repository: Some("data".to_owned()),
        ..ImportRequest::default()
    };
    let started = world.engine.start_import(principal, ORG, REPO, request, None).await;
    started.expect("an import starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_the_right_to_read_before_the_claim_gets_nothing() {
    let mut world = World::with(Objects::new(), Setup { idle: true, ..Setup::default() }).await;
    world.organization("theirs").await;
    world.bare("theirs", "data").await;
    let one = user(&world, "one", &[ORG, "theirs"]).await;
    let two = user(&world, "two", &[ORG, "theirs"]).await;
    let (of_one, of_two) = (started(&world, &one).await, started(&world, &two).await);
    let (engine, principal) = (&world.engine, &world.principal);
    engine.remove_member(principal, "theirs", &one.user.username).await.expect("removed");
    engine.remove_member(principal, ORG, &two.user.username).await.expect("removed");
    world.work();
    for (id, said) in [(of_one, "lost access to the source repository"), (of_two, "was removed")] {
        let job = world.ended(id).await;
        assert_eq!((job.status, job.commit), (JobStatus::Failed, None));
        assert!(job.error.as_ref().is_some_and(|error| error.contains(said)), "{job:?}");
    }
    assert_eq!(world.server.stats().count(Op::List), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_deleted_before_the_claim_fails_the_job() {
    for whole_organization in [false, true] {
        let setup = Setup { idle: true, ..Setup::default() };
        let mut world = World::with(Objects::new(), setup).await;
        world.organization("theirs").await;
        world.bare("theirs", "data").await;
        let id = started(&world, &world.principal).await;
        let (engine, principal) = (&world.engine, &world.principal);
        match whole_organization {
            true => engine.delete_organization(principal, "theirs").await.expect("deleted"),
            false => engine.delete_repository(principal, "theirs", "data").await.expect("deleted"),
        }
        world.work();
        let job = world.ended(id).await;
        assert_eq!(job.status, JobStatus::Failed);
        let error = job.error.unwrap_or_default();
        assert!(error.contains("the source repository was deleted"), "{error}");
    }
}
