//! Repositories: what they may be called and how they are kept.

use engine::{Kind, RepositoryChange, RepositorySpec};
use model::PageRequest;

use crate::world::{ORGANIZATION, REPOSITORY, World};

#[tokio::test]
async fn a_repository_has_defaults_and_a_free_name() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let view = engine.repository(owner, ORGANIZATION, REPOSITORY).await.expect("found");
    let made = &view.repository;
    assert_eq!((made.visibility.as_str(), made.retention_days), ("private", None));
    assert_eq!((made.session_max_duration_days, made.head), (7, None));
    assert_eq!(
        (view.organization_name.as_str(), view.organization_display_name.as_str()),
        ("acme", "Acme")
    );
    let spec = |name: &str| RepositorySpec { name: name.into(), ..Default::default() };
    let taken = engine.create_repository(owner, ORGANIZATION, spec(REPOSITORY)).await;
    assert_eq!(taken.expect_err("taken").kind, Kind::Conflict);
    for bad in ["", "a", ".hidden", "UPPER", "a/b", "a b"] {
        let error = engine.create_repository(owner, ORGANIZATION, spec(bad)).await;
        let error = error.expect_err("refused");
        assert!(error.kind == Kind::Invalid && error.message.starts_with("name:"), "{error}");
    }
    engine.delete_repository(owner, ORGANIZATION, REPOSITORY).await.expect("deleted");
    let gone = engine.repository(owner, ORGANIZATION, REPOSITORY).await;
    assert_eq!(gone.expect_err("deleted").kind, Kind::NotFound);
    engine.create_repository(owner, ORGANIZATION, spec(REPOSITORY)).await.expect("free again");
}

#[tokio::test]
async fn days_and_visibility_are_checked() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    // (retention, session) given; (retention, session) stored, or the field that is refused.
    let cases = [
        ((None, None), Ok((None, 7))),
        ((Some(90), None), Ok((Some(90), 7))),
        ((Some(5), None), Ok((Some(5), 4))),
        ((Some(1), None), Ok((Some(1), 0))),
        ((Some(36_500), Some(36_499)), Ok((Some(36_500), 36_499))),
        ((None, Some(400)), Ok((None, 400))),
        ((Some(0), None), Err("retention_days:")),
        ((Some(-3), None), Err("retention_days:")),
        ((Some(i64::MIN), None), Err("retention_days:")),
        ((Some(36_501), None), Err("retention_days:")),
        ((Some(7), Some(7)), Err("session_max_duration_days:")),
        ((None, Some(-1)), Err("session_max_duration_days:")),
    ];
    for (number, ((retention_days, session), expected)) in cases.into_iter().enumerate() {
        let spec = RepositorySpec {
            name: format!("repo-{number}"),
            retention_days,
            session_max_duration_days: session,
            ..Default::default()
        };
        match (engine.create_repository(owner, ORGANIZATION, spec).await, expected) {
            (Ok(view), Ok(stored)) => {
                let made = view.repository;
                assert_eq!((made.retention_days, made.session_max_duration_days), stored);
            }
            (Err(error), Err(field)) => {
                assert!(error.kind == Kind::Invalid && error.message.starts_with(field), "{error}");
            }
            (result, _) => panic!("{number}: {:?}", result.map(|view| view.repository)),
        }
    }
    let spec = RepositorySpec {
        name: "seen".into(),
        visibility: Some("secret".into()),
        ..Default::default()
    };
    let error = engine.create_repository(owner, ORGANIZATION, spec).await.expect_err("refused");
    assert!(error.message.starts_with("visibility:"), "{error}");
}

#[tokio::test]
async fn a_change_touches_only_what_it_names() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let update = |change| engine.update_repository(owner, ORGANIZATION, REPOSITORY, change);
    let change = RepositoryChange {
        description: Some("what it is".into()),
        retention_days: Some(Some(30)),
        ..Default::default()
    };
    update(change).await.expect("changed");
    let change = RepositoryChange { visibility: Some("public".into()), ..Default::default() };
    let changed = update(change).await.expect("changed").repository;
    assert_eq!((changed.description.as_str(), changed.retention_days), ("what it is", Some(30)));
    assert_eq!((changed.visibility.as_str(), changed.session_max_duration_days), ("public", 7));
    let too_short = RepositoryChange { retention_days: Some(Some(7)), ..Default::default() };
    assert_eq!(update(too_short).await.expect_err("refused").kind, Kind::Invalid);
    let forever = RepositoryChange { retention_days: Some(None), ..Default::default() };
    assert_eq!(update(forever).await.expect("changed").repository.retention_days, None);
    assert_eq!(world.repository().await, {
        let mut expected = changed;
        expected.retention_days = None;
        expected
    });
    let long = RepositoryChange { description: Some("x".repeat(4_097)), ..Default::default() };
    assert_eq!(update(long).await.expect_err("refused").kind, Kind::Invalid);
}

#[tokio::test]
async fn listings_are_paged_within_and_across_organizations() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let spec = engine::OrganizationSpec { name: "beta".into(), display_name: String::new() };
    engine.create_organization(owner, spec).await.expect("a new organization");
    for (organization, name) in [(ORGANIZATION, "zeta"), (ORGANIZATION, "alpha"), ("beta", "b1")] {
        let spec = RepositorySpec { name: name.into(), ..Default::default() };
        engine.create_repository(owner, organization, spec).await.expect("a new repository");
    }
    let page = |after: Option<String>, amount| PageRequest { after, amount };
    let first = engine.repositories(owner, ORGANIZATION, page(None, 2)).await.expect("a page");
    let names: Vec<_> = first.rows.iter().map(|row| row.repository.name.clone()).collect();
    assert_eq!(names, ["alpha", "data"]);
    let second = engine.repositories(owner, ORGANIZATION, page(first.next, 2)).await;
    let second = second.expect("a page");
    assert_eq!((second.rows[0].repository.name.as_str(), second.next), ("zeta", None));

    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = engine.all_repositories(owner, page(after, 1)).await.expect("a page");
        all.extend(page.rows.iter().map(|row| row.repository.name.clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all, ["alpha", "data", "zeta", "b1"]);
    let none = engine.repositories(owner, ORGANIZATION, page(None, 0)).await;
    assert!(none.expect_err("refused").message.starts_with("amount:"));
    assert!(engine.repositories(owner, ORGANIZATION, page(None, 100_000)).await.is_ok());
}
