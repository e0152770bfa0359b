//! S3 and what speaks its protocol: a thin client of five read operations.
//!
//! ListObjectsV2 or ListObjectVersions, GetObject, HeadObject, HeadBucket (to find a bucket's
//! region), signed with version 4 signatures from static credentials. A key goes onto the wire
//! byte for byte: a URL library that normalizes paths would fetch another object for keys like
//! `a//b` or `a/../b`.

mod client;
mod config;
mod error;
mod list;
mod read;
mod sign;
mod versions;
mod xml;

use std::ops::Range;

use async_trait::async_trait;

pub use config::{ConfigError, S3Config};

pub(crate) use client::{Client, Site};
pub(crate) use config::text;
pub(crate) use sign::Signer;

use crate::{Error, ListPage, Listed, ObjectMeta, Opened, PageToken, Reading, Result, Source};

/// Keys of one listing page.
const PAGE_KEYS_MAX: u32 = 1_000;

/// One prefix of a bucket.
pub(crate) struct S3Source {
    client: Client,
    prefix: Vec<u8>,
    versions: bool,
}

impl S3Source {
    pub(crate) fn new(client: Client, reading: Reading<'_>) -> Self {
        let (prefix, versions) = (reading.prefix.to_vec(), reading.versions);
        Self { client, prefix, versions }
    }

    /// The first page with objects, or the last one.
    async fn page(
        &self,
        after: Option<&[u8]>,
        token: Option<&PageToken>,
        ordered: bool,
    ) -> Result<ListPage> {
        let mut token = token.cloned();
        let mut empty = 0;
        while empty <= list::EMPTY_PAGES_MAX {
            let asked = list::Query {
                prefix: &self.prefix,
                after,
                token: token.as_ref(),
                keys_max: PAGE_KEYS_MAX,
                versions: self.versions,
                ordered,
            };
            let raw = self.client.list(&asked).await?;
            // A key may have more versions than fit on a page. Their markers advance, so they end.
            empty += u32::from(!raw.has_others);
            match list::check(raw, &asked)? {
                ListPage { objects, next: Some(next) } if objects.is_empty() => token = Some(next),
                page => return Ok(page),
            }
        }
        Err(Error::protocol("its listing goes on with one empty page after the other"))
    }
}

#[async_trait]
impl Source for S3Source {
    async fn list(&self, after: Option<&[u8]>, token: Option<&PageToken>) -> Result<ListPage> {
        self.page(after, token, true).await
    }

    async fn list_unordered(&self, token: Option<&PageToken>) -> Result<ListPage> {
        self.page(None, token, false).await
    }

    async fn open(&self, object: &Listed, range: Option<Range<u64>>) -> Result<Opened> {
        self.client.open(object, range).await
    }

    async fn head(&self, object: &Listed) -> Result<ObjectMeta> {
        self.client.head(object).await
    }

    async fn stat(&self, key: &[u8]) -> Result<Option<Listed>> {
        // Of all keys that start with `key`, `key` itself is the first, and of its versions the
        // latest is.
        let asked = list::Query {
            prefix: key,
            after: None,
            token: None,
            keys_max: 1,
            versions: self.versions,
            ordered: true,
        };
        let raw = self.client.list(&asked).await?;
        let mut objects = raw.objects.into_iter();
        Ok(objects.next().filter(|object| object.key == key))
    }

    fn retries(&self) -> u64 {
        self.client.retry().repeats()
    }

    fn uri(&self, key: &[u8]) -> String {
        format!("s3://{}/{}", self.client.bucket(), String::from_utf8_lossy(key))
    }

    fn kind(&self) -> &'static str {
        "s3"
    }
}
