//! `tilde backup`: brings a backup of the data directory up to date, beside a running server or
//! without one.

mod folder;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use engine::{BackupReport, Engine};
use indicatif::{HumanBytes, ProgressBar};
use serde_json::json;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::rooms::{Access, named_engine_beside};
use folder::Folder;

/// How often the progress line changes.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

/// What `tilde backup` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the backup: a new or empty one, or one with a former backup of this directory
    dir: PathBuf,
    /// Copy keys/encryption.key too: with it, whoever has the backup has the credentials of all
    /// connectors
    #[arg(long)]
    with_key: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Backs up, and says what was copied.
pub(crate) async fn run(config: &Config, options: Options) -> Result<()> {
    let data = DataDir::at(config.data_dir());
    let (engine, store) = named_engine_beside(&data, Access::Write).await?;
    let folder = Folder::open(&options.dir, &data, &store)?;
    if options.with_key {
        folder.keep_key(&data)?;
    }
    let report = back_up(&engine, &folder).await?;
    if options.json {
        println!("{}", as_json(&report));
        return Ok(());
    }
    let (from, to) = (data.root().display(), folder.root().display());
    println!("backed up {from} to {to}");
    println!("copied: {}", counted(report.files_copied, report.bytes_copied));
    println!("kept: {}", counted(report.files_kept, report.bytes_kept));
    println!("removed: {}", counted(report.files_removed, report.bytes_removed));
    if !folder.has_key() {
        println!("connectors: their key is not in the backup (see --with-key)");
    }
    Ok(())
}

async fn back_up(engine: &Engine, folder: &Folder) -> Result<BackupReport> {
    let line = match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    let mut shown = Instant::now();
    let mut progress = |report: &BackupReport| {
        if shown.elapsed() >= PROGRESS_PERIOD {
            shown = Instant::now();
            let done = HumanBytes(report.bytes_copied + report.bytes_kept);
            line.set_message(format!("{done} of {}", HumanBytes(report.bytes)));
            line.tick();
        }
    };
    let report = engine.backup(folder, &mut progress).await;
    line.finish_and_clear();
    report.context("no new backup was made")
}

fn counted(files: u64, bytes: u64) -> String {
    let noun = if files == 1 { "file" } else { "files" };
    format!("{files} {noun}, {}", HumanBytes(bytes))
}

fn as_json(report: &BackupReport) -> serde_json::Value {
    json!({
        "files": report.files,
        "bytes": report.bytes,
        "files_copied": report.files_copied,
        "bytes_copied": report.bytes_copied,
        "files_kept": report.files_kept,
        "bytes_kept": report.bytes_kept,
        "files_removed": report.files_removed,
        "bytes_removed": report.bytes_removed,
    })
}
