//! Nobody without a credential gets anything, and a stranger cannot tell what exists. For every
//! operation of the document, so that none is forgotten.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::document::operations;
use crate::world::{ORG, REPO, World, request};

/// Operations that ask for nothing foreign: what a stranger gets from them.
const OWN: [(&str, u16); 7] = [
    ("getMe", 200),
    ("createAPIKey", 201),
    ("listAPIKeys", 200),
    ("createOrganization", 201),
    ("listOrganizations", 200),
    ("checkOrganizationName", 200),
    ("listAllRepositories", 200),
];

/// What only an owner may do.
const OWNERS: [&str; 8] = [
    "deleteOrg",
    "addMember",
    "removeMember",
    "createConnector",
    "updateConnector",
    "deleteConnector",
    "testConnectorConfig",
    "deleteRepository",
];

/// Real ids of what the owner has.
struct Ids {
    user: String,
    key: String,
    connector: String,
    job: String,
    commit: String,
}

impl Ids {
    async fn of(world: &World) -> Self {
        let id = |value: &Value| value.as_str().expect("an id").to_owned();
        let connectors = world.get(&format!("{REPO}/connectors")).await.json();
        let connector = &connectors["results"][0]["id"];
        let job = world.import(json!({"connector_id": connector, "destination_path": ""})).await;
        Self {
            user: id(&world.get("/api/v1/auth/me").await.json()["user"]["id"]),
            key: id(&world.get("/api/v1/auth/keys").await.json()["results"][0]["id"]),
            connector: id(connector),
            job: id(&job["id"]),
            commit: world.head().await,
        }
    }

    /// The operation's request with everything filled in.
    fn uri(&self, path: &str, operation: &str) -> String {
        let path = path
            .replace("{organization}", "acme")
            .replace("{repository}", "data")
            .replace("{user_id}", &self.user)
            .replace("{key_id}", &self.key)
            .replace("{connector_id}", &self.connector)
            .replace("{job_id}", &self.job)
            .replace("{commit_id}", &self.commit);
        assert!(!path.contains('{'), "{path} has an argument that this test does not know");
        match operation {
            "getObject" | "headObject" => format!("{path}?path=a.txt"),
            "diffRefs" => format!("{path}?right={}", self.commit),
            "checkOrganizationName" => format!("{path}?name=free"),
            _ => path,
        }
    }

    fn body(&self, world: &World, operation: &str) -> Value {
        match operation {
            "createAPIKey" => json!({"name": "k"}),
            "createOrganization" => json!({"name": "theirs", "display_name": "Theirs"}),
            "addMember" => json!({"username": "mallory"}),
            "createRepository" => json!({"name": "more"}),
            "updateRepository" => json!({"description": "changed"}),
            "createConnector" | "testConnectorConfig" => world.connector("more"),
            "updateConnector" => json!({"name": "changed", "disabled": true}),
            "attachConnector" => json!({"connector_id": self.connector}),
            "startImport" => json!({"connector_id": self.connector, "destination_path": ""}),
            unknown => panic!("{unknown} takes a body that this test does not know"),
        }
    }

    fn request(
        &self,
        world: &World,
        (method, path, operation): &(String, String, Value),
        token: Option<&str>,
    ) -> (String, Request<Body>) {
        let id = operation["operationId"].as_str().expect("an id");
        let body = operation.get("requestBody").map(|_| self.body(world, id));
        (id.to_owned(), request(method, &self.uri(path, id), token, body))
    }
}

async fn world() -> (World, Ids) {
    let world = World::imported(Objects::from([("a.txt", "a")])).await;
    let ids = Ids::of(&world).await;
    (world, ids)
}

#[tokio::test]
async fn without_a_valid_credential_every_operation_is_401() {
    let (world, ids) = world().await;
    let wrong = format!("tuk-{}", "a".repeat(49));
    for operation in &operations() {
        for token in [None, Some(&*wrong)] {
            let (id, request) = ids.request(&world, operation, token);
            let answer = world.send(request).await;
            assert_eq!(answer.status, 401, "{id}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{id}");
            match &*operation.0 {
                "HEAD" => assert!(answer.body.is_empty(), "{id}"),
                _ => drop(answer.refused(401)),
            }
        }
    }
}

