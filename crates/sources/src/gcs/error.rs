//! What a refusal by Google Cloud Storage, or by its token endpoint, means.

use std::time::Duration;

use http::StatusCode;
use http::header::{DATE, HeaderMap, RETRY_AFTER};
use model::Timestamp;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::{Code, Error, Operation};

/// By how much the clocks may differ before that is taken for the cause of a refusal.
const SKEW_S_MAX: i64 = 240;
const CHECK: &str = "credentials_json of the connector: the key may have been deleted, or its \
                     service account disabled";
const CHECK_GRANT: &str = "credentials_json of the connector (the key may have been deleted, or \
                           its service account disabled), and this server's clock";

/// A refused request for a listing or an object.
pub(super) struct Refusal {
    status: StatusCode,
    reason: Option<Code>,
    retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Body {
    error: Told,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    errors: Vec<Item>,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    reason: Option<String>,
}

impl Refusal {
    /// A body that is not the usual document tells nothing: that of a refused object is plain text.
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let told = serde_json::from_slice(body).ok().map(|body: Body| body.error);
        let reason = told.and_then(|told| {
            let mut reasons = told.errors.into_iter().filter_map(|item| item.reason);
            reasons.next().or(told.status)
        });
        let reason = reason.as_deref().and_then(Code::new);
        Self { status, reason, retry_after: retry_after(headers) }
    }

    fn reason(&self) -> &str {
        self.reason.as_ref().map_or("", Code::as_str)
    }

    /// What the user is told.
    pub(super) fn explain(self, operation: Operation, bucket: &str) -> Error {
        let status = self.status.as_u16();
        if is_transient(self.status, self.reason()) {
            let Self { reason, retry_after, .. } = self;
            return Error::Unavailable { status, code: reason, retry_after };
        }
        if self.status.is_redirection() {
            return Error::Redirected { status, operation };
        }
        match (self.status, self.reason) {
            (_, Some(code)) if code.as_str().starts_with("userProject") => Error::Billing { code },
            (StatusCode::UNAUTHORIZED, code) => unauthorized(code),
            (_, Some(code)) if matches!(code.as_str(), "authError" | "accountDisabled") => {
                unauthorized(Some(code))
            }
            (StatusCode::FORBIDDEN, code) => Error::Role { status, code, operation },
            (StatusCode::NOT_FOUND, _) if operation == Operation::List => {
                Error::NoSuchBucket { bucket: bucket.to_owned() }
            }
            (StatusCode::NOT_FOUND, _) => Error::Vanished,
            (StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE, _)
                if operation == Operation::Read =>
            {
                Error::Changed
            }
            (_, code) => Error::Status { status, code, operation },
        }
    }
}

fn unauthorized(code: Option<Code>) -> Error {
    let code = code.or_else(|| Code::new("authError")).expect("it consists of letters");
    Error::Credentials { code, check: CHECK }
}

fn is_transient(status: StatusCode, reason: &str) -> bool {
    let by_status = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let reasons = ["backendError", "internalError", "rateLimitExceeded", "userRateLimitExceeded"];
    by_status || reasons.contains(&reason)
}

/// A refused request for a token.
pub(super) struct SignInRefusal {
    status: StatusCode,
    code: Option<Code>,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct SignInBody {
    error: String,
}

impl SignInRefusal {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let told: Option<SignInBody> = serde_json::from_slice(body).ok();
        let code = told.and_then(|told| Code::new(&told.error));
        let date = headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(http_date);
        Self { status, code, retry_after: retry_after(headers), date }
    }

    /// What the user is told, if it is `now` here.
    pub(super) fn explain(self, now: Timestamp) -> Error {
        let Self { status, code, retry_after, date } = self;
        let name = code.as_ref().map_or("", Code::as_str);
        if is_transient(status, name) {
            return Error::Unavailable { status: status.as_u16(), code, retry_after };
        }
        let (status, operation) = (status.as_u16(), Operation::SignIn);
        if (300..400).contains(&status) {
            return Error::Redirected { status, operation };
        }
        let is_grant = name == "invalid_grant";
        let Some(code) = code else { return Error::Status { status, code: None, operation } };
        match date.map(|date| now.seconds() - date.seconds()) {
            Some(ahead) if is_grant && ahead.abs() > SKEW_S_MAX => {
                Error::Skewed { code, ahead_seconds: Some(ahead) }
            }
            _ => Error::Credentials { code, check: if is_grant { CHECK_GRANT } else { CHECK } },
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// `Wed, 15 Jan 2025 10:30:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let time = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
    Some(Timestamp::from_seconds(time.unix_timestamp()))
}
