//! Reads requests: bodies, queries and path arguments, each failure told in the server's own
//! words.
//!
//! A message names the field and says what it must be. It never repeats what was sent, which may
//! be a secret.

use std::str::FromStr;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::{IdError, Secret};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bodies;
use crate::error::{Error, Result};

/// How long a JSON body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;

/// A JSON object as the body, of up to [`bodies::json_bytes_max`]. A missing content type is taken
/// as JSON.
pub(crate) struct Json<T>(pub(crate) T);

/// As [`Json`], but no body at all, or `null`, is the default.
pub(crate) struct OptionalJson<T>(pub(crate) T);

/// The query string, decoded as a form. Unknown keys are ignored; bytes that are not UTF-8 are
/// refused, since their replacement characters would name another path.
pub(crate) struct Query<T>(pub(crate) T);

/// The arguments in the path. What cannot be decoded names nothing: 404.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        if !is_json(request.headers()) {
            return Err(Error::NotJson);
        }
        decode(&whole(request).await?).map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let is_json = is_json(request.headers());
        match whole(request).await? {
            body if body.is_empty() => Ok(Self(T::default())),
            _ if !is_json => Err(Error::NotJson),
            body if body.trim_ascii() == b"null" => Ok(Self(T::default())),
            body => decode(&body).map(Self),
        }
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        if percent_decode_str(query).decode_utf8().is_err() {
            return Err(Error::invalid("query string: must be UTF-8"));
        }
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(query) => Ok(Self(query.0)),
            Err(rejection) => {
                let reason = std::error::Error::source(&rejection).map(ToString::to_string);
                let reason = reason.as_deref().unwrap_or("it cannot be decoded");
                Err(Error::invalid(format!("query string: {}", shortened(reason))))
            }
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| Error::not_found("resource"))
    }
}

/// The id in a path; a text that is no id names nothing: 404.
pub(crate) fn id<T: FromStr>(text: &str, what: &str) -> Result<T> {
    text.parse().map_err(|_| Error::not_found(what))
}

/// The id in a body or query: 400 if it is none.
pub(crate) fn id_field<T: FromStr<Err = IdError>>(field: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error: IdError| Error::invalid(format!("{field}: {error}")))
}

/// For a field where `null` and absence differ: `Some(None)` is `null`.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// For a text that must not be seen.
pub(crate) fn secret<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// As [`secret`], for one that may be left out.
pub(crate) fn optional_secret<'de, D>(deserializer: D) -> Result<Option<Secret>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json"
        || essence.starts_with("application/") && essence.ends_with("+json")
}

async fn whole(request: Request) -> Result<Bytes> {
    let bytes_max = bodies::json_bytes_max(&request);
    let reading = Limited::new(request.into_body(), bytes_max).collect();
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Err(_) => Err(Error::BodyTimeout),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::BodyTooLarge(bytes_max)),
        Ok(Err(_)) => Err(Error::invalid("the body ended before it was complete")),
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // A sequence would be taken for a struct, field by field.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Error::invalid("the body must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        Error::invalid(explained(&field, error.inner()))
    })?;
    reader.end().map_err(|error| Error::invalid(explained(".", &error)))?;
    Ok(value)
}

/// What is wrong with a body, from serde's sentence but without the values that it repeats.
fn explained(field: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() {
        return format!("the body is not valid JSON: {}", shortened(&text));
    }
    let reason = text.rsplit_once(" at line ").map_or(&*text, |(reason, _)| reason);
    if let Some(name) = reason.strip_prefix("missing field ") {
        return format!("{}: required", name.trim_matches('`'));
    }
    let repeats = ["invalid type", "invalid value", "invalid length"];
    let reason = match reason.rsplit_once("expected ") {
        Some((before, wanted)) if repeats.iter().any(|start| before.starts_with(start)) => {
            let wanted = match wanted {
                "i64" | "u64" | "u32" => "a whole number",
                "a sequence" => "an array",
                wanted => wanted,
            };
            format!("must be {wanted}")
        }
        _ => shortened(reason),
    };
    if field == "." { reason } else { format!("{field}: {reason}") }
}

fn shortened(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only decoded")]
    struct Sample {
        name: String,
        days: Option<i64>,
        #[serde(default)]
        config: serde_json::Value,
        #[serde(default, deserialize_with = "given")]
        change: Option<Option<i64>>,
    }

    fn message(body: &str) -> String {
        let error = decode::<Sample>(body.as_bytes()).expect_err(body);
        assert_eq!(error.status(), 400, "{body}");
        error.message().to_owned()
    }

    #[test]
    fn a_refusal_names_the_field_and_repeats_no_value() {
        let table = [
            (r#"{}"#, "name: required"),
            (r#"{"name": 7}"#, "name: must be a string"),
            (r#"{"name": null}"#, "name: must be a string"),
            (r#"{"name": {"secret": "hush"}}"#, "name: must be a string"),
            (r#"{"name": "a", "days": "hush"}"#, "days: must be a whole number"),
            (r#"{"name": "a", "days": 1.5}"#, "days: must be a whole number"),
            (r#"["hush"]"#, "the body must be a JSON object"),
            ("", "the body must be a JSON object"),
            ("\u{feff}{}", "the body must be a JSON object"),
        ];
        for (body, expected) in table {
            assert_eq!(message(body), expected, "{body}");
        }
        assert!(message(r#"{"name": "a", "name": "b"}"#).contains("duplicate field `name`"));
        for broken in [
            r#"{"name": NaN}"#,
            r#"{"name": "\ud800"}"#,
            r#"{"name": "a", "days": 1e999}"#,
            r#"{"name": "a"} x"#,
            r#"{"name": "a""#,
            &format!(r#"{{"name": "a", "config": {}"#, "[".repeat(100_000)),
        ] {
            let message = message(broken);
            assert!(message.starts_with("the body is not valid JSON: "), "{message}");
            assert!(!message.contains("hush") && message.len() < 300, "{message}");
        }
    }

    #[test]
    fn null_and_absence_differ_where_it_matters() {
        let change = |body: &str| decode::<Sample>(body.as_bytes()).expect(body).change;
        assert_eq!(change(r#"{"name": "a"}"#), None);
        assert_eq!(change(r#"{"name": "a", "change": null}"#), Some(None));
        assert_eq!(change(r#"{"name": "a", "change": 3, "unknown": 1}"#), Some(Some(3)));
    }

    #[test]
    fn only_json_or_nothing_is_taken_for_json() {
        let is = |value: &str| {
            is_json(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().expect("a value"))]))
        };
        assert!(is_json(&HeaderMap::new()));
        assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
        assert!(is("application/merge-patch+json"));
        assert!(!is("text/plain") && !is("application/x-www-form-urlencoded") && !is(""));
    }
}
