//! Where a GCS source may connect to: Google's own addresses, unless the operator names others.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use model::ConnectorKind;
use serde_json::json;
use testkit::gcs::{BUCKET, FakeGcs, Op, credentials_json};
use testkit::{SeededEntropy, SystemClock};

use super::TokenEndpoint;
use crate::connect::Resolve;
use crate::{
    Config, Egress, Error, Private, Reading, SourceConfig, SourceUri, Sources, Step, Timeouts,
};

/// A name server that finds every name at these addresses, and remembers who was asked for.
struct Everywhere {
    at: Vec<SocketAddr>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Resolve for Everywhere {
    async fn resolve(&self, name: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().expect("no test panics while it holds the lock").push(name.to_owned());
        Ok(self.at.clone())
    }
}

fn sources(
    private: Private,
    storage: Option<String>,
    tokens: TokenEndpoint,
    resolver: Arc<Everywhere>,
) -> Sources {
    let config = Config {
        egress: Egress { private, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: None,
        gcs_endpoint: storage.map(|text| text.parse().expect("an endpoint")),
        gcs_token_endpoint: tokens,
        timeouts: Timeouts::default(),
    };
    let entropy = Arc::new(SeededEntropy::new(1));
    Sources::with_resolver(config, Arc::new(SystemClock), entropy, resolver).expect("no files")
}

fn nowhere(address: &str) -> Arc<Everywhere> {
    let at = vec![address.parse().expect("an address")];
    Arc::new(Everywhere { at, asked: Mutex::default() })
}

fn config() -> SourceConfig {
    let config = json!({ "credentials_json": credentials_json(json!({})) });
    SourceConfig::parse(ConnectorKind::Gcs, &config).expect("a config")
}

fn uri() -> SourceUri {
    format!("gs://{BUCKET}/").parse().expect("a source uri")
}

const READING: Reading<'static> = Reading { prefix: b"", concurrency: 1, versions: false };

#[tokio::test]
async fn a_private_address_of_googles_name_is_refused_at_create_and_at_connect() {
    let resolver = nowhere("10.0.0.1:443");
    let sources = sources(Private::Deny, None, TokenEndpoint::Google, resolver.clone());
    let error = sources.validate(&uri(), &config()).await.expect_err("refused at create");
    let text = error.to_string();
    assert!(text.contains("10.0.0.1 of storage.googleapis.com"), "{text}");
    assert!(text.contains("sources.private_networks"), "{text}");
    let source = sources.open(&uri(), config(), READING).expect("a source");
    let error = source.list(None, None).await.expect_err("refused at connect");
    assert!(matches!(error, Error::Refused(_)), "{error}");
    let probe = sources.probe(&uri(), config()).await.expect_err("refused in the test");
    assert_eq!(probe.step, Step::Reach);
    let asked = resolver.asked.lock().expect("no test panics while it holds the lock");
    // Nothing is asked of the storage without a token.
    let expected = ["storage", "oauth2", "oauth2"].map(|name| format!("{name}.googleapis.com"));
    assert_eq!(*asked, expected);
}

#[tokio::test]
async fn the_operators_endpoints_may_be_private_and_no_other_port_of_them() {
    let server = FakeGcs::start([("a", "bytes")]).await;
    let endpoint = || server.endpoint().parse().expect("an endpoint");
    let resolver = nowhere("10.0.0.1:443");
    let tokens = TokenEndpoint::At(endpoint());
    let both = sources(Private::Deny, Some(server.endpoint()), tokens, resolver.clone());
    both.validate(&uri(), &config()).await.expect("the operator's word");
    both.probe(&uri(), config()).await.expect("the operator's word");
    assert_eq!((server.stats().count(Op::Token), server.stats().count(Op::Media)), (1, 1));
    // What is trusted for GCS is that host and port, for whoever connects there.
    let other = TokenEndpoint::At("http://127.0.0.1:1".parse().expect("an endpoint"));
    let other = sources(Private::Deny, None, other, resolver.clone());
    other.validate(&uri(), &config()).await.expect_err("storage is not the operator's");
    let storage = sources(Private::Deny, Some(server.endpoint()), TokenEndpoint::Google, resolver);
    let error = storage.validate(&uri(), &config()).await.expect_err("tokens are not").to_string();
    assert!(error.contains("10.0.0.1 of oauth2.googleapis.com"), "{error}");
}

#[tokio::test]
async fn a_metadata_address_stays_refused_whoever_names_it() {
    let metadata = Some("http://169.254.169.254".to_owned());
    let resolver = nowhere("169.254.169.254:80");
    let sources = sources(Private::Allow, metadata, TokenEndpoint::None, resolver);
    sources.validate(&uri(), &config()).await.expect_err("refused");
}
