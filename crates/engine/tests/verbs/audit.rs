//! The audit log: who did what, newest first, for owners only.

use engine::{Kind, OrganizationSpec, Principal, RepositorySpec};
use model::{Actor, AuditRecord, PageRequest, Role, Secret};

use crate::world::{ORGANIZATION, World};

const PASSWORD: &str = "a long password";

fn repository(name: &str) -> RepositorySpec {
    RepositorySpec { name: name.into(), ..RepositorySpec::default() }
}

/// The principal, asking by this request.
fn by(principal: &Principal, request_id: &str) -> Principal {
    Principal { request_id: request_id.into(), ..principal.clone() }
}

async fn log(world: &World, organization: &str) -> Vec<AuditRecord> {
    let page = PageRequest { after: None, amount: 1_000 };
    let page = world.engine.audit(&world.owner, organization, page).await.expect("a page");
    assert_eq!(page.next, None);
    page.rows
}

/// Who did what to what, by which request.
fn told(record: &AuditRecord) -> (&str, &str, &str, &str) {
    let who = match &record.actor {
        Actor::User { name, .. } => name.as_str(),
        Actor::Operator => "the operator",
    };
    (who, &record.action, &record.resource, &record.request_id)
}

#[tokio::test]
async fn an_organization_shows_who_did_what_newest_first() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let mia = world.user("mia").await;
    let start = log(&world, ORGANIZATION).await;
    world.clock.advance_ms(1_000);
    let added = engine.add_member(&by(owner, "r-1"), ORGANIZATION, "mia", Role::Member).await;
    added.expect("a new member");
    world.clock.advance_ms(1_000);
    let made = engine.create_repository(&by(&mia, "r-2"), ORGANIZATION, repository("hers")).await;
    made.expect("a new repository");
    // What is refused, or changes nothing, is not recorded.
    let again = engine.create_repository(&by(&mia, "r-3"), ORGANIZATION, repository("hers")).await;
    assert_eq!(again.err().map(|error| error.kind), Some(Kind::Conflict));
    let forbidden = engine.delete_repository(&by(&mia, "r-4"), ORGANIZATION, "hers").await;
    assert_eq!(forbidden.err().map(|error| error.kind), Some(Kind::Forbidden));
    engine.delete_repository(&by(owner, "r-5"), ORGANIZATION, "hers").await.expect("deleted");
    engine.remove_member(&by(owner, "r-6"), ORGANIZATION, "mia").await.expect("removed");

    let all = log(&world, ORGANIZATION).await;
    let new = &all[..all.len() - start.len()];
    assert_eq!(
        new.iter().map(told).collect::<Vec<_>>(),
        [
            ("olga", "RemoveMember", "members/mia", "r-6"),
            ("olga", "DeleteRepository", "repositories/hers", "r-5"),
            ("mia", "CreateRepository", "repositories/hers", "r-2"),
            ("olga", "AddMember", "members/mia", "r-1"),
        ]
    );
    assert_eq!(all[new.len()..], start, "what was recorded stays as it was");
    assert!(all.is_sorted_by(|newer, older| newer.id > older.id && newer.at >= older.at));
    assert_eq!(new[3].at.plus_ms(1_000), new[2].at);
    assert_eq!(new[2].actor, Actor::User { id: mia.user.id, name: "mia".into() });
}

#[tokio::test]
async fn only_owners_read_it() {
    let world = World::new().await;
    let engine = &world.engine;
    let (mia, sam) = (world.user("mia").await, world.user("sam").await);
    engine.add_member(&world.owner, ORGANIZATION, "mia", Role::Member).await.expect("a member");
    for (principal, kind) in [(&mia, Kind::Forbidden), (&sam, Kind::NotFound)] {
        let page = PageRequest { after: None, amount: 10 };
        let refused = engine.audit(principal, ORGANIZATION, page).await.expect_err("refused");
        assert_eq!(refused.kind, kind);
    }
}

#[tokio::test]
async fn logins_and_other_organizations_are_not_in_it() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let before = log(&world, ORGANIZATION).await;
    let spec = OrganizationSpec { name: "other".into(), display_name: String::new() };
    engine.create_organization(owner, spec).await.expect("a new organization");
    let password = Secret::new(PASSWORD.to_owned());
    engine.change_password(owner, None, password.clone(), None).await.expect("set");
    engine.log_in("olga", &password, None, "r-1").await.expect("signed in");
    engine.create_key(owner, "laptop", "").await.expect("a new key");
    assert_eq!(log(&world, ORGANIZATION).await, before);
    assert_eq!(log(&world, "other").await.len(), 1);
}

#[tokio::test]
async fn it_is_read_page_by_page() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    for number in 0..5 {
        let spec = repository(&format!("number-{number}"));
        engine.create_repository(owner, ORGANIZATION, spec).await.expect("a new repository");
    }
    let all = log(&world, ORGANIZATION).await;
    assert!(all.len() > 5);
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = PageRequest { after, amount: 2 };
        let page = engine.audit(owner, ORGANIZATION, page).await.expect("a page");
        assert!((1..=2).contains(&page.rows.len()));
        seen.extend(page.rows);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
    let none = PageRequest { after: None, amount: 0 };
    let none = engine.audit(owner, ORGANIZATION, none).await.expect_err("refused");
    assert!(none.kind == Kind::Invalid && none.message.starts_with("amount:"), "{none}");
}
