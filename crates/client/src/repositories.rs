//! `tilde repository`.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use crate::Context;
use crate::address::{Repository, organization};
use crate::api::{At, Pages, text};
use crate::error::Result;
use crate::screen::{cell, first_line, shown, when};

#[derive(Subcommand)]
pub enum Verb {
    /// List repositories, of one organization or of all you are a member of
    Ls {
        /// Only its repositories
        #[arg(value_name = "ORG")]
        organization: Option<String>,
    },
    /// Make a repository
    Create {
        /// ORG/REPO
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Days after which a commit that is not the latest can no longer be read [default: keep
        /// all]
        #[arg(long, value_name = "N")]
        retention_days: Option<u32>,
    },
    /// Show a repository and its latest commit
    Show {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
    },
    /// Delete a repository
    Delete {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(verb: Verb, context: &Context<'_>) -> Result<()> {
    let Context { api, screen, .. } = context;
    match verb {
        Verb::Ls { organization } => list(context, organization.as_deref()).await,
        Verb::Create { repository, description, retention_days } => {
            let mut body = json!({"name": repository.name});
            if let Some(description) = description {
                body["description"] = description.into();
            }
            if let Some(days) = retention_days {
                body["retention_days"] = days.into();
            }
            let at = organization(&repository.organization).then("/repositories");
            let made = api.post(&at, &body).await?;
            screen.result(&made, &shown(&repository.to_string()))
        }
        Verb::Show { repository } => show(context, &repository).await,
        Verb::Delete { repository, yes } => {
            let name = shown(&repository.to_string());
            screen.confirm(&format!("delete repository {name} with all its commits?"), yes)?;
            api.bare(Method::DELETE, &repository.at()).await?;
            screen.note(&format!("deleted repository {name}"));
            Ok(())
        }
    }
}

/// As the public CLI prints it: `ORG/REPO`, one a line.
async fn list(context: &Context<'_>, of: Option<&str>) -> Result<()> {
    let Context { api, screen, .. } = context;
    let at = match of {
        None => At::new("/repositories"),
        Some(name) => organization(name).then("/repositories"),
    };
    api.pages(&at, |rows| {
        rows.iter().try_for_each(|row| {
            let name = format!("{}/{}", text(row, "organization_slug"), text(row, "name"));
            screen.result(row, &shown(&name))
        })
    })
    .await
}

async fn show(context: &Context<'_>, repository: &Repository) -> Result<()> {
    let Context { api, screen, .. } = context;
    let mut found = api.get(&repository.at()).await?;
    let latest = Pages::of(repository.at().then("/log"), 1).next(api).await?;
    let latest = latest.and_then(|rows| rows.into_iter().next()).unwrap_or(Value::Null);
    if screen.json {
        found["latest_commit"] = latest;
        return screen.document(&found);
    }
    screen.line(&shown(&repository.to_string()))?;
    let retention = match &found["retention_days"] {
        Value::Null => "keeps everything".to_owned(),
        days => format!("{days} days"),
    };
    let mut lines = vec![
        ("id", cell(&found, "id")),
        ("description", cell(&found, "description")),
        ("created", when(&found["created_at"])),
        ("retention", retention),
    ];
    if latest.is_null() {
        lines.push(("latest", "no commit yet".to_owned()));
    } else {
        lines.push(("latest", cell(&latest, "id")));
        lines.push((
            "",
            format!("{}  {}", when(&latest["creation_date"]), cell(&latest, "committer")),
        ));
        lines.push(("", first_line(text(&latest, "message"))));
        let bytes = indicatif::HumanBytes(crate::api::number(&latest, "total_size"));
        lines.push(("objects", format!("{}, {bytes}", latest["object_count"])));
    }
    lines.iter().try_for_each(|(name, value)| screen.line(format!("{name:<12} {value}").trim_end()))
}
