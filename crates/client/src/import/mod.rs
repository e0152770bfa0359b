//! `tilde import`: in one go from a bucket to a commit, and the imports there were.

mod start;
mod watch;

use clap::{Args, Subcommand};
use http::Method;
use indicatif::HumanBytes;
use serde_json::Value;

use crate::Context;
use crate::address::Repository;
use crate::api::{At, Pages, number, text};
use crate::error::Result;
use crate::screen::{cell, when};

/// Imports listed, unless told otherwise.
const LISTED: usize = 20;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Import {
    #[command(flatten)]
    start: start::Start,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List the imports into a repository, newest first
    Ls {
        #[arg(value_name = "ORG/REPO")]
        repository: Repository,
        /// At most so many
        #[arg(short = 'n', long, value_name = "N", default_value_t = LISTED)]
        number: usize,
    },
    /// Show an import as it is now
    Status(Job),
    /// Follow an import to its end; prints the commit's id
    Watch(Job),
    /// Cancel an import; nothing of it is visible then
    Cancel(Job),
    /// Run a failed or canceled import again; only what is missing is fetched
    Retry {
        #[command(flatten)]
        job: Job,
        /// Follow it to its end
        #[arg(long)]
        wait: bool,
    },
}

/// An import.
#[derive(Args)]
struct Job {
    #[arg(value_name = "ORG/REPO")]
    repository: Repository,
    /// Its id
    job: String,
}

impl Job {
    fn at(&self) -> At {
        self.repository.at().then("/import").segment(&self.job)
    }
}

impl Import {
    /// Whether it waits for an import, and has something to say when that is interrupted.
    pub(crate) fn follows(&self) -> bool {
        match &self.verb {
            Some(verb) => matches!(verb, Verb::Watch(_) | Verb::Retry { wait: true, .. }),
            None => self.start.follows(),
        }
    }
}

pub(crate) async fn run(import: Import, context: &Context<'_>) -> Result<()> {
    match import.verb {
        Some(verb) => verb.run(context).await,
        None => import.start.run(context).await,
    }
}

impl Verb {
    async fn run(self, context: &Context<'_>) -> Result<()> {
        let Context { api, screen, .. } = context;
        match self {
            Self::Ls { repository, number } => list(context, &repository, number).await,
            Self::Status(job) => {
                let found = api.get(&job.at()).await?;
                if screen.json {
                    return screen.document(&found);
                }
                status_lines(&found).iter().try_for_each(|line| screen.line(line))
            }
            Self::Watch(job) => watch::to_the_end(context, &job.repository, &job.job).await,
            Self::Cancel(job) => {
                let ended = api.bare(Method::POST, &job.at().then("/cancel")).await?;
                screen.result(&ended, &cell(&ended, "status"))
            }
            Self::Retry { job, wait } => {
                let again = api.bare(Method::POST, &job.at().then("/retry")).await?;
                started(context, &job.repository, &again, wait).await
            }
        }
    }
}

async fn list(context: &Context<'_>, repository: &Repository, most: usize) -> Result<()> {
    let at = repository.at().then("/import");
    let mut pages = Pages::of(at, most);
    let mut rows: Vec<Value> = Vec::new();
    while rows.len() < most
        && let Some(page) = pages.next(&context.api).await?
    {
        rows.extend(page);
    }
    rows.truncate(most);
    let titles = ["JOB", "STATUS", "OBJECTS", "BYTES", "STARTED", "TO"];
    context.screen.rows(titles, &rows, |row| {
        let bytes = HumanBytes(number(row, "bytes_imported")).to_string();
        let objects = number(row, "objects_imported").to_string();
        let started = when(&row["created_at"]);
        let target = match cell(row, "destination_path") {
            root if root.is_empty() => "/".to_owned(),
            path => path,
        };
        [cell(row, "id"), cell(row, "status"), objects, bytes, started, target]
    })
}

fn status_lines(job: &Value) -> Vec<String> {
    let of = |total: &str, known: bool| if known { cell(job, total) } else { "?".to_owned() };
    let known = job["listed_all"] == true;
    let bytes = |field: &str| HumanBytes(number(job, field)).to_string();
    let mut lines = vec![
        ("status", format!("{} ({})", cell(job, "status"), cell(job, "phase"))),
        ("objects", format!("{} of {}", cell(job, "objects_imported"), of("objects_total", known))),
        ("bytes", format!("{} of {}", bytes("bytes_imported"), bytes("bytes_total"))),
        ("unchanged", cell(job, "objects_unchanged")),
        ("missing", cell(job, "objects_missing")),
        ("skipped", cell(job, "objects_skipped")),
        ("deleted", cell(job, "objects_deleted")),
        ("retries", cell(job, "retries")),
        ("started", when(&job["created_at"])),
        ("updated", when(&job["updated_at"])),
    ];
    for (name, field) in [("commit", "commit_id"), ("error", "error")] {
        if !text(job, field).is_empty() {
            lines.push((name, cell(job, field)));
        }
    }
    lines.iter().map(|(name, value)| format!("{name:<10} {value}")).collect()
}

/// Goes on with a job that was just started.
async fn started(
    context: &Context<'_>,
    repository: &Repository,
    answer: &Value,
    wait: bool,
) -> Result<()> {
    let job = text(answer, "job_id");
    if wait {
        return watch::to_the_end(context, repository, job).await;
    }
    context.screen.result(answer, job)?;
    context.screen.note(&format!("started; `tilde import watch {repository} {job}` follows it"));
    Ok(())
}
