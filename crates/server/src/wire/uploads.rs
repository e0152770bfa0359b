//! Uploads, copies and deletions.

use std::collections::BTreeMap;

use engine::{PartRef, UploadSpec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An upload that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadStarted {
    /// Where to PUT the bytes; needs no credential.
    pub(crate) upload_url: String,
    /// To be given when the bytes are there.
    pub(crate) upload_token: String,
}

/// An upload whose bytes are there.
#[derive(Deserialize, ToSchema)]
pub(crate) struct FinalizeObject {
    pub(crate) upload_token: String,
    /// What the object must have as its ETag, with or without quotes.
    #[serde(default)]
    checksum: Option<String>,
    /// `application/octet-stream` unless given.
    #[serde(default)]
    content_type: Option<String>,
    /// Bytes that the object must have.
    #[serde(default)]
    size_bytes: Option<u64>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// An object that is staged.
#[derive(Serialize, ToSchema)]
pub(crate) struct ObjectStaged {
    pub(crate) path: String,
    /// Without quotes, as `e_tag` in listings.
    pub(crate) etag: String,
}

/// A multipart upload that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct MultipartStarted {
    pub(crate) upload_id: Uuid,
    pub(crate) upload_token: String,
}

/// Where a part goes.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartLink {
    /// Where to PUT its bytes; needs no credential.
    pub(crate) upload_url: String,
}

/// A multipart upload whose parts are there.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CompleteMultipart {
    #[schema(format = Uuid)]
    pub(crate) upload_id: String,
    pub(crate) upload_token: String,
    /// Up to 10,000, in the order of their numbers; none make an empty object.
    #[schema(max_items = 10_000)]
    parts: Vec<Part>,
    /// What the object must have as its ETag, with or without quotes.
    #[serde(default)]
    checksum: Option<String>,
    /// `application/octet-stream` unless given.
    #[serde(default)]
    content_type: Option<String>,
    /// Bytes that the object must have.
    #[serde(default)]
    size_bytes: Option<u64>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// A part that has arrived.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Part {
    #[schema(minimum = 1, maximum = 10_000)]
    part_number: u32,
    /// As its upload gave it, with or without quotes.
    etag: String,
}

/// An object that is copied within its session.
#[derive(Serialize, ToSchema)]
pub(crate) struct ObjectCopied {
    pub(crate) source_path: String,
    pub(crate) destination_path: String,
}

/// Objects to be deleted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteObjects {
    #[schema(min_items = 1, max_items = 1_000)]
    pub(crate) paths: Vec<String>,
}

/// Deletions that are staged.
#[derive(Serialize, ToSchema)]
pub(crate) struct ObjectsDeleted {
    pub(crate) deleted: u64,
}

impl FinalizeObject {
    /// What is said of the object.
    pub(crate) fn spec(self) -> UploadSpec {
        UploadSpec {
            checksum: self.checksum,
            size: self.size_bytes,
            content_type: self.content_type,
            metadata: self.metadata.unwrap_or_default(),
        }
    }
}

impl CompleteMultipart {
    /// The parts, and what is said of the object.
    pub(crate) fn into_parts(self) -> (Vec<PartRef>, UploadSpec) {
        let parts = self
            .parts
            .into_iter()
            .map(|part| PartRef { number: part.part_number, etag: part.etag });
        let spec = UploadSpec {
            checksum: self.checksum,
            size: self.size_bytes,
            content_type: self.content_type,
            metadata: self.metadata.unwrap_or_default(),
        };
        (parts.collect(), spec)
    }
}
