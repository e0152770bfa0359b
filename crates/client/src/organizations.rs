//! `tilde organization`.

use clap::Subcommand;
use http::Method;
use serde_json::json;

use crate::Context;
use crate::address::organization;
use crate::api::{At, text};
use crate::error::Result;
use crate::screen::{cell, shown, when};

#[derive(Subcommand)]
pub enum Verb {
    /// List the organizations you are a member of
    Ls,
    /// Make an organization; you become its owner
    Create {
        /// 2 to 63 lower-case letters, digits and hyphens
        name: String,
        /// As people read it [default: the name]
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
    },
    /// Show an organization and its members
    Show { name: String },
    /// Delete an organization with all its repositories
    Delete {
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(verb: Verb, context: &Context<'_>) -> Result<()> {
    let Context { api, screen, .. } = context;
    match verb {
        Verb::Ls => {
            let rows = api.rows(&At::new("/organizations")).await?;
            screen.rows(["NAME", "DISPLAY NAME", "CREATED"], &rows, |row| {
                [cell(row, "name"), cell(row, "display_name"), when(&row["created_at"])]
            })
        }
        Verb::Create { name, display_name } => {
            let body = json!({"name": name, "display_name": display_name.unwrap_or_default()});
            let made = api.post(&At::new("/organizations"), &body).await?;
            screen.result(&made, &shown(text(&made, "name")))
        }
        Verb::Show { name } => show(context, &name).await,
        Verb::Delete { name, yes } => {
            let question = format!("delete organization {} and all it has?", shown(&name));
            screen.confirm(&question, yes)?;
            api.bare(Method::DELETE, &organization(&name)).await?;
            screen.note(&format!("deleted organization {}", shown(&name)));
            Ok(())
        }
    }
}

async fn show(context: &Context<'_>, name: &str) -> Result<()> {
    let Context { api, screen, .. } = context;
    let mut found = api.get(&organization(name)).await?;
    let members = api.rows(&organization(name).then("/members")).await?;
    if screen.json {
        found["members"] = members.into();
        return screen.document(&found);
    }
    screen.line(&format!("{}  {}", cell(&found, "name"), cell(&found, "display_name")))?;
    screen.line(&format!("id       {}", cell(&found, "id")))?;
    screen.line(&format!("created  {}\n", when(&found["created_at"])))?;
    screen.rows(["MEMBER", "ROLE", "JOINED"], &members, |row| {
        [cell(row, "username"), cell(row, "role"), when(&row["joined_at"])]
    })
}
