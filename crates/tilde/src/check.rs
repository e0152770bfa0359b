//! `tilde check`: verifies a data directory and says what is damaged, down to the path. Reads only,
//! needs no lock.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use engine::{CheckReport, Damage, Engine, Scope};
use indicatif::{HumanBytes, ProgressBar};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::rooms::{Access, engine_beside};

/// Exit code where nothing can be said.
pub(crate) const COULD_NOT_CHECK: u8 = 2;
/// Exit code where damage was found.
const DAMAGED: u8 = 1;
/// How often the progress line changes.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

/// What `tilde check` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Print a digest of this commit instead; two imports of the same data have the same
    #[arg(long, value_name = "COMMIT")]
    digest: Option<String>,
}

/// Checks, or prints the digest.
pub(crate) async fn run(config: &Config, options: Options) -> Result<ExitCode> {
    let data = DataDir::at(config.data_dir());
    let engine = match engine_beside(&data, Access::Read).await {
        Err(error) if is_damage(&error) => {
            println!("damaged: {error:#}");
            return Ok(ExitCode::from(DAMAGED));
        }
        engine => engine?,
    };
    if let Some(commit) = options.digest {
        println!("{}", engine.digest(&commit).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let report = check(&engine).await.context("could not check")?;
    report.damage.iter().for_each(|damage| println!("damaged: {}", describe(damage)));
    let unnamed = report.damage_count.saturating_sub(report.damage.len() as u64);
    if unnamed > 0 {
        println!("damaged: {unnamed} more");
    }
    println!("{}: {}", data.root().display(), summary(&report));
    Ok(if report.damage_count == 0 { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

/// Whether the catalog is too damaged to be opened.
fn is_damage(error: &anyhow::Error) -> bool {
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<catalog::Error>());
    matches!(cause, Some(catalog::Error::Damaged { .. }))
}

async fn check(engine: &Engine) -> engine::Result<CheckReport> {
    let hidden = !std::io::stderr().is_terminal();
    let line = if hidden { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    let mut shown = Instant::now();
    let mut progress = |report: &CheckReport| {
        if shown.elapsed() >= PROGRESS_PERIOD {
            shown = Instant::now();
            line.set_message(seen(report));
            line.tick();
        }
    };
    let report = engine.check(Scope::All, &mut progress).await;
    line.finish_and_clear();
    report
}

fn seen(report: &CheckReport) -> String {
    let CheckReport { commits, entries, bytes, segments, .. } = report;
    let commits = if *commits == 1 { "1 commit".to_owned() } else { format!("{commits} commits") };
    format!("{commits}, {entries} entries, {segments} segments, {}", HumanBytes(*bytes))
}

fn summary(report: &CheckReport) -> String {
    let verdict = match report.damage_count {
        0 => "clean".to_owned(),
        1 => "DAMAGED, 1 finding".to_owned(),
        count => format!("DAMAGED, {count} findings"),
    };
    let orphans = match report.orphans {
        0 => String::new(),
        1 => "; 1 leftover file, which the next start removes".to_owned(),
        count => format!("; {count} leftover files, which the next start removes"),
    };
    format!("{verdict} ({}){orphans}", seen(report))
}

fn describe(damage: &Damage) -> String {
    let mut text = String::new();
    if let Some(repository) = &damage.repository {
        text += &format!("repository {repository}, ");
    }
    if let Some(commit) = &damage.commit {
        text += &format!("commit {commit}, ");
    }
    if let Some(session) = &damage.session {
        text += &format!("session {session}, ");
    }
    if let Some(path) = &damage.path {
        text += &format!("path {path:?}, ");
    }
    let place = text.strip_suffix(", ").map(|place| format!("{place}: ")).unwrap_or_default();
    format!("{place}{}", damage.what)
}
