//! A server on a fresh data directory with a source, an owner and a stranger; requests go in
//! without a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use blocks::{Blocks, Local};
use catalog::seal::KeyRing;
use catalog::sqlite::Sqlite;
use engine::{Engine, ImportSettings, Located, NewUserSpec, Parts, Worker};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use model::{Clock, Entropy, NoFailpoints, Secret, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use server::{App, Watches};
use sources::{Egress, Private, Sources, Timeouts};
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, Objects, SECRET_ACCESS_KEY};
use testkit::{SeededEntropy, SystemClock};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The owner's organization.
pub(crate) const ORG: &str = "/api/v1/organizations/acme";
/// Its repository.
pub(crate) const REPO: &str = "/api/v1/organizations/acme/repositories/data";
/// Where users reach the server.
pub(crate) const PUBLIC_URL: &str = "https://tilde.example.com";
/// The owner's password, beside a key.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct World {
    pub(crate) router: axum::Router,
    pub(crate) source: HostileS3,
    /// Key of `admin`, who owns `acme`.
    pub(crate) owner: String,
    /// Key of `mallory`, who has nothing.
    pub(crate) stranger: String,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<Shifted>,
    /// Ends the streams.
    pub(crate) shutdown: CancellationToken,
    worker: Option<Worker>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl World {
    /// A server with two users and nothing else.
    pub(crate) async fn bare(objects: Objects) -> Self {
        let source = HostileS3::start(objects).await;
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(Shifted::default());
        let engine = open(&dir, clock.clone());
        let password = Some(Secret::new(PASSWORD.to_owned()));
        let first = engine.bootstrap(None, password).await.expect("bootstrap").expect("a user");
        let second = user(&engine, "mallory").await;
        let shutdown = CancellationToken::new();
        let app = App {
            engine: engine.clone(),
            public_url: PUBLIC_URL.into(),
            watches: Watches::new(shutdown.clone()),
            trusted_proxies: Arc::default(),
            entropy: Arc::new(SeededEntropy::new(8)),
            version: "0.0.0-test",
        };
        Self {
            router: server::router(app),
            owner: first.token.expose().to_owned(),
            stranger: second,
            worker: Some(Worker::start(engine.clone())),
            engine,
            clock,
            source,
            dir,
            shutdown,
        }
    }

    /// As [`World::bare`], with the organization and the repository.
    pub(crate) async fn new(objects: Objects) -> Self {
        let world = Self::bare(objects).await;
        let body = json!({"name": "acme", "display_name": "Acme"});
        world.post("/api/v1/organizations", body).await.is(201);
        world.post(&format!("{ORG}/repositories"), json!({"name": "data"})).await.is(201);
        world
    }

    /// As [`World::new`], with everything of the source imported.
    pub(crate) async fn imported(objects: Objects) -> Self {
        let world = Self::new(objects).await;
        let connector = world.attached().await;
        let job = world.import(json!({"connector_id": connector, "destination_path": ""})).await;
        assert_eq!(job["status"], "completed", "{job}");
        world
    }

    /// From now on no import goes on.
    pub(crate) async fn rest(&mut self) {
        self.worker.take().expect("it rests once").stop().await;
    }

    /// The key of a new user.
    pub(crate) async fn user(&self, name: &str) -> String {
        user(&self.engine, name).await
    }

    /// A new session of the owner.
    pub(crate) async fn session(&self) -> String {
        let begun = self.call("POST", &format!("{REPO}/sessions"), None).await.is(201).json();
        begun["session_id"].as_str().expect("an id").to_owned()
    }

    /// Stages an object; its ETag.
    pub(crate) async fn stage(&self, session: &str, path: &str, bytes: &str) -> String {
        let uri = place("object", session, path);
        let headers = [("content-type", "text/plain")];
        let staged = self.bytes("PUT", &uri, Some(&self.owner), &headers, bytes.to_owned()).await;
        staged.is(201).json()["etag"].as_str().expect("an ETag").to_owned()
    }

    /// Commits a session; the commit's id.
    pub(crate) async fn commit(&self, session: &str, message: &str) -> String {
        let uri = format!("{REPO}/sessions/{session}");
        let commit = self.post(&uri, json!({"message": message})).await.is(200).json();
        commit["commit_id"].as_str().expect("an id").to_owned()
    }

    /// A commit of one object.
    pub(crate) async fn committed(&self, path: &str, bytes: &str) -> String {
        let session = self.session().await;
        self.stage(&session, path, bytes).await;
        self.commit(&session, &format!("Put {path}")).await
    }

    /// A request with any headers and any bytes.
    pub(crate) async fn bytes(
        &self,
        method: &str,
        uri: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).expect("a legal request")).await
    }

    /// The answer to a request, its body yet to come.
    pub(crate) async fn begin(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("it never fails")
    }

    /// A request with any credential, body and headers.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.begin(request).await.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A request by the owner.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(request(method, path, Some(&self.owner), body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    /// The config of a connector to the source.
    pub(crate) fn config(&self) -> Value {
        json!({
            "access_key_id": ACCESS_KEY_ID,
            "secret_access_key": SECRET_ACCESS_KEY,
            "endpoint": self.source.endpoint(),
        })
    }

    /// What creates a connector to the source.
    pub(crate) fn connector(&self, name: &str) -> Value {
        let uri = format!("s3://{BUCKET}/");
        json!({"name": name, "type": "s3", "source_uri": uri, "config": self.config()})
    }

    /// The id of a new connector that is attached to the repository.
    pub(crate) async fn attached(&self) -> Value {
        let created = self.post(&format!("{ORG}/connectors"), self.connector("source")).await;
        let id = created.is(201).json()["id"].clone();
        self.post(&format!("{REPO}/connectors"), json!({"connector_id": id})).await.is(201);
        id
    }

    /// Starts an import and waits for its end.
    pub(crate) async fn import(&self, body: Value) -> Value {
        let started = self.post(&format!("{REPO}/import"), body).await.is(202).json();
        self.ended(started["job_id"].as_str().expect("an id")).await
    }

    /// Waits for the end of a job.
    pub(crate) async fn ended(&self, job: &str) -> Value {
        for _ in 0..1_500 {
            let job = self.get(&format!("{REPO}/import/{job}")).await.is(200).json();
            if !matches!(job["status"].as_str(), Some("pending" | "running")) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the import does not end");
    }

    /// The id of the newest commit.
    pub(crate) async fn head(&self) -> String {
        let log = self.get(&format!("{REPO}/log")).await.is(200).json();
        log["results"][0]["id"].as_str().expect("a commit").to_owned()
    }
}

