//! A source to import from, and imports as a user starts and awaits them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, ObjectSet, SECRET_ACCESS_KEY, Settings};
use tokio::runtime::Runtime;

use crate::program::{Server, admin_key};

/// The organization of these tests.
pub(crate) const ORGANIZATION: &str = "/api/v1/organizations/acme";
/// The repository that is imported into.
pub(crate) const REPOSITORY: &str = "/api/v1/organizations/acme/repositories/data";
/// How often it is looked whether a job has ended, and how many times.
const POLL: Duration = Duration::from_millis(50);
const POLLS_MAX: u32 = 600;

/// A source, with the runtime that it runs in.
pub(crate) struct Source {
    pub(crate) runtime: Runtime,
    pub(crate) s3: HostileS3,
}

impl Source {
    /// Serves `objects`.
    pub(crate) fn start(objects: impl ObjectSet, settings: Settings) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let s3 = runtime.block_on(HostileS3::start_with(objects, settings));
        Self { runtime, s3 }
    }

    /// What a connector needs to reach it.
    pub(crate) fn config(&self) -> Value {
        json!({
            "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY,
            "endpoint": self.s3.endpoint(),
        })
    }
}

/// A server with its first user.
pub(crate) struct User<'a> {
    pub(crate) server: &'a Server,
    pub(crate) token: String,
}

impl<'a> User<'a> {
    /// The user admin of the server on `data`.
    pub(crate) fn admin(server: &'a Server, data: &Path) -> Self {
        Self { server, token: admin_key(data) }
    }

    /// A request that succeeds.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.server.call(method, path, &self.token, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Makes the organization and its connector.
    pub(crate) fn set_up(&self, source: &Source) {
        let organization = json!({"name": "acme", "display_name": "Acme"});
        self.call("POST", "/api/v1/organizations", Some(organization));
        let connector = json!({
            "name": "source", "type": "s3", "source_uri": format!("s3://{BUCKET}/"),
            "config": source.config(),
        });
        self.call("POST", &format!("{ORGANIZATION}/connectors"), Some(connector));
    }

    /// The id of the one connector.
    pub(crate) fn connector(&self) -> Value {
        let connectors = self.call("GET", &format!("{ORGANIZATION}/connectors"), None);
        connectors["results"][0]["id"].clone()
    }

    /// Makes a repository with the connector attached.
    pub(crate) fn repository(&self, name: &str) {
        let repositories = format!("{ORGANIZATION}/repositories");
        self.call("POST", &repositories, Some(json!({"name": name})));
        let body = json!({"connector_id": self.connector()});
        self.call("POST", &format!("{repositories}/{name}/connectors"), Some(body));
    }

    /// Starts an import into a repository; the job's path.
    pub(crate) fn start_import(&self, repository: &str, prefix: &str) -> String {
        let path = format!("{ORGANIZATION}/repositories/{repository}/import");
        let body = json!({
            "connector_id": self.connector(), "source_prefix": prefix, "destination_path": "in/",
        });
        let started = self.call("POST", &path, Some(body));
        format!("{path}/{}", started["job_id"].as_str().expect("a job"))
    }

    /// The job once it has ended.
    pub(crate) fn ended(&self, job: &str) -> Value {
        for _ in 0..POLLS_MAX {
            let import = self.call("GET", job, None);
            if !["pending", "running"].map(Value::from).contains(&import["status"]) {
                return import;
            }
            std::thread::sleep(POLL);
        }
        panic!("the import does not end");
    }

    /// Imports what starts with `prefix`, to the end.
    pub(crate) fn import(&self, repository: &str, prefix: &str) -> Value {
        let import = self.ended(&self.start_import(repository, prefix));
        assert_eq!(import["status"], "completed", "{import}");
        import
    }

    /// The bytes of an object.
    pub(crate) fn object(&self, repository: &str, path: &str) -> Vec<u8> {
        let path = format!("{ORGANIZATION}/repositories/{repository}/object?path={path}");
        let (status, bytes) = self.server.bytes("GET", &path, &self.token, None);
        assert_eq!(status, 200, "{path}");
        bytes
    }
}

/// Every segment file below a data directory, in order.
pub(crate) fn segment_files(data: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for repository in std::fs::read_dir(data.join("segments")).expect("a folder") {
        let folder = std::fs::read_dir(repository.expect("an entry").path()).expect("a folder");
        files.extend(folder.map(|file| file.expect("an entry").path()));
    }
    files.sort();
    files
}

/// Changes a bit in the middle of a file.
pub(crate) fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).expect("writable");
}
