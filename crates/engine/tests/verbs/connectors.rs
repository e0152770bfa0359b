//! Connectors: validation, sealing, tests, attachments.

use engine::{ConnectorSpec, Engine, Kind};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use model::{ConnectorId, Entropy};
use serde_json::{Value, json};
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, Objects, SECRET_ACCESS_KEY};

use crate::world::{ORGANIZATION, REPOSITORY, World, connector_spec};

#[tokio::test]
async fn a_bad_spec_is_refused_by_field() {
    let world = World::new().await;
    let good = || connector_spec("one");
    let config = |config: Value| ConnectorSpec { config, ..good() };
    let cases = [
        (ConnectorSpec { name: String::new(), ..good() }, "name:"),
        (ConnectorSpec { name: "x".repeat(256), ..good() }, "name:"),
        (ConnectorSpec { kind: "ftp".into(), ..good() }, "type:"),
        (ConnectorSpec { kind: "gcs".into(), ..good() }, "source_uri: must start with gs://"),
        (ConnectorSpec { kind: "git".into(), ..good() }, "type: this version has no git"),
        (ConnectorSpec { source_uri: "gs://bucket/".into(), ..good() }, "source_uri"),
        (ConnectorSpec { source_uri: "bucket".into(), ..good() }, "source_uri"),
        (config(Value::Null), "config"),
        (config(json!({ "access_key_id": "a" })), "config.secret_access_key"),
        (
            config(json!({ "access_key_id": "a", "secret_access_key": "b", "endpont": "x" })),
            "config has an unknown field \"endpont\"",
        ),
        (
            config(json!({
                "access_key_id": "a", "secret_access_key": "b",
                "endpoint": "http://169.254.169.254",
            })),
            "config.endpoint:",
        ),
    ];
    for (spec, start) in cases {
        let error = world.engine.create_connector(&world.owner, ORGANIZATION, spec).await;
        let error = error.expect_err("refused");
        assert!(error.kind == Kind::Invalid && error.message.starts_with(start), "{error}");
    }
    assert!(world.engine.connectors(&world.owner, ORGANIZATION).await.expect("a list").is_empty());
}

#[tokio::test]
async fn connectors_are_listed_deleted_and_made_again() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let one = world.connector("one").await;
    let made = engine.connector(owner, ORGANIZATION, one).await.expect("found");
    assert_eq!((made.name.as_str(), made.source_uri.as_str()), ("one", "s3://bucket/prefix/"));
    let taken = engine.create_connector(owner, ORGANIZATION, connector_spec("one")).await;
    assert_eq!(taken.expect_err("taken").kind, Kind::Conflict);

    engine.attach(owner, ORGANIZATION, REPOSITORY, one).await.expect("attached");
    let again = engine.attach(owner, ORGANIZATION, REPOSITORY, one).await;
    assert_eq!(again.expect_err("attached").kind, Kind::Conflict);
    let attached = engine.attached(owner, ORGANIZATION, REPOSITORY).await.expect("a list");
    assert_eq!(attached, [made]);
    engine.detach(owner, ORGANIZATION, REPOSITORY, one).await.expect("detached");
    engine.detach(owner, ORGANIZATION, REPOSITORY, one).await.expect("once more is no error");
    engine.attach(owner, ORGANIZATION, REPOSITORY, one).await.expect("attached");

    engine.delete_connector(owner, ORGANIZATION, one).await.expect("deleted");
    assert!(engine.attached(owner, ORGANIZATION, REPOSITORY).await.expect("a list").is_empty());
    let absent = ConnectorId(world.entropy.uuid());
    for id in [one, absent] {
        for result in [
            engine.connector(owner, ORGANIZATION, id).await.map(drop),
            engine.delete_connector(owner, ORGANIZATION, id).await,
            engine.test_connector(owner, ORGANIZATION, id).await,
            engine.attach(owner, ORGANIZATION, REPOSITORY, id).await,
        ] {
            let error = result.expect_err("not there");
            assert_eq!(
                (error.kind, error.message.as_str()),
                (Kind::NotFound, "connector not found")
            );
        }
    }
    world.connector("one").await;
    assert_eq!(engine.connectors(owner, ORGANIZATION).await.expect("a list").len(), 1);
}

