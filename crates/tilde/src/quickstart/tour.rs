//! The tour: the main job from an empty organization to bytes read back, over the public API.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use super::api::{Api, encoded, text};
use super::screen::Screen;
use super::source::Source;

/// The organization of the tour.
const ORGANIZATION: &str = "demo";
/// How often the import is asked how far it is.
const POLL_PERIOD: Duration = Duration::from_millis(50);
/// Entries that a listing fetches, and those of them that are shown.
const LISTED: usize = 1_000;
const SHOWN: usize = 6;
/// The object read back is the largest listed one of at most this many bytes.
const READ_BYTES_MAX: u64 = 64 << 20;
/// Characters of a commit id that identify it for people.
const SHORT_ID: usize = 12;

/// What the tour made.
pub(super) struct Made {
    /// `organization/repository`
    pub(super) repository: String,
    /// The path of an object in it.
    pub(super) example: String,
}

/// Where the tour is.
pub(super) struct Tour<'a> {
    /// The server.
    pub(super) api: &'a Api,
    /// Where it is told.
    pub(super) screen: &'a Screen,
    /// What is imported.
    pub(super) source: &'a mut Source,
}

impl Tour<'_> {
    /// Creates, attaches, imports, lists, reads back. An error ends it at the step that failed.
    pub(super) async fn walk(mut self) -> Result<Made> {
        self.screen.heading("Import");
        self.ensure_organization().await?;
        let repository = self.ensure_repository().await?;
        let connector = self.make_connector().await?;
        let attach = json!({ "connector_id": connector });
        self.api.post(&format!("{repository}/connectors"), &attach).await?;
        self.screen.done(format_args!("connector {}, attached", self.source.name));
        let job = self.import(&repository, &connector).await?;
        self.stop_source().await;

        let commit = text(&job, "commit_id");
        ensure!(!commit.is_empty(), "there is nothing under {}", self.source.uri);
        self.show_commit(&repository, commit).await?;
        let entries = self.list(&repository, commit, &job).await?;
        self.read_back(&repository, &entries).await?;
        Ok(Made {
            repository: format!("{ORGANIZATION}/{}", self.source.repository),
            example: example(&entries),
        })
    }

    async fn ensure_organization(&self) -> Result<()> {
        let path = format!("/organizations/{ORGANIZATION}");
        let found = self.api.find(&path).await?;
        if found.is_none() {
            let body = json!({ "name": ORGANIZATION, "display_name": "Demo" });
            self.api.post("/organizations", &body).await.context("creating the organization")?;
        }
        let again = if found.is_some() { ", there already" } else { "" };
        self.screen.done(format_args!("organization {ORGANIZATION}{again}"));
        Ok(())
    }

    /// The API path of the repository.
    async fn ensure_repository(&self) -> Result<String> {
        let name = &self.source.repository;
        let path = format!("/organizations/{ORGANIZATION}/repositories/{name}");
        let found = self.api.find(&path).await?;
        if found.is_none() {
            let body = json!({ "name": name, "description": self.source.uri });
            let repositories = format!("/organizations/{ORGANIZATION}/repositories");
            self.api.post(&repositories, &body).await.context("creating the repository")?;
        }
        let again = if found.is_some() { ", there already" } else { "" };
        self.screen.done(format_args!("repository {ORGANIZATION}/{name}{again}"));
        Ok(path)
    }

    /// A new connector in the place of one of an earlier tour, whose credentials may be old.
    async fn make_connector(&self) -> Result<String> {
        let Source { name, uri, config, sample, .. } = &*self.source;
        let connectors = format!("/organizations/{ORGANIZATION}/connectors");
        let known = self.api.get(&connectors).await?;
        for old in known["results"].as_array().into_iter().flatten() {
            if text(old, "name") == name {
                self.api.delete(&format!("{connectors}/{}", text(old, "id"))).await?;
            }
        }
        let mut body = json!({ "type": "s3", "source_uri": uri, "config": config });
        if sample.is_none() {
            let test = format!("{connectors}:test");
            self.api.post(&test, &body).await.with_context(|| format!("cannot read {uri}"))?;
        }
        body["name"] = json!(name);
        let made = self.api.post(&connectors, &body).await.context("creating the connector")?;
        Ok(text(&made, "id").to_owned())
    }

    /// The completed job.
    async fn import(&self, repository: &str, connector: &str) -> Result<Value> {
        let started = Instant::now();
        let message = format!("Import {}", self.source.uri);
        let body = json!({
            "connector_id": connector, "destination_path": "", "commit_message": message,
        });
        let job = self.api.post(&format!("{repository}/import"), &body).await?;
        let path = format!("{repository}/import/{}", text(&job, "job_id"));
        let progress = self.screen.progress(self.source.objects());
        let job = loop {
            let job = self.api.get(&path).await?;
            progress.set_position(job["objects_imported"].as_u64().unwrap_or_default());
            match text(&job, "status") {
                "pending" | "running" => tokio::time::sleep(POLL_PERIOD).await,
                _ => break job,
            }
        };
        progress.finish_and_clear();
        match text(&job, "status") {
            "completed" => {}
            "failed" => bail!("the import failed: {}", text(&job, "error")),
            other => bail!("the import ended {other}"),
        }
        let objects = job["objects_imported"].as_u64().unwrap_or_default();
        if self.source.objects().is_some_and(|held| held != objects) {
            bail!("{objects} objects were imported, but the source holds another number");
        }
        let seconds = started.elapsed().as_secs_f64();
        self.screen.done(format_args!("imported {objects} objects in {seconds:.1} s"));
        Ok(job)
    }

    async fn stop_source(&mut self) {
        if let Some(sample) = &mut self.source.sample {
            sample.stop().await;
            self.screen.done("stopped the sample bucket: what follows comes from Tilde alone");
        }
    }

    async fn show_commit(&self, repository: &str, commit: &str) -> Result<()> {
        let commit = self.api.get(&format!("{repository}/commits/{commit}")).await?;
        let (id, message) = (text(&commit, "id"), text(&commit, "message"));
        self.screen.heading(format_args!("Commit {}", &id[..SHORT_ID.min(id.len())]));
        self.screen.pair("id", id);
        self.screen.pair("message", message);
        let (who, when) = (text(&commit, "committer"), text(&commit, "creation_date"));
        self.screen.pair("by", format_args!("{who}, {when}"));
        Ok(())
    }

    /// Shows some entries of the commit; returns the first page.
    async fn list(&self, repository: &str, commit: &str, job: &Value) -> Result<Vec<Value>> {
        let path = format!("{repository}/objects?ref={commit}&amount={LISTED}");
        let listing = self.api.get(&path).await?;
        let entries = listing["results"].as_array().cloned().unwrap_or_default();
        let rows: Vec<[String; 4]> = spread(&entries, SHOWN).map(row).collect();
        let total = job["objects_imported"].as_u64().unwrap_or_default();
        let shown = rows.len();
        self.screen.heading(format_args!("Objects ({shown} of {total}) and where they came from"));
        self.screen.table(["PATH", "SIZE", "SOURCE ETAG", "SOURCE"], &rows);
        if let Some(first) = entries.first() {
            let source = &first["entry"]["source_metadata"];
            self.screen.line(format_args!(
                "  imported {} by job {} through connector {}",
                text(source, "import_time"),
                text(source, "import_job_id"),
                text(source, "connector_id"),
            ));
        }
        Ok(entries)
    }

    /// Reads one object to its end and compares it with the commit, and with the sample where that
    /// is the source.
    async fn read_back(&self, repository: &str, entries: &[Value]) -> Result<()> {
        let fits = |entry: &&Value| size(entry) <= READ_BYTES_MAX;
        let largest = entries.iter().filter(fits).max_by_key(|entry| size(entry));
        let entry = largest.or(entries.first()).context("the commit lists no object")?;
        let path = text(entry, "path");
        let read =
            self.api.read(repository, path).await.with_context(|| format!("reading {path}"))?;
        let expected = (text(&entry["entry"], "e_tag"), size(entry));
        if (&*read.hash, read.bytes) != expected {
            bail!("{path} was read back with other bytes than the commit says");
        }
        let compared = match &self.source.sample {
            None => "as long as the commit says, and with its BLAKE3",
            Some(sample) => {
                let held = sample.object(path).map(|bytes| blake3::hash(bytes).to_hex());
                if held.as_deref() != Some(&*read.hash) {
                    bail!("{path} was read back with other bytes than the source held");
                }
                "byte for byte what the sample bucket held"
            }
        };
        let bytes = HumanCount(read.bytes);
        self.screen.line("");
        self.screen.done(format_args!("read back {path}: {bytes} bytes, {compared}"));
        Ok(())
    }
}

