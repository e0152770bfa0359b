//! Every verb for an owner, a member, a stranger and nobody.

use engine::{
    At, Credential, DiffQuery, Engine, ImportRequest, Kind, LogQuery, ObjectsQuery, Principal,
    RepositoryChange, RepositorySpec, Result,
};
use futures_util::future::BoxFuture;
use model::{ConnectorId, Entropy, JobId, PageRequest, Role, Secret, UserId};

use crate::world::{ORGANIZATION, REPOSITORY, World, connector_spec};

struct Ids {
    connector: ConnectorId,
    job: JobId,
    user: UserId,
}

type Call = for<'a> fn(&'a Engine, &'a Principal, &'a str, &'a Ids) -> BoxFuture<'a, Result<()>>;

/// Which role a verb needs.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Needs {
    Owner,
    Member,
}

macro_rules! verbs {
    ($($name:literal $needs:ident |$e:ident, $p:ident, $o:ident, $i:ident| $call:expr;)*) => {
        [$(($name, Needs::$needs, (|$e, $p, $o, $i| {
            let _ = $i;
            Box::pin(async move { $call.await.map(drop) })
        }) as Call)),*]
    };
}

fn page() -> PageRequest {
    PageRequest { after: None, amount: 10 }
}

/// Everything that happens in an organization; what destroys comes last.
#[rustfmt::skip]
fn verbs() -> [(&'static str, Needs, Call); 31] {
    verbs![
        "organization" Member |e, p, o, i| e.organization(p, o);
        "members" Member |e, p, o, i| e.members(p, o);
        "add member" Owner |e, p, o, i| e.add_member(p, o, "nobody", Role::Member);
        "remove member" Owner |e, p, o, i| e.remove_member(p, o, &i.user.to_string());
        "create connector" Owner |e, p, o, i| e.create_connector(p, o, connector_spec("new"));
        "connectors" Member |e, p, o, i| e.connectors(p, o);
        "connector" Member |e, p, o, i| e.connector(p, o, i.connector);
        "test config" Owner |e, p, o, i|
            e.test_connector_config(p, o, "gcs", "gs://b/", &serde_json::Value::Null);
        "test connector" Member |e, p, o, i| e.test_connector(p, o, i.connector);
        "attach" Member |e, p, o, i| e.attach(p, o, REPOSITORY, i.connector);
        "attached" Member |e, p, o, i| e.attached(p, o, REPOSITORY);
        "detach" Member |e, p, o, i| e.detach(p, o, REPOSITORY, i.connector);
        "create repository" Member |e, p, o, i|
            e.create_repository(p, o, RepositorySpec { name: "r2".into(), ..Default::default() });
        "repositories" Member |e, p, o, i| e.repositories(p, o, page());
        "repository" Member |e, p, o, i| e.repository(p, o, REPOSITORY);
        "update repository" Member |e, p, o, i|
            e.update_repository(p, o, REPOSITORY, RepositoryChange::default());
        "head object" Member |e, p, o, i| e.head_object(p, o, REPOSITORY, "a", &At::Head);
        "open object" Member |e, p, o, i| e.open_object(p, o, REPOSITORY, "a", &At::Head, None);
        "list objects" Member |e, p, o, i|
            e.list_objects(p, o, REPOSITORY, ObjectsQuery { amount: 1, ..Default::default() });
        "log" Member |e, p, o, i|
            e.log(p, o, REPOSITORY, LogQuery { amount: 1, ..Default::default() });
        "commit" Member |e, p, o, i| e.commit(p, o, REPOSITORY, "00000000");
        "diff" Member |e, p, o, i| e.diff(p, o, REPOSITORY, DiffQuery {
            right: Some("00000000".into()), amount: 1, ..Default::default()
        });
        "start import" Member |e, p, o, i|
            e.start_import(p, o, REPOSITORY, ImportRequest::default(), None);
        "import" Member |e, p, o, i| e.import(p, o, REPOSITORY, i.job);
        "cancel import" Member |e, p, o, i| e.cancel_import(p, o, REPOSITORY, i.job);
        "retry import" Member |e, p, o, i| e.retry_import(p, o, REPOSITORY, i.job);
        "audit" Owner |e, p, o, i| e.audit(p, o, page());
        "foreign repository" Member |e, p, o, i| e.repository(p, o, "absent");
        "delete connector" Owner |e, p, o, i| e.delete_connector(p, o, i.connector);
        "delete repository" Owner |e, p, o, i| e.delete_repository(p, o, REPOSITORY);
        "delete organization" Owner |e, p, o, i| e.delete_organization(p, o);
    ]
}

#[tokio::test]
async fn every_verb_knows_owner_member_and_stranger() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let (member, stranger) = (world.user("mia").await, world.user("sam").await);
    engine.add_member(owner, ORGANIZATION, "mia", Role::Member).await.expect("a new member");
    let ids = Ids {
        connector: world.connector("one").await,
        job: JobId(world.entropy.uuid()),
        user: UserId(world.entropy.uuid()),
    };
    for (name, needs, call) in verbs() {
        let absent = call(engine, &stranger, "absent", &ids).await.expect_err("absent");
        let hidden = call(engine, &stranger, ORGANIZATION, &ids).await.expect_err("hidden");
        assert_eq!(absent.kind, Kind::NotFound, "{name}: {absent}");
        let seen = |error: &engine::Error| (error.kind, error.code, error.message.clone());
        assert_eq!(seen(&absent), seen(&hidden), "{name} tells a stranger what there is");

        let refused = |result: Result<()>| result.err().map(|error| error.kind);
        let by_member = refused(call(engine, &member, ORGANIZATION, &ids).await);
        let by_owner = refused(call(engine, owner, ORGANIZATION, &ids).await);
        let forbidden = Some(Kind::Forbidden);
        assert_eq!(by_member == forbidden, needs == Needs::Owner, "{name}: {by_member:?}");
        assert_ne!(by_owner, forbidden, "{name}");
    }
    assert_eq!(
        engine.organization(owner, ORGANIZATION).await.expect_err("deleted").kind,
        Kind::NotFound
    );
}

