//! The config of a GCS connector, read strictly.
//!
//! Of a service account's key only the name and the private key count. Every address in it is
//! ignored: a key is what a user hands in, and must not decide whom the server talks to.

use std::sync::Arc;

use model::Secret;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{Signer, SigningKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ConfigError;
use crate::s3::text;

/// Bytes of a key file, of an account's name or a key's id, and of a project.
const KEY_FILE_BYTES_MAX: usize = 32 << 10;
const NAME_BYTES_MAX: usize = 256;
const PROJECT_BYTES_MAX: usize = 128;

const CREDENTIALS: &str = "credentials_json";
const TAKES: &str = "a gcs connector takes credentials_json and project_id";

/// How to reach and sign for a bucket.
#[derive(Clone)]
pub struct GcsConfig {
    pub(crate) account: Arc<Account>,
    /// Who pays, where the bucket does not.
    pub(crate) project: Option<String>,
}

/// A service account that can sign.
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) key_id: Option<String>,
    key: Arc<dyn SigningKey>,
}

/// What is taken from a key file.
#[derive(Deserialize)]
struct KeyFile {
    r#type: Option<String>,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
}

impl GcsConfig {
    /// Reads `credentials_json`, the JSON key of a service account as a text (or as the object that
    /// it spells), and optionally `project_id`.
    pub fn parse(config: &Value) -> Result<Self, ConfigError> {
        let fields = config.as_object().ok_or(ConfigError::NotAnObject)?;
        for name in fields.keys() {
            match name.as_str() {
                CREDENTIALS | "project_id" => {}
                other => return Err(ConfigError::unknown(other, TAKES)),
            }
        }
        let account = Arc::new(Account::read(key_file(fields)?)?);
        let project = text(fields, "project_id", PROJECT_BYTES_MAX)?.map(str::to_owned);
        Ok(Self { account, project })
    }
}

fn wrong(what: &'static str) -> ConfigError {
    ConfigError::Field { field: CREDENTIALS, what }
}

fn key_file(fields: &Map<String, Value>) -> Result<KeyFile, ConfigError> {
    const WHAT: &str = "must be the JSON key of a service account, as a text";
    let parsed = match fields.get(CREDENTIALS) {
        None => return Err(ConfigError::Missing(CREDENTIALS)),
        Some(Value::String(text)) if text.trim().is_empty() => {
            return Err(wrong("must not be blank"));
        }
        Some(Value::String(text)) if text.len() > KEY_FILE_BYTES_MAX => {
            return Err(wrong("is too long"));
        }
        Some(Value::String(text)) => serde_json::from_str(text),
        Some(object) => KeyFile::deserialize(object),
    };
    // The parser's own error may show a part of the key.
    parsed.map_err(|_| wrong(WHAT))
}

impl Account {
    fn read(file: KeyFile) -> Result<Self, ConfigError> {
        if file.r#type.as_deref() != Some("service_account") {
            return Err(wrong(
                "must be the key of a service account (\"type\": \"service_account\"): other \
                 credentials cannot be used, so create a JSON key for a service account",
            ));
        }
        let private_key = file.private_key.map(Secret::new);
        let private_key = private_key.ok_or(wrong("has no private_key"))?;
        let email = file.client_email.filter(|email| is_name(email));
        let email = email.ok_or(wrong("has no good client_email"))?;
        let key_id = file.private_key_id.filter(|id| is_name(id));
        let key = signing_key(&private_key).ok_or(wrong(
            "has a private_key that is not an RSA key of 2048 bits or more in PEM (PKCS #8): give \
             the whole key file, unchanged",
        ))?;
        Ok(Self { email, key_id, key })
    }

    /// Signs for RS256.
    pub(crate) fn signer(&self) -> Box<dyn Signer> {
        rs256(&*self.key).expect("a key that cannot was refused")
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn signing_key(pem: &Secret) -> Option<Arc<dyn SigningKey>> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
    let key = any_supported_type(&PrivateKeyDer::Pkcs8(der)).ok()?;
    rs256(&*key)?;
    Some(key)
}

fn rs256(key: &dyn SigningKey) -> Option<Box<dyn Signer>> {
    key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
}
