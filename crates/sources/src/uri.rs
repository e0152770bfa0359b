//! Where a connector points, and which path a key gets.

use std::fmt;
use std::str::FromStr;

use model::{ObjectPath, PathError};

/// Bytes of a bucket name.
const BUCKET_BYTES: std::ops::RangeInclusive<usize> = 3..=63;
/// Bytes of a prefix: a key has no more.
const PREFIX_BYTES_MAX: usize = 1024;

/// The protocol of a source URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// `s3://`
    S3,
    /// `gs://`
    Gs,
}

impl Scheme {
    /// As it stands before `://`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
        }
    }
}

/// `s3://bucket/prefix/`: a bucket and a directory in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceUri {
    scheme: Scheme,
    bucket: String,
    prefix: String,
}

/// Why a text is not a source URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UriError {
    /// Neither `s3://` nor `gs://`.
    #[error("source_uri must start with s3:// or gs://")]
    Scheme,
    /// Not a bucket name.
    #[error(
        "source_uri must name a bucket: 3 to 63 letters, digits, dots, hyphens and underscores, \
         starting and ending with a letter or digit, and not an IP address"
    )]
    Bucket,
    /// A prefix that no key has.
    #[error("source_uri must have a prefix of at most {PREFIX_BYTES_MAX} bytes without NUL")]
    Prefix,
}

impl SourceUri {
    /// The protocol.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The directory: empty, or ending in `/`. Taken literally, nothing is decoded.
    pub fn prefix(&self) -> &[u8] {
        self.prefix.as_bytes()
    }
}

impl FromStr for SourceUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("s3", rest)) => (Scheme::S3, rest),
            Some(("gs", rest)) => (Scheme::Gs, rest),
            _ => return Err(UriError::Scheme),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            return Err(UriError::Bucket);
        }
        let mut prefix = prefix.to_owned();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        if prefix.len() > PREFIX_BYTES_MAX || prefix.contains('\0') {
            return Err(UriError::Prefix);
        }
        Ok(Self { scheme, bucket: bucket.to_owned(), prefix })
    }
}

impl fmt::Display for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.scheme.as_str(), self.bucket, self.prefix)
    }
}

/// AWS's rules, and the capitals and underscores of its older buckets and of other servers: all of
/// it safe in a path and in a host name.
fn is_bucket(name: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    BUCKET_BYTES.contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && ends(bytes.first())
        && ends(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

/// Which keys an import takes, and the path each of them gets.
///
/// With `cut` the length of the effective prefix up to and including its last `/`, a key's path is
/// `destination + key[cut..]`. All keys under the prefix share what is cut off, and all paths
/// start with the destination, so the order of the paths is that of the keys: a sorted listing
/// gives sorted paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    prefix: Vec<u8>,
    cut: usize,
    destination: String,
}

/// What becomes of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mapped {
    /// It is an object of this path.
    Path(ObjectPath),
    /// It is the marker of the directory that becomes the root of the repository: it has no path.
    Marker,
    /// It cannot be a path.
    Invalid(PathError),
}

impl Mapping {
    /// `source_prefix` is absolute in the bucket if it starts with the directory of the source
    /// URI, else it is appended to it: it cannot leave it. `destination_path` is a directory.
    pub fn new(source_uri: &SourceUri, source_prefix: &str, destination_path: &str) -> Self {
        let directory = source_uri.prefix.as_str();
        let prefix = match source_prefix.starts_with(directory) {
            true => source_prefix.to_owned(),
            false => format!("{directory}{source_prefix}"),
        };
        Self::of_paths(&prefix, destination_path)
    }

    /// For a source whose keys are the paths of a repository: `prefix` is taken as it is.
    pub fn of_paths(prefix: &str, destination_path: &str) -> Self {
        let mut destination = destination_path.to_owned();
        if !destination.is_empty() && !destination.ends_with('/') {
            destination.push('/');
        }
        let cut = prefix.rfind('/').map_or(0, |at| at + 1);
        Self { prefix: prefix.as_bytes().to_vec(), cut, destination }
    }

