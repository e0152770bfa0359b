//! The guard at work: what is resolved is what is checked is what is connected to.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;
use testkit::s3::{ACCESS_KEY_ID, BUCKET, HostileS3, Objects, Op, SECRET_ACCESS_KEY};
use testkit::{SeededEntropy, SystemClock};

use super::*;

const READING: Reading<'static> = Reading { prefix: b"", concurrency: 1, versions: false };

/// A name server that gives another answer each time, the last one for ever.
struct Scripted(Mutex<VecDeque<Vec<SocketAddr>>>);

#[async_trait]
impl Resolve for Scripted {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        let mut answers = self.0.lock().expect("no test panics while it holds the lock");
        let answer = answers.pop_front().expect("a scripted answer");
        if answers.is_empty() {
            answers.push_back(answer.clone());
        }
        Ok(answer)
    }
}

fn sources(private: Private, trusted: Option<String>, answers: &[&[SocketAddr]]) -> Sources {
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    let timeouts = Timeouts {
        connect: Duration::from_millis(300),
        first_byte: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        retry: Duration::from_millis(600),
        storm: Duration::from_millis(600),
    };
    let config = Config {
        egress: Egress { private, own: Vec::new() },
        ca_files: Vec::new(),
        s3_endpoint: trusted.map(|text| text.parse().expect("an endpoint")),
        gcs_endpoint: None,
        gcs_token_endpoint: TokenEndpoint::Google,
        timeouts,
    };
    let entropy = Arc::new(SeededEntropy::new(1));
    let resolver = Arc::new(Scripted(Mutex::new(answers)));
    Sources::with_resolver(config, Arc::new(SystemClock), entropy, resolver).expect("no files")
}

fn config(endpoint: Option<&str>) -> SourceConfig {
    let mut config = json!({
        "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY,
    });
    if let Some(endpoint) = endpoint {
        config["endpoint"] = endpoint.into();
    }
    SourceConfig::parse(ConnectorKind::S3, &config).expect("a config")
}

fn uri() -> SourceUri {
    format!("s3://{BUCKET}/").parse().expect("a source uri")
}

fn metadata_service() -> SocketAddr {
    "169.254.169.254:80".parse().expect("an address")
}

async fn server() -> HostileS3 {
    HostileS3::start(Objects::from([("a", "bytes")])).await
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_checked_each_time() {
    let server = server().await;
    let loopback = [server.addr()];
    let cidr = "127.0.0.0/8".parse().expect("a range");
    let answers: [&[SocketAddr]; 3] = [&loopback, &loopback, &[metadata_service()]];
    let sources = sources(Private::Cidrs(vec![cidr]), None, &answers);
    let endpoint = format!("http://rebinding.example:{}", server.addr().port());
    let config = config(Some(&endpoint));
    sources.validate(&uri(), &config).await.expect("the first answer is allowed");
    let source = sources.open(&uri(), config, READING).expect("a source");
    source.list(None, None).await.expect("so is the second");
    // Let the pooled connection go, so that the name is resolved anew.
    server.stop().await;
    let error = source.list(None, None).await.expect_err("the third is not").to_string();
    assert!(error.contains("169.254.169.254 of rebinding.example"), "{error}");
}

#[tokio::test]
async fn forbidden_addresses_are_skipped_not_tried() {
    let server = server().await;
    let both = [metadata_service(), server.addr()];
    let sources = sources(Private::Allow, None, &[&both]);
    let endpoint = format!("http://mixed.example:{}", server.addr().port());
    let source = sources.open(&uri(), config(Some(&endpoint)), READING).expect("a source");
    let page = source.list(None, None).await.expect("the other address is allowed");
    assert_eq!(page.objects.len(), 1);
}

#[tokio::test]
async fn private_addresses_are_refused_at_create_and_at_connect() {
    let server = server().await;
    let loopback = [server.addr()];
    let sources = sources(Private::Deny, None, &[&loopback]);
    for endpoint in [server.endpoint(), format!("http://inner.example:{}", server.addr().port())] {
        let config = config(Some(&endpoint));
        let refused = sources.validate(&uri(), &config).await.expect_err("refused at create");
        assert!(refused.to_string().contains("sources.private_networks"), "{refused}");
        let source = sources.open(&uri(), config.clone(), READING).expect("a source");
        let refused = source.list(None, None).await.expect_err("refused at connect");
        assert!(matches!(refused, Error::Refused(_)), "{refused}");
        let probe = sources.probe(&uri(), config).await.expect_err("refused in the test");
        assert_eq!(probe.step, Step::Reach);
    }
    assert_eq!(server.stats().connections, 0);
}

#[tokio::test]
async fn the_operators_endpoint_replaces_aws_and_may_be_private() {
    let server = server().await;
    let sources = sources(Private::Deny, Some(server.endpoint()), &[&[]]);
    sources.validate(&uri(), &config(None)).await.expect("the operator's word");
    let source = sources.open(&uri(), config(None), READING).expect("a source");
    assert_eq!(source.list(None, None).await.expect("a page").objects.len(), 1);
    // Another port of the same address is not the operator's word.
    let other = config(Some("http://127.0.0.1:1"));
    sources.validate(&uri(), &other).await.expect_err("refused");
    assert_eq!(server.stats().count(Op::List), 1);
}

#[tokio::test]
async fn a_trusted_metadata_address_stays_refused() {
    let sources = sources(Private::Allow, Some("http://169.254.169.254".into()), &[&[]]);
    sources.validate(&uri(), &config(None)).await.expect_err("refused");
}

#[tokio::test]
async fn a_name_without_addresses_is_named() {
    let sources = sources(Private::Allow, None, &[&[]]);
    let config = config(Some("http://nowhere.example"));
    sources.validate(&uri(), &config).await.expect("a name server may be down for a while");
    let probe = sources.probe(&uri(), config).await.expect_err("not reached");
    assert_eq!(probe.step, Step::Reach);
    assert!(probe.to_string().contains("nowhere.example cannot be resolved"), "{probe}");
}
