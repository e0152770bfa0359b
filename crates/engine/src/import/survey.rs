//! A survey: the whole listing of a source as sorted runs on disk, for when it cannot be worked
//! through as it comes: because it does not come in order, or because a dry run compares all of it
//! with the head of its end.
//!
//! The entries of these runs are what an import would know before it reads: size, time, ETag and
//! version, no bytes. Their segments are never recorded, so a survey lasts as long as its claim;
//! what a crash leaves behind is swept like any file without a row. Memory is that of one batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Content, Entry, Hash, ObjectPath, Run, limits};
use sources::{Listed, Mapped};

use super::batch::write_run;
use super::end::End;
use super::invalid::InvalidKeys;
use super::job::Job;
use super::lister::Lister;

/// What was listed.
#[derive(Default)]
pub(super) struct Survey {
    /// By number; a later one is right where two have a path.
    pub(super) runs: Vec<Run>,
    /// The object at the root of the destination, which has no path.
    pub(super) marker: Option<Vec<u8>>,
    files: Vec<String>,
}

impl Survey {
    /// Lists everything that passes the filters.
    pub(super) async fn take(job: &Arc<Job>, mut lister: Lister) -> Result<Self, End> {
        let mut survey = Self::default();
        let mut batch = Vec::new();
        let mut invalid = InvalidKeys::default();
        let mut keys = 0;
        while let Some(page) = lister.next().await? {
            job.reach("import.page_listed")?;
            keys += page.len() as u64;
            check_count(keys)?;
            for listed in page {
                if !job.filter.takes(job.mapping.relative(&listed.key)) {
                    continue;
                }
                match job.mapping.path_of(&listed.key) {
                    Mapped::Path(path) => batch.push((path, as_listed(job, listed))),
                    // There is one such key, and a source may list it again and again.
                    Mapped::Marker => survey.marker = Some(listed.key),
                    Mapped::Invalid(reason) => invalid = invalid.with(&listed.key, reason),
                }
                if batch.len() >= limits::RUN_ENTRIES_MAX {
                    survey.store(job, std::mem::take(&mut batch)).await?;
                }
            }
            if invalid.is_full() {
                break;
            }
        }
        invalid.end()?;
        survey.store(job, batch).await?;
        Ok(survey)
    }

    async fn store(&mut self, job: &Job, mut batch: Vec<(ObjectPath, Entry)>) -> Result<(), End> {
        if batch.is_empty() {
            return Ok(());
        }
        batch.sort_by(|(left, _), (right, _)| left.cmp(right));
        batch.dedup_by(|(later, _), (earlier, _)| later == earlier);
        let listed: u64 = batch.iter().map(|(_, entry)| entry.size).sum();
        job.progress.update(|counts| {
            counts.objects_listed += batch.len() as u64;
            counts.bytes_listed = counts.bytes_listed.saturating_add(listed);
        });
        let mut segment = job.writer.open().await?;
        let number = self.runs.len() as u32;
        self.runs.push(write_run(&mut segment, &batch, number).await?);
        let record = segment.seal().await?;
        job.engine.parts.located.add(std::slice::from_ref(&record));
        self.files.push(record.file);
        Ok(())
    }

    /// Removes its files; it is of no use afterwards.
    pub(super) async fn discard(self, job: &Job) -> Result<(), End> {
        for file in &self.files {
            job.engine.parts.blocks.store().delete(file).await?;
        }
        Ok(())
    }
}

/// Keys count whether they are taken or not: a listing may repeat itself under ever new tokens.
fn check_count(keys: u64) -> Result<(), End> {
    let most = limits::SORTED_OBJECTS_MAX;
    match keys > most {
        true => {
            Err(End::failed(format!("the listing has more than {most} keys; import its parts")))
        }
        false => Ok(()),
    }
}

/// What is known of an object before it is read.
fn as_listed(job: &Job, listed: Listed) -> Entry {
    let source = job.provenance(&listed.key, listed.etag, listed.version_id);
    Entry {
        size: listed.size,
        hash: Hash::of(b""),
        content_type: "".into(),
        last_modified: listed.last_modified,
        metadata: BTreeMap::new(),
        source: Some(source),
        content: Content::Pieces(Vec::new()),
    }
}

/// The listed object that an entry of a survey stands for.
pub(super) fn listed(job: &Job, path: &ObjectPath, entry: &Entry) -> Listed {
    let source = entry.source.as_deref();
    Listed {
        key: job.mapping.key_of(path),
        size: entry.size,
        etag: source.and_then(|source| source.source_etag.clone()),
        last_modified: entry.last_modified,
        version_id: source.and_then(|source| source.version_id.clone()),
        details: None,
    }
}
