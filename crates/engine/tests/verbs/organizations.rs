//! Organizations and members.

use engine::{Kind, NameCheck, OrganizationSpec};
use model::Role;

use crate::world::{ORGANIZATION, World};

fn spec(name: &str) -> OrganizationSpec {
    OrganizationSpec { name: name.into(), display_name: String::new() }
}

#[tokio::test]
async fn names_are_slugs_that_are_free() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    for (name, reason) in [
        ("free-1", ""),
        ("a", "invalid"),
        ("Capital", "invalid"),
        ("under_score", "invalid"),
        ("check-name", "reserved"),
        (ORGANIZATION, "taken"),
    ] {
        let check = engine.check_organization_name(owner, name).await.expect("an answer");
        assert_eq!(check, NameCheck { available: reason.is_empty(), reason }, "{name}");
        let made = engine.create_organization(owner, spec(name)).await;
        let kind = made.as_ref().err().map(|error| error.kind);
        let expected = match reason {
            "" => None,
            "taken" => Some(Kind::Conflict),
            _ => Some(Kind::Invalid),
        };
        assert_eq!(kind, expected, "{name}");
        if let Ok(made) = made {
            assert_eq!(made.display_name, name, "no display name means the name");
        }
    }
}

#[tokio::test]
async fn members_come_and_go_but_the_last_owner() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let mia = world.user("mia").await;
    assert!(engine.organizations(&mia).await.expect("a list").is_empty());
    engine.add_member(owner, ORGANIZATION, "mia", Role::Member).await.expect("a new member");
    let again =
        engine.add_member(owner, ORGANIZATION, "mia", Role::Member).await.expect_err("a member");
    assert_eq!(again.kind, Kind::Conflict);
    for unknown in ["absent", "mia@example.com"] {
        let error = engine
            .add_member(owner, ORGANIZATION, unknown, Role::Member)
            .await
            .expect_err("unknown");
        assert_eq!(error.kind, Kind::NotFound);
    }
    let members = engine.members(&mia, ORGANIZATION).await.expect("a list");
    let members: Vec<_> = members.iter().map(|m| (m.user.username.as_str(), m.role)).collect();
    assert_eq!(members, [("mia", Role::Member), ("olga", Role::Owner)]);
    assert_eq!(engine.organizations(&mia).await.expect("a list").len(), 1);

    let (owner_id, mia_id) = (owner.user.id.to_string(), mia.user.id.to_string());
    for last in [&owner_id, "olga"] {
        let last = engine.remove_member(owner, ORGANIZATION, last).await;
        assert_eq!(last.expect_err("the last owner").kind, Kind::Conflict);
    }
    engine.remove_member(owner, ORGANIZATION, &mia_id).await.expect("removed");
    for gone in [&mia_id, "mia", "absent", ""] {
        let gone = engine.remove_member(owner, ORGANIZATION, gone).await.expect_err("no member");
        assert_eq!((gone.kind, &*gone.message), (Kind::NotFound, "member not found"));
    }
    let hidden = engine.organization(&mia, ORGANIZATION).await.expect_err("a stranger now");
    assert_eq!(hidden.kind, Kind::NotFound);
}

#[tokio::test]
async fn an_owner_makes_owners_and_removes_by_username() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let mia = world.user("mia").await;
    engine.add_member(owner, ORGANIZATION, "mia", Role::Owner).await.expect("a second owner");
    engine.remove_member(&mia, ORGANIZATION, "olga").await.expect("one owner is left");
    let hidden = engine.organization(owner, ORGANIZATION).await.expect_err("a stranger now");
    assert_eq!(hidden.kind, Kind::NotFound);
    let last = engine.remove_member(&mia, ORGANIZATION, "mia").await.expect_err("the last one");
    assert_eq!(last.kind, Kind::Conflict);
}

#[tokio::test]
async fn a_user_called_like_another_member_is_not_removed_in_their_place() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let mia = world.user("mia").await;
    let alike = world.user(&mia.user.id.to_string()).await;
    for name in ["mia", &alike.user.username] {
        engine.add_member(owner, ORGANIZATION, name, Role::Member).await.expect("a new member");
    }
    let named = mia.user.id.to_string();
    engine.remove_member(owner, ORGANIZATION, &named).await.expect("removed");
    let left = engine.members(owner, ORGANIZATION).await.expect("a list");
    let left: Vec<_> = left.iter().map(|member| member.user.id).collect();
    assert!(left.contains(&alike.user.id) && !left.contains(&mia.user.id));
}

#[tokio::test]
async fn a_deleted_organization_frees_its_name() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    engine.delete_organization(owner, ORGANIZATION).await.expect("deleted");
    let again = engine.delete_organization(owner, ORGANIZATION).await.expect_err("gone");
    assert_eq!(again.kind, Kind::NotFound);
    let other = world.user("otto").await;
    engine.create_organization(&other, spec(ORGANIZATION)).await.expect("the name is free");
    assert!(engine.organizations(owner).await.expect("a list").is_empty());
}
