//! The config of an S3 connector, read strictly.
//!
//! An unknown field is refused by name: a misspelt `endpoint` must not send credentials to AWS.

use model::Secret;
use serde_json::{Map, Value};

use crate::{Endpoint, EndpointError};

/// The region where none is given.
const REGION_DEFAULT: &str = "us-east-1";
/// Bytes of a region, of a key id or secret, and of a session token.
const REGION_BYTES_MAX: usize = 64;
const KEY_BYTES_MAX: usize = 1024;
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Characters of an unknown field's name that are repeated.
const NAME_CHARS_MAX: usize = 64;
const TAKES: &str = "an s3 connector takes access_key_id, secret_access_key, region, endpoint and \
                     session_token";

/// How to reach and sign for a bucket.
#[derive(Clone)]
pub struct S3Config {
    pub(crate) access_key_id: Secret,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Option<Secret>,
    pub(crate) region: String,
    pub(crate) endpoint: Option<Endpoint>,
}

/// What is wrong with a config. Names the field, never shows a value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not a JSON object.
    #[error("config must be an object")]
    NotAnObject,
    /// A field that does not exist.
    #[error("config has an unknown field {name:?}: {takes}")]
    Unknown {
        /// Its name, cut where it is long.
        name: String,
        /// The fields that a connector of this kind takes.
        takes: &'static str,
    },
    /// A field that must be there.
    #[error("config.{0} is required")]
    Missing(&'static str),
    /// A field that is not a usable text.
    #[error("config.{field} {what}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it must be.
        what: &'static str,
    },
    /// Not an endpoint.
    #[error("config.endpoint is wrong: {0}")]
    Endpoint(EndpointError),
}

impl ConfigError {
    pub(crate) fn unknown(name: &str, takes: &'static str) -> Self {
        Self::Unknown { name: name.chars().take(NAME_CHARS_MAX).collect(), takes }
    }
}

impl S3Config {
    /// Reads `access_key_id`, `secret_access_key`, and optionally `region`, `endpoint` and
    /// `session_token`. A legacy `bucket` is ignored.
    pub fn parse(config: &Value) -> Result<Self, ConfigError> {
        let fields = config.as_object().ok_or(ConfigError::NotAnObject)?;
        for name in fields.keys() {
            match name.as_str() {
                "access_key_id" | "secret_access_key" | "region" | "endpoint" | "session_token"
                | "bucket" => {}
                other => return Err(ConfigError::unknown(other, TAKES)),
            }
        }
        let required =
            |name, bytes_max| text(fields, name, bytes_max)?.ok_or(ConfigError::Missing(name));
        let endpoint = match text(fields, "endpoint", KEY_BYTES_MAX)? {
            Some(endpoint) => Some(endpoint.parse().map_err(ConfigError::Endpoint)?),
            None => None,
        };
        Ok(Self {
            access_key_id: secret(required("access_key_id", KEY_BYTES_MAX)?),
            secret_access_key: secret(required("secret_access_key", KEY_BYTES_MAX)?),
            session_token: text(fields, "session_token", TOKEN_BYTES_MAX)?.map(secret),
            region: region(text(fields, "region", REGION_BYTES_MAX)?)?,
            endpoint,
        })
    }

    /// The region requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Where requests go instead of to AWS.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// A field's text: not blank and fit for a header, so that nothing can be smuggled into one.
pub(crate) fn text<'a>(
    fields: &'a Map<String, Value>,
    field: &'static str,
    bytes_max: usize,
) -> Result<Option<&'a str>, ConfigError> {
    let error = |what| ConfigError::Field { field, what };
    let Some(value) = fields.get(field) else { return Ok(None) };
    let text = value.as_str().ok_or(error("must be a text"))?;
    if text.trim().is_empty() {
        return Err(error("must not be blank"));
    }
    if text.trim() != text {
        return Err(error("must not start or end with spaces"));
    }
    if text.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        return Err(error("must consist of printable ASCII characters"));
    }
    if text.len() > bytes_max {
        return Err(error("is too long"));
    }
    Ok(Some(text))
}

fn region(text: Option<&str>) -> Result<String, ConfigError> {
    let region = text.unwrap_or(REGION_DEFAULT);
    match is_region(region) {
        true => Ok(region.to_owned()),
        false => Err(ConfigError::Field {
            field: "region",
            what: "must consist of letters, digits, hyphens and underscores",
        }),
    }
}

/// Whether the text can be a region: it goes into a host name and into messages.
pub(crate) fn is_region(text: &str) -> bool {
    (1..=REGION_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(config: Value) -> String {
        match S3Config::parse(&config) {
            Ok(_) => panic!("accepted: {config}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_whole_config_is_read() {
        let config = S3Config::parse(&json!({
            "access_key_id": "AKIA", "secret_access_key": "s3cr/et+", "region": "eu-west-1",
            "endpoint": "https://minio.example.com:9000/", "session_token": "t==", "bucket": 7,
        }));
        let config = config.expect("a config");
        assert_eq!(config.access_key_id.expose(), "AKIA");
        assert_eq!(config.secret_access_key.expose(), "s3cr/et+");
        assert_eq!(config.session_token.as_ref().map(|token| token.expose()), Some("t=="));
        assert_eq!(config.region(), "eu-west-1");
        let endpoint = config.endpoint().map(ToString::to_string);
        assert_eq!(endpoint.as_deref(), Some("https://minio.example.com:9000"));
        let least = json!({ "access_key_id": "a", "secret_access_key": "b" });
        let least = S3Config::parse(&least).expect("a config");
        assert_eq!((least.region(), least.endpoint()), ("us-east-1", None));
    }

    #[test]
    fn every_fault_names_its_field() {
        for (config, part) in [
            (json!(null), "must be an object"),
            (json!([]), "must be an object"),
            (json!({ "access_key_id": "a" }), "config.secret_access_key is required"),
            (json!({ "secret_access_key": "b" }), "config.access_key_id is required"),
            (
                json!({ "access_key_id": "a", "secret_access_key": "b", "endpont": "x" }),
                "\"endpont\"",
            ),
            (
                json!({ "access_key_id": "  ", "secret_access_key": "b" }),
                "access_key_id must not be blank",
            ),
            (
                json!({ "access_key_id": "", "secret_access_key": "b" }),
                "access_key_id must not be blank",
            ),
            (
                json!({ "access_key_id": "a\r\nx: y", "secret_access_key": "b" }),
                "access_key_id must consist",
            ),
            (
                json!({ "access_key_id": "a", "secret_access_key": "b\n" }),
                "secret_access_key must not start",
            ),
            (
                json!({ "access_key_id": 1, "secret_access_key": "b" }),
                "access_key_id must be a text",
            ),
            (
                json!({ "access_key_id": "a", "secret_access_key": "b", "endpoint": "" }),
                "endpoint must not",
            ),
            (
                json!({ "access_key_id": "a", "secret_access_key": "b", "endpoint": null }),
                "endpoint must be",
            ),
            (
                json!({ "access_key_id": "a", "secret_access_key": "b", "endpoint": "m:9" }),
                "endpoint is wrong",
            ),
            (
                json!({ "access_key_id": "a", "secret_access_key": "b", "region": "eu.west" }),
                "config.region",
            ),
            (
                json!({ "access_key_id": "a", "secret_access_key": "b", "session_token": " " }),
                "session_token",
            ),
            (
                json!({ "access_key_id": "a".repeat(2000), "secret_access_key": "b" }),
                "access_key_id is too",
            ),
        ] {
            let message = message(config);
            assert!(message.contains(part), "{message}");
        }
    }
}