    /// The plain string prefix of all keys of the import.
    pub fn effective_prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Where every path of the import starts: empty, or ending in `/`.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// What all paths of the import start with, and so the part of the repository it can change.
    pub fn reach(&self) -> Vec<u8> {
        [self.destination.as_bytes(), self.relative(&self.prefix)].concat()
    }

    /// The part of a key that its path keeps, below the destination.
    pub fn relative<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        key.get(self.cut..).unwrap_or_default()
    }

    /// The part of a path of the import below the destination.
    pub fn below_destination<'a>(&self, path: &'a ObjectPath) -> &'a [u8] {
        path.as_bytes().get(self.destination.len()..).unwrap_or_default()
    }

    /// The key that gets `path`, a path of the import.
    pub fn key_of(&self, path: &ObjectPath) -> Vec<u8> {
        [&self.prefix[..self.cut], self.below_destination(path)].concat()
    }

    /// What becomes of `key`, which starts with the effective prefix.
    pub fn path_of(&self, key: &[u8]) -> Mapped {
        debug_assert!(key.starts_with(&self.prefix), "a listing stays under its prefix");
        let path = [self.destination.as_bytes(), self.relative(key)].concat();
        if path.is_empty() {
            return Mapped::Marker;
        }
        match ObjectPath::from_bytes(&path) {
            Ok(path) => Mapped::Path(path),
            Err(error) => Mapped::Invalid(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mapping(uri: &str, prefix: &str, destination: &str) -> Mapping {
        Mapping::new(&uri.parse().expect("a source uri"), prefix, destination)
    }

    fn path(mapping: &Mapping, key: &str) -> String {
        match mapping.path_of(key.as_bytes()) {
            Mapped::Path(path) => path.to_string(),
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn a_source_uri_is_a_bucket_and_a_directory() {
        for (text, bucket, prefix) in [
            ("s3://my-bucket", "my-bucket", ""),
            ("s3://my-bucket/", "my-bucket", ""),
            ("s3://my-bucket/datasets", "my-bucket", "datasets/"),
            ("s3://my.bucket_2/a//b/", "my.bucket_2", "a//b/"),
            ("s3://bucket//", "bucket", "/"),
            ("s3://bucket/a%20b?c#d/", "bucket", "a%20b?c#d/"),
        ] {
            let uri: SourceUri = text.parse().expect(text);
            assert_eq!((uri.bucket(), uri.prefix()), (bucket, prefix.as_bytes()));
            assert_eq!(uri.to_string().parse(), Ok(uri));
        }
        let gs: SourceUri = "gs://bucket/x".parse().expect("a source uri");
        assert_eq!((gs.scheme(), gs.to_string().as_str()), (Scheme::Gs, "gs://bucket/x/"));
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, error) in [
            ("", UriError::Scheme),
            ("bucket/prefix", UriError::Scheme),
            ("http://bucket/", UriError::Scheme),
            ("S3://bucket/", UriError::Scheme),
            ("s3:/bucket", UriError::Scheme),
            ("s3://", UriError::Bucket),
            ("s3:///prefix", UriError::Bucket),
            ("s3://ab", UriError::Bucket),
            ("s3://a..b", UriError::Bucket),
            ("s3://-abc", UriError::Bucket),
            ("s3://abc.", UriError::Bucket),
            ("s3://192.168.1.1/", UriError::Bucket),
            ("s3://user@host/", UriError::Bucket),
            ("s3://bucket:80/", UriError::Bucket),
            ("s3://bucket?x/", UriError::Bucket),
            ("s3://bücket/", UriError::Bucket),
            ("s3://bucket\r\n/", UriError::Bucket),
            ("s3://bucket/a\0b", UriError::Prefix),
        ] {
            assert_eq!(text.parse::<SourceUri>(), Err(error), "{text:?}");
        }
        let long = format!("s3://bucket/{}", "x".repeat(PREFIX_BYTES_MAX));
        assert_eq!(long.parse::<SourceUri>(), Err(UriError::Prefix));
        assert_eq!(format!("s3://{}", "b".repeat(64)).parse::<SourceUri>(), Err(UriError::Bucket));
    }

    #[test]
    fn a_source_prefix_is_absolute_or_appended() {
        for (uri, source_prefix, effective) in [
            ("s3://bucket/datasets/", "datasets/", "datasets/"),
            ("s3://bucket/datasets/", "datasets/train", "datasets/train"),
            ("s3://bucket/datasets/", "", "datasets/"),
            ("s3://bucket/datasets/", "train/", "datasets/train/"),
            ("s3://bucket/datasets/", "datasets", "datasets/datasets"),
            ("s3://bucket/datasets", "../other/", "datasets/../other/"),
            ("s3://bucket/datasets/", "/x", "datasets//x"),
            ("s3://bucket/", "a/b", "a/b"),
            ("s3://bucket/", "/a", "/a"),
        ] {
            let mapping = mapping(uri, source_prefix, "");
            assert_eq!(mapping.effective_prefix(), effective.as_bytes(), "{uri} {source_prefix}");
        }
    }

    #[test]
    fn the_documented_example_keeps_file_names() {
        let mapping = mapping("s3://my-bucket/datasets/", "datasets/", "imported/datasets/");
        assert_eq!(path(&mapping, "datasets/file.csv"), "imported/datasets/file.csv");
        assert_eq!(path(&mapping, "datasets//x/./y/"), "imported/datasets//x/./y/");
        assert_eq!(path(&mapping, "datasets/"), "imported/datasets/");
    }

    #[test]
    fn partial_names_whole_keys_and_markers() {
        let part = mapping("s3://bucket/data/", "part-", "x");
        assert_eq!(path(&part, "data/part-1"), "x/part-1");
        let one = mapping("s3://bucket/", "a/b.txt", "x/");
        assert_eq!(path(&one, "a/b.txt"), "x/b.txt");
        let root = mapping("s3://bucket/data/", "", "");
        assert_eq!(root.path_of(b"data/"), Mapped::Marker);
        assert_eq!(path(&root, "data//"), "/");
        let all = mapping("s3://bucket/", "", "");
        assert_eq!(path(&all, "/leading"), "/leading");
        assert_eq!(all.path_of(b"a\xff"), Mapped::Invalid(PathError::NotUtf8));
        assert_eq!(all.path_of(b"a\0"), Mapped::Invalid(PathError::Nul));
    }

    proptest! {
        #[test]
        fn paths_come_in_the_order_of_keys(
            directory in "[ab/]{0,4}", prefix in "[ab/]{0,4}", destination in "[ab/]{0,3}",
            rest in prop::collection::btree_set("[a-c/]{0,5}", 2..20),
        ) {
            let mapping = mapping(&format!("s3://bucket/{directory}"), &prefix, &destination);
            let start = String::from_utf8(mapping.effective_prefix().to_vec()).expect("utf-8");
            let paths: Vec<Vec<u8>> = rest
                .iter()
                .map(|rest| match mapping.path_of(format!("{start}{rest}").as_bytes()) {
                    Mapped::Path(path) => path.as_bytes().to_vec(),
                    _ => Vec::new(),
                })
                .collect();
            prop_assert!(paths.is_sorted_by(|left, right| left < right));
        }

        #[test]
        fn a_path_leads_back_to_its_key(
            directory in "[ab/]{0,4}", prefix in "[ab/]{0,4}", destination in "[ab/]{0,3}",
            rest in "(a|b|/|é|\\.csv){0,5}",
        ) {
            let mapping = mapping(&format!("s3://bucket/{directory}"), &prefix, &destination);
            let key = [mapping.effective_prefix(), rest.as_bytes()].concat();
            match mapping.path_of(&key) {
                Mapped::Path(path) => {
                    prop_assert!(path.as_bytes().starts_with(&mapping.reach()));
                    prop_assert_eq!(mapping.below_destination(&path), mapping.relative(&key));
                    prop_assert_eq!(mapping.key_of(&path), key);
                }
                Mapped::Marker => prop_assert!(destination.is_empty() && rest.is_empty()),
                Mapped::Invalid(reason) => prop_assert!(false, "{:?}", reason),
            }
        }
    }
}
