//! `tilde session`: changes that become one commit, or nothing.

use clap::Subcommand;
use http::Method;
use serde_json::json;

use crate::Context;
use crate::address::Repository;
use crate::api::{At, text};
use crate::error::{Error, Kind, Result};
use crate::screen::{cell, shown};

#[derive(Subcommand)]
pub enum Verb {
    /// Begin a session on the latest commit; prints its id
    Start {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
    },
    /// Commit what is staged; prints the commit's id
    Commit {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
        session: String,
        #[arg(long, short, value_name = "TEXT")]
        message: String,
    },
    /// Give up what is staged
    Rollback {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
        session: String,
    },
    /// List what is staged: M for an object that is put there, D for one that is deleted
    Changes {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
        session: String,
        /// Only paths that start with this
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
    },
}

pub(crate) async fn run(verb: Verb, context: &Context<'_>) -> Result<()> {
    let Context { api, screen, .. } = context;
    match verb {
        Verb::Start { repository } => {
            let session = start(context, &repository).await?;
            screen.result(&json!({"session_id": session}), &session)
        }
        Verb::Commit { repository, session, message } => {
            let commit = commit(context, &repository, &session, &message).await?;
            screen.result(&json!({"commit_id": commit}), &commit)
        }
        Verb::Rollback { repository, session } => {
            roll_back(context, &repository, &session).await?;
            screen.note("rolled back");
            Ok(())
        }
        Verb::Changes { repository, session, prefix } => {
            let at = repository.at().then("/changes").query("session_id", &session);
            api.pages(&at.query("prefix", &prefix), |rows| {
                rows.iter().try_for_each(|row| {
                    let mark = if row["entry"].is_null() { 'D' } else { 'M' };
                    screen.result(row, &format!("{mark} {}", cell(row, "path")))
                })
            })
            .await
        }
    }
}

/// Begins a session; its id.
pub(crate) async fn start(context: &Context<'_>, repository: &Repository) -> Result<String> {
    let made = context.api.bare(Method::POST, &repository.at().then("/sessions")).await?;
    match text(&made, "session_id") {
        "" => Err(Error::failed("the server began no session")),
        id => Ok(id.to_owned()),
    }
}

/// Commits a session; the commit's id.
pub(crate) async fn commit(
    context: &Context<'_>,
    repository: &Repository,
    session: &str,
    message: &str,
) -> Result<String> {
    let answer = context.api.post(&at(repository, session), &json!({"message": message})).await;
    let answer = answer.map_err(|error| match error.kind {
        Kind::Conflict => {
            error.next("others changed the same paths; begin a new session on what is there now")
        }
        _ => error,
    })?;
    if answer["approval_required"].as_bool() == Some(true) {
        let page = shown(text(&answer, "web_url"));
        let error = Error::failed("the commit waits for somebody's approval");
        return Err(error.next(format!("approve it at {page}")));
    }
    Ok(text(&answer, "commit_id").to_owned())
}

/// Ends a session without a commit.
pub(crate) async fn roll_back(
    context: &Context<'_>,
    repository: &Repository,
    session: &str,
) -> Result<()> {
    context.api.bare(Method::DELETE, &at(repository, session)).await.map(drop)
}

fn at(repository: &Repository, session: &str) -> At {
    repository.at().then("/sessions").segment(session)
}
