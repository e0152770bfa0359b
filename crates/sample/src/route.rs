//! From a raw request target to the operation it asks for.
//!
//! The path is percent-decoded exactly once and never normalized: `//`, `.` and `..` segments and
//! a trailing `/` are parts of the key.

use percent_encoding::percent_decode_str;

use crate::{Error, listing};

/// The bucket, key and query parameters of a path-style request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Empty for the service root.
    pub bucket: String,
    /// Empty for the bucket itself.
    pub key: String,
    /// Decoded parameters in the order they came; one without `=` has an empty value.
    pub query: Vec<(String, String)>,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `GET /bucket?list-type=2`
    ListObjects(listing::Query),
    /// `GET /bucket?location`
    GetBucketLocation,
    /// `HEAD /bucket`
    HeadBucket,
    /// `GET /bucket/key`
    GetObject,
    /// `HEAD /bucket/key`
    HeadObject,
}

impl Target {
    /// Reads the raw path and query of a request line; `Error::InvalidUri` if one does not decode.
    pub fn parse(path: &str, query: &str) -> Result<Self, Error> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Ok(Self { bucket: decode(bucket)?, key: decode(key)?, query: parse_query(query)? })
    }

    /// The value of the first parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The operation that `method` means here, or the error that refuses it.
    pub fn operation(&self, method: &str) -> Result<Operation, Error> {
        let head = match method {
            "GET" => false,
            "HEAD" => true,
            _ => return Err(Error::MethodNotAllowed),
        };
        // SDKs name the operation in `x-id`; every other parameter of an object is a feature.
        let plain = self.query.iter().all(|(name, _)| name == "x-id");
        match (self.bucket.is_empty(), self.key.is_empty(), head) {
            (true, _, _) => Err(Error::NotImplemented),
            (false, false, _) if !plain => Err(Error::NotImplemented),
            (false, false, true) => Ok(Operation::HeadObject),
            (false, false, false) => Ok(Operation::GetObject),
            (false, true, true) => Ok(Operation::HeadBucket),
            (false, true, false) if self.parameter("location").is_some() => {
                Ok(Operation::GetBucketLocation)
            }
            (false, true, false) if self.parameter("list-type") == Some("2") => {
                listing::Query::parse(self).map(Operation::ListObjects)
            }
            (false, true, false) => Err(Error::NotImplemented),
        }
    }
}

fn decode(raw: &str) -> Result<String, Error> {
    let text = percent_decode_str(raw).decode_utf8().map_err(|_| Error::InvalidUri)?;
    Ok(text.into_owned())
}

/// The decoded parameters of a raw query; as in S3, a `+` in it is a space.
pub fn parse_query(raw: &str) -> Result<Vec<(String, String)>, Error> {
    let decode_part = |part: &str| decode(&part.replace('+', " "));
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| Ok((decode_part(name)?, decode_part(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_once_and_never_normalized() {
        for (path, key) in [
            ("/b/a//b", "a//b"),
            ("/b//lead", "/lead"),
            ("/b/trail/", "trail/"),
            ("/b/dots/../up", "dots/../up"),
            ("/b/.", "."),
            ("/b/%2E%2E/x", "../x"),
            ("/b/a+b", "a+b"),
            ("/b/a%20b", "a b"),
            ("/b/pct%2520x", "pct%20x"),
            ("/b/a%2Fb", "a/b"),
            ("/b/%C3%A9", "\u{e9}"),
            ("/b/%zz", "%zz"),
            ("/b", ""),
            ("/b/", ""),
        ] {
            let target = Target::parse(path, "").expect("it decodes");
            assert_eq!((target.bucket.as_str(), target.key.as_str()), ("b", key), "{path}");
        }
        assert_eq!(Target::parse("/b/%ff", ""), Err(Error::InvalidUri));
    }

    #[test]
    fn methods_and_parameters_name_the_operation() {
        let operation = |method, path, query| {
            Target::parse(path, query).and_then(|target| target.operation(method))
        };
        assert_eq!(operation("GET", "/b/k", ""), Ok(Operation::GetObject));
        assert_eq!(operation("GET", "/b/k", "x-id=GetObject"), Ok(Operation::GetObject));
        assert_eq!(operation("HEAD", "/b/k", ""), Ok(Operation::HeadObject));
        assert_eq!(operation("HEAD", "/b/", ""), Ok(Operation::HeadBucket));
        assert_eq!(operation("GET", "/b", "location"), Ok(Operation::GetBucketLocation));
        assert_eq!(operation("GET", "/b/k", "versionId=1"), Err(Error::NotImplemented));
        assert_eq!(operation("GET", "/b", ""), Err(Error::NotImplemented));
        assert_eq!(operation("GET", "/", ""), Err(Error::NotImplemented));
        assert_eq!(operation("PUT", "/b/k", ""), Err(Error::MethodNotAllowed));
        assert_eq!(operation("DELETE", "/", ""), Err(Error::MethodNotAllowed));
    }

    #[test]
    fn a_plus_in_a_query_is_a_space() {
        let parsed = parse_query("prefix=a+b%2Bc&&location&x=%3D").expect("it decodes");
        let pairs = [("prefix", "a b+c"), ("location", ""), ("x", "=")];
        assert_eq!(parsed, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
