//! Connectors and attachments.

use std::sync::Arc;

use catalog::{Catalog, ConnectorChange, Error};
use model::{Connector, ConnectorId, ConnectorKind, RepositoryId};
use uuid::Uuid;

use super::world::{World, at, deed, new_connector};

pub(crate) async fn what_is_stored_is_what_is_read(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let id = world.organization.id;
    let mut other = new_connector(id, world.owner.id, "archive");
    other.kind = ConnectorKind::Gcs;
    other.source_uri = "gs://bucket/\u{e4}/".to_owned();
    other.disabled = true;
    catalog.create_connector(&other, "tc1:a:other", &deed(at(0))).await.expect("a connector");
    let listed = catalog.connectors(id).await.expect("a list");
    assert_eq!(listed, [other.clone(), world.connector.clone()]);
    let found = catalog.connector(id, other.id).await.expect("an answer");
    assert_eq!(found, Some(other.clone()));
    let sealed = catalog.sealed_config(other.id).await.expect("an answer");
    assert_eq!(sealed.as_deref(), Some("tc1:a:other"));
    let foreign = world.another_organization("other").await;
    assert_eq!(catalog.connector(foreign.id, other.id).await.expect("an answer"), None);
    let unknown = ConnectorId(Uuid::new_v4());
    assert_eq!(catalog.connector(id, unknown).await.expect("an answer"), None);
    assert_eq!(catalog.sealed_config(unknown).await.expect("an answer"), None);
}

pub(crate) async fn names_are_unique_in_the_organization_until_deleted(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let id = world.organization.id;
    let again = new_connector(id, world.owner.id, "lake");
    let refused = catalog.create_connector(&again, "tc1:a:x", &deed(at(0))).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })));
    assert_eq!(catalog.sealed_config(again.id).await.expect("an answer"), None);
    catalog.delete_connector(id, world.connector.id, &deed(at(9))).await.expect("a deletion");
    catalog.create_connector(&again, "tc1:a:x", &deed(at(0))).await.expect("the name is free");
    assert_eq!(catalog.connectors(id).await.expect("a list"), [again]);
}

pub(crate) async fn deleting_wipes_config_and_attachments(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (id, connector) = (world.organization.id, world.connector.id);
    let foreign = world.another_organization("other").await;
    assert!(
        !catalog.delete_connector(foreign.id, connector, &deed(at(9))).await.expect("an answer")
    );
    assert!(catalog.sealed_config(connector).await.expect("an answer").is_some());
    assert!(catalog.delete_connector(id, connector, &deed(at(9))).await.expect("an answer"));
    assert!(!catalog.delete_connector(id, connector, &deed(at(10))).await.expect("an answer"));
    assert_eq!(catalog.sealed_config(connector).await.expect("an answer"), None);
    assert!(catalog.connectors(id).await.expect("a list").is_empty());
    assert!(catalog.attached(world.repository.id).await.expect("a list").is_empty());
    let found = catalog.connector(id, connector).await.expect("an answer").expect("still known");
    assert_eq!(found.deleted_at, Some(at(9)));
    assert_eq!(found.source_uri, world.connector.source_uri);
}

pub(crate) async fn attachments_come_and_go(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let repository = world.repository.id;
    let archive = new_connector(world.organization.id, world.owner.id, "archive");
    catalog.create_connector(&archive, "tc1:a:x", &deed(at(0))).await.expect("a connector");
    catalog.attach(repository, archive.id, &deed(at(4))).await.expect("an attachment");
    let twice = catalog.attach(repository, archive.id, &deed(at(5))).await;
    assert!(matches!(twice, Err(Error::Conflict { .. })));
    let attached = catalog.attached(repository).await.expect("a list");
    assert_eq!(attached, [archive.clone(), world.connector.clone()]);
    assert!(catalog.detach(repository, archive.id, &deed(at(0))).await.expect("an answer"));
    assert!(!catalog.detach(repository, archive.id, &deed(at(0))).await.expect("an answer"));
    assert_eq!(catalog.attached(repository).await.expect("a list"), [world.connector]);
    catalog.attach(repository, archive.id, &deed(at(6))).await.expect("attached again");
}

