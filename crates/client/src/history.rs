//! `tilde log`, `tilde diff` and `tilde revert`.

use clap::Args;
use serde_json::{Value, json};

use crate::Context;
use crate::address::Repository;
use crate::api::{Pages, text};
use crate::error::{Error, Result};
use crate::screen::{cell, first_line, shown, when};

/// Digits of a commit id on screen; as many as make it unambiguous for practical purposes.
const ID_DIGITS: usize = 12;

#[derive(Args)]
pub struct Log {
    #[arg(value_name = "ORG/REPO")]
    repository: Repository,
    /// Begin with this commit instead of the latest
    #[arg(long = "ref", value_name = "COMMIT")]
    reference: Option<String>,
    /// Only commits that changed the object at this path
    #[arg(long, value_name = "PATH", conflicts_with = "prefix")]
    object: Option<String>,
    /// Only commits that changed a path that starts with this
    #[arg(long)]
    prefix: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
}

#[derive(Args)]
pub struct Diff {
    #[arg(value_name = "ORG/REPO")]
    repository: Repository,
    /// A commit; alone, it is compared with the one before it
    #[arg(required_unless_present = "session")]
    left: Option<String>,
    /// What to compare it with
    right: Option<String>,
    /// What this session changes
    #[arg(long, value_name = "SESSION", conflicts_with = "left")]
    session: Option<String>,
    /// Only paths that start with this
    #[arg(long)]
    prefix: Option<String>,
}

#[derive(Args)]
pub struct Revert {
    #[arg(value_name = "ORG/REPO")]
    repository: Repository,
    commit: String,
    /// Message of the new commit
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

pub(crate) async fn log(log: Log, context: &Context<'_>) -> Result<()> {
    let Context { api, screen, .. } = context;
    let at = log.repository.at().then("/log").maybe("ref", log.reference.as_deref());
    let at = at.maybe("object", log.object.as_deref()).maybe("prefix", log.prefix.as_deref());
    let mut left = log.number.unwrap_or(usize::MAX);
    let mut pages = Pages::of(at, left);
    while left > 0
        && let Some(rows) = pages.next(api).await?
    {
        for row in rows.iter().take(left) {
            screen.result(row, &commit_line(row))?;
        }
        left = left.saturating_sub(rows.len());
    }
    Ok(())
}

fn commit_line(commit: &Value) -> String {
    let id = text(commit, "id");
    let id = shown(id.get(..ID_DIGITS).unwrap_or(id));
    let (time, by) = (when(&commit["creation_date"]), cell(commit, "committer"));
    let stale = if commit["is_stale"] == true { " (stale)" } else { "" };
    format!("{id}  {time}  {by}  {}{stale}", first_line(text(commit, "message")))
}

pub(crate) async fn diff(diff: Diff, context: &Context<'_>) -> Result<()> {
    let Context { api, screen, .. } = context;
    let at = diff.repository.at();
    let (left, right) = match (diff.left, diff.right) {
        (Some(commit), None) => {
            let commit = api.get(&at.clone().then("/commits").segment(&commit)).await?;
            let parent = commit["parents"][0].as_str().map(str::to_owned);
            (parent, Some(text(&commit, "id").to_owned()))
        }
        both => both,
    };
    let at = at.then("/diff").maybe("left", left.as_deref()).maybe("right", right.as_deref());
    let at = at.maybe("session_id", diff.session.as_deref());
    api.pages(&at.maybe("prefix", diff.prefix.as_deref()), |rows| {
        rows.iter().try_for_each(|row| {
            let mark = match text(row, "status") {
                "added" => 'A',
                "removed" => 'D',
                _ => 'M',
            };
            screen.result(row, &format!("{mark} {}", cell(row, "path")))
        })
    })
    .await
}

pub(crate) async fn revert(revert: Revert, context: &Context<'_>) -> Result<()> {
    let at = revert.repository.at().then("/commits").segment(&revert.commit).then("/revert");
    let body = match revert.message {
        Some(message) => json!({"message": message}),
        None => json!({}),
    };
    let made = context.api.post(&at, &body).await.map_err(|error: Error| match error.code() {
        "CONFLICT" => error.next(
            "what it changed has been changed since; `tilde log --object PATH` \
                                  shows by what",
        ),
        _ => error,
    })?;
    context.screen.result(&made, text(&made, "commit_id"))
}
