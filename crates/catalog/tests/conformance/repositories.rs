//! Repositories and their pages.

use std::sync::Arc;

use catalog::{Catalog, Error, NamedRepository, Place};
use model::{Organization, Page, PageRequest, Repository, RepositoryId, Role};
use uuid::Uuid;

use super::world::{World, at, deed, new_repository};

pub(crate) async fn what_is_stored_is_what_is_read(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let mut full = new_repository(world.organization.id, world.owner.id, "full.name_1");
    full.retention_days = Some(30);
    full.visibility = "public".to_owned();
    full.description = "\u{1f980} with 'quotes'".to_owned();
    catalog.create_repository(&full, &deed(at(0))).await.expect("a repository");
    let by_name = catalog.repository(world.organization.id, "full.name_1").await;
    assert_eq!(by_name.expect("an answer"), Some(full.clone()));
    assert_eq!(catalog.repository_by_id(full.id).await.expect("an answer"), Some(full.clone()));
    let other = world.another_organization("other").await;
    assert_eq!(catalog.repository(other.id, "full.name_1").await.expect("an answer"), None);
    let unknown = RepositoryId(Uuid::new_v4());
    assert_eq!(catalog.repository_by_id(unknown).await.expect("an answer"), None);
    let mut odd = new_repository(world.organization.id, world.owner.id, "odd");
    odd.visibility = "secret".to_owned();
    assert!(
        catalog.create_repository(&odd, &deed(at(0))).await.is_err(),
        "there are two visibilities"
    );
}

pub(crate) async fn names_are_unique_in_the_organization_until_deleted(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let again = new_repository(world.organization.id, world.owner.id, "data");
    let refused = catalog.create_repository(&again, &deed(at(0))).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })));
    let other = world.another_organization("other").await;
    world.another_repository(&other, "data").await;
    assert!(catalog.delete_repository(world.repository.id, &deed(at(9))).await.expect("an answer"));
    assert!(
        !catalog.delete_repository(world.repository.id, &deed(at(9))).await.expect("an answer")
    );
    let found = catalog.repository(world.organization.id, "data").await.expect("an answer");
    assert_eq!(found, None);
    catalog.create_repository(&again, &deed(at(0))).await.expect("the name is free");
}

pub(crate) async fn an_update_changes_what_it_may(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let mut changed = world.repository.clone();
    changed.description = "new".to_owned();
    changed.visibility = "public".to_owned();
    changed.retention_days = Some(7);
    changed.session_max_duration_days = 3;
    let mut asked = changed.clone();
    asked.name = "another".to_owned();
    asked.created_at = at(99);
    assert!(catalog.update_repository(&asked, &deed(at(0))).await.expect("an answer"));
    let found = catalog.repository_by_id(changed.id).await.expect("an answer");
    assert_eq!(found, Some(changed.clone()), "the name and the rest stay");
    catalog.delete_repository(changed.id, &deed(at(9))).await.expect("a deletion");
    assert!(!catalog.update_repository(&changed, &deed(at(0))).await.expect("an answer"));
}

fn names(page: &Page<NamedRepository>) -> Vec<String> {
    page.rows.iter().map(|r| format!("{}/{}", r.organization_name, r.repository.name)).collect()
}

pub(crate) async fn pages_of_an_organization_are_cut_at_names(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let id = world.organization.id;
    for name in ["b-1", "b", "z"] {
        world.another_repository(&world.organization, name).await;
    }
    let gone = world.another_repository(&world.organization, "c").await;
    catalog.delete_repository(gone.id, &deed(at(9))).await.expect("a deletion");
    let page = |after: Option<String>, amount| {
        let request = PageRequest { after, amount };
        let catalog = catalog.clone();
        async move { catalog.repositories(id, &request).await.expect("a page") }
    };
    let first = page(None, 2).await;
    assert_eq!(names(&first), ["acme/b", "acme/b-1"]);
    assert_eq!(first.rows[0].organization_display_name, "The acme");
    assert_eq!(first.next.as_deref(), Some("b-1"));
    let last = page(first.next, 2).await;
    assert_eq!(names(&last), ["acme/data", "acme/z"]);
    assert_eq!(last.next, None, "a full last page has no next");
    assert_eq!(page(Some("z".to_owned()), 2).await, Page { rows: vec![], next: None });
    assert_eq!(names(&page(Some("bb".to_owned()), 9).await), ["acme/data", "acme/z"]);
}

