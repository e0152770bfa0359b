//! The audit log.

use std::sync::Arc;

use catalog::{Catalog, ConnectorChange, Finish, Finished};
use model::{Actor, AuditRecord, ConnectorId, Deed, Page, PageRequest, Role};
use uuid::Uuid;

use super::world::{
    World, at, deed, key, new_connector, new_key, new_organization, new_repository, new_user,
};

/// A page of the log.
async fn page(world: &World, after: Option<&str>, amount: usize) -> Page<AuditRecord> {
    let page = PageRequest { after: after.map(str::to_owned), amount };
    world.catalog.audit(world.organization.id, &page).await.expect("a page")
}

pub(crate) async fn what_was_done_is_read_as_it_was_told(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let before = world.log().await.len();
    let told = world.deed_at("CreateSession", at(77));
    catalog.create_session(&world.new_session(), &told).await.expect("a session");
    let operator = Deed { actor: Actor::Operator, details: [].into(), ..told.clone() };
    catalog.create_session(&world.new_session(), &operator).await.expect("a session");
    let log = world.log().await;
    assert_eq!(log.len(), before + 2);
    for (found, told) in [(&log[1], &told), (&log[0], &operator)] {
        assert_eq!((found.at, &found.actor), (told.at, &told.actor));
        assert_eq!(found.request_id, told.request_id);
        assert_eq!((&*found.action, &found.resource), (told.action, &told.resource));
        assert_eq!(found.details, told.details);
    }
    assert!(log[0].id > log[1].id);
}

pub(crate) async fn each_organization_has_its_own(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let other = World::named(catalog.clone(), "other").await;
    let (before, others) = (world.log().await, other.log().await);
    other.session().await;
    let nobodys = Deed { organization: None, ..world.deed("CreateSession") };
    catalog.create_session(&world.new_session(), &nobodys).await.expect("a session");
    assert_eq!(world.log().await, before);
    assert_eq!(other.log().await.len(), others.len() + 1);
}

pub(crate) async fn pages_go_back_in_time(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    for _ in 0..7 {
        world.session().await;
    }
    let all = world.log().await;
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let next = page(&world, after.as_deref(), 3).await;
        assert!((1..=3).contains(&next.rows.len()));
        found.extend(next.rows);
        // What is added meanwhile does not move the pages.
        world.session().await;
        after = next.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, all);
    for odd in ["", "x", "-1", "1.5", "99999999999999999999"] {
        assert_eq!(page(&world, Some(odd), 3).await.rows, [], "{odd:?}");
    }
}

pub(crate) async fn what_changed_nothing_is_not_in_it(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let session = world.session().await;
    assert!(catalog.end_session(session.id, &world.deed("End")).await.expect("an answer"));
    let before = world.log().await;
    assert!(!catalog.end_session(session.id, &world.deed("End")).await.expect("an answer"));
    let same = catalog.create_session(&session, &world.deed("CreateSession")).await;
    assert!(same.is_err(), "the id is taken");
    let stale = world.landing_on(None).await;
    world.commit().await;
    let before_landing = world.log().await;
    catalog.land(&stale, &world.deed("Revert")).await.expect("an answer");
    assert_eq!(world.log().await, before_landing);
    assert_eq!(before_landing[before_landing.len() - before.len()..], before);
}

/// Does each thing twice or to something that is not there as well, and says what the log must say.
/// The second time nothing changes.
async fn change_accounts(world: &World) -> Vec<&'static str> {
    let catalog = &world.catalog;
    let (new, key) = (new_user("new"), new_key(world.owner.id, 1));
    let (user, organization) = (new.user.id, world.organization.id);
    for is_first in [true, false] {
        let made = catalog.create_user(&new, &world.deed("CreateUser")).await;
        assert_eq!(made.is_ok(), is_first);
        let made = catalog.create_api_key(&key, &world.deed("CreateAPIKey")).await;
        assert_eq!(made.is_ok(), is_first);
        let first = catalog.bootstrap(&new, &key, &world.deed("Bootstrap")).await;
        assert!(!first.expect("an answer"), "there is a user");
        let deed = world.deed("AddMember");
        let added = catalog.add_member(organization, user, Role::Member, &deed).await;
        assert_eq!(added.is_ok(), is_first);
    }
    for is_first in [true, false] {
        let deed = world.deed("RemoveMember");
        let removed = catalog.remove_member(organization, user, &deed).await;
        assert_eq!(removed.expect("an answer"), is_first);
        let deed = world.deed("RevokeAPIKey");
        let revoked = catalog.revoke_api_key(world.owner.id, key.key.id, &deed).await;
        assert_eq!(revoked.expect("an answer"), is_first);
        let last_owner =
            catalog.remove_member(organization, world.owner.id, &world.deed("RemoveMember")).await;
        assert!(last_owner.is_err());
    }
    vec!["CreateUser", "CreateAPIKey", "AddMember", "RemoveMember", "RevokeAPIKey"]
}

