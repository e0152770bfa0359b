//! Starting an import: the connector that fits or a new one, its attachment, and the job.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::started;
use crate::Context;
use crate::address::{ObjectAddress, organization};
use crate::api::text;
use crate::connectors::{self, Spec};
use crate::credentials::Credentials;
use crate::error::{During as _, Error, Kind, Result};
use crate::screen::shown;

/// Names that are tried for a new connector: the bucket's, then the same with a number.
const NAMES_MAX: usize = 100;

#[derive(Args)]
pub(super) struct Start {
    /// s3://bucket/prefix/, gs://bucket/prefix/ or tilde://ORG/REPO/prefix
    // With a verb instead, these two are left out; else clap asks for them.
    #[arg(value_name = "URI", required = true)]
    uri: Option<String>,
    /// Where the objects go; without a path, to the root
    #[arg(value_name = "ORG/REPO[/PATH]", required = true)]
    target: Option<ObjectAddress>,
    /// Follow it to its end, and print the commit's id instead of the job's
    #[arg(long)]
    wait: bool,
    /// Message of the commit
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// The connector to use, by name or id [default: one whose source holds the URI, else a new
    /// one]
    #[arg(long, value_name = "NAME")]
    connector: Option<String>,
    /// What becomes of objects at the destination that the source does not have
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// With --mode mirror: most objects of the destination that may be deleted, in percent
    #[arg(long, value_name = "PERCENT")]
    max_delete_percent: Option<u8>,
    /// Only objects that match; can be repeated
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No objects that match; can be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Only find out what would change
    #[arg(long)]
    dry_run: bool,
    /// Leave objects out that cannot be read, instead of failing
    #[arg(long)]
    skip_errors: bool,
    /// Record the version id of each object (S3)
    #[arg(long)]
    use_versioning: bool,
    /// Objects that are read from the source side by side
    #[arg(long, value_name = "N")]
    concurrency: Option<u16>,
    #[command(flatten)]
    credentials: Credentials,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Keep them
    Overlay,
    /// Delete them
    Mirror,
}

/// Where an import reads.
struct Source {
    /// What goes into the request.
    fields: Map<String, Value>,
}

/// What is imported, and where to.
struct Request<'a> {
    uri: &'a str,
    target: &'a ObjectAddress,
    options: &'a Start,
}

impl Start {
    pub(super) fn follows(&self) -> bool {
        self.wait
    }

    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let (Some(uri), Some(target)) = (&self.uri, &self.target) else {
            return Err(Error::usage("give a URI, and where to import it"));
        };
        let request = Request { uri, target, options: &self };
        let answer = tokio::select! {
            answer = request.send(context) => answer?,
            () = context.around.interrupt.cancelled() => return Err(crate::interruption()),
        };
        started(context, &target.repository, &answer, self.wait).await
    }

    /// Everything but source and destination.
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| {
            if !value.is_null() && value != Value::Bool(false) {
                body.insert(name.to_owned(), value);
            }
        };
        set("commit_message", json!(self.message));
        set(
            "mode",
            match self.mode {
                None => Value::Null,
                Some(Mode::Overlay) => "overlay".into(),
                Some(Mode::Mirror) => "mirror".into(),
            },
        );
        set("max_delete_percent", json!(self.max_delete_percent));
        let list = |globs: &Vec<String>| if globs.is_empty() { Value::Null } else { json!(globs) };
        set("include", list(&self.include));
        set("exclude", list(&self.exclude));
        set("dry_run", self.dry_run.into());
        set("on_error", if self.skip_errors { "skip".into() } else { Value::Null });
        set("use_versioning", self.use_versioning.into());
        set("concurrency", json!(self.concurrency));
        body
    }
}

