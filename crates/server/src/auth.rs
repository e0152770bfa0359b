//! Who asks: the `Authorization` header, and nothing else. Cookies are neither read nor set.

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use engine::{Credential, Principal};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use model::Secret;

use crate::App;
use crate::error::Error;

/// Bytes of a credential that are looked at: more cannot be a token or a password.
const CREDENTIAL_BYTES_MAX: usize = 4_096;

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The authenticated user behind a request. Whoever has no valid credential gets 401.
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let credential = credential(&parts.headers).ok_or_else(Error::unauthenticated)?;
        Ok(Self(app.engine.authenticate(&credential).await?))
    }
}

/// The credential of a request with exactly one well-formed `Authorization` header.
pub(crate) fn credential(headers: &HeaderMap) -> Option<Credential> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let value = value.to_str().ok().filter(|value| value.len() <= CREDENTIAL_BYTES_MAX)?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credential::Token(Secret::new(rest.to_owned())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Secret::new(String::from_utf8(BASE64.decode(rest).ok()?).ok()?);
    let (login, password) = pair.expose().split_once(':')?;
    Some(Credential::Basic { login: login.to_owned(), password: Secret::new(password.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(values: &[&str]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().expect("a legal header value"));
        }
        credential(&headers).map(|credential| match credential {
            Credential::Token(token) => ("token".to_owned(), token.expose().to_owned()),
            Credential::Basic { login, password } => (login, password.expose().to_owned()),
        })
    }

    #[test]
    fn bearer_and_basic_are_read_and_nothing_else() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(parsed(&["Bearer tuk-x"]), pair("token", "tuk-x"));
        assert_eq!(parsed(&["bearer  tuk-x "]), pair("token", "tuk-x"));
        assert_eq!(parsed(&["Basic YWRtaW46YTpi"]), pair("admin", "a:b"));
        assert_eq!(parsed(&["Basic YTpiYg"]), pair("a", "bb"));
        for bad in ["", "tuk-x", "Digest x", "Basic !!", "Basic YWRtaW4=", "Basic /w=="] {
            assert_eq!(parsed(&[bad]), None, "{bad}");
        }
        assert_eq!(parsed(&[]), None);
        assert_eq!(parsed(&["Bearer a", "Bearer b"]), None);
        assert_eq!(parsed(&[&format!("Bearer {}", "x".repeat(CREDENTIAL_BYTES_MAX))]), None);
    }
}