#[tokio::test]
async fn a_config_rests_sealed_and_needs_its_key() {
    let world = World::new().await;
    let id = world.connector("one").await;
    for file in std::fs::read_dir(world.folder.path()).expect("a folder") {
        let path = file.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("readable");
            for secret in [&b"do-not-show-me"[..], b"AKIAEXAMPLE"] {
                let shown = bytes.windows(secret.len()).any(|window| window == secret);
                assert!(!shown, "{}", path.display());
            }
        }
    }
    let other: Engine = world.reopened("second");
    let error = other.test_connector(&world.owner, ORGANIZATION, id).await.expect_err("no key");
    assert_eq!(error.code, "ENCRYPTION_KEY_MISSING");
    let message = "the key first that sealed this connector is not configured: add it to \
                   auth.encryption.keys";
    assert_eq!(error.message, message);
    assert!(other.connector(&world.owner, ORGANIZATION, id).await.is_ok(), "it can be seen");
    let missing = other.missing_keys().await.expect("the catalog answers");
    assert_eq!(missing, [("first".to_owned(), 1)].into());
    let missing = world.engine.missing_keys().await.expect("the catalog answers");
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn a_test_reaches_the_source_or_says_what_failed() {
    let world = World::new().await;
    let (engine, owner) = (&world.engine, &world.owner);
    let server = HostileS3::start(Objects::from([("prefix/a", "bytes")])).await;
    let uri = format!("s3://{BUCKET}/prefix/");
    let config = |secret: &str| {
        json!({
            "access_key_id": ACCESS_KEY_ID, "secret_access_key": secret,
            "endpoint": server.endpoint(),
        })
    };
    let good = config(SECRET_ACCESS_KEY);
    let tested = engine.test_connector_config(owner, ORGANIZATION, "s3", &uri, &good).await;
    tested.expect("the source answers");
    assert!(engine.connectors(owner, ORGANIZATION).await.expect("a list").is_empty());

    let spec = ConnectorSpec {
        name: "one".into(),
        kind: "s3".into(),
        source_uri: uri.clone(),
        config: good,
    };
    let made = engine.create_connector(owner, ORGANIZATION, spec).await.expect("made");
    engine.test_connector(owner, ORGANIZATION, made.id).await.expect("the source answers");

    let wrong = config("a-wrong-secret");
    let tested = engine.test_connector_config(owner, ORGANIZATION, "s3", &uri, &wrong).await;
    let error = tested.expect_err("wrong credentials");
    assert_eq!((error.kind, error.code), (Kind::Source, "SOURCE_TEST_FAILED"));
    assert!(error.message.contains("authenticate"), "{error}");
    assert!(!error.message.contains("a-wrong-secret"));
    drop(server);
    let gone = engine.test_connector(owner, ORGANIZATION, made.id).await;
    let gone = gone.expect_err("the server is gone");
    assert!(gone.kind == Kind::Source && gone.message.contains("reach"), "{gone}");
}

#[tokio::test]
async fn only_so_many_tests_run_side_by_side() {
    let world = World::new().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let config =
        json!({ "access_key_id": "id", "secret_access_key": "secret", "endpoint": endpoint });
    let (engine, owner) = (&world.engine, &world.owner);
    let test = || engine.test_connector_config(owner, ORGANIZATION, "s3", "s3://bucket/", &config);
    let mut running: FuturesUnordered<_> = (0..17).map(|_| test()).collect();
    let first = running.next().await.expect("they run").expect_err("nothing answers there");
    assert!(matches!(first.kind, Kind::Throttled { retry_s: 1.. }), "{first}");
}