pub(crate) async fn pages_of_a_user_are_cut_at_organization_and_name(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (bob, other) = (world.user("bob").await, world.another_organization("acme-2").await);
    let foreign = world.another_organization("aaa").await;
    world.another_repository(&foreign, "hidden").await;
    for (organization, name) in [(&other, "a"), (&world.organization, "x"), (&other, "b")] {
        world.another_repository(organization, name).await;
    }
    for organization in [&other, &world.organization] {
        catalog
            .add_member(organization.id, bob.id, Role::Member, &deed(at(5)))
            .await
            .expect("a member");
    }
    let mut seen = Vec::new();
    let mut request = PageRequest { after: None, amount: 3 };
    loop {
        let page = catalog.repositories_of(bob.id, &request).await.expect("a page");
        seen.extend(names(&page));
        let Some(next) = page.next else { break };
        assert_eq!(Some(&next), seen.last());
        request.after = Some(next);
    }
    assert_eq!(seen, ["acme/data", "acme/x", "acme-2/a", "acme-2/b"]);
    request.after = Some("acme".to_owned());
    let page = catalog.repositories_of(bob.id, &request).await.expect("a page");
    assert_eq!(names(&page)[0], "acme/data", "a cursor of an organization alone");
    assert!(catalog.delete_organization(other.id, &deed(at(9))).await.expect("an answer"));
    request.after = None;
    let page = catalog.repositories_of(bob.id, &request).await.expect("a page");
    assert_eq!(names(&page), ["acme/data", "acme/x"]);
}

pub(crate) async fn the_checker_sees_deleted_ones(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let second = world.another_repository(&world.organization, "second").await;
    catalog.delete_repository(second.id, &deed(at(9))).await.expect("a deletion");
    let mut expected = vec![world.repository.clone(), second];
    expected.sort_by_key(|repository| repository.id);
    assert_eq!(catalog.all_repositories().await.expect("a list"), expected);
}

pub(crate) async fn a_place_is_what_the_names_mean_to_the_viewer(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let (member, stranger) = (world.user("member").await, world.user("stranger").await);
    let (acme, other) = (&world.organization, world.another_organization("other").await);
    catalog.add_member(acme.id, member.id, Role::Member, &deed(at(5))).await.expect("a member");
    let same_name = world.another_repository(&other, "data").await;
    world.another_repository(&other, "elsewhere").await;
    let place = async |organization: &str, viewer, repository: &str| {
        catalog.place(organization, viewer, repository).await.expect("an answer")
    };
    let expected = |organization: &Organization, role, repository: Option<&Repository>| {
        let (organization, repository) = (organization.clone(), repository.cloned());
        Some(Place { organization, role, repository, head: None })
    };
    let found = place("acme", world.owner.id, "data").await;
    assert_eq!(found, expected(acme, Role::Owner, Some(&world.repository)));
    let found = place("acme", member.id, "data").await;
    assert_eq!(found, expected(acme, Role::Member, Some(&world.repository)));
    let found = place("other", world.owner.id, "data").await;
    assert_eq!(found, expected(&other, Role::Owner, Some(&same_name)));
    let found = place("acme", member.id, "elsewhere").await;
    assert_eq!(found, expected(acme, Role::Member, None), "it is another organization's");
    assert_eq!(place("other", member.id, "data").await, None);
    assert_eq!(place("acme", stranger.id, "data").await, None);
    assert_eq!(place("absent", world.owner.id, "data").await, None);

    catalog.remove_member(acme.id, member.id, &deed(at(6))).await.expect("an answer");
    assert_eq!(place("acme", member.id, "data").await, None, "a member no more");
    catalog.delete_repository(world.repository.id, &deed(at(7))).await.expect("an answer");
    let found = place("acme", world.owner.id, "data").await;
    assert_eq!(found, expected(acme, Role::Owner, None), "it is deleted");
    let again = world.another_repository(acme, "data").await;
    let found = place("acme", world.owner.id, "data").await;
    assert_eq!(found, expected(acme, Role::Owner, Some(&again)));
    catalog.delete_organization(acme.id, &deed(at(8))).await.expect("an answer");
    assert_eq!(place("acme", world.owner.id, "data").await, None);
}

pub(crate) async fn a_place_has_the_present_head(catalog: Arc<dyn Catalog>) {
    let world = World::new(catalog.clone()).await;
    let viewer = world.owner.id;
    for _ in 0..2 {
        let commit = world.commit().await;
        let place = catalog.place("acme", viewer, "data").await.expect("an answer");
        let place = place.expect("it is there");
        assert_eq!(place.repository.expect("a repository").head, Some(commit.id));
        assert_eq!(place.head, Some(commit));
    }
    let fresh = world.another_repository(&world.organization, "fresh").await;
    let place = catalog.place("acme", viewer, "fresh").await.expect("an answer");
    let place = place.expect("it is there");
    assert_eq!((place.repository, place.head), (Some(fresh), None));
}
