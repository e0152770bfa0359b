//! `tilde key`.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use crate::Context;
use crate::api::{At, text};
use crate::error::Result;
use crate::screen::{cell, when};

#[derive(Subcommand)]
pub enum Verb {
    /// List your API keys
    Ls,
    /// Make an API key and print it; it cannot be shown again
    Create {
        /// What it is for
        name: String,
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Revoke an API key
    Revoke {
        /// As `tilde key ls` shows it
        id: String,
    },
}

pub(crate) async fn run(verb: Verb, context: &Context<'_>) -> Result<()> {
    let Context { api, screen, .. } = context;
    let at = At::new("/auth/keys");
    match verb {
        Verb::Ls => {
            let rows = api.rows(&at).await?;
            screen.rows(["ID", "HINT", "CREATED", "LAST USED", "STATE", "NAME"], &rows, |row| {
                let state = if row["revoked_at"].is_null() { "active" } else { "revoked" };
                let (created, used) = (when(&row["created_at"]), when(&row["last_used_at"]));
                let hint = format!("..{}", cell(row, "token_hint"));
                [cell(row, "id"), hint, created, used, state.to_owned(), cell(row, "name")]
            })
        }
        Verb::Create { name, description } => {
            let mut body = json!({"name": name});
            body["description"] = description.map_or(Value::Null, Value::from);
            let made = api.post(&at, &body).await?;
            screen.result(&made, text(&made, "token"))?;
            screen.note("this is the only time the key is shown");
            Ok(())
        }
        Verb::Revoke { id } => {
            api.bare(Method::DELETE, &at.segment(&id)).await?;
            screen.note("revoked; the next request with it is refused");
            Ok(())
        }
    }
}