impl Request<'_> {
    async fn send(&self, context: &Context<'_>) -> Result<Value> {
        let source = match self.uri.strip_prefix("tilde://") {
            Some(_) => self.other_repository()?,
            None => self.bucket(context).await?,
        };
        let mut body = self.options.body();
        body.insert("destination_path".to_owned(), self.target.path.clone().into());
        body.extend(source.fields);
        let at = self.target.repository.at().then("/import");
        context.api.post(&at, &Value::Object(body)).await
    }

    fn other_repository(&self) -> Result<Source> {
        let source: ObjectAddress = self.uri.parse().map_err(Error::usage)?;
        let fields = [
            ("source_organization", source.repository.organization),
            ("source_repository", source.repository.name),
            ("source_prefix", source.path),
        ];
        Ok(Source { fields: to_map(fields) })
    }

    /// A connector that reaches the URI and is attached.
    async fn bucket(&self, context: &Context<'_>) -> Result<Source> {
        let repository = &self.target.repository;
        let attached = context.api.rows(&repository.at().then("/connectors")).await;
        let attached = attached.map_err(|error| match error.kind {
            Kind::NotFound => error.next(format!(
                "`tilde organization create {}` and `tilde repository create {repository}` make it",
                repository.organization
            )),
            _ => error,
        })?;
        let connector = match &self.options.connector {
            Some(name) => connectors::find(context, &repository.organization, name).await?,
            None => self.found_or_made(context).await?,
        };
        if !attached.iter().any(|one| one["id"] == connector["id"]) {
            connectors::attach(context, repository, &connector).await?;
            let name = shown(text(&connector, "name"));
            context.screen.note(&format!("attached connector {name} to {repository}"));
        }
        let prefix = below(text(&connector, "source_uri"), self.uri).ok_or_else(|| {
            let uri = shown(text(&connector, "source_uri"));
            Error::usage(format!("{} is not inside of the connector's {uri}", self.uri))
        })?;
        let id = text(&connector, "id").to_owned();
        Ok(Source { fields: to_map([("connector_id", id), ("source_prefix", prefix.to_owned())]) })
    }

    async fn found_or_made(&self, context: &Context<'_>) -> Result<Value> {
        let name = &self.target.repository.organization;
        let known = context.api.rows(&organization(name).then("/connectors")).await?;
        let reaches = |row: &&Value| {
            row["disabled"] != true && below(text(row, "source_uri"), self.uri).is_some()
        };
        // The nearest one: what others were made for is none of this import's business.
        if let Some(found) =
            known.iter().filter(reaches).max_by_key(|row| text(row, "source_uri").len())
        {
            let name = shown(text(found, "name"));
            context.screen.note(&format!("using connector {name}"));
            return Ok(found.clone());
        }
        let (kind, config) = self.options.credentials.config(context.around, self.uri)?;
        let spec = Spec { organization: name, uri: self.uri, kind, config };
        let name = free_name(self.uri, |name| known.iter().any(|row| text(row, "name") == name));
        let made = spec.create(context, &name, true).await.during("making a connector")?;
        context.screen.note(&format!("made connector {}", shown(&name)));
        Ok(made)
    }
}

/// What of `uri` lies behind a connector's own URI, whose prefix is a directory; `None` if `uri` is
/// not inside of it.
fn below<'a>(connector: &str, uri: &'a str) -> Option<&'a str> {
    let directory = connector.trim_end_matches('/');
    match uri.strip_prefix(directory)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// The bucket's name, with a number if it is taken.
fn free_name(uri: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let bucket = uri.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let bucket = bucket.unwrap_or_default().to_owned();
    let numbered = (2..=NAMES_MAX).map(|number| format!("{bucket}-{number}"));
    let mut names = std::iter::once(bucket.clone()).chain(numbered);
    names.find(|name| !is_taken(name)).unwrap_or(bucket)
}

fn to_map<const N: usize>(fields: [(&str, String); N]) -> Map<String, Value> {
    let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_reaches_what_is_below_its_directory() {
        for (connector, uri, rest) in [
            ("s3://b/", "s3://b/", Some("")),
            ("s3://b", "s3://b/a", Some("a")),
            ("s3://b/a/", "s3://b/a", Some("")),
            ("s3://b/a/", "s3://b/a/", Some("")),
            ("s3://b/a", "s3://b/a/c/d", Some("c/d")),
            ("s3://b/a/", "s3://b/ab", None),
            ("s3://b/", "s3://bb/", None),
            ("s3://b/a/", "s3://b/", None),
            ("gs://b/", "s3://b/", None),
        ] {
            assert_eq!(below(connector, uri), rest, "{connector} {uri}");
        }
    }

    #[test]
    fn a_new_connector_gets_a_free_name() {
        assert_eq!(free_name("s3://bucket/a/b", |_| false), "bucket");
        assert_eq!(free_name("gs://bucket", |name| name != "bucket-3"), "bucket-3");
    }
}
