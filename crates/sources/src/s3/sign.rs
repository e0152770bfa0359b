//! AWS Signature Version 4 for requests without a body, by the signer of the AWS SDK.
//!
//! The time is handed in. Paths are signed as they are: encoded once, never normalized.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::Request;
use http::header::AUTHORIZATION;
use model::{Secret, Timestamp};
use percent_encoding::percent_decode_str;
use time::OffsetDateTime;

use super::S3Config;
use crate::{Error, Result};

/// Signs with one set of static credentials for one region.
pub(crate) struct Signer {
    credentials: Credentials,
    region: String,
    settings: SigningSettings,
}

impl Signer {
    pub(crate) fn new(config: S3Config) -> Self {
        let own = |secret: &Secret| secret.expose().to_owned();
        let id = own(&config.access_key_id);
        let secret = own(&config.secret_access_key);
        let token = config.session_token.as_ref().map(own);
        let credentials = Credentials::new(id, secret, token, None, "connector");
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        Self { credentials, region: config.region, settings }
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Adds what a signed request needs to the headers, of which there has to be a `Host`. Those
    /// there and those added are covered by the signature.
    ///
    /// Fails if the query has a value that is not UTF-8.
    pub(crate) fn sign<B>(&self, request: &mut Request<B>, now: Timestamp) -> Result<()> {
        // The signer reads a query as text and would sign another one than is sent.
        if percent_decode_str(request.uri().query().unwrap_or_default()).decode_utf8().is_err() {
            return Err(Error::protocol("it lists a key that is not UTF-8"));
        }
        let time = OffsetDateTime::from_unix_timestamp(now.seconds());
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(time.unwrap_or(OffsetDateTime::UNIX_EPOCH).into())
            .settings(self.settings.clone())
            .build()
            .expect("all that is required is there")
            .into();
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let headers = request.headers().iter().filter_map(|(name, value)| {
            Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?))
        });
        let method = request.method().as_str();
        let (instructions, _) =
            SignableRequest::new(method, target, headers, SignableBody::empty())
                .and_then(|unsigned| sign(unsigned, &params))
                .expect("target and headers come from a valid request")
                .into_parts();
        instructions.apply_to_request_http1x(request);
        if let Some(authorization) = request.headers_mut().get_mut(AUTHORIZATION) {
            authorization.set_sensitive(true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::header::{HOST, HeaderMap, HeaderValue, RANGE};
    use serde_json::{Value, json};

    use super::*;

    fn signed(config: Value, target: &str, range: Option<&'static str>) -> Result<HeaderMap> {
        let signer = Signer::new(S3Config::parse(&config).expect("a config"));
        let mut request = Request::get(target).body(()).expect("a request");
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("examplebucket.s3.amazonaws.com"));
        if let Some(range) = range {
            headers.insert(RANGE, HeaderValue::from_static(range));
        }
        signer.sign(&mut request, "2013-05-24T00:00:00Z".parse().expect("a time"))?;
        Ok(request.into_parts().0.headers)
    }

    fn example() -> Value {
        json!({
            "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        })
    }

    /// The examples of the S3 API reference, "Authenticating Requests: Using the Authorization
    /// Header".
    #[test]
    fn the_documented_examples_come_out() {
        for (target, range, signature) in [
            (
                "/test.txt",
                Some("bytes=0-9"),
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "/?lifecycle=",
                None,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "/?max-keys=2&prefix=J",
                None,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let headers = signed(example(), target, range).expect("a signature");
            let authorization = headers[AUTHORIZATION].to_str().expect("ascii");
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
            assert!(headers[AUTHORIZATION].is_sensitive());
        }
    }

    /// Signatures of the textbook algorithm over exactly these bytes.
    #[test]
    fn what_is_sent_is_what_is_signed() {
        for (target, signature) in [
            (
                "//a//../b/./%FF%2B%2F",
                "887a2b587904c0c5cf6a5f0d06d85703e60bbd628afc905557e74759d2863928",
            ),
            (
                "/?prefix=~%2A%27%28%29%21%3A%2C%5E%60%5C%00%0A%7F%C3%A9",
                "9e4e39aa02d3800eb7fc7b499a99f62ce48b0eefeeb3cdde5f713e1cccc5cfb1",
            ),
        ] {
            let headers = signed(example(), target, None).expect("a signature");
            let authorization = headers[AUTHORIZATION].to_str().expect("ascii");
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
        }
    }

    #[test]
    fn a_session_token_is_signed_and_kept_out_of_logs() {
        let mut config = example();
        config["session_token"] = "tok/en==".into();
        let headers = signed(config, "/k", None).expect("a signature");
        assert_eq!(headers["x-amz-security-token"], "tok/en==");
        assert!(headers["x-amz-security-token"].is_sensitive());
        let authorization = headers[AUTHORIZATION].to_str().expect("ascii");
        assert!(authorization.contains(";x-amz-security-token,"), "{authorization}");
    }

    #[test]
    fn a_query_that_is_no_text_is_refused_and_a_path_is_not() {
        let error = signed(example(), "/?prefix=%FF", None).expect_err("not text").to_string();
        assert!(error.contains("not UTF-8"), "{error}");
        let longest = format!("/{}%FF", "k".repeat(65_530));
        assert!(signed(example(), &longest, None).is_ok());
    }
}
