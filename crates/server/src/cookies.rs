//! The two cookies of a browser that signed in: one with its secret, which scripts cannot see, and
//! one with the token that proves that a request comes from a page of this server
//! ([`crate::auth`]).

use engine::Engine;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use model::Secret;
use model::limits::LOGIN_DAYS;

/// Holds the secret of a login.
pub(crate) const SESSION: &str = "tilde_session";
/// Holds the CSRF token that belongs to it; for scripts to read.
const CSRF: &str = "tilde_csrf";

/// Has the browser remember a login.
pub(crate) fn set(headers: &mut HeaderMap, token: &Secret, public_url: &str) {
    let csrf = Secret::new(Engine::csrf_token(token));
    let max_age_s = LOGIN_DAYS * 24 * 60 * 60;
    put(headers, SESSION, token, max_age_s, public_url);
    put(headers, CSRF, &csrf, max_age_s, public_url);
}

/// Has the browser forget it.
pub(crate) fn clear(headers: &mut HeaderMap, public_url: &str) {
    for name in [SESSION, CSRF] {
        put(headers, name, &Secret::new(String::new()), 0, public_url);
    }
}

fn put(headers: &mut HeaderMap, name: &str, value: &Secret, max_age_s: i64, public_url: &str) {
    let hidden = if name == SESSION { "; HttpOnly" } else { "" };
    let secure = if public_url.starts_with("https:") { "; Secure" } else { "" };
    let value = value.expose();
    let text = format!("{name}={value}; Path=/; Max-Age={max_age_s}; SameSite=Lax{hidden}{secure}");
    let mut value = HeaderValue::try_from(text).expect("a token is of letters, digits and hyphens");
    value.set_sensitive(true);
    headers.append(SET_COOKIE, value);
}

/// The secret of a login that the browser sends; `None` where it sends none, or several.
pub(crate) fn session(headers: &HeaderMap) -> Option<Secret> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(name, _)| name.trim() == SESSION);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(Secret::new(value.trim().to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, value.parse().expect("a legal header value"));
        }
        session(&headers).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn the_one_cookie_is_found_among_others() {
        assert_eq!(read(&["a=b; tilde_session=x=y ;c=d"]).as_deref(), Some("x=y"));
        assert_eq!(read(&["a=b", "tilde_session=x"]).as_deref(), Some("x"));
        for none in [&["tilde_session"][..], &["xtilde_session=x"], &["a=tilde_session"], &[]] {
            assert_eq!(read(none), None, "{none:?}");
        }
        assert_eq!(read(&["tilde_session=a; tilde_session=b"]), None);
        assert_eq!(read(&["tilde_session=a", "tilde_session=b"]), None);
    }

    #[test]
    fn cookies_are_secure_where_the_server_is() {
        for (url, secure) in [("https://a.example", true), ("http://a.example", false)] {
            let mut headers = HeaderMap::new();
            clear(&mut headers, url);
            let set: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
            assert_eq!(set.len(), 2);
            for value in set {
                let text = value.to_str().expect("ASCII");
                assert_eq!(text.ends_with("; Secure"), secure, "{text}");
                assert!(text.contains("Max-Age=0") && text.contains("SameSite=Lax"), "{text}");
                assert_eq!(text.contains("HttpOnly"), text.starts_with(SESSION), "{text}");
            }
        }
    }
}
