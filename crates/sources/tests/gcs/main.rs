//! The GCS source against a server that goes wrong as told: every fault ends in the right kind of
//! error, with a sentence that says what happened and what to do.

mod bodies;
mod configs;
mod keys;
mod listing;
mod reading;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use model::{Clock, ConnectorKind};
use serde_json::{Value, json};
use sources::{
    Config, Egress, Error, Listed, Private, Reading, Source, SourceConfig, SourceUri, Sources,
    Timeouts, TokenEndpoint,
};
use testkit::gcs::{BUCKET, FakeGcs, Fault, credentials_json};
use testkit::{SeededEntropy, SystemClock};

/// Short enough for a test, long enough for a loaded machine.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_millis(500),
    first_byte: Duration::from_millis(400),
    idle: Duration::from_millis(400),
    retry: Duration::from_millis(1500),
    storm: Duration::from_millis(1500),
};

/// Opens sources at a storage and a token endpoint, whatever is said about private addresses.
fn opener(clock: impl Clock + 'static, storage: &str, tokens: TokenEndpoint) -> Sources {
    let config = Config {
        egress: Egress { private: Private::Deny, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: Some(storage.parse().expect("an endpoint")),
        gcs_token_endpoint: tokens,
        timeouts: TIMEOUTS,
    };
    let entropy = Arc::new(SeededEntropy::new(7));
    Sources::new(config, Arc::new(clock), entropy).expect("no files")
}

fn opener_of(server: &FakeGcs) -> Sources {
    opener(SystemClock, &server.endpoint(), tokens_of(server))
}

fn tokens_of(server: &FakeGcs) -> TokenEndpoint {
    TokenEndpoint::At(server.endpoint().parse().expect("an endpoint"))
}

/// A config with changes to the account's key file.
fn config(changes: Value) -> SourceConfig {
    let config = json!({ "credentials_json": credentials_json(changes) });
    SourceConfig::parse(ConnectorKind::Gcs, &config).expect("a config")
}

fn uri() -> SourceUri {
    format!("gs://{BUCKET}/").parse().expect("a source uri")
}

fn reading(prefix: &str) -> Reading<'_> {
    Reading { prefix: prefix.as_bytes(), concurrency: 4, versions: false }
}

fn source_under(server: &FakeGcs, prefix: &str) -> Arc<dyn Source> {
    opener_of(server).open(&uri(), config(json!({})), reading(prefix)).expect("a source")
}

fn source(server: &FakeGcs) -> Arc<dyn Source> {
    source_under(server, "")
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
        bytes.extend_from_slice(&chunk);
    }
    assert_eq!(bytes.len() as u64, opened.length);
    Ok(bytes)
}

fn status(code: u16, reason: &'static str) -> Fault {
    Fault::Status { code, reason }
}

/// No error may show what the server or the key says.
fn assert_discreet(error: &dyn std::error::Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        for text in [error.to_string(), format!("{error:?}")] {
            for secret in ["script of the test", "PRIVATE KEY", "MIIE", "ya29", "Bearer", "eyJ"] {
                assert!(!text.contains(secret), "{secret} in: {text}");
            }
        }
        next = error.source();
    }
}
