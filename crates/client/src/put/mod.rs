//! `tilde put`: files become objects of one commit, or of a session.
//!
//! What the session sees already, byte for byte, is not sent again; so the same command goes on
//! where another one was cut off.

mod content_type;
mod upload;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use futures_util::stream::iter;
use futures_util::{StreamExt as _, TryStreamExt as _};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde_json::{Value, json};

use crate::address::{ObjectAddress, Repository};
use crate::api::Pages;
use crate::command::parallel;
use crate::error::{Error, Result};
use crate::files::{LocalFile, walk};
use crate::object::View;
use crate::progress::Meter;
use crate::screen::shown;
use crate::{Context, interruption, sessions};
use upload::Upload;

/// How long an interrupted command may take to roll its session back.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Put {
    /// A file, or a folder with all that is in it; links are not followed
    local: PathBuf,
    /// Of a file: where it goes; with a slash at the end, under its own name. Of a folder: what
    /// its files go below
    #[arg(value_name = "ORG/REPO[/PATH]")]
    address: ObjectAddress,
    /// Message of the commit
    #[arg(long, short, value_name = "TEXT", conflicts_with = "session")]
    message: Option<String>,
    /// Stage in this session, and leave the commit to you
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// On failure keep the session, to go on with --session
    #[arg(long)]
    keep_session: bool,
    /// Only files that match, of their path in the folder; can be repeated
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No files that match; can be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Content type of all of them [default: by the file's name]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Files, and parts of a large one, side by side
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = parallel())]
    parallel: u8,
}

/// A file and the path of its object.
struct Item {
    file: LocalFile,
    path: String,
}

/// What an upload did.
#[derive(Clone, Copy, Default)]
struct Outcome {
    uploaded: u64,
    unchanged: u64,
    bytes: u64,
}

pub(crate) async fn put(put: Put, context: &Context<'_>) -> Result<()> {
    let items = items(&put, context)?;
    if items.is_empty() {
        return Err(Error::usage(format!("{} has no files to upload", put.local.display())));
    }
    let repository = &put.address.repository;
    let (session, is_own) = match &put.session {
        Some(session) => (session.clone(), false),
        None => (sessions::start(context, repository).await?, true),
    };
    let done = tokio::select! {
        done = stage_and_commit(&put, context, &session, is_own, &items) => done,
        () = context.around.interrupt.cancelled() => Err(interruption()),
    };
    match done {
        Ok(()) => Ok(()),
        Err(error) if is_own && put.keep_session => {
            let next = format!(
                "`tilde put ... --session {session}` goes on, and `tilde session \
                                commit {repository} {session} -m TEXT` commits"
            );
            Err(error.next(next))
        }
        Err(error) if is_own => {
            let rolled_back = sessions::roll_back(context, repository, &session);
            if !matches!(tokio::time::timeout(ROLLBACK_TIMEOUT, rolled_back).await, Ok(Ok(()))) {
                let note = format!("the session {session} is still open and ends by itself later");
                context.screen.note(&note);
            }
            Err(error.during("nothing was committed"))
        }
        Err(error) => Err(error.next(format!("what is staged stays in session {session}"))),
    }
}

async fn stage_and_commit(
    put: &Put,
    context: &Context<'_>,
    session: &str,
    is_own: bool,
    items: &[Item],
) -> Result<()> {
    let outcome = stage(put, context, session, items).await?;
    let repository = &put.address.repository;
    let commit = match (is_own, outcome.uploaded) {
        (false, _) => None,
        (true, 0) => {
            sessions::roll_back(context, repository, session).await?;
            context.screen.note("everything was there already, so there is nothing to commit");
            None
        }
        (true, count) => {
            let message = put.message.clone().unwrap_or_else(|| default_message(put, count));
            Some(sessions::commit(context, repository, session, &message).await?)
        }
    };
    let Outcome { uploaded, unchanged, bytes } = outcome;
    let size = indicatif::HumanBytes(bytes);
    context.screen.note(&format!("uploaded {uploaded} ({size}), {unchanged} there already"));
    if context.screen.json {
        return context.screen.document(&json!({
            "commit_id": commit, "session_id": (!is_own).then_some(session),
            "uploaded": uploaded, "unchanged": unchanged, "bytes": bytes,
        }));
    }
    commit.map_or(Ok(()), |commit| context.screen.line(&commit))
}

