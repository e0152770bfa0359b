//! S3 and what speaks its protocol: a thin client of four read operations.
//!
//! ListObjectsV2, GetObject, HeadBucket (to find a bucket's region), signed with version 4
//! signatures from static credentials. A key goes onto the wire byte for byte: a URL library that
//! normalizes paths would fetch another object for keys like `a//b` or `a/../b`.

mod client;
mod config;
mod error;
mod list;
mod read;
mod sign;
mod xml;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

pub use config::{ConfigError, S3Config};

pub(crate) use client::{Client, Site};
pub(crate) use sign::Signer;

use crate::{Error, ListPage, Listed, Opened, PageToken, Result, Source};

/// Keys of one listing page.
const PAGE_KEYS_MAX: u32 = 1_000;

/// One prefix of a bucket.
pub(crate) struct S3Source {
    client: Client,
    prefix: Vec<u8>,
    transfers: Arc<Semaphore>,
}

impl S3Source {
    pub(crate) fn new(client: Client, prefix: &[u8], concurrency: usize) -> Self {
        let transfers = Arc::new(Semaphore::new(concurrency.max(1)));
        Self { client, prefix: prefix.to_vec(), transfers }
    }
}

#[async_trait]
impl Source for S3Source {
    async fn list(&self, after: Option<&[u8]>, token: Option<&PageToken>) -> Result<ListPage> {
        let mut token = token.cloned();
        for _ in 0..=list::EMPTY_PAGES_MAX {
            let asked = list::Query {
                prefix: &self.prefix,
                after,
                token: token.as_ref().map(|token| token.token.as_str()),
                keys_max: PAGE_KEYS_MAX,
            };
            let raw = self.client.list(&asked).await?;
            let page = list::check(raw, &self.prefix, after, token.as_ref())?;
            match page {
                ListPage { objects, next: Some(next) } if objects.is_empty() => token = Some(next),
                page => return Ok(page),
            }
        }
        Err(Error::protocol("its listing goes on with one empty page after the other"))
    }

    async fn open(&self, object: &Listed, range: Option<Range<u64>>) -> Result<Opened> {
        let transfers = self.transfers.clone();
        let permit = transfers.acquire_owned().await.expect("the semaphore is never closed");
        self.client.open(object, range, permit).await
    }

    async fn stat(&self, key: &[u8]) -> Result<Option<Listed>> {
        // Of all keys that start with `key`, `key` itself is the first.
        let asked = list::Query { prefix: key, after: None, token: None, keys_max: 1 };
        let raw = self.client.list(&asked).await?;
        let mut objects = raw.objects.into_iter();
        Ok(objects.next().filter(|object| object.key == key))
    }

    fn uri(&self, key: &[u8]) -> String {
        format!("s3://{}/{}", self.client.bucket(), String::from_utf8_lossy(key))
    }

    fn kind(&self) -> &'static str {
        "s3"
    }
}
