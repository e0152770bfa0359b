//! Who asks: the `Authorization` header or, only where there is none, the cookie of a browser that
//! signed in.
//!
//! A browser sends its cookies with whatever another site makes it ask. So with a cookie a request
//! that may change something must show the CSRF token that belongs to it, which only pages of this
//! server can read, and one that the browser itself calls cross-site is refused.

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use engine::{Credential, Engine, Kind, Principal};
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method};
use model::Secret;

use crate::client_address::ClientAddress;
use crate::error::{Error, Result};
use crate::middleware::RequestId;
use crate::{Shared, cookies};

/// Bytes of a credential that are looked at: more cannot be a token or a password.
const CREDENTIAL_BYTES_MAX: usize = 4_096;
/// Carries the CSRF token.
const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
/// Says where a request comes from, as the browser sees it; programs do not send it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The authenticated user behind a request. Whoever has no valid credential gets 401.
pub(crate) struct Caller(pub(crate) Principal);

/// As [`Caller`], with what the user proved it by.
pub(crate) struct Proven {
    pub(crate) principal: Principal,
    pub(crate) credential: Credential,
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        Ok(Self(Proven::from_request_parts(parts, app).await?.principal))
    }
}

impl FromRequestParts<Shared> for Proven {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        let credential = match parts.headers.contains_key(AUTHORIZATION) {
            true => authorization(&parts.headers),
            false => login(&parts.method, &parts.headers)?,
        };
        let credential = credential.ok_or_else(Error::unauthenticated)?;
        let Ok(ClientAddress(from)) = ClientAddress::from_request_parts(parts, app).await;
        let mut principal = app.engine.authenticate(&credential, from).await?;
        if let Some(RequestId(id)) = parts.extensions.get() {
            principal.request_id.clone_from(id);
        }
        Ok(Self { principal, credential })
    }
}

impl Proven {
    /// The secret of the login that was the proof; `None` where it was something else.
    pub(crate) fn login(&self) -> Option<&Secret> {
        match &self.credential {
            Credential::Login(token) => Some(token),
            Credential::Token(_) | Credential::Basic { .. } => None,
        }
    }
}

/// The login of a browser, if the request may be one of its user's own.
fn login(method: &Method, headers: &HeaderMap) -> Result<Option<Credential>> {
    let Some(token) = cookies::session(headers) else { return Ok(None) };
    if token.expose().len() > CREDENTIAL_BYTES_MAX {
        return Ok(None);
    }
    if !method.is_safe() {
        refuse_cross_site(headers)?;
        let Some(shown) = headers.get(CSRF_TOKEN) else {
            let message = "a change with a cookie needs the header X-CSRF-Token, with the value of \
                           the cookie tilde_csrf";
            return Err(forbidden("CSRF_TOKEN_MISSING", message));
        };
        if shown.as_bytes() != Engine::csrf_token(&token).as_bytes() {
            let message = "the X-CSRF-Token is not that of this login; load the page again";
            return Err(forbidden("CSRF_TOKEN_INVALID", message));
        }
    }
    Ok(Some(Credential::Login(token)))
}

/// Refuses a request that a page of another site caused.
pub(crate) fn refuse_cross_site(headers: &HeaderMap) -> Result<()> {
    match headers.get(FETCH_SITE) {
        Some(site) if site.as_bytes().eq_ignore_ascii_case(b"cross-site") => {
            let message = "a page of another site may not do this in the name of a user";
            Err(forbidden("CROSS_SITE_REQUEST", message))
        }
        _ => Ok(()),
    }
}

fn forbidden(code: &'static str, message: &str) -> Error {
    Error::Engine(engine::Error::new(Kind::Forbidden, code, message))
}

/// The credential of a request with exactly one well-formed `Authorization` header.
fn authorization(headers: &HeaderMap) -> Option<Credential> {
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
        authorization(&headers).map(|credential| match credential {
            Credential::Token(token) => ("token".to_owned(), token.expose().to_owned()),
            Credential::Basic { login, password } => (login, password.expose().to_owned()),
            Credential::Login(_) => unreachable!(),
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
