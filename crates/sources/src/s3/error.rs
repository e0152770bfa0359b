//! What a refusal by an S3 server means.

use std::time::Duration;

use http::header::{DATE, HeaderMap};
use http::{HeaderName, StatusCode};
use model::Timestamp;

use super::config::is_region;
use super::xml::{Tag, walk};
use crate::retry::{http_date, retry_after};
use crate::{Code, Error, Operation};

pub(super) const X_AMZ_BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

/// What to check where the credentials are refused and the source does not say why.
const CHECK_KEYS: &str = "access_key_id and secret_access_key";

/// What an error body told.
#[derive(Default, Debug)]
pub(super) struct Told {
    code: Option<Code>,
    region: Option<String>,
}

impl Told {
    /// Takes what matters of an element.
    pub(super) fn visit(&mut self, way: &[Tag], text: &str) {
        match way {
            [Tag::Error, Tag::Code] => self.code = Code::new(text.trim()),
            [Tag::Error, Tag::Region] => self.region = region(text.trim()),
            _ => {}
        }
    }

    pub(super) fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// Reads an error body. One that is no XML tells nothing.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut told = Self::default();
        let whole = walk(body, |way, text| {
            told.visit(way, text);
            Ok(())
        });
        if whole.is_ok() { told } else { Self::default() }
    }
}

/// A request that was refused.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) told: Told,
    /// Whether the body says that TLS was expected.
    pub(super) expects_tls: bool,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
}

/// What was asked, where and when.
pub(super) struct Asked<'a> {
    pub(super) operation: Operation,
    pub(super) bucket: &'a str,
    pub(super) region: &'a str,
    pub(super) host: &'a str,
    pub(super) now: Timestamp,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        headers: &HeaderMap,
        mut told: Told,
        now: Timestamp,
    ) -> Self {
        let field = |name| headers.get(name).and_then(|value| value.to_str().ok());
        told.region = told.region.or_else(|| bucket_region(headers));
        let date = field(DATE).and_then(http_date);
        let retry_after = retry_after(headers, now);
        Self { status, told, expects_tls: false, retry_after, date }
    }

    /// What the user is told.
    pub(super) fn explain(self, asked: &Asked<'_>) -> Error {
        if self.expects_tls {
            return Error::NotPlain { host: asked.host.to_owned() };
        }
        let status = self.status.as_u16();
        let name = self.told.code.as_ref().map_or("", Code::as_str).to_owned();
        if self.is_transient(&name) {
            let Self { told, retry_after, .. } = self;
            return Error::Unavailable { status, code: told.code, retry_after };
        }
        if self.is_about_region(&name, asked.region) {
            return Error::Region { configured: asked.region.to_owned(), told: self.told.region };
        }
        if self.status.is_redirection() {
            return Error::Redirected { status, operation: asked.operation };
        }
        match (self.told.code, name.as_str(), self.status) {
            (_, "NoSuchBucket", _) => Error::NoSuchBucket { bucket: asked.bucket.to_owned() },
            (Some(code), "RequestTimeTooSkewed" | "RequestExpired", _) => {
                let ahead = self.date.map(|date| asked.now.seconds() - date.seconds());
                Error::Skewed { code, ahead_seconds: ahead }
            }
            (Some(code), "InvalidObjectState", _) => Error::Archived { code },
            // What S3 says of an object under SSE-C that is asked for without its key.
            (Some(code), "InvalidRequest", StatusCode::BAD_REQUEST)
                if asked.operation == Operation::Read =>
            {
                Error::CustomerKey { code }
            }
            (_, _, StatusCode::NOT_FOUND) if asked.operation == Operation::Read => Error::Vanished,
            (_, _, StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE)
                if asked.operation == Operation::Read =>
            {
                Error::Changed
            }
            (code, name, StatusCode::UNAUTHORIZED) if check(name).is_none() => {
                let code = code.or_else(|| Code::new("Unauthorized"));
                Error::Credentials { code: code.expect("these are letters"), check: CHECK_KEYS }
            }
            (Some(code), name, _) => match check(name) {
                Some(check) => Error::Credentials { code, check },
                None if self.status == StatusCode::FORBIDDEN || name == "AccessDenied" => {
                    Error::Denied { code, operation: asked.operation }
                }
                None => Error::Status { status, code: Some(code), operation: asked.operation },
            },
            (None, _, _) => Error::Status { status, code: None, operation: asked.operation },
        }
    }

    fn is_transient(&self, code: &str) -> bool {
        let by_status = matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        by_status
            || matches!(
                code,
                "InternalError"
                    | "RequestTimeout"
                    | "RequestLimitExceeded"
                    | "RequestThrottled"
                    | "RequestThrottledException"
                    | "ServiceUnavailable"
                    | "SlowDown"
                    | "Throttling"
                    | "ThrottlingException"
                    | "TooManyRequests"
            )
    }

    fn is_about_region(&self, code: &str, configured: &str) -> bool {
        let named = matches!(
            code,
            "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException"
                | "PermanentRedirect"
                | "TemporaryRedirect"
        );
        let other = self.told.region.as_deref().is_some_and(|told| told != configured);
        let redirected = self.status.is_redirection() && self.told.region.is_some();
        named || redirected || other && self.status == StatusCode::BAD_REQUEST
    }
}

/// Which field to check, for the codes that say that the credentials are wrong.
fn check(code: &str) -> Option<&'static str> {
    Some(match code {
        "InvalidAccessKeyId" | "InvalidClientTokenId" => "access_key_id (and endpoint)",
        "SignatureDoesNotMatch" => "secret_access_key",
        "ExpiredToken" | "TokenRefreshRequired" => {
            "session_token: it has expired, put a fresh one into the connector's config"
        }
        "InvalidToken" | "InvalidSecurity" => "session_token",
        "AccountProblem" | "AllAccessDisabled" | "NotSignedUp" => "the account at the source",
        "UnauthorizedAccess" | "Unauthorized" => CHECK_KEYS,
        _ => return None,
    })
}

/// The region in the header that S3 adds to most refusals.
pub(super) fn bucket_region(headers: &HeaderMap) -> Option<String> {
    region(headers.get(X_AMZ_BUCKET_REGION)?.to_str().ok()?)
}

fn region(text: &str) -> Option<String> {
    is_region(text).then(|| text.to_owned())
}
