//! Refs, the log, differences, staleness.

use engine::{At, DiffQuery, Kind, LogQuery, ObjectsQuery, RepositoryChange, Status};
use model::Commit;

use crate::world::{ORGANIZATION, REPOSITORY, World};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

async fn log(world: &World, query: LogQuery) -> engine::Result<(Vec<String>, Option<String>)> {
    let page = world.engine.log(&world.owner, ORGANIZATION, REPOSITORY, query).await?;
    Ok((page.rows.iter().map(|row| row.commit.id.to_string()).collect(), page.next))
}

fn ids(commits: &[&Commit]) -> Vec<String> {
    commits.iter().map(|commit| commit.id.to_string()).collect()
}

#[tokio::test]
async fn a_ref_is_an_id_or_an_unambiguous_start_of_one() {
    let world = World::new().await;
    let commit = world.commit(&[("a", Some(b"1"))]).await;
    let id = commit.id.to_string();
    let (engine, owner) = (&world.engine, &world.owner);
    let get =
        |text: String| async move { engine.commit(owner, ORGANIZATION, REPOSITORY, &text).await };
    for good in [id.clone(), id[..8].to_owned(), id[..20].to_uppercase()] {
        assert_eq!(get(good).await.expect("found").commit.id, commit.id);
    }
    for unknown in [&id[..7], "main", "00000000", &"0".repeat(64), &"0".repeat(65)] {
        assert_eq!(get(unknown.to_owned()).await.expect_err("unknown").kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn the_log_goes_back_page_by_page() {
    let world = World::new().await;
    let query = |amount| LogQuery { amount, ..Default::default() };
    assert_eq!(log(&world, query(10)).await.expect("a page"), (vec![], None));
    let a = world.commit(&[("a", Some(b"1"))]).await;
    let b = world.commit(&[("b", Some(b"1"))]).await;
    let c = world.commit(&[("c", Some(b"1"))]).await;
    assert_eq!(log(&world, query(3)).await.expect("a page"), (ids(&[&c, &b, &a]), None));
    let (rows, next) = log(&world, query(2)).await.expect("a page");
    assert_eq!((rows, next.clone()), (ids(&[&c, &b]), Some(b.id.to_string())));
    let rest = LogQuery { after: next, ..query(2) };
    assert_eq!(log(&world, rest).await.expect("a page"), (ids(&[&a]), None));
    let from_b = LogQuery { reference: Some(b.id.to_string()), ..query(10) };
    assert_eq!(log(&world, from_b).await.expect("a page"), (ids(&[&b, &a]), None));
    for after in ["nonsense".to_owned(), "0".repeat(64)] {
        let error = log(&world, LogQuery { after: Some(after), ..query(2) }).await;
        assert!(error.expect_err("refused").message.starts_with("after:"));
    }
}

#[tokio::test]
async fn a_filtered_log_shows_commits_that_touch() {
    let world = World::new().await;
    let first = world.commit(&[("a/1", Some(b"1")), ("b", Some(b"1"))]).await;
    let mut others = Vec::new();
    for number in 0..5_u8 {
        others.push(world.commit(&[("other", Some(&[number]))]).await);
    }
    let second = world.commit(&[("a/2", Some(b"2"))]).await;
    let third = world.commit(&[("a/1", None)]).await;
    let filtered = |prefix: &str, object: &str, amount, after: Option<String>| {
        let (prefix, object) = (Some(prefix.to_owned()), Some(object.to_owned()));
        log(&world, LogQuery { prefix, object, amount, after, reference: None })
    };
    let all = filtered("a/", "", 10, None).await.expect("a page");
    assert_eq!(all, (ids(&[&third, &second, &first]), None));
    let object = filtered("", "a/1", 10, None).await.expect("a page");
    assert_eq!(object, (ids(&[&third, &first]), None));
    assert_eq!(filtered("", "a", 10, None).await.expect("a page"), (vec![], None));
    assert_eq!(filtered("x", "", 10, None).await.expect("a page"), (vec![], None));
    let (rows, next) = filtered("a/", "", 2, None).await.expect("a page");
    assert_eq!((rows, next.clone()), (ids(&[&third, &second]), Some(second.id.to_string())));
    let rest = filtered("a/", "", 2, next).await.expect("a page");
    assert_eq!(rest, (ids(&[&first]), None));
    let other: Vec<&Commit> = others.iter().rev().collect();
    assert_eq!(filtered("oth", "", 10, None).await.expect("a page").0, ids(&other));
    assert_eq!(filtered("a", "a/1", 10, None).await.expect_err("refused").kind, Kind::Invalid);
}

type Row = (String, Status, bool);

async fn diff(world: &World, query: DiffQuery) -> engine::Result<(Vec<Row>, Option<String>)> {
    let page = world.engine.diff(&world.owner, ORGANIZATION, REPOSITORY, query).await?;
    let rows = page.rows.into_iter().map(|row| (row.path, row.status, row.entry.is_some()));
    Ok((rows.collect(), page.next))
}

#[tokio::test]
async fn a_difference_says_how_and_groups() {
    use Status::{Added, Modified, Removed};
    let world = World::new().await;
    let one: Option<&[u8]> = Some(b"1");
    let left = world.commit(&[("a", one), ("gone/1", one), ("gone/2", one), ("m/x", one)]).await;
    let right = world
        .commit(&[
            ("a", Some(b"2")),
            ("gone/1", None),
            ("gone/2", None),
            ("m/y", Some(b"1")),
            ("new/1", Some(b"1")),
            ("new/2/3", Some(b"1")),
        ])
        .await;
    let query = |amount| DiffQuery {
        left: Some(left.id.to_string()),
        right: Some(right.id.to_string()),
        amount,
        ..Default::default()
    };
    let row = |path: &str, status, entry| (path.to_owned(), status, entry);
    let (rows, next) = diff(&world, query(1_000)).await.expect("a page");
    let expected = [
        row("a", Modified, true),
        row("gone/1", Removed, true),
        row("gone/2", Removed, true),
        row("m/y", Added, true),
        row("new/1", Added, true),
        row("new/2/3", Added, true),
    ];
    assert_eq!((rows.as_slice(), next), (&expected[..], None));

    let grouped = [
        row("a", Modified, true),
        row("gone/", Removed, false),
        row("m/", Modified, false),
        row("new/", Added, false),
    ];
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let query = DiffQuery { delimiter: Some("/".into()), after, ..query(1) };
        let (rows, next) = diff(&world, query).await.expect("a page");
        assert_eq!(rows.len(), 1);
        paged.extend(rows);
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, grouped);

    let below = DiffQuery { prefix: "new/".into(), delimiter: Some("/".into()), ..query(10) };
    let (rows, _) = diff(&world, below).await.expect("a page");
    assert_eq!(rows, [row("new/1", Added, true), row("new/2/", Added, false)]);
    let from_nothing = DiffQuery { left: None, right: Some(left.id.to_string()), ..query(2) };
    let (rows, next) = diff(&world, from_nothing).await.expect("a page");
    assert_eq!(rows, [row("a", Added, true), row("gone/1", Added, true)]);
    assert_eq!(next.as_deref(), Some("gone/1"));
    let same = DiffQuery { left: Some(right.id.to_string()), ..query(10) };
    assert_eq!(diff(&world, same).await.expect("a page"), (vec![], None));
    let empty = DiffQuery { right: Some(String::new()), ..query(10) };
    assert!(diff(&world, empty).await.expect_err("refused").message.starts_with("right:"));
}

#[tokio::test]
async fn a_commit_past_its_retention_is_stale_but_the_head() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let old = world.commit(&[("a", Some(b"1"))]).await;
    let head = world.commit(&[("a", Some(b"2"))]).await;
    let set = |days| {
        let change = RepositoryChange {
            retention_days: Some(days),
            session_max_duration_days: Some(1),
            ..Default::default()
        };
        engine.update_repository(owner, ORGANIZATION, REPOSITORY, change)
    };
    set(Some(30)).await.expect("changed");
    let stale = |commit: &Commit| {
        let id = commit.id.to_string();
        async move {
            let view = engine.commit(owner, ORGANIZATION, REPOSITORY, &id).await;
            view.expect("found").is_stale
        }
    };
    world.clock.advance_ms(29 * DAY_MS);
    assert!(!stale(&old).await);
    world.clock.advance_ms(2 * DAY_MS);
    assert!(stale(&old).await && !stale(&head).await);

    let reference = old.id.to_string();
    let list = ObjectsQuery { at: At::Commit(reference.clone()), amount: 1, ..Default::default() };
    let diff = DiffQuery { right: Some(reference.clone()), amount: 1, ..Default::default() };
    let at = At::Commit(reference);
    for refused in [
        engine.head_object(owner, ORGANIZATION, REPOSITORY, "a", &at).await.map(drop),
        engine.list_objects(owner, ORGANIZATION, REPOSITORY, list).await.map(drop),
        engine.diff(owner, ORGANIZATION, REPOSITORY, diff).await.map(drop),
    ] {
        let error = refused.expect_err("stale");
        assert_eq!((error.kind, error.code), (Kind::Gone, "COMMIT_STALE"));
    }
    let all = LogQuery { amount: 10, ..Default::default() };
    let page = engine.log(owner, ORGANIZATION, REPOSITORY, all).await.expect("a page");
    assert_eq!(page.rows.iter().map(|row| row.is_stale).collect::<Vec<_>>(), [false, true]);
    set(None).await.expect("changed");
    assert!(engine.head_object(owner, ORGANIZATION, REPOSITORY, "a", &at).await.is_ok());
}
