//! `tilde api`: any request, with the key, the address and the errors of all other commands.

use clap::Args;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::Context;
use crate::error::{Error, Result};
use crate::screen::stdin_text;
use crate::transport::{collect, next_bytes};

/// Bytes of a body: as many as the API takes.
const BODY_BYTES_MAX: u64 = model::limits::BODY_BYTES_MAX as u64;

#[derive(Args)]
pub struct Raw {
    /// GET, POST, PUT, PATCH, DELETE or HEAD
    method: String,
    /// Below /api/v1, or whole; with its query
    path: String,
    /// A JSON body; `-` reads it from standard input
    #[arg(long, short, value_name = "JSON")]
    data: Option<String>,
}

pub(crate) async fn run(raw: Raw, context: &Context<'_>) -> Result<()> {
    let Context { api, screen, .. } = context;
    let method = raw.method.to_ascii_uppercase();
    let method: Method =
        method.parse().map_err(|_| Error::usage(format!("{method:?} is not a method")))?;
    if !raw.path.starts_with('/') {
        return Err(Error::usage("the path must start with a slash, like /auth/me"));
    }
    let base = if raw.path.starts_with("/api/") { "" } else { "/api/v1" };
    let mut call = api.call_url(method, format!("{}{base}{}", api.endpoint, raw.path));
    if let Some(data) = raw.data {
        let data = if data == "-" { stdin_text("a body", BODY_BYTES_MAX)? } else { data };
        serde_json::from_str::<Value>(&data)
            .map_err(|error| Error::usage(format!("the body is not JSON: {error}")))?;
        call = call.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        call.body = data.into();
    }
    let answer = api.transport.send(&call).await?;
    let status = answer.status();
    if !status.is_success() {
        let body = collect(answer.into_body()).await?;
        screen.line(&String::from_utf8_lossy(&body))?;
        return Err(Error::answered(status, &serde_json::from_slice(&body).unwrap_or_default()));
    }
    let mut body = answer.into_body();
    let mut ends_line = true;
    while let Some(bytes) = next_bytes(&mut body).await? {
        ends_line = bytes.ends_with(b"\n");
        screen.bytes(&bytes)?;
    }
    // A document gets the line end that a terminal and a shell want.
    if ends_line { screen.flush() } else { screen.line("") }
}
