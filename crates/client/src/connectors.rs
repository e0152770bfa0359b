//! `tilde connector`.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use crate::Context;
use crate::address::{Repository, organization};
use crate::api::text;
use crate::credentials::Credentials;
use crate::error::{During as _, Error, Result};
use crate::screen::{cell, shown, when};

#[derive(Subcommand)]
pub enum Verb {
    /// List the connectors of an organization, or those attached to a repository
    Ls {
        #[arg(value_name = "ORG[/REPO]")]
        of: String,
    },
    /// Make a connector, once it is tested; credentials come from variables, a file or standard
    /// input
    Create {
        #[arg(value_name = "ORG")]
        organization: String,
        name: String,
        /// s3://bucket/prefix/ or gs://bucket/prefix/
        #[arg(value_name = "URI")]
        uri: String,
        #[command(flatten)]
        credentials: Credentials,
        /// Do not test it first
        #[arg(long)]
        no_test: bool,
    },
    /// Test a connector: reach, authenticate, list, read one object
    Test {
        #[arg(value_name = "ORG")]
        organization: String,
        /// Name or id
        connector: String,
    },
    /// Let a repository import through a connector
    Attach {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
        /// Name or id
        connector: String,
    },
    /// Undo an attachment; what was imported stays
    Detach {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
        /// Name or id
        connector: String,
    },
    /// Delete a connector and its credentials; what was imported stays
    Delete {
        #[arg(value_name = "ORG")]
        organization: String,
        /// Name or id
        connector: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(verb: Verb, context: &Context<'_>) -> Result<()> {
    let Context { api, screen, around } = context;
    match verb {
        Verb::Ls { of } => list(context, &of).await,
        Verb::Create { organization, name, uri, credentials, no_test } => {
            let (kind, config) = credentials.config(around, &uri)?;
            let spec = Spec { organization: &organization, uri: &uri, kind, config };
            let made = spec.create(context, &name, !no_test).await?;
            screen.result(&made, text(&made, "id"))
        }
        Verb::Test { organization, connector } => {
            let found = find(context, &organization, &connector).await?;
            let at = crate::address::organization(&organization).then("/connectors");
            let at = at.segment(text(&found, "id")).then("/test");
            let answer = api.bare(Method::POST, &at).await?;
            let uri = shown(text(&found, "source_uri"));
            screen.result(&answer, &format!("ok: {uri} can be reached, listed and read"))
        }
        Verb::Attach { repository, connector } => {
            let found = find(context, &repository.organization, &connector).await?;
            attach(context, &repository, &found).await?;
            screen.note(&format!("attached {} to {repository}", cell(&found, "name")));
            Ok(())
        }
        Verb::Detach { repository, connector } => {
            let found = find(context, &repository.organization, &connector).await?;
            let at = repository.at().then("/connectors").segment(text(&found, "id"));
            api.bare(Method::DELETE, &at).await?;
            screen.note(&format!("detached {} from {repository}", cell(&found, "name")));
            Ok(())
        }
        Verb::Delete { organization, connector, yes } => {
            let found = find(context, &organization, &connector).await?;
            let name = cell(&found, "name");
            screen.confirm(&format!("delete connector {name} and its credentials?"), yes)?;
            let at = crate::address::organization(&organization).then("/connectors");
            api.bare(Method::DELETE, &at.segment(text(&found, "id"))).await?;
            screen.note(&format!("deleted connector {name}"));
            Ok(())
        }
    }
}

async fn list(context: &Context<'_>, of: &str) -> Result<()> {
    let at = match of.split_once('/') {
        None => organization(of),
        Some(_) => of.parse::<Repository>().map_err(Error::usage)?.at(),
    };
    let rows = context.api.rows(&at.then("/connectors")).await?;
    context.screen.rows(["NAME", "TYPE", "STATE", "CREATED", "SOURCE"], &rows, |row| {
        let state = if row["disabled"] == true { "disabled" } else { "enabled" };
        let created = when(&row["created_at"]);
        let source = cell(row, "display_source");
        [cell(row, "name"), cell(row, "type"), state.to_owned(), created, source]
    })
}

/// A connector to be made.
pub(crate) struct Spec<'a> {
    pub(crate) organization: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) config: Value,
}

impl Spec<'_> {
    /// Makes it, once a test has found that it works.
    pub(crate) async fn create(
        self,
        context: &Context<'_>,
        name: &str,
        tested: bool,
    ) -> Result<Value> {
        let at = organization(self.organization).then("/connectors");
        let mut body = json!({"type": self.kind, "source_uri": self.uri, "config": self.config});
        if tested {
            let test = context.api.post(&at.clone().then(":test"), &body).await;
            test.during(format!("cannot use {}", self.uri))?;
        }
        body["name"] = name.into();
        context.api.post(&at, &body).await
    }
}

/// The connector with this name or id.
pub(crate) async fn find(
    context: &Context<'_>,
    organization_name: &str,
    name: &str,
) -> Result<Value> {
    let rows = context.api.rows(&organization(organization_name).then("/connectors")).await?;
    let found = rows.into_iter().find(|row| text(row, "name") == name || text(row, "id") == name);
    found.ok_or_else(|| {
        let error = Error::not_found(format!("{organization_name} has no connector {name:?}"));
        error.next(format!("`tilde connector ls {organization_name}` shows what there is"))
    })
}

/// Attaches a connector to a repository.
pub(crate) async fn attach(
    context: &Context<'_>,
    repository: &Repository,
    connector: &Value,
) -> Result<()> {
    let body = json!({"connector_id": connector["id"]});
    context.api.post(&repository.at().then("/connectors"), &body).await.map(drop)
}