fn size(entry: &Value) -> u64 {
    entry["entry"]["size"].as_u64().unwrap_or_default()
}

fn row(entry: &Value) -> [String; 4] {
    let source = &entry["entry"]["source_metadata"];
    let etag = text(source, "source_etag").trim_matches('"');
    let etag: String = etag.chars().take(SHORT_ID).collect();
    [
        text(entry, "path").to_owned(),
        HumanBytes(size(entry)).to_string(),
        etag,
        text(source, "source_path").to_owned(),
    ]
}

/// Up to `count` items, evenly spread over all.
fn spread<T>(items: &[T], count: usize) -> impl Iterator<Item = &T> {
    let count = count.min(items.len());
    (0..count).map(move |index| &items[index * items.len() / count])
}

/// A path to go on with: a README if there is one.
fn example(entries: &[Value]) -> String {
    let paths = || entries.iter().map(|entry| text(entry, "path"));
    let readme = paths().find(|path| path.to_ascii_lowercase().contains("readme"));
    encoded(readme.or(paths().next()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_starts_at_the_first_and_reaches_far() {
        let items: Vec<u32> = (0..121).collect();
        let spread: Vec<u32> = spread(&items, 6).copied().collect();
        assert_eq!(spread, [0, 20, 40, 60, 80, 100]);
        assert_eq!(super::spread(&items[..2], 6).count(), 2);
        assert_eq!(super::spread(&items[..0], 6).count(), 0);
    }

    #[test]
    fn the_example_is_a_readme_and_fit_for_a_url() {
        let entries = [json!({"path": "a b/\u{e9}"}), json!({"path": "x/README.md"})];
        assert_eq!(example(&entries), "x/README.md");
        assert_eq!(example(&entries[..1]), "a%20b/%C3%A9");
    }
}
