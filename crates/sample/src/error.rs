//! Every way a request can be refused, with its S3 code and HTTP status.

use http::StatusCode;

/// A refused request. The text is what the client reads in `<Message>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No signature in the header, or one that leaves out a header it must cover.
    #[error("access denied: {0}")]
    AccessDenied(&'static str),
    /// The `Authorization` header cannot be read, or is for another region or service.
    #[error("the authorization header is malformed: {0}")]
    AuthorizationHeaderMalformed(&'static str),
    /// The access key id is not the one this server knows.
    #[error("the access key id does not exist")]
    InvalidAccessKeyId,
    /// A parameter has a value that is not allowed.
    #[error("invalid argument: {0}")]
    InvalidArgument(&'static str),
    /// The range starts behind the end of an object of this many bytes.
    #[error("the requested range is not satisfiable")]
    InvalidRange(u64),
    /// A header that every request needs is missing.
    #[error("missing required header for this request: {0}")]
    InvalidRequest(&'static str),
    /// The path or query is not percent-encoded UTF-8.
    #[error("could not parse the specified uri")]
    InvalidUri,
    /// Anything but GET and HEAD.
    #[error("this method is not allowed: the server is read-only")]
    MethodNotAllowed,
    /// No bucket of this name.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// No object of this key.
    #[error("the key does not exist")]
    NoSuchKey,
    /// An operation of S3 that this server does not have.
    #[error("this operation is not implemented here")]
    NotImplemented,
    /// `If-Match` does not name the object's ETag.
    #[error("the precondition if-match did not hold")]
    PreconditionFailed,
    /// The request's date is more than 15 minutes off.
    #[error("the difference between the request time and the server's time is too large")]
    RequestTimeTooSkewed,
    /// The signature is not the one the secret key gives.
    #[error("the signature does not match: check the secret access key and the signing method")]
    SignatureDoesNotMatch,
    /// The payload hash is not that of an empty body.
    #[error("the provided x-amz-content-sha256 is not that of the empty request body")]
    XAmzContentSha256Mismatch,
}

impl Error {
    /// The HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        self.wire().0
    }

    /// The text of `<Code>`.
    pub fn code(&self) -> &'static str {
        self.wire().1
    }

    fn wire(&self) -> (StatusCode, &'static str) {
        match self {
            Self::AccessDenied(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
            Self::AuthorizationHeaderMalformed(_) => {
                (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed")
            }
            Self::InvalidAccessKeyId => (StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
            Self::InvalidArgument(_) => (StatusCode::BAD_REQUEST, "InvalidArgument"),
            Self::InvalidRange(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "InvalidRequest"),
            Self::InvalidUri => (StatusCode::BAD_REQUEST, "InvalidURI"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::NoSuchBucket => (StatusCode::NOT_FOUND, "NoSuchBucket"),
            Self::NoSuchKey => (StatusCode::NOT_FOUND, "NoSuchKey"),
            Self::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
            Self::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
            Self::RequestTimeTooSkewed => (StatusCode::FORBIDDEN, "RequestTimeTooSkewed"),
            Self::SignatureDoesNotMatch => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            Self::XAmzContentSha256Mismatch => {
                (StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch")
            }
        }
    }
}