#[tokio::test]
async fn a_stranger_gets_404_and_changes_nothing() {
    let (world, ids) = world().await;
    for operation in &operations() {
        let (id, request) = ids.request(&world, operation, Some(&world.stranger));
        let answer = world.send(request).await;
        let own = OWN.iter().find(|(own, _)| *own == id);
        let expected = own.map_or(404, |(_, status)| *status);
        assert_eq!(answer.status, expected, "{id}: {:?}", answer.body);
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains("acme") && !text.contains(&ids.connector), "{id}: {text}");
    }
    for path in [ORG, REPO, &format!("{ORG}/connectors/{}", ids.connector)] {
        world.get(path).await.is(200);
    }
    assert_eq!(world.get(REPO).await.json()["description"], "");
    assert_eq!(world.get(&format!("{ORG}/members")).await.json()["results"][1], Value::Null);
    assert_eq!(world.head().await, ids.commit);
}

#[tokio::test]
async fn absent_and_foreign_look_the_same() {
    let (world, ids) = world().await;
    for operation in &operations() {
        if !operation.1.contains("{organization}") || operation.0 == "HEAD" {
            continue;
        }
        let mut messages = Vec::new();
        for organization in ["acme", "no-such"] {
            let mut operation = operation.clone();
            operation.1 = operation.1.replace("{organization}", organization);
            let (_, request) = ids.request(&world, &operation, Some(&world.stranger));
            messages.push(world.send(request).await.refused(404));
        }
        assert_eq!(messages[0], messages[1], "{}", operation.1);
    }
}

#[tokio::test]
async fn a_member_may_all_but_what_owners_may() {
    let (world, ids) = world().await;
    world.post(&format!("{ORG}/members"), json!({"username": "mallory"})).await.is(201);
    for operation in &operations() {
        let id = operation.2["operationId"].as_str().expect("an id");
        if OWNERS.contains(&id) {
            let (_, request) = ids.request(&world, operation, Some(&world.stranger));
            world.send(request).await.refused(403);
        } else if operation.0 == "GET" && !id.contains("Key") {
            let (_, request) = ids.request(&world, operation, Some(&world.stranger));
            // The job is no dry run, which only a member is told.
            world.send(request).await.is(if id == "listImportChanges" { 409 } else { 200 });
        }
    }
}

#[tokio::test]
async fn ids_of_another_organization_are_not_found_in_ones_own() {
    let (world, ids) = world().await;
    let theirs = "/api/v1/organizations/theirs";
    let send = async |method: &str, path: String, body: Option<Value>| {
        world.send(request(method, &path, Some(&world.stranger), body)).await
    };
    let body = json!({"name": "theirs", "display_name": "Theirs"});
    send("POST", "/api/v1/organizations".to_owned(), Some(body)).await.is(201);
    let body = json!({"name": "data"});
    send("POST", format!("{theirs}/repositories"), Some(body)).await.is(201);
    let repository = format!("{theirs}/repositories/data");
    let Ids { connector, job, commit, .. } = &ids;
    for path in [
        format!("{theirs}/connectors/{connector}"),
        format!("{repository}/import/{job}"),
        format!("{repository}/import/{job}/events"),
        format!("{repository}/import/{job}/changes"),
        format!("{repository}/commits/{commit}"),
        format!("{repository}/object?path=a.txt&ref={commit}"),
        format!("{repository}/objects?ref={commit}"),
        format!("{repository}/log?ref={commit}"),
        format!("{repository}/diff?right={commit}"),
    ] {
        send("GET", path, None).await.refused(404);
    }
    let body = json!({"connector_id": connector});
    send("POST", format!("{repository}/connectors"), Some(body)).await.refused(404);
    let body = json!({"connector_id": connector, "destination_path": ""});
    send("POST", format!("{repository}/import"), Some(body)).await.refused(404);
    for verb in ["cancel", "retry"] {
        send("POST", format!("{repository}/import/{job}/{verb}"), None).await.refused(404);
    }
    send("POST", format!("{theirs}/connectors/{connector}/test"), None).await.refused(404);
    send("DELETE", format!("{theirs}/connectors/{connector}"), None).await.refused(404);
    let body = json!({"disabled": true});
    send("PATCH", format!("{theirs}/connectors/{connector}"), Some(body)).await.refused(404);
    let kept = world.get(&format!("{ORG}/connectors/{connector}")).await.is(200).json();
    assert_eq!(kept["disabled"], false);
}
