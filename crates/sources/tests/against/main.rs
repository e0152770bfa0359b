//! The S3 source against a server that goes wrong as told: every fault ends in the right kind of
//! error, with a sentence that says what happened and what to do.

mod bodies;
mod keys;
mod listing;
mod probing;
mod reading;
mod tls;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Timestamp};
use serde_json::json;
use sources::{Config, Egress, Error, Listed, Private, Source, SourceUri, Sources, Timeouts};
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, SECRET_ACCESS_KEY};
use testkit::{SeededEntropy, SystemClock};

/// Short enough for a test, long enough for a loaded machine.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_millis(500),
    first_byte: Duration::from_millis(400),
    idle: Duration::from_millis(400),
    retry: Duration::from_millis(1500),
    storm: Duration::from_millis(1500),
};

/// A clock that goes wrong by so many seconds.
struct Skewed(i64);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(self.0 * 1000)
    }
}

fn opener(clock: impl Clock + 'static, ca_files: Vec<std::path::PathBuf>) -> Sources {
    let egress = Egress { private: Private::Allow, own: Vec::new() };
    let config = Config {
        egress,
        ca_files,
        s3_endpoint: None,
        gcs_endpoint: None,
        gcs_token_endpoint: sources::TokenEndpoint::Google,
        timeouts: TIMEOUTS,
    };
    let entropy = Arc::new(SeededEntropy::new(7));
    Sources::new(config, Arc::new(clock), entropy).expect("readable files")
}

/// The fields of a config, with changes.
fn config(endpoint: &str, changes: serde_json::Value) -> sources::SourceConfig {
    let mut config = json!({
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
        "endpoint": endpoint,
    });
    for (name, value) in changes.as_object().expect("an object") {
        config[name] = value.clone();
    }
    sources::SourceConfig::parse(model::ConnectorKind::S3, &config).expect("a config")
}

fn uri() -> SourceUri {
    format!("s3://{BUCKET}/").parse().expect("a source uri")
}

fn source_at(endpoint: &str, prefix: &str, changes: serde_json::Value) -> Arc<dyn Source> {
    let config = config(endpoint, changes);
    let opener = opener(SystemClock, Vec::new());
    opener.open(&uri(), config, reading(prefix.as_bytes(), 4)).expect("a source")
}

fn source(server: &HostileS3) -> Arc<dyn Source> {
    source_at(&server.endpoint(), "", json!({}))
}

/// Runs the checks side by side: most of their time they wait.
async fn at_once(checks: impl IntoIterator<Item = impl Future<Output = ()> + Send + 'static>) {
    let running: Vec<_> = checks.into_iter().map(tokio::spawn).collect();
    for check in running {
        check.await.expect("a check that holds");
    }
}

/// The whole listing.
async fn list_all(source: &dyn Source) -> Result<Vec<Listed>, Error> {
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let page = source.list(None, token.as_ref()).await?;
        assert!(!page.objects.is_empty() || page.next.is_none(), "an empty page in between");
        all.extend(page.objects);
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok(all),
        }
    }
}

/// The bytes of an object, read to the end.
async fn read(source: &dyn Source, object: &Listed) -> Result<Vec<u8>, Error> {
    let mut opened = source.open(object, None).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = opened.body.chunk().await? {
        assert!(!chunk.is_empty());
        bytes.extend_from_slice(&chunk);
    }
    assert_eq!(bytes.len() as u64, opened.length);
    Ok(bytes)
}

pub(crate) fn reading(prefix: &[u8], concurrency: usize) -> sources::Reading<'_> {
    sources::Reading { prefix, concurrency, versions: false }
}