pub(crate) async fn only_a_live_pair_of_one_organization_is_attached(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let other = world.another_organization("other").await;
    let foreign = new_connector(other.id, world.owner.id, "foreign");
    let dead = new_connector(world.organization.id, world.owner.id, "dead");
    for new in [&foreign, &dead] {
        catalog.create_connector(new, "tc1:a:x", &deed(at(0))).await.expect("a connector");
    }
    catalog.delete_connector(dead.organization, dead.id, &deed(at(9))).await.expect("a deletion");
    let gone = world.another_repository(&world.organization, "gone").await;
    catalog.delete_repository(gone.id, &deed(at(9))).await.expect("a deletion");
    for (repository, connector) in [
        (world.repository.id, foreign.id),
        (world.repository.id, dead.id),
        (gone.id, world.connector.id),
        (world.repository.id, ConnectorId(Uuid::new_v4())),
        (RepositoryId(Uuid::new_v4()), world.connector.id),
    ] {
        let refused = catalog.attach(repository, connector, &deed(at(10))).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })));
    }
}

pub(crate) async fn an_update_changes_what_it_names(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (id, lake) = (world.organization.id, world.connector.clone());
    let update = |organization, change: ConnectorChange| {
        let catalog = catalog.clone();
        async move { catalog.update_connector(organization, lake.id, &change, &deed(at(0))).await }
    };
    let sealed = || async { catalog.sealed_config(lake.id).await.expect("an answer") };
    let none = ConnectorChange::default();
    for disabled in [true, false] {
        let change = ConnectorChange { disabled: Some(disabled), ..none.clone() };
        let expected = Connector { disabled, ..lake.clone() };
        assert_eq!(update(id, change).await.expect("an answer"), Some(expected.clone()));
        assert_eq!(catalog.connector(id, lake.id).await.expect("an answer"), Some(expected));
    }
    assert_eq!(sealed().await.as_deref(), Some("tc1:a:sealed"));
    let change = ConnectorChange {
        name: Some("sea".to_owned()),
        disabled: Some(true),
        sealed: Some("tc1:a:new".to_owned()),
    };
    let expected = Connector { name: "sea".to_owned(), disabled: true, ..lake.clone() };
    assert_eq!(update(id, change).await.expect("an answer"), Some(expected.clone()));
    assert_eq!(sealed().await.as_deref(), Some("tc1:a:new"));
    assert_eq!(update(id, none.clone()).await.expect("an answer"), Some(expected.clone()));
    assert_eq!(catalog.attached(world.repository.id).await.expect("a list"), [expected]);

    let foreign = world.another_organization("other").await.id;
    let change = ConnectorChange { sealed: Some("tc1:a:foreign".to_owned()), ..none };
    assert_eq!(update(foreign, change.clone()).await.expect("an answer"), None);
    assert_eq!(sealed().await.as_deref(), Some("tc1:a:new"));
    catalog.delete_connector(id, lake.id, &deed(at(9))).await.expect("a deletion");
    assert_eq!(update(id, change).await.expect("an answer"), None);
    assert_eq!(sealed().await, None, "a deleted connector gets no config");
}

pub(crate) async fn a_new_name_must_be_free(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let id = world.organization.id;
    let archive = new_connector(id, world.owner.id, "archive");
    catalog.create_connector(&archive, "tc1:a:x", &deed(at(0))).await.expect("a connector");
    let change = |name: &str| ConnectorChange {
        name: Some(name.to_owned()),
        disabled: None,
        sealed: Some("tc1:a:new".to_owned()),
    };
    let taken = catalog.update_connector(id, archive.id, &change("lake"), &deed(at(0))).await;
    assert!(matches!(taken, Err(Error::Conflict { .. })));
    assert_eq!(catalog.connector(id, archive.id).await.expect("an answer"), Some(archive.clone()));
    let sealed = catalog.sealed_config(archive.id).await.expect("an answer");
    assert_eq!(sealed.as_deref(), Some("tc1:a:x"), "nothing of it was done");
    let own = catalog.update_connector(id, archive.id, &change("archive"), &deed(at(0))).await;
    assert!(own.expect("its own name is free").is_some());
    catalog.delete_connector(id, world.connector.id, &deed(at(9))).await.expect("a deletion");
    let freed = catalog.update_connector(id, archive.id, &change("lake"), &deed(at(0))).await;
    assert_eq!(freed.expect("the name is free").expect("the connector").name, "lake");
}
