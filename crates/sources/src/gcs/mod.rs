//! Google Cloud Storage: a thin client of three read operations of its JSON API.
//!
//! Objects are listed and read as generations, with tokens that come from a service account's key
//! and from nowhere else. A key goes onto the wire as one percent-encoded path segment, byte for
//! byte; bytes are taken as they are stored, never unpacked on the way.

mod client;
mod config;
mod error;
mod list;
mod object;
mod read;
mod token;

use std::ops::Range;

use async_trait::async_trait;

pub use config::GcsConfig;

pub(crate) use client::{Client, Site};

use crate::{
    Endpoint, Error, ListPage, Listed, ObjectMeta, Opened, PageToken, Reading, Result, Source,
};

/// Keys of one listing page.
const PAGE_KEYS_MAX: u32 = 1_000;

/// Where access tokens come from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum TokenEndpoint {
    /// `https://oauth2.googleapis.com`.
    #[default]
    Google,
    /// Another server, asked at `/token`.
    At(Endpoint),
    /// Nowhere: requests carry no token. For emulators.
    None,
}

/// One prefix of a bucket.
pub(crate) struct GcsSource {
    client: Client,
    prefix: Vec<u8>,
}

type Check = fn(list::RawPage, &list::Query<'_>, Option<&PageToken>) -> Result<ListPage>;

impl GcsSource {
    pub(crate) fn new(client: Client, reading: Reading<'_>) -> Self {
        Self { client, prefix: reading.prefix.to_vec() }
    }

    async fn page(
        &self,
        after: Option<&[u8]>,
        token: Option<&PageToken>,
        check: Check,
    ) -> Result<ListPage> {
        let mut token = token.cloned();
        for _ in 0..=list::EMPTY_PAGES_MAX {
            let asked = list::Query {
                prefix: &self.prefix,
                after,
                token: token.as_ref().map(PageToken::as_str),
                keys_max: PAGE_KEYS_MAX,
            };
            let raw = self.client.list(&asked).await?;
            match check(raw, &asked, token.as_ref())? {
                ListPage { objects, next: Some(next) } if objects.is_empty() => token = Some(next),
                page => return Ok(page),
            }
        }
        Err(Error::protocol("its listing goes on with one empty page after the other"))
    }
}

#[async_trait]
impl Source for GcsSource {
    async fn list(&self, after: Option<&[u8]>, token: Option<&PageToken>) -> Result<ListPage> {
        self.page(after, token, list::check).await
    }

    async fn list_unordered(&self, token: Option<&PageToken>) -> Result<ListPage> {
        self.page(None, token, list::check_unordered).await
    }

    async fn open(&self, object: &Listed, range: Option<Range<u64>>) -> Result<Opened> {
        self.client.open(object, range).await
    }

    async fn head(&self, object: &Listed) -> Result<ObjectMeta> {
        self.client.head(object).await
    }

    async fn stat(&self, key: &[u8]) -> Result<Option<Listed>> {
        // Of all keys that start with `key`, `key` itself is the first. Unlike the object's own
        // resource, a listing tells an absent key from an absent bucket.
        let asked = list::Query { prefix: key, after: None, token: None, keys_max: 1 };
        let raw = self.client.list(&asked).await?;
        let mut objects = raw.objects.into_iter();
        Ok(objects.next().filter(|object| object.key == key))
    }

    fn uri(&self, key: &[u8]) -> String {
        format!("gs://{}/{}", self.client.bucket(), String::from_utf8_lossy(key))
    }

    fn kind(&self) -> &'static str {
        "gcs"
    }

    fn retries(&self) -> u64 {
        self.client.retry().repeats()
    }
}

#[cfg(test)]
mod tests;
