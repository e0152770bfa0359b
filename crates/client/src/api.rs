//! The public API as the commands use it: addresses, JSON in and out, pages.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use model::limits::PAGE_ROWS_MAX;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::settings::{Settings, Surroundings};
use crate::transport::{Call, Transport, collect};

/// What stands for itself in a path segment and in a query value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A server, as the holder of a key sees it.
pub(crate) struct Api {
    pub(crate) endpoint: String,
    pub(crate) transport: Transport,
    authorization: Option<HeaderValue>,
}

/// A path of the API with its query, each part encoded.
#[derive(Clone)]
pub(crate) struct At(String);

impl Api {
    /// For whoever holds the key that is set.
    pub(crate) fn signed(around: &Surroundings, settings: &Settings) -> Result<Self> {
        let (key, _) = settings.key()?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .map_err(|_| Error::new(Kind::Denied, "the API key has characters that no key has"))?;
        authorization.set_sensitive(true);
        Ok(Self { authorization: Some(authorization), ..Self::anonymous(around, settings) })
    }

    /// For whoever has no key yet.
    pub(crate) fn anonymous(around: &Surroundings, settings: &Settings) -> Self {
        let transport = Transport::new(around.version);
        Self { endpoint: settings.endpoint.clone(), transport, authorization: None }
    }

    /// A request to the API, with the key.
    pub(crate) fn call(&self, method: Method, at: &At) -> Call {
        self.call_url(method, format!("{}/api/v1{}", self.endpoint, at.0))
    }

    /// A request to any path of the server, with the key.
    pub(crate) fn call_url(&self, method: Method, url: String) -> Call {
        let mut call = Call::new(method, url);
        call.headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        call
    }

    /// The answer to `call`, which must be a success.
    pub(crate) async fn open(&self, call: &Call) -> Result<Response<Incoming>> {
        let answer = self.transport.send(call).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (status, body) = decode(answer).await?;
        Err(Error::answered(status, &body))
    }

    /// What is at `at`.
    pub(crate) async fn get(&self, at: &At) -> Result<Value> {
        self.json(self.call(Method::GET, at)).await
    }

    /// Sends a body; the answer.
    pub(crate) async fn post(&self, at: &At, body: &Value) -> Result<Value> {
        let json = HeaderValue::from_static("application/json");
        let mut call = self.call(Method::POST, at).header(CONTENT_TYPE, json);
        call.body = body.to_string().into();
        self.json(call).await
    }

    /// A request without a body; the answer.
    pub(crate) async fn bare(&self, method: Method, at: &At) -> Result<Value> {
        self.json(self.call(method, at)).await
    }

    /// The status and the JSON of any answer.
    pub(crate) async fn attempt(&self, call: &Call) -> Result<(StatusCode, Value)> {
        decode(self.transport.send(call).await?).await
    }

    async fn json(&self, call: Call) -> Result<Value> {
        match self.attempt(&call).await? {
            (status, value) if status.is_success() => Ok(value),
            (status, value) => Err(Error::answered(status, &value)),
        }
    }

    /// All rows at `at`, however many pages they are, one page at a time.
    pub(crate) async fn pages(
        &self,
        at: &At,
        mut each: impl FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        let mut pages = Pages::new(at.clone());
        while let Some(rows) = pages.next(self).await? {
            each(rows)?;
        }
        Ok(())
    }

    /// All rows of a list that the API gives whole.
    pub(crate) async fn rows(&self, at: &At) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        self.pages(at, |rows| {
            all.extend(rows);
            Ok(())
        })
        .await?;
        Ok(all)
    }
}

/// A listing that is read page by page.
pub(crate) struct Pages {
    at: At,
    amount: usize,
    /// What to give as `after`; `None` once the last page was read.
    after: Option<String>,
}

impl Pages {
    pub(crate) fn new(at: At) -> Self {
        Self { at, amount: PAGE_ROWS_MAX, after: Some(String::new()) }
    }

    /// With at most `rows` rows to a page.
    pub(crate) fn of(at: At, rows: usize) -> Self {
        Self { amount: rows.clamp(1, PAGE_ROWS_MAX), ..Self::new(at) }
    }

    /// The next page; `None` after the last.
    pub(crate) async fn next(&mut self, api: &Api) -> Result<Option<Vec<Value>>> {
        let Some(after) = self.after.take() else { return Ok(None) };
        let at = self.at.clone().query("amount", &self.amount.to_string());
        let mut page = api.get(&at.query("after", &after)).await?;
        let pagination = &page["pagination"];
        if pagination["has_more"].as_bool() == Some(true) {
            let next = pagination["next_offset"].as_str().filter(|next| *next != after);
            let next = next.ok_or_else(|| Error::failed("the server's listing goes in circles"))?;
            self.after = Some(next.to_owned());
        }
        match page["results"].take() {
            Value::Array(rows) => Ok(Some(rows)),
            _ => Err(Error::failed("the server's answer is no listing")
                .next("is the endpoint a Tilde server?")),
        }
    }
}

impl At {
    /// `/organizations`, say; taken as it is.
    pub(crate) fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// Below it: a slash and a segment, encoded.
    pub(crate) fn segment(mut self, text: &str) -> Self {
        self.0.push('/');
        self.0.extend(utf8_percent_encode(text, PLAIN));
        self
    }

    /// More of the path, as it is.
    pub(crate) fn then(mut self, literal: &str) -> Self {
        self.0 += literal;
        self
    }

    /// With a query value; an empty one is left out, as it means the same.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.0.push(if self.0.contains('?') { '&' } else { '?' });
            self.0 += name;
            self.0.push('=');
            self.0.extend(utf8_percent_encode(value, PLAIN));
        }
        self
    }

    /// With a query value if there is one.
    pub(crate) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        self.query(name, value.unwrap_or_default())
    }
}

/// The text of a field; empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The number in a field; 0 if there is none.
pub(crate) fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_default()
}

/// The text of a header.
pub(crate) fn header(answer: &Response<Incoming>, name: &HeaderName) -> Option<String> {
    Some(answer.headers().get(name)?.to_str().ok()?.to_owned())
}

async fn decode(answer: Response<Incoming>) -> Result<(StatusCode, Value)> {
    let status = answer.status();
    let body: Bytes = collect(answer.into_body()).await?;
    if body.is_empty() {
        return Ok((status, Value::Null));
    }
    match serde_json::from_slice(&body) {
        Ok(value) => Ok((status, value)),
        Err(_) if !status.is_success() => Ok((status, Value::Null)),
        Err(_) => Err(Error::failed("the server's answer is not JSON")
            .next("is the endpoint a Tilde server, and not a page in front of it?")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_becomes_part_of_an_address() {
        let at = At::new("/organizations").segment("a/../b?c").then("/objects");
        let at = at.query("prefix", "x&y=#é/+ ").query("after", "").maybe("ref", None);
        assert_eq!(at.0, "/organizations/a%2F..%2Fb%3Fc/objects?prefix=x%26y%3D%23%C3%A9%2F%2B%20");
    }
}
