//! What the quickstart imports from: a sample bucket on this machine, or a bucket of the user's.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use model::Entropy as _;
use sample::{Bucket, Credentials, DEMO_BUCKET, DEMO_PREFIX, REGION, demo_bucket};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::system::SystemEntropy;

/// Bytes of randomness in the sample's credentials.
const CREDENTIAL_BYTES: usize = 20;

/// A source, and how a connector reaches it.
pub(super) struct Source {
    /// Name of the connector.
    pub(super) name: String,
    /// Name of the repository that receives it.
    pub(super) repository: String,
    /// `s3://bucket/prefix`
    pub(super) uri: String,
    /// The connector's config, with the credentials.
    pub(super) config: Value,
    /// The sample, while it runs and after.
    pub(super) sample: Option<Sample>,
}

/// The sample bucket.
pub(super) struct Sample {
    bucket: Bucket,
    server: Option<sample::Server>,
}

impl Source {
    /// Serves the sample bucket on a free port of this machine, to random credentials.
    pub(super) async fn sample() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("cannot listen on a port for the sample bucket")?;
        let (id, secret) = (random_hex(), random_hex());
        let credentials =
            Credentials { access_key_id: id.clone(), secret_access_key: secret.clone() };
        let bucket = demo_bucket();
        let server =
            sample::Server::start(listener, [bucket.clone()], credentials, SystemTime::now);
        let config = json!({
            "access_key_id": id,
            "secret_access_key": secret,
            "region": REGION,
            "endpoint": format!("http://{}", server.addr()),
        });
        Ok(Self {
            name: DEMO_BUCKET.to_owned(),
            repository: "weather".to_owned(),
            uri: format!("s3://{DEMO_BUCKET}/{DEMO_PREFIX}"),
            config,
            sample: Some(Sample { bucket, server: Some(server) }),
        })
    }

    /// The bucket at `uri`, with the usual AWS variables, which `env` looks up.
    pub(super) fn own(
        uri: &str,
        endpoint: Option<&str>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let Some(rest) = uri.strip_prefix("s3://").filter(|rest| !rest.is_empty()) else {
            bail!("--source must be like s3://bucket/prefix, not {uri}");
        };
        let bucket = rest.split('/').next().unwrap_or_default();
        let first = |names: &[&str]| names.iter().find_map(|name| env(name));
        let required = |name: &str| {
            env(name).with_context(|| {
                format!(
                    "--source needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
                         ({name} is not set)"
                )
            })
        };
        let mut config = Map::new();
        let mut set = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                config.insert(name.to_owned(), value.into());
            }
        };
        set("access_key_id", Some(required("AWS_ACCESS_KEY_ID")?));
        set("secret_access_key", Some(required("AWS_SECRET_ACCESS_KEY")?));
        set("session_token", env("AWS_SESSION_TOKEN"));
        set("region", first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
        let endpoint = endpoint.map(str::to_owned);
        set("endpoint", endpoint.or_else(|| first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])));
        Ok(Self {
            name: bucket.to_owned(),
            repository: repository_name(bucket),
            uri: uri.to_owned(),
            config: Value::Object(config),
            sample: None,
        })
    }

    /// How many objects there are, where that is known.
    pub(super) fn objects(&self) -> Option<u64> {
        self.sample.as_ref().map(|sample| sample.bucket.objects.len() as u64)
    }

    /// The endpoint, where one is set.
    pub(super) fn endpoint(&self) -> Option<&str> {
        self.config["endpoint"].as_str()
    }
}

impl Sample {
    /// Closes its port and every connection.
    pub(super) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// The bytes of the object at `path` below the sample's prefix.
    pub(super) fn object(&self, path: &str) -> Option<&[u8]> {
        let object = self.bucket.objects.get(&format!("{DEMO_PREFIX}{path}"))?;
        Some(&object.bytes)
    }
}

fn random_hex() -> String {
    let mut bytes = [0; CREDENTIAL_BYTES];
    SystemEntropy.fill(&mut bytes);
    sample::hex::encode(&bytes)
}

/// A bucket's name is nearly always good for a repository too.
fn repository_name(bucket: &str) -> String {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    let starts_plain = bucket.starts_with(|first: char| first.is_ascii_alphanumeric());
    let is_name = (2..=63).contains(&bucket.len()) && bucket.bytes().all(is_plain) && starts_plain;
    if is_name { bucket.to_owned() } else { "data".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_aws_variables_make_the_config() {
        let env = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("id".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("secret".to_owned()),
            "AWS_SESSION_TOKEN" => Some("token".to_owned()),
            "AWS_DEFAULT_REGION" => Some("eu-west-1".to_owned()),
            "AWS_ENDPOINT_URL" => Some("https://all".to_owned()),
            "AWS_ENDPOINT_URL_S3" => Some("https://s3".to_owned()),
            _ => None,
        };
        let source = Source::own("s3://my-bucket/a/b", None, env).expect("valid");
        assert_eq!((&*source.name, &*source.repository), ("my-bucket", "my-bucket"));
        let expected = json!({
            "access_key_id": "id", "secret_access_key": "secret", "session_token": "token",
            "region": "eu-west-1", "endpoint": "https://s3",
        });
        assert_eq!(source.config, expected);
        let source = Source::own("s3://B_2/", Some("http://h:1"), env).expect("valid");
        assert_eq!((source.endpoint(), &*source.repository), (Some("http://h:1"), "data"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = |uri: &str| {
            Source::own(uri, None, |_| None).err().map(|error| error.to_string()).expect("refused")
        };
        assert!(message("s3://b").contains("AWS_ACCESS_KEY_ID is not set"));
        assert!(message("gs://b").contains("must be like s3://bucket/prefix, not gs://b"));
        assert!(message("s3://").contains("must be like"));
    }
}