fn default_message(put: &Put, count: u64) -> String {
    match (&*put.address.path, count) {
        ("", 1) => "Upload 1 file".to_owned(),
        ("", count) => format!("Upload {count} files"),
        (path, 1) => format!("Upload 1 file to {path}"),
        (path, count) => format!("Upload {count} files to {path}"),
    }
}

/// What is to be uploaded, and where to.
fn items(put: &Put, context: &Context<'_>) -> Result<Vec<Item>> {
    let error = |error| Error::file("read", &put.local, &error);
    let metadata = std::fs::metadata(&put.local).map_err(error)?;
    let path = &put.address.path;
    if metadata.is_file() {
        let name = put.local.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::usage("the file's name is not UTF-8"))?.to_owned();
        let is_folder = path.is_empty() || path.ends_with('/');
        let target = if is_folder { format!("{path}{name}") } else { path.clone() };
        let file = LocalFile { path: put.local.clone(), relative: name, size: metadata.len() };
        return Ok(vec![Item { file, path: target }]);
    }
    let (files, skipped) = walk(&put.local)?;
    if skipped > 0 {
        let note = format!("left out {skipped} links and other things that are no plain files");
        context.screen.note(&note);
    }
    let (include, exclude) = (globs(&put.include)?, globs(&put.exclude)?);
    let is_wanted = |file: &LocalFile| {
        (put.include.is_empty() || include.is_match(&file.relative))
            && !exclude.is_match(&file.relative)
    };
    let prefix = match path.is_empty() || path.ends_with('/') {
        true => path.clone(),
        false => format!("{path}/"),
    };
    let files = files.into_iter().filter(is_wanted);
    let item = |file: LocalFile| Item { path: format!("{prefix}{}", file.relative), file };
    Ok(files.map(item).collect())
}

fn globs(texts: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        set.add(glob.map_err(|_| Error::usage(format!("{text:?} is not a glob")))?);
    }
    set.build().map_err(|_| Error::usage("the globs are too large"))
}

/// Stages all items; the first failure ends it.
async fn stage(put: &Put, context: &Context<'_>, session: &str, items: &[Item]) -> Result<Outcome> {
    let repository = &put.address.repository;
    let view = View { session: Some(session.to_owned()), reference: None };
    let bytes = items.iter().map(|item| item.file.size).sum();
    let meter = Meter::new(context.screen, "uploading", Some((items.len() as u64, bytes)));
    let upload = Upload {
        context,
        repository,
        view: &view,
        session,
        meter: &meter,
        parallel: usize::from(put.parallel),
        may_be_there: may_be_there(context, repository, &view, &put.address.path).await?,
    };
    let one = async |item: &Item| {
        let own = put.content_type.as_deref();
        let kind = own.unwrap_or_else(|| content_type::of(&item.file.relative));
        let sent = upload.file(&item.file, &item.path, kind).await;
        let sent = sent.map_err(|error| error.during(shown(&item.file.path.to_string_lossy())))?;
        let bytes = if sent { item.file.size } else { 0 };
        Ok(Outcome { uploaded: u64::from(sent), unchanged: u64::from(!sent), bytes })
    };
    let sum = |all: Outcome, one: Outcome| async move {
        Ok(Outcome {
            uploaded: all.uploaded + one.uploaded,
            unchanged: all.unchanged + one.unchanged,
            bytes: all.bytes + one.bytes,
        })
    };
    let work = iter(items).map(one).buffer_unordered(usize::from(put.parallel));
    let outcome = work.try_fold(Outcome::default(), sum).await;
    meter.end();
    outcome
}

/// Whether anything at all is where the upload goes: if not, there is nothing to compare with.
async fn may_be_there(
    context: &Context<'_>,
    repository: &Repository,
    view: &View,
    path: &str,
) -> Result<bool> {
    let at = view.on(repository.at().then("/objects")).query("prefix", path);
    let rows: Vec<Value> = Pages::of(at, 1).next(&context.api).await?.unwrap_or_default();
    Ok(!rows.is_empty())
}
