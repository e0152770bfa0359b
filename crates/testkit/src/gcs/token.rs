//! The token endpoint: it believes an assertion only if the one key there is has signed it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use sample::route::parse_query;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::gcs::Settings;

/// The one account.
pub const CLIENT_EMAIL: &str = "importer@testkit.iam.gserviceaccount.com";
const KEY_ID: &str = "testkit-key-1";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// By how much the clocks may differ, and how long an assertion may be good.
const SKEW_S_MAX: i64 = 300;
const AGE_S_MAX: i64 = 3600;

/// The account's key file, with changes (`null` leaves a field out).
pub fn credentials(changes: Value) -> Value {
    let mut file = json!({
        "type": "service_account",
        "project_id": "testkit",
        "private_key_id": KEY_ID,
        "private_key": private_key(),
        "client_email": CLIENT_EMAIL,
        "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    });
    for (name, value) in changes.as_object().expect("an object") {
        file[name] = value.clone();
    }
    file.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    file
}

/// The same as a text.
pub fn credentials_json(changes: Value) -> String {
    credentials(changes).to_string()
}

/// In PEM, without the remark before it.
fn private_key() -> &'static str {
    let file = include_str!("test_key.pem");
    &file[file.find("-----BEGIN").expect("a key in PEM")..]
}

fn public_key() -> Vec<u8> {
    let base64: String = private_key().lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(base64).expect("a key in PEM");
    let pair = KeyPair::from_pkcs8(&der).expect("an RSA key");
    pair.public().as_ref().to_vec()
}

/// Whether the form asks for a token as it should.
pub(crate) fn check(form: &str, settings: &Settings) -> Result<(), &'static str> {
    let form = parse_query(form).map_err(|_| "invalid_request")?;
    let field = |name| form.iter().find(|(found, _)| found == name).map(|(_, value)| &**value);
    if field("grant_type") != Some(GRANT) {
        return Err("unsupported_grant_type");
    }
    let assertion = field("assertion").ok_or("invalid_request")?;
    let (signed, signature) = assertion.rsplit_once('.').ok_or("invalid_grant")?;
    let (header, claims) = signed.split_once('.').ok_or("invalid_grant")?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "invalid_grant")?;
    let (header, claims) = (part(header)?, part(claims)?);
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key())
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| "invalid_grant")?;
    let now = now(settings).unix_timestamp();
    let time = |name: &str| claims[name].as_i64().ok_or("invalid_grant");
    let (iat, exp) = (time("iat")?, time("exp")?);
    let is_good = header["alg"] == "RS256"
        && header["kid"] == KEY_ID
        && claims["iss"] == CLIENT_EMAIL
        && claims["aud"] == AUDIENCE
        && claims["scope"] == SCOPE
        && (iat..=iat + AGE_S_MAX).contains(&exp)
        && (iat - now).abs() <= SKEW_S_MAX
        && exp > now;
    if is_good { Ok(()) } else { Err("invalid_grant") }
}

fn part(text: &str) -> Result<Value, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| "invalid_grant")?;
    serde_json::from_slice(&bytes).map_err(|_| "invalid_grant")
}

pub(crate) fn now(settings: &Settings) -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::seconds(settings.clock_ahead_s)
}
