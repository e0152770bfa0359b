//! Organizations and members.

use std::sync::Arc;

use catalog::{Catalog, Error};
use model::{OrganizationId, Role, UserId};
use uuid::Uuid;

use super::world::{World, at, deed, new_connector, new_organization, new_repository};

pub(crate) async fn the_creator_is_the_owner_and_strangers_see_nothing(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let stranger = world.user("stranger").await;
    let seen = catalog.organization("acme", world.owner.id).await.expect("an answer");
    assert_eq!(seen, Some((world.organization.clone(), Role::Owner)));
    assert_eq!(catalog.organization("acme", stranger.id).await.expect("an answer"), None);
    assert_eq!(catalog.organization("other", world.owner.id).await.expect("an answer"), None);
    assert!(catalog.organizations_of(stranger.id).await.expect("a list").is_empty());
    let zeta = world.another_organization("zeta").await;
    let abc = world.another_organization("abc").await;
    let listed = catalog.organizations_of(world.owner.id).await.expect("a list");
    assert_eq!(listed, [abc, world.organization, zeta]);
}

pub(crate) async fn names_are_unique_until_deleted(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let again = new_organization("acme");
    let refused = catalog.create_organization(&again, world.owner.id, &deed(at(0))).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })));
    let nobody = catalog
        .create_organization(&new_organization("x"), UserId(Uuid::new_v4()), &deed(at(0)))
        .await;
    assert!(matches!(nobody, Err(Error::NotFound { .. })));
    assert!(!catalog.organization_name_taken("x").await.expect("an answer"), "undone as a whole");

    assert!(catalog.organization_name_taken("acme").await.expect("an answer"));
    assert!(
        catalog.delete_organization(world.organization.id, &deed(at(9))).await.expect("an answer")
    );
    assert!(!catalog.organization_name_taken("acme").await.expect("an answer"));
    catalog
        .create_organization(&again, world.owner.id, &deed(at(0)))
        .await
        .expect("the name is free");
    let seen = catalog.organization("acme", world.owner.id).await.expect("an answer");
    assert_eq!(seen.expect("the new one").0, again);
}

pub(crate) async fn members_come_and_go(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let id = world.organization.id;
    let (zoe, abe) = (world.user("zoe").await, world.user("abe").await);
    catalog.add_member(id, zoe.id, Role::Member, &deed(at(5))).await.expect("a member");
    catalog.add_member(id, abe.id, Role::Owner, &deed(at(6))).await.expect("a member");
    let twice = catalog.add_member(id, zoe.id, Role::Owner, &deed(at(7))).await;
    assert!(matches!(twice, Err(Error::Conflict { .. })));
    let nobody = catalog.add_member(id, UserId(Uuid::new_v4()), Role::Member, &deed(at(7))).await;
    assert!(matches!(nobody, Err(Error::NotFound { .. })));

    let members = catalog.members(id).await.expect("members");
    let seen: Vec<_> = members.iter().map(|m| (&*m.user.username, m.role, m.joined_at)).collect();
    let joined = world.organization.created_at;
    let expected =
        [("abe", Role::Owner, at(6)), ("owner", Role::Owner, joined), ("zoe", Role::Member, at(5))];
    assert_eq!(seen, expected);
    let seen = catalog.organization("acme", zoe.id).await.expect("an answer");
    assert_eq!(seen.expect("a member sees it").1, Role::Member);

    assert!(catalog.remove_member(id, zoe.id, &deed(at(0))).await.expect("an answer"));
    assert!(!catalog.remove_member(id, zoe.id, &deed(at(0))).await.expect("an answer"));
    assert_eq!(catalog.organization("acme", zoe.id).await.expect("an answer"), None);
}

pub(crate) async fn the_last_owner_stays(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let id = world.organization.id;
    let (bob, member) = (world.user("bob").await, world.user("member").await);
    catalog.add_member(id, member.id, Role::Member, &deed(at(5))).await.expect("a member");
    let refused = catalog.remove_member(id, world.owner.id, &deed(at(0))).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })));
    assert_eq!(catalog.members(id).await.expect("members").len(), 2, "nothing changed");
    catalog.add_member(id, bob.id, Role::Owner, &deed(at(6))).await.expect("a second owner");
    assert!(catalog.remove_member(id, world.owner.id, &deed(at(0))).await.expect("an answer"));
    assert!(catalog.remove_member(id, bob.id, &deed(at(0))).await.is_err());
}

pub(crate) async fn deleting_takes_everything_along(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let other = world.another_organization("other").await;
    let kept = new_connector(other.id, world.owner.id, "lake");
    catalog.create_connector(&kept, "tc1:a:kept", &deed(at(0))).await.expect("a connector");
    let id = world.organization.id;
    assert!(catalog.delete_organization(id, &deed(at(9))).await.expect("an answer"));
    assert!(!catalog.delete_organization(id, &deed(at(9))).await.expect("an answer"), "only once");
    let unknown = OrganizationId(Uuid::new_v4());
    assert!(!catalog.delete_organization(unknown, &deed(at(9))).await.expect("an answer"));

    assert_eq!(catalog.organization("acme", world.owner.id).await.expect("an answer"), None);
    assert_eq!(catalog.organizations_of(world.owner.id).await.expect("a list"), [other]);
    assert_eq!(catalog.repository(id, "data").await.expect("an answer"), None);
    assert_eq!(catalog.repository_by_id(world.repository.id).await.expect("an answer"), None);
    assert!(catalog.connectors(id).await.expect("a list").is_empty());
    assert_eq!(catalog.sealed_config(world.connector.id).await.expect("an answer"), None);
    assert!(catalog.attached(world.repository.id).await.expect("a list").is_empty());
    let gone = catalog.connector(id, world.connector.id).await.expect("an answer");
    assert_eq!(gone.expect("still known").deleted_at, Some(at(9)));
    let sealed = catalog.sealed_config(kept.id).await.expect("an answer");
    assert_eq!(sealed.as_deref(), Some("tc1:a:kept"), "the other organization's stays");
}

pub(crate) async fn nothing_is_made_in_a_deleted_organization(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (id, owner) = (world.organization.id, world.owner.id);
    assert!(catalog.delete_organization(id, &deed(at(9))).await.expect("an answer"));
    let repository =
        catalog.create_repository(&new_repository(id, owner, "late"), &deed(at(0))).await;
    let connector =
        catalog.create_connector(&new_connector(id, owner, "late"), "tc1:a:x", &deed(at(0))).await;
    let bob = world.user("bob").await;
    let member = catalog.add_member(id, bob.id, Role::Member, &deed(at(9))).await;
    for refused in [repository, connector, member] {
        assert!(matches!(refused, Err(Error::NotFound { .. })));
    }
    let import = catalog.create_import(&world.new_import(), None, &deed(at(0))).await;
    assert!(matches!(import, Err(Error::NotFound { .. })));
}