#[tokio::test]
async fn nobody_gets_a_principal() {
    let world = World::new().await;
    let secret = |text: &str| Secret::new(text.to_owned());
    for credential in [
        Credential::Token(secret("")),
        Credential::Token(secret("tuk-00000000000000000000")),
        Credential::Token(secret("trk-00000000000000000000")),
        Credential::Basic { login: "olga".into(), password: secret("") },
        Credential::Basic { login: String::new(), password: secret("") },
        Credential::Basic { login: "absent".into(), password: secret("password") },
        Credential::Login(secret("")),
        Credential::Login(secret(&"0".repeat(43))),
    ] {
        let error = world.engine.authenticate(&credential, None).await.expect_err("refused");
        assert_eq!(error.kind, Kind::Unauthenticated);
    }
}

#[tokio::test]
async fn what_belongs_to_another_organization_is_not_found() {
    let world = World::new().await;
    let other = world.user("otto").await;
    let spec = engine::OrganizationSpec { name: "other".into(), display_name: String::new() };
    world.engine.create_organization(&other, spec).await.expect("a new organization");
    let spec = RepositorySpec { name: "theirs".into(), ..Default::default() };
    world.engine.create_repository(&other, "other", spec).await.expect("a new repository");
    let foreign = world.connector("one").await;
    let engine = &world.engine;
    for result in [
        engine.connector(&other, "other", foreign).await.map(drop),
        engine.delete_connector(&other, "other", foreign).await,
        engine.test_connector(&other, "other", foreign).await,
        engine.attach(&other, "other", "theirs", foreign).await,
        engine.repository(&other, "other", REPOSITORY).await.map(drop),
    ] {
        assert_eq!(result.expect_err("foreign").kind, Kind::NotFound);
    }
    assert!(engine.connector(&world.owner, ORGANIZATION, foreign).await.is_ok());
}
