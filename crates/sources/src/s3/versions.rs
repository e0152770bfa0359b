//! ListObjectVersions, where it differs from ListObjectsV2: it goes on at a pair of markers.
//!
//! The pair travels as one token, so that all that handles tokens need not know of it. It must
//! ascend by keys, and within a key never come to the same version twice.

use percent_encoding::percent_decode_str;

use super::client::encode_all;
use super::list::Query;
use crate::PageToken;

/// Between the parts of a token, which have no such character once they are encoded.
const SEPARATOR: char = '&';

/// The token that continues behind this version of this key; the version may be empty.
pub(super) fn token(key: &[u8], version: &str) -> String {
    format!("{}{SEPARATOR}{}", encode_all(key), encode_all(version.as_bytes()))
}

/// Percent-encoded and sorted by name, as the signature needs it.
pub(super) fn encode(asked: &Query<'_>) -> String {
    let after = asked.after.map(|after| (encode_all(after), String::new()));
    let (key, version) = match asked.token {
        Some(PageToken { token, .. }) => parts(token),
        None => after.unwrap_or_default(),
    };
    let mut query = "encoding-type=url".to_owned();
    if !key.is_empty() {
        query += &format!("&key-marker={key}");
    }
    query += &format!("&max-keys={}&prefix={}", asked.keys_max, encode_all(asked.prefix));
    if !version.is_empty() {
        query += &format!("&version-id-marker={version}");
    }
    query + "&versions="
}

/// Whether the key of the token is before the one the page was asked to start behind.
pub(super) fn goes_back(token: &str, asked: &Query<'_>) -> bool {
    let key = |token: &str| percent_decode_str(&parts(token).0).collect::<Vec<u8>>();
    let next = key(token);
    match (asked.token, asked.after) {
        (Some(before), _) => next < key(&before.token),
        (None, after) => after.is_some_and(|after| next.as_slice() < after),
    }
}

fn parts(token: &str) -> (String, String) {
    let (key, version) = token.split_once(SEPARATOR).unwrap_or((token, ""));
    (key.to_owned(), version.to_owned())
}
