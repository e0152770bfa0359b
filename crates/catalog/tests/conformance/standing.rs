//! Whether a job may go on: checked alike at claim, at each heartbeat and in the finish.

use std::sync::Arc;

use catalog::{Catalog, Claim, ConnectorChange, Finished, Standing};
use model::{JobStatus, Organization, Repository, Role};

use super::world::{LONG_MS, World, at, counts, deed, key, progress};

#[derive(Clone, Copy, Debug)]
enum Bar {
    OrganizationDeleted,
    RepositoryDeleted,
    ConnectorDeleted,
    ConnectorDisabled,
    ConnectorDetached,
    StarterRemoved,
}

impl Bar {
    const ALL: [(Self, &'static str); 6] = [
        (Self::RepositoryDeleted, "the repository was deleted"),
        (Self::ConnectorDeleted, "the connector was deleted"),
        (Self::ConnectorDisabled, "the connector was disabled"),
        (Self::ConnectorDetached, "the connector was detached"),
        (Self::StarterRemoved, "the user who started the import was removed"),
        (Self::OrganizationDeleted, "the organization was deleted"),
    ];

    async fn put_up(self, world: &World) {
        let (catalog, organization) = (&world.catalog, world.organization.id);
        let (repository, connector) = (world.repository.id, world.connector.id);
        let done = match self {
            Self::OrganizationDeleted => {
                catalog.delete_organization(organization, &deed(at(500))).await
            }
            Self::RepositoryDeleted => catalog.delete_repository(repository, &deed(at(500))).await,
            Self::ConnectorDeleted => {
                catalog.delete_connector(organization, connector, &deed(at(500))).await
            }
            Self::ConnectorDisabled => {
                let change = ConnectorChange { disabled: Some(true), ..ConnectorChange::default() };
                let changed =
                    catalog.update_connector(organization, connector, &change, &deed(at(0))).await;
                changed.map(|changed| changed.is_some())
            }
            Self::ConnectorDetached => catalog.detach(repository, connector, &deed(at(0))).await,
            Self::StarterRemoved => {
                catalog.remove_member(organization, world.owner.id, &deed(at(0))).await
            }
        };
        assert!(done.expect("an answer"), "{self:?}");
    }
}

pub(crate) async fn each_bar_is_named_at_heartbeat_finish_and_claim(catalog: Arc<dyn Catalog>) {
    for (number, (bar, reason)) in Bar::ALL.into_iter().enumerate() {
        let world = World::named(catalog.clone(), &format!("acme-{number}")).await;
        let second = world.user(&format!("second-{number}")).await;
        let organization = world.organization.id;
        let role = Role::Owner;
        catalog
            .add_member(organization, second.id, role, &deed(at(4)))
            .await
            .expect("a second owner");
        let claim = world.running().await;
        let waiting = world.start().await;
        let finish = world.finish_on(&claim, None);
        let told = progress(1, 0, 1);
        let beat = || catalog.heartbeat(key(&claim), LONG_MS, &told, world.tick());
        assert_eq!(beat().await.expect("a heartbeat"), Standing::Good);
        bar.put_up(&world).await;
        let Standing::Barred(text) = beat().await.expect("a heartbeat") else {
            panic!("{bar:?} did not bar the heartbeat")
        };
        assert!(text.starts_with(reason), "{text}");
        let expected = Finished::Stopped(Standing::Barred(text.clone()));
        assert_eq!(world.finish(&claim, &finish).await, expected);
        let ended = catalog.end_import(key(&claim), JobStatus::Failed, Some(&text), at(600)).await;
        assert!(ended.expect("an answer"));

        assert!(world.claim_with(LONG_MS).await.is_none());
        for job in [claim.import.id, waiting] {
            let job = world.job(job).await;
            assert_eq!((job.status, job.commit), (JobStatus::Failed, None));
            assert_eq!(job.error.as_deref(), Some(&*text), "{bar:?}");
        }
        assert!(catalog.segments(None, 1).await.expect("a list").is_empty());
    }
}

pub(crate) async fn a_cancel_request_is_seen_at_heartbeat_and_finish(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let claim = world.running().await;
    let job = claim.import.id;
    catalog.cancel_import(world.repository.id, job, &deed(world.tick())).await.expect("an answer");
    let told = progress(9, 9, 9);
    let beat = catalog.heartbeat(key(&claim), LONG_MS, &told, world.tick()).await;
    assert_eq!(beat.expect("a heartbeat"), Standing::CancelRequested);
    let finish = world.finish_on(&claim, None);
    let expected = Finished::Stopped(Standing::CancelRequested);
    assert_eq!(world.finish(&claim, &finish).await, expected);
    assert_eq!(world.head().await, None);
    assert_eq!(counts(&world.job(job).await), (0, 0, 0), "nothing is recorded any more");
}

pub(crate) async fn another_members_departure_bars_nothing(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let bob = world.user("bob").await;
    let id = world.organization.id;
    catalog.add_member(id, bob.id, Role::Member, &deed(at(4))).await.expect("a member");
    let claim = world.running().await;
    assert!(catalog.remove_member(id, bob.id, &deed(at(0))).await.expect("an answer"));
    let told = progress(1, 0, 1);
    let beat = catalog.heartbeat(key(&claim), LONG_MS, &told, world.tick()).await;
    assert_eq!(beat.expect("a heartbeat"), Standing::Good);
}

/// An import of the owner of `world` from a repository of another organization, running.
async fn reading_from(world: &World, name: &str) -> (Organization, Repository, Claim) {
    let other = world.another_organization(name).await;
    let second = world.user(&format!("{name}-owner")).await;
    let added = world.catalog.add_member(other.id, second.id, Role::Owner, &deed(at(4))).await;
    added.expect("a second owner");
    let source = world.another_repository(&other, "source").await;
    let new = world.new_import_from(&other, &source);
    world.catalog.create_import(&new, None, &deed(at(0))).await.expect("a job");
    let claim = world.claim().await;
    assert_eq!(claim.import.id, new.id);
    (other, source, claim)
}

pub(crate) async fn bars_of_a_source_repository_are_named(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    // It has to be neither attached nor enabled; the connector of the world does not matter.
    catalog.detach(world.repository.id, world.connector.id, &deed(at(0))).await.expect("an answer");
    for number in 0..3 {
        let (other, source, claim) = reading_from(&world, &format!("other-{number}")).await;
        let waiting = world.new_import_from(&other, &source);
        catalog.create_import(&waiting, None, &deed(at(0))).await.expect("a job");
        let finish = world.finish_on(&claim, None);
        let told = progress(1, 0, 1);
        let beat = || catalog.heartbeat(key(&claim), LONG_MS, &told, world.tick());
        assert_eq!(beat().await.expect("a heartbeat"), Standing::Good);
        let (done, reason) = match number {
            0 => (
                catalog.delete_repository(source.id, &deed(at(500))).await,
                "the source repository was deleted",
            ),
            1 => (
                catalog.delete_organization(other.id, &deed(at(500))).await,
                "the source repository was deleted",
            ),
            _ => (
                catalog.remove_member(other.id, world.owner.id, &deed(at(0))).await,
                "the user who started the import lost access to the source repository",
            ),
        };
        assert!(done.expect("an answer"));
        let Standing::Barred(text) = beat().await.expect("a heartbeat") else {
            panic!("the heartbeat was not barred: {reason}")
        };
        assert!(text.starts_with(reason), "{text}");
        let expected = Finished::Stopped(Standing::Barred(text.clone()));
        assert_eq!(world.finish(&claim, &finish).await, expected);
        let ended = catalog.end_import(key(&claim), JobStatus::Failed, Some(&text), at(600)).await;
        assert!(ended.expect("an answer"));
        assert!(world.claim_with(LONG_MS).await.is_none());
        assert_eq!(world.job(waiting.id).await.error, Some(text));
    }
    assert_eq!(world.head().await, None);
}

pub(crate) async fn an_import_from_a_repository_is_barred_by_its_target_too(
    catalog: Arc<dyn Catalog>,
) {
    let world = World::new(catalog.clone()).await;
    let (_, _, claim) = reading_from(&world, "other").await;
    let finish = world.finish_on(&claim, None);
    assert!(
        catalog.delete_repository(world.repository.id, &deed(at(500))).await.expect("an answer")
    );
    let stopped = world.finish(&claim, &finish).await;
    let Finished::Stopped(Standing::Barred(text)) = stopped else { panic!("{stopped:?}") };
    assert!(text.starts_with("the repository was deleted"), "{text}");
}