async fn change_connectors(world: &World) -> Vec<&'static str> {
    let (catalog, organization) = (&world.catalog, world.organization.id);
    let new = new_connector(organization, world.owner.id, "new");
    let change = ConnectorChange { disabled: Some(true), ..ConnectorChange::default() };
    for is_first in [true, false] {
        let deed = world.deed("CreateConnector");
        assert_eq!(catalog.create_connector(&new, "tc1:a:x", &deed).await.is_ok(), is_first);
        let deed = world.deed("AttachConnector");
        let attached = catalog.attach(world.repository.id, new.id, &deed).await;
        assert_eq!(attached.is_ok(), is_first);
    }
    for (change, id) in [
        (ConnectorChange::default(), new.id),
        (change.clone(), ConnectorId(Uuid::new_v4())),
        (change, new.id),
    ] {
        let deed = world.deed("UpdateConnector");
        catalog.update_connector(organization, id, &change, &deed).await.expect("an answer");
    }
    for is_first in [true, false] {
        let deed = world.deed("DetachConnector");
        let detached = catalog.detach(world.repository.id, new.id, &deed).await;
        assert_eq!(detached.expect("an answer"), is_first);
        let deed = world.deed("DeleteConnector");
        let deleted = catalog.delete_connector(organization, new.id, &deed).await;
        assert_eq!(deleted.expect("an answer"), is_first);
    }
    vec![
        "CreateConnector",
        "AttachConnector",
        "UpdateConnector",
        "DetachConnector",
        "DeleteConnector",
    ]
}

async fn change_imports(world: &World) -> Vec<&'static str> {
    let (catalog, repository) = (&world.catalog, world.repository.id);
    let mut job = None;
    for _ in 0..2 {
        let deed = world.deed("StartImport");
        let key = Some(("key", at(0)));
        job = Some(catalog.create_import(&world.new_import(), key, &deed).await.expect("a job"));
    }
    let job = job.expect("the job");
    for _ in 0..2 {
        let deed = world.deed("CancelImport");
        catalog.cancel_import(repository, job, &deed).await.expect("an answer");
    }
    for _ in 0..2 {
        let _refused = catalog.retry_import(repository, job, &world.deed("RetryImport")).await;
    }
    let claim = world.claim().await;
    for _ in 0..2 {
        let deed = world.deed("CancelImport");
        catalog.cancel_import(repository, job, &deed).await.expect("an answer");
    }
    let finish = world.finish_on(&claim, None);
    let deed = world.deed("CompleteImport");
    catalog.finish_import(key(&claim), &finish, &deed).await.expect("an answer");
    assert!(catalog.release_import(key(&claim), world.tick()).await.expect("an answer"));
    let claim = world.running().await;
    for _ in 0..2 {
        let finish = world.finish_on(&claim, None);
        let deed = world.deed("CompleteImport");
        catalog.finish_import(key(&claim), &finish, &deed).await.expect("an answer");
    }
    let claim = world.running().await;
    let head = world.head().await;
    let unchanged = Finish { commit: None, commit_id: head, ..world.finish_on(&claim, head) };
    let deed = world.deed("CompleteImport");
    let finished = catalog.finish_import(key(&claim), &unchanged, &deed).await;
    assert_eq!(finished.expect("an answer"), Finished::Completed);
    vec!["StartImport", "CancelImport", "RetryImport", "CancelImport", "CompleteImport"]
}

async fn change_organization(world: &World) -> Vec<&'static str> {
    let (catalog, organization) = (&world.catalog, &world.organization);
    let new = new_repository(organization.id, world.owner.id, "new");
    for is_first in [true, false] {
        let created = catalog.create_repository(&new, &world.deed("CreateRepository")).await;
        assert_eq!(created.is_ok(), is_first);
        let taken = catalog
            .create_organization(organization, world.owner.id, &world.deed("CreateOrganization"))
            .await;
        assert!(taken.is_err());
    }
    let updated = catalog.update_repository(&new, &world.deed("UpdateRepository")).await;
    assert!(updated.expect("an answer"));
    for is_first in [true, false] {
        let deleted = catalog.delete_repository(new.id, &world.deed("DeleteRepository")).await;
        assert_eq!(deleted.expect("an answer"), is_first);
    }
    assert!(!catalog.update_repository(&new, &world.deed("UpdateRepository")).await.expect("no"));
    for is_first in [true, false] {
        let deleted = catalog.delete_organization(organization.id, &world.deed("DeleteOrg")).await;
        assert_eq!(deleted.expect("an answer"), is_first);
    }
    vec!["CreateRepository", "UpdateRepository", "DeleteRepository", "DeleteOrg"]
}

pub(crate) async fn each_change_is_recorded_once(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog).await;
    let mut expected = world.actions().await;
    for changed in [
        change_accounts(&world).await,
        change_connectors(&world).await,
        change_imports(&world).await,
        change_organization(&world).await,
    ] {
        expected.extend(changed.into_iter().map(str::to_owned));
    }
    assert_eq!(world.actions().await, expected);
}

pub(crate) async fn the_first_user_is_recorded(catalog: Arc<dyn Catalog>) {
    let admin = new_user("admin");
    let organization = new_organization("acme");
    let deed = |action| Deed { action, ..deed(at(1)) };
    let key = new_key(admin.user.id, 1);
    assert!(catalog.bootstrap(&admin, &key, &deed("Bootstrap")).await.expect("an answer"));
    let create = Deed { organization: Some(organization.id), ..deed("CreateOrganization") };
    catalog.create_organization(&organization, admin.user.id, &create).await.expect("it is made");
    let page = PageRequest { after: None, amount: 9 };
    let log = catalog.audit(organization.id, &page).await.expect("a page").rows;
    let found: Vec<_> = log.iter().map(|record| (record.id, &*record.action)).collect();
    assert_eq!(found, [(2, "CreateOrganization")], "the one before concerns no organization");
}
