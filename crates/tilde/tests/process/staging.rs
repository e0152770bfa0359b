//! Sessions and uploads as a user makes them. A step gives `None` if the server is gone before it
//! has answered.

use serde_json::{Value, json};

use crate::importing::{ORGANIZATION, REPOSITORY, User};

/// A multipart upload whose parts arrive one by one.
pub(crate) struct Parts {
    id: String,
    token: String,
    /// As `complete` names them.
    named: Vec<Value>,
}

impl User<'_> {
    /// Makes the organization and its repository, without a connector.
    pub(crate) fn organization(&self) {
        let organization = json!({"name": "acme", "display_name": "Acme"});
        self.call("POST", "/api/v1/organizations", Some(organization));
        let repositories = format!("{ORGANIZATION}/repositories");
        self.call("POST", &repositories, Some(json!({"name": "data"})));
    }

    /// Begins a session.
    pub(crate) fn session(&self) -> String {
        let begun = self.call("POST", &format!("{REPOSITORY}/sessions"), None);
        text(&begun["session_id"])
    }

    /// A request that succeeds if it is answered.
    pub(crate) fn step(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Option<Value> {
        let content_type = content_type.map(|value| format!("content-type: {value}\r\n"));
        let headers =
            format!("authorization: Bearer {}\r\n{}", self.token, content_type.unwrap_or_default());
        let answer = self.server.send(method, path, &headers, body)?;
        let shown = String::from_utf8_lossy(&answer.body);
        let status = answer.status;
        assert!((200..300).contains(&status), "{method} {path}: {status} {shown}");
        Some(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    fn post(&self, path: &str, body: &Value) -> Option<Value> {
        self.step("POST", path, Some("application/json"), body.to_string().as_bytes())
    }

    /// Uploads in three steps.
    pub(crate) fn upload(&self, session: &str, path: &str, bytes: &[u8]) -> Option<()> {
        let begun = self.step("PUT", &place("object", session, path), None, b"")?;
        self.step("PUT", self.local(&begun["upload_url"]), None, bytes)?;
        let body = json!({"upload_token": begun["upload_token"], "size_bytes": bytes.len()});
        self.post(&place("object/finalize", session, path), &body)?;
        Some(())
    }

    /// Uploads in one step.
    pub(crate) fn put(&self, session: &str, path: &str, bytes: &[u8]) -> Option<()> {
        self.step("PUT", &place("object", session, path), Some("text/plain"), bytes)?;
        Some(())
    }

    /// Begins a multipart upload.
    pub(crate) fn begin_parts(&self, session: &str, path: &str) -> Option<Parts> {
        let begun = self.step("POST", &place("object/multipart", session, path), None, b"")?;
        let (id, token) = (text(&begun["upload_id"]), text(&begun["upload_token"]));
        Some(Parts { id, token, named: Vec::new() })
    }

    /// Sends its next part.
    pub(crate) fn send_part(
        &self,
        (session, path): (&str, &str),
        parts: &mut Parts,
        bytes: &[u8],
    ) -> Option<()> {
        let number = parts.named.len() + 1;
        let (id, place) = (&parts.id, place("object/multipart/part", session, path));
        let query = format!("upload_id={id}&upload_token={}&part_number={number}", parts.token);
        let link = self.step("GET", &format!("{place}&{query}"), None, b"")?;
        let answer = self.server.send("PUT", self.local(&link["upload_url"]), "", bytes)?;
        assert_eq!(answer.status, 200);
        let etag = answer.head.lines().find_map(|line| line.strip_prefix("etag: "));
        parts.named.push(json!({"part_number": number, "etag": etag.expect("an ETag")}));
        Some(())
    }

    /// Completes it.
    pub(crate) fn complete(&self, session: &str, path: &str, parts: &Parts) -> Option<()> {
        let body = json!({
            "upload_id": parts.id, "upload_token": parts.token, "parts": parts.named,
        });
        self.post(&place("object/multipart/complete", session, path), &body)?;
        Some(())
    }

    /// Copies within a session.
    pub(crate) fn copy(&self, session: &str, from: &str, to: &str) -> Option<()> {
        let query = format!("session_id={session}&source_path={from}&destination_path={to}");
        self.step("POST", &format!("{REPOSITORY}/object/copy?{query}"), None, b"")?;
        Some(())
    }

    /// Commits a session; the commit's id.
    pub(crate) fn commit(&self, session: &str) -> Option<String> {
        let path = format!("{REPOSITORY}/sessions/{session}");
        let committed = self.post(&path, &json!({"message": "from a session"}))?;
        Some(text(&committed["commit_id"]))
    }

    /// Paths at the head, or as a session sees them, in order.
    pub(crate) fn paths(&self, session: Option<&str>) -> Vec<String> {
        let session = session.map(|id| format!("&session_id={id}")).unwrap_or_default();
        let list = format!("{REPOSITORY}/objects?amount=1000{session}");
        let listed = self.call("GET", &list, None);
        let rows = listed["results"].as_array().expect("a list");
        rows.iter().map(|row| text(&row["path"])).collect()
    }

    /// Ids of the commits of the head, the newest first.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = self.call("GET", &format!("{REPOSITORY}/log"), None);
        let commits = log["results"].as_array().expect("a list");
        commits.iter().map(|commit| text(&commit["id"])).collect()
    }

    fn local<'u>(&self, url: &'u Value) -> &'u str {
        let url = url.as_str().expect("a link");
        url.strip_prefix(&self.server.url).expect("a link to this server")
    }
}

fn place(what: &str, session: &str, path: &str) -> String {
    format!("{REPOSITORY}/{what}?session_id={session}&path={path}")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