impl Answer {
    /// This answer, if it has the status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The message of the error, if this is one of that status in the envelope.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> String {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.headers[CONTENT_TYPE], "application/json");
        let body = self.json();
        let keys: Vec<_> = body.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["message", "code", "request_id"]);
        assert_eq!(body["request_id"], self.header("x-request-id"));
        let code = body["code"].as_str().expect("a code");
        assert!(code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
        body["message"].as_str().expect("a message").to_owned()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no header {name}"));
        value.to_str().expect("ASCII")
    }
}

/// A request; a body is JSON.
pub(crate) fn request(
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = match body {
        None => Body::empty(),
        Some(body) => {
            request = request.header(CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
    };
    request.body(body).expect("a legal request")
}

/// The clock of the machine, put forward.
#[derive(Default)]
pub(crate) struct Shifted {
    by_ms: AtomicI64,
}

impl Shifted {
    pub(crate) fn forward_ms(&self, by_ms: i64) {
        self.by_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(self.by_ms.load(Ordering::SeqCst))
    }
}

/// The URI of a request about one object of a session, below the repository.
pub(crate) fn place(route: &str, session: &str, path: &str) -> String {
    format!("{REPO}/{route}?session_id={session}&path={}", escaped(path))
}

pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// What is at an absolute URL of this server, as a request without a socket takes it.
#[track_caller]
pub(crate) fn local(url: &Value) -> String {
    let url = url.as_str().expect("a URL");
    url.strip_prefix(PUBLIC_URL).expect("a URL of this server").to_owned()
}

/// The key of a new user without a password.
async fn user(engine: &Engine, name: &str) -> String {
    let spec = NewUserSpec {
        username: name.to_owned(),
        email: String::new(),
        full_name: String::new(),
        password: None,
    };
    engine.add_user(spec).await.expect("a new user");
    engine.issue_key(name, "test").await.expect("a key").token.expose().to_owned()
}

fn open(dir: &tempfile::TempDir, clock: Arc<dyn Clock>) -> Engine {
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
    let catalog = Sqlite::open(&dir.path().join("tilde.db"), &*entropy).expect("a catalog");
    let catalog: Arc<dyn catalog::Catalog> = Arc::new(catalog);
    let located = Arc::new(Located::new(Arc::clone(&catalog)));
    let store = Arc::new(Local::open(dir.path()).expect("a block store"));
    let config = sources::Config {
        egress: Egress { private: Private::Allow, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts: Timeouts::default(),
    };
    let sources = Sources::new(config, Arc::clone(&clock), Arc::clone(&entropy)).expect("sources");
    let keys = vec![("test".to_owned(), [7; 32])];
    Engine::new(Parts {
        catalog,
        blocks: Blocks::new(store, located.clone()),
        located,
        sources: Arc::new(sources),
        keys: Arc::new(KeyRing::new(keys, Arc::clone(&entropy)).expect("keys")),
        clock,
        entropy,
        failpoints: Arc::new(NoFailpoints),
        imports: ImportSettings::default(),
        page_cache_bytes: 8 << 20,
    })
}
