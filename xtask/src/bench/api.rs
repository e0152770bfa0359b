//! Requests to our own server, one connection each: no library, so that xtask stays quick to build.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long an import may take: ten million objects at a sixth of the usual speed.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(3_600);
/// How often it is asked whether an import has ended.
const POLL: Duration = Duration::from_millis(20);

/// The repository that a server is prepared with.
pub(super) const REPOSITORY: &str = "bench";

/// The API of a server, for one user.
pub(super) struct Api {
    /// Host and port.
    pub(super) address: String,
    pub(super) key: String,
}

impl Api {
    /// The JSON of an answer, which must be a good one.
    pub(super) fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (address, key) = (&self.address, &self.key);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n\
             {body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).context("cannot reach the server")?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        ensure!(status.starts_with('2'), "{method} {path}: {status} {body}");
        Ok(serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// An organization `bench` with a repository `bench` and an attached connector; its id.
    pub(super) fn prepare(&self, endpoint: &str, bucket: &str) -> Result<String> {
        self.set_up()?;
        self.connect("source", endpoint, bucket)
    }

    /// An organization `bench` with a repository `bench`.
    pub(super) fn set_up(&self) -> Result<()> {
        let organization = json!({"name": "bench", "display_name": "Benchmark"});
        self.call("POST", "/organizations", &organization)?;
        self.create_repository(REPOSITORY)
    }

    /// A connector of the repository `bench`; its id.
    pub(super) fn connect(&self, name: &str, endpoint: &str, bucket: &str) -> Result<String> {
        let config = json!({
            "access_key_id": "bench", "secret_access_key": "benchbench", "endpoint": endpoint,
        });
        let uri = format!("s3://{bucket}/");
        let connector = json!({"name": name, "type": "s3", "source_uri": uri, "config": config});
        let connector = self.call("POST", "/organizations/bench/connectors", &connector)?;
        let id = connector["id"].as_str().context("a connector without id")?.to_owned();
        let attach = json!({"connector_id": id});
        self.call("POST", "/organizations/bench/repositories/bench/connectors", &attach)?;
        Ok(id)
    }

    pub(super) fn create_repository(&self, name: &str) -> Result<()> {
        self.call("POST", "/organizations/bench/repositories", &json!({"name": name}))?;
        Ok(())
    }

    /// Runs an import from its request to its end; the job as it completed.
    pub(super) fn import(&self, repository: &str, request: &Value) -> Result<Value> {
        let path = format!("/organizations/bench/repositories/{repository}/import");
        let begun = Instant::now();
        let started = self.call("POST", &path, request)?;
        let job = format!("{path}/{}", started["job_id"].as_str().context("no job id")?);
        while begun.elapsed() < IMPORT_TIMEOUT {
            let state = self.call("GET", &job, &Value::Null)?;
            match state["status"].as_str() {
                Some("pending" | "running") => std::thread::sleep(POLL),
                Some("completed") => return Ok(state),
                _ => bail!("the import ended otherwise: {state}"),
            }
        }
        bail!("the import has not ended after {} s", IMPORT_TIMEOUT.as_secs())
    }
}

/// An import of everything that a connector has.
pub(super) fn everything(connector: &str) -> Value {
    json!({"connector_id": connector, "destination_path": ""})
}

/// A number of a job.
pub(super) fn count(job: &Value, field: &str) -> Result<u64> {
    job[field].as_u64().with_context(|| format!("a job without {field}"))
}
