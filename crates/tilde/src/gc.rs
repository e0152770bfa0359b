//! `tilde gc`: a collection now. Where a server runs on the data directory, it is asked; where none
//! runs, or it ends meanwhile, this process takes the directory's lock and does the server's part.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use engine::{CollectSettings, CollectWorker, Engine};
use indicatif::{HumanBytes, ProgressBar};
use model::{CollectOptions, CollectReport, Collection};

use crate::config::Config;
use crate::data_dir::{DataDir, Lock};
use crate::rooms::{Access, engine_beside};

/// Exit code where no collection could be done.
pub(crate) const COULD_NOT_RUN: u8 = 2;
/// Exit code of a collection that was refused or failed.
const REFUSED: u8 = 1;
/// How often it is looked whether the collection has ended, and whether a server runs.
const POLL: Duration = Duration::from_millis(200);
/// Most hours of `--grace-hours`: ten years.
const HOURS_MAX: i64 = 87_600;
/// Most days of `--trash-days`: ten years.
const DAYS_MAX: i64 = 3_650;
const HOUR_MS: i64 = 3_600_000;

/// What `tilde gc` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
    /// Go on although more than a fifth of all bytes would go
    #[arg(long)]
    force: bool,
    /// Bring back everything in the trash, instead of collecting
    #[arg(long, conflicts_with_all = ["dry_run", "force", "grace_hours", "trash_days"])]
    undo: bool,
    /// How long nothing must have needed a segment before it goes to the trash, this time
    /// [default: gc.grace_hours]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=HOURS_MAX))]
    grace_hours: Option<i64>,
    /// How long files stay in the trash before they are removed, this time
    /// [default: gc.trash_days]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=DAYS_MAX))]
    trash_days: Option<i64>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Collects, and says what was done.
pub(crate) async fn run(config: &Config, options: Options) -> Result<ExitCode> {
    let data = DataDir::at(config.data_dir());
    let lock = data.open_unless_served()?;
    let engine = engine_beside(&data, Access::Write).await?;
    let asked = options.asked();
    let id = engine.request_collection(&asked).await?;
    let ended = done(&engine, &data, lock, config.collections(), id).await?;
    let Some(report) = ended.report else {
        let why = ended.error.unwrap_or_else(|| "it left no report".to_owned());
        eprintln!("tilde: the collection ended early: {why}");
        return Ok(ExitCode::from(REFUSED));
    };
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        say(&asked, &report).iter().for_each(|line| println!("{line}"));
        next_steps(config, &asked, &report).iter().for_each(|line| println!("{line}"));
    }
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn asked(&self) -> CollectOptions {
        CollectOptions {
            force: self.force,
            dry_run: self.dry_run,
            undo: self.undo,
            grace_ms: self.grace_hours.map(|hours| hours * HOUR_MS),
            trash_ms: self.trash_days.map(|days| days * 24 * HOUR_MS),
        }
    }
}

/// The collection once it has ended, whoever does it.
async fn done(
    engine: &Engine,
    data: &DataDir,
    mut lock: Option<Lock>,
    settings: CollectSettings,
    id: u64,
) -> Result<Collection> {
    let line = spinner();
    // Nothing on schedule: this process is here for what was asked for.
    let settings = CollectSettings { interval: Duration::ZERO, ..settings };
    let mut own = None;
    let ended = loop {
        if own.is_none() {
            own = lock.map(|lock| (CollectWorker::start(engine.clone(), settings), lock));
        }
        let collection = engine.collection(id).await?;
        let collection = collection.context("the collection that was asked for is gone")?;
        if collection.ended {
            break collection;
        }
        line.set_message(match own {
            Some(_) => "collecting",
            None => "the server is collecting",
        });
        line.tick();
        tokio::time::sleep(POLL).await;
        // A server may have stopped without having got to it.
        lock = if own.is_none() { data.open_unless_served()? } else { None };
    };
    if let Some((worker, _lock)) = own {
        worker.stop().await;
    }
    line.finish_and_clear();
    Ok(ended)
}

fn spinner() -> ProgressBar {
    match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    }
}

/// What was done, or would be.
fn say(asked: &CollectOptions, report: &CollectReport) -> Vec<String> {
    if asked.undo {
        let segments = counted(report.restored, "segment");
        return vec![format!("brought back from the trash: {segments}")];
    }
    let bytes = |bytes: u64| HumanBytes(bytes);
    let would = if asked.dry_run { "would be " } else { "" };
    let mut lines = vec![format!(
        "looked at: {}, {}, of which {} are needed",
        counted(report.segments, "segment"),
        bytes(report.bytes),
        bytes(report.live_bytes),
    )];
    if report.condemned > 0 {
        let segments = counted(report.condemned, "segment");
        lines.push(format!("{would}condemned: {segments} in which nothing is needed"));
    }
    if report.trashed > 0 {
        let segments = counted(report.trashed, "segment");
        let freed = bytes(report.trashed_bytes);
        lines.push(format!("{would}put into the trash: {segments}, {freed}"));
    }
    if report.compacted > 0 {
        let segments = counted(report.compacted, "segment");
        let (before, after) = (bytes(report.compacted_bytes), bytes(report.packed_bytes));
        lines.push(format!("{would}compacted: {segments}, {before}, into {after}"));
    }
    if report.unlinked > 0 {
        lines.push(format!("freed: {}", counted(report.unlinked, "file")));
    }
    if lines.len() == 1 {
        lines.push("nothing to do".to_owned());
    }
    lines
}

/// What happens to it from here on, or what to do.
fn next_steps(config: &Config, asked: &CollectOptions, report: &CollectReport) -> Vec<String> {
    if asked.dry_run {
        return vec!["nothing was changed; without --dry-run it is done".to_owned()];
    }
    let mut lines = Vec::new();
    let by = match config.gc_interval_hours {
        0 => "the next `tilde gc`".to_owned(),
        hours => format!("the next collection (every {hours} h, or `tilde gc`)"),
    };
    if report.condemned > 0 {
        let hours = config.gc_grace_hours;
        lines.push(format!(
            "next: {by} puts into the trash what nothing has needed for {hours} h (gc.grace_hours)"
        ));
    }
    let at_once = asked.trash_ms.unwrap_or(i64::from(config.gc_trash_days)) == 0;
    if report.trashed + report.compacted > 0 && !at_once {
        let days = config.gc_trash_days;
        lines.push(format!(
            "next: {by} frees what has been in the trash for {days} days (gc.trash_days); until \
             then `tilde gc --undo` brings it back"
        ));
    }
    if asked.undo && report.restored > 0 {
        lines.push("next: what is still not needed is condemned anew".to_owned());
    }
    lines
}

fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}
