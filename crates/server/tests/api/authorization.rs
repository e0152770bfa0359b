//! Who may do what: every operation of the document is asked for by everybody, and each answer is
//! the one in the table. An operation that is not in the table fails the test. Whoever is not a
//! member cannot tell what exists.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::document::operations;
use crate::world::{PASSWORD, World, escaped, request};

/// Statuses for nobody, a non-member, a member, an owner, and an owner of another organization.
type Row = (&'static str, [u16; 5]);

/// Needs no credential.
const fn open(id: &'static str, status: u16) -> Row {
    (id, [status; 5])
}

/// About the caller alone.
const fn own(id: &'static str, status: u16) -> Row {
    (id, [401, status, status, status, status])
}

/// For members of the organization; others cannot tell whether it is there.
const fn members(id: &'static str, status: u16) -> Row {
    (id, [401, 404, status, status, 404])
}

/// For owners of the organization; members are told so.
const fn owners(id: &'static str, status: u16) -> Row {
    (id, [401, 404, 403, status, 404])
}

const EXPECTED: &[Row] = &[
    open("signup", 403),
    open("login", 200),
    open("createDeviceCode", 200),
    open("getDeviceToken", 200),
    open("receiveUpload", 200),
    open("getDownload", 200),
    open("headDownload", 200),
    own("getMe", 200),
    own("updateMe", 200),
    own("changePassword", 400),
    own("logout", 204),
    own("confirmDevice", 200),
    own("createAPIKey", 201),
    own("listAPIKeys", 200),
    // Everybody's own, and nobody else's.
    ("revokeAPIKey", [401, 404, 404, 204, 404]),
    own("createOrganization", 201),
    own("listOrganizations", 200),
    own("checkOrganizationName", 200),
    own("listAllRepositories", 200),
    members("getOrg", 200),
    owners("deleteOrg", 204),
    members("listMembers", 200),
    owners("addMember", 201),
    owners("removeMember", 204),
    owners("listAudit", 200),
    members("createRepository", 201),
    members("listRepositories", 200),
    members("getRepository", 200),
    members("updateRepository", 200),
    owners("deleteRepository", 204),
    owners("createConnector", 201),
    members("listConnectors", 200),
    members("getConnector", 200),
    owners("updateConnector", 200),
    owners("deleteConnector", 204),
    owners("testConnectorConfig", 200),
    members("testConnector", 200),
    // Attached already.
    members("attachConnector", 409),
    members("listRepoConnectors", 200),
    members("detachConnector", 204),
    members("startImport", 202),
    members("listImports", 200),
    members("getImportStatus", 200),
    members("watchImport", 200),
    // The job is no dry run, which only a member is told.
    members("listImportChanges", 409),
    members("cancelImport", 200),
    members("retryImport", 202),
    members("createSession", 201),
    members("commitSession", 200),
    members("rollbackSession", 204),
    members("listUncommittedChanges", 200),
    members("getObject", 200),
    members("headObject", 200),
    members("putObject", 200),
    members("deleteObject", 204),
    members("finalizeObject", 201),
    members("createMultipartUpload", 200),
    members("getMultipartPart", 200),
    members("completeMultipartUpload", 201),
    members("abortMultipartUpload", 204),
    members("copyObject", 201),
    members("deleteObjects", 200),
    members("listObjects", 200),
    members("getLog", 200),
    members("getCommit", 200),
    members("diffRefs", 200),
    members("revertCommit", 201),
];

/// An organization with everything in it that an operation can be about.
struct Fixture {
    organization: String,
    /// Another user's, for the operations on members.
    member: String,
    key: String,
    connector: String,
    job: String,
    commit: String,
    session: String,
    upload_token: String,
    upload_link: String,
    multipart_id: String,
    multipart_token: String,
    download_link: String,
    device_code: String,
    user_code: String,
}

/// The users: keys of a member, of nobody's member, of the owner of another organization.
struct Cast {
    member: String,
    foreign_owner: String,
}

async fn text(world: &World, method: &str, path: &str, body: Option<Value>) -> Value {
    let answer = world.call(method, path, body).await;
    assert!(answer.status.is_success(), "{method} {path}: {:?}", answer.body);
    answer.json()
}

fn string(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

impl Fixture {
    async fn new(world: &World, number: usize) -> Self {
        let organization = format!("org-{number}");
        let org = format!("/api/v1/organizations/{organization}");
        let repo = format!("{org}/repositories/data");
        let post = async |path: &str, body: Value| text(world, "POST", path, Some(body)).await;
        let body = json!({"name": organization, "display_name": organization});
        post("/api/v1/organizations", body).await;
        for username in ["member", "leaver"] {
            post(&format!("{org}/members"), json!({"username": username})).await;
        }
        post(&format!("{org}/repositories"), json!({"name": "data"})).await;
        let connector = post(&format!("{org}/connectors"), world.connector("source")).await;
        let connector = string(&connector["id"]);
        post(&format!("{repo}/connectors"), json!({"connector_id": connector})).await;
        let body = json!({"connector_id": connector, "destination_path": "imported"});
        let job = string(&post(&format!("{repo}/import"), body).await["job_id"]);
        text(world, "POST", &format!("{repo}/import/{job}/cancel"), None).await;

        let session = async || {
            string(&text(world, "POST", &format!("{repo}/sessions"), None).await["session_id"])
        };
        let stage = async |session: &str, path: &str| {
            let uri = format!("{repo}/object?session_id={session}&path={path}");
            world.bytes("PUT", &uri, Some(&world.owner), &[], "bytes").await.is(201);
        };
        let mut commit = String::new();
        for path in ["a.txt", "b.txt"] {
            let session = session().await;
            stage(&session, path).await;
            let body = json!({"message": path});
            commit = string(&post(&format!("{repo}/sessions/{session}"), body).await["commit_id"]);
        }
        let session = session().await;
        stage(&session, "c.txt").await;
        let place = format!("session_id={session}&path=d.txt");
        let upload = text(world, "PUT", &format!("{repo}/object?{place}"), None).await;
        let upload_link = crate::world::local(&upload["upload_url"]);
        world.bytes("PUT", &upload_link, None, &[], "bytes").await.is(200);
        let multipart = format!("{repo}/object/multipart?{place}");
        let multipart = text(world, "POST", &multipart, None).await;
        let link = world.get(&format!("{repo}/object?path=a.txt&presign=true")).await.is(307);
        let key = post("/api/v1/auth/keys", json!({"name": "k"})).await;
        let device = text(world, "POST", "/api/v1/auth/device/code", None).await;
        Self {
            organization,
            member: "leaver".to_owned(),
            key: string(&key["id"]),
            connector,
            job,
            commit,
            session,
            upload_token: string(&upload["upload_token"]),
            upload_link,
            multipart_id: string(&multipart["upload_id"]),
            multipart_token: string(&multipart["upload_token"]),
            download_link: crate::world::local(&json!(link.header("location"))),
            device_code: string(&device["device_code"]),
            user_code: string(&device["user_code"]),
        }
    }

    fn uri(&self, path: &str, operation: &str) -> String {
        match operation {
            "receiveUpload" => return self.upload_link.clone(),
            "getDownload" | "headDownload" => return self.download_link.clone(),
            _ => {}
        }
        let path = path
            .replace("{organization}", &self.organization)
            .replace("{repository}", "data")
            .replace("{user_id}", &self.member)
            .replace("{key_id}", &self.key)
            .replace("{connector_id}", &self.connector)
            .replace("{job_id}", &self.job)
            .replace("{session_id}", &self.session)
            .replace("{commit_id}", &self.commit);
        assert!(!path.contains('{'), "{path} has an argument that this test does not know");
        path + &self.query(operation)
    }

    fn query(&self, operation: &str) -> String {
        let session = &self.session;
        let place = format!("?session_id={session}&path=d.txt");
        let upload = format!(
            "{place}&upload_id={}&upload_token={}",
            self.multipart_id,
            escaped(&self.multipart_token)
        );
        match operation {
            "getObject" | "headObject" => "?path=a.txt".to_owned(),
            "diffRefs" => format!("?right={}", self.commit),
            "checkOrganizationName" => "?name=free".to_owned(),
            "listUncommittedChanges" | "deleteObjects" => format!("?session_id={session}"),
            "putObject"
            | "deleteObject"
            | "finalizeObject"
            | "createMultipartUpload"
            | "completeMultipartUpload" => place,
            "getMultipartPart" => format!("{upload}&part_number=1"),
            "abortMultipartUpload" => upload,
            "copyObject" => {
                format!("?session_id={session}&source_path=a.txt&destination_path=e.txt")
            }
            _ => String::new(),
        }
    }

    fn body(&self, world: &World, operation: &str, role: usize) -> Value {
        match operation {
            "login" => json!({"login": "admin", "password": PASSWORD}),
            "getDeviceToken" => json!({"device_code": self.device_code}),
            "confirmDevice" => json!({"user_code": self.user_code}),
            "updateMe" => json!({"bio": "changed"}),
            "changePassword" => json!({"new_password": "short"}),
            "createAPIKey" => json!({"name": "k"}),
            "createOrganization" => {
                json!({"name": format!("{}-{role}", self.organization), "display_name": ""})
            }
            "addMember" => json!({"username": "joiner"}),
            "createRepository" => json!({"name": "more"}),
            "updateRepository" => json!({"description": "changed"}),
            "createConnector" | "testConnectorConfig" => world.connector("more"),
            "updateConnector" => json!({"name": "changed"}),
            "attachConnector" => json!({"connector_id": self.connector}),
            "startImport" => json!({"connector_id": self.connector, "destination_path": ""}),
            "commitSession" => json!({"message": "changed"}),
            "finalizeObject" => json!({"upload_token": self.upload_token}),
            "completeMultipartUpload" => json!({
                "upload_id": self.multipart_id, "upload_token": self.multipart_token, "parts": [],
            }),
            "deleteObjects" => json!({"paths": ["a.txt"]}),
            "revertCommit" => json!({}),
            unknown => panic!("{unknown} takes a body that this test does not know"),
        }
    }

    fn request(
        &self,
        world: &World,
        (method, path, operation): &(String, String, Value),
        role: usize,
        token: Option<&str>,
    ) -> Request<Body> {
        let id = operation["operationId"].as_str().expect("an id");
        let content = &operation["requestBody"]["content"];
        let body = content.get("application/json").map(|_| self.body(world, id, role));
        request(method, &self.uri(path, id), token, body)
    }
}

#[tokio::test]
async fn what_is_no_key_is_nobody() {
    let world = World::bare(Objects::new()).await;
    cast(&world).await;
    let fixture = Fixture::new(&world, 0).await;
    let wrong = format!("tuk-{}", "a".repeat(49));
    for operation in &operations() {
        if operation.2["security"] == json!([]) {
            continue;
        }
        let answer = world.send(fixture.request(&world, operation, 0, Some(&wrong))).await;
        assert_eq!(answer.status, 401, "{}", operation.2["operationId"]);
    }
}

#[tokio::test]
async fn absent_and_foreign_look_the_same() {
    let world = World::bare(Objects::new()).await;
    cast(&world).await;
    let fixture = Fixture::new(&world, 0).await;
    for operation in &operations() {
        if !operation.1.contains("{organization}") || operation.0 == "HEAD" {
            continue;
        }
        let mut messages = Vec::new();
        for organization in [&*fixture.organization, "no-such"] {
            let mut operation = operation.clone();
            operation.1 = operation.1.replace("{organization}", organization);
            let request = fixture.request(&world, &operation, 1, Some(&world.stranger));
            messages.push(world.send(request).await.refused(404));
        }
        assert_eq!(messages[0], messages[1], "{}", operation.1);
    }
}

async fn cast(world: &World) -> Cast {
    let member = world.user("member").await;
    let foreign_owner = world.user("rival").await;
    for name in ["leaver", "joiner"] {
        world.user(name).await;
    }
    let body = json!({"name": "rivals", "display_name": "Rivals"});
    let made = request("POST", "/api/v1/organizations", Some(&foreign_owner), Some(body));
    world.send(made).await.is(201);
    Cast { member, foreign_owner }
}

#[tokio::test]
async fn every_operation_answers_everybody_as_the_table_says() {
    let mut world = World::bare(Objects::from([("a.txt", "a")])).await;
    world.rest().await;
    let cast = cast(&world).await;
    let tokens = [
        None,
        Some(&*world.stranger),
        Some(&*cast.member),
        Some(&*world.owner),
        Some(&*cast.foreign_owner),
    ];
    let mut rows: Vec<_> = EXPECTED.iter().collect();
    let mut number = 0;
    let mut denied = Fixture::new(&world, number).await;
    for operation in &operations() {
        let id = operation.2["operationId"].as_str().expect("an id");
        let row = rows.iter().position(|(known, _)| *known == id);
        let row = row.unwrap_or_else(|| panic!("{id} has no row in the table of this test"));
        let (_, expected) = rows.swap_remove(row);
        for (role, (token, expected)) in tokens.iter().zip(expected).enumerate() {
            let succeeds = *expected < 400;
            if succeeds {
                // What is done must not be in the way of the next one.
                number += 1;
            }
            let fixture = match succeeds {
                true => &Fixture::new(&world, number).await,
                false => &denied,
            };
            let answer = world.send(fixture.request(&world, operation, role, *token)).await;
            let who = ["nobody", "a non-member", "a member", "an owner", "a foreign owner"][role];
            assert_eq!(answer.status, *expected, "{id} for {who}: {:?}", answer.body);
            if *expected >= 400 && operation.0 != "HEAD" {
                answer.refused(*expected);
            }
            if *expected == 401 {
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{id}");
            }
            if *expected == 404 {
                let text = String::from_utf8_lossy(&answer.body);
                let known = [&fixture.organization, &fixture.connector];
                assert!(!known.iter().any(|known| text.contains(&**known)), "{id}: {text}");
            }
        }
        if matches!(id, "deleteOrg") {
            number += 1;
            denied = Fixture::new(&world, number).await;
        }
    }
    let unknown: Vec<_> = rows.iter().map(|(id, _)| id).collect();
    assert!(unknown.is_empty(), "the table has operations that the document has not: {unknown:?}");
    let left = world.get(&format!("/api/v1/organizations/{}", denied.organization)).await;
    left.is(200);
}
