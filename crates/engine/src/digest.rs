//! A digest of what a commit holds, to compare two imports by.

use std::ops::Bound;

use model::{CommitId, Entry, Hash, ObjectPath, RepositoryId, SourceMetadata};

use crate::{Engine, Error, Kind, Result};

impl Engine {
    /// [`commit_digest`] of the commit with this id, or unambiguous start of one, in any
    /// repository. For whoever runs the server; no principal.
    pub async fn digest(&self, reference: &str) -> Result<String> {
        if reference.is_empty() {
            return Err(Error::invalid("commit: must not be empty"));
        }
        let mut found = None;
        for repository in self.catalog().all_repositories().await? {
            match self.resolve(&repository, Some(reference)).await {
                Ok(Some(commit)) if found.replace(commit.clone()).is_some() => {
                    let message = format!("commit: {reference} is the start of more than one");
                    return Err(Error::invalid(message));
                }
                Ok(_) => {}
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let commit = found.ok_or_else(|| Error::not_found("commit"))?;
        commit_digest(self, commit.repository, commit.id).await
    }
}

/// BLAKE3 (64 hex digits) over the entries of a commit in order of their paths: path, size, hash,
/// content type, last modified, metadata and provenance but the import's job id and time. So it is
/// the same for two imports of the same source through the same connector.
pub async fn commit_digest(
    engine: &Engine,
    repository: RepositoryId,
    commit: CommitId,
) -> Result<String> {
    let commit = engine.catalog().commit(repository, commit).await?;
    let commit = commit.ok_or_else(|| Error::not_found("commit"))?;
    let mut digest = Digest(blake3::Hasher::new_derive_key("tilde commit digest v1"));
    let mut entries = engine.tree.scan(&commit.root, Bound::Unbounded, None);
    while let Some((path, entry)) = entries.next().await? {
        digest.entry(&path, &entry);
    }
    Ok(Hash(*digest.0.finalize().as_bytes()).to_string())
}

struct Digest(blake3::Hasher);

impl Digest {
    fn entry(&mut self, path: &ObjectPath, entry: &Entry) {
        self.field(path.as_bytes());
        self.field(&entry.size.to_le_bytes());
        self.field(&entry.hash.0);
        self.field(entry.content_type.as_bytes());
        self.field(&entry.last_modified.0.to_le_bytes());
        self.field(&(entry.metadata.len() as u64).to_le_bytes());
        for (key, value) in &entry.metadata {
            self.field(key.as_bytes());
            self.field(value.as_bytes());
        }
        let mut next = entry.source.as_deref();
        while let Some(source) = next {
            self.source(source);
            next = source.origin.as_deref();
        }
        self.optional(None);
    }

    fn source(&mut self, source: &SourceMetadata) {
        self.optional(Some(source.connector_type.as_bytes()));
        self.optional(source.connector_id.as_ref().map(|id| &id.0.as_bytes()[..]));
        self.field(source.source_path.as_bytes());
        self.optional(source.version_id.as_deref().map(str::as_bytes));
        self.optional(source.source_etag.as_deref().map(str::as_bytes));
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        self.0.update(&[bytes.is_some().into()]);
        if let Some(bytes) = bytes {
            self.field(bytes);
        }
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}
