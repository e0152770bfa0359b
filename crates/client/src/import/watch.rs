//! Following an import to its end: progress on standard error, the commit on standard output.

use std::time::Duration;

use indicatif::HumanBytes;
use serde_json::Value;

use crate::address::Repository;
use crate::api::{At, number, text};
use crate::error::{Error, Kind, Result};
use crate::progress::{Progress, State};
use crate::screen::{cell, shown};
use crate::{Context, interruption};

/// Between two looks at a job, in its first minute and after it.
const LOOK: Duration = Duration::from_millis(500);
const LOOK_LATER: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);
/// How long the server may be away, as when it is restarted; the import goes on by itself.
const AWAY_MAX: Duration = Duration::from_secs(120);
/// Objects left out that are named.
const NAMED_MAX: usize = 5;

pub(super) async fn to_the_end(
    context: &Context<'_>,
    repository: &Repository,
    job: &str,
) -> Result<()> {
    let at = repository.at().then("/import").segment(job);
    let progress = Progress::new(context.screen);
    let ended = tokio::select! {
        ended = ended(context, &at, &progress) => ended,
        () = context.around.interrupt.cancelled() => {
            let next = format!(
                "the import goes on; `tilde import watch {repository} {job}` follows it, \
                 `tilde import cancel {repository} {job}` ends it"
            );
            Err(interruption().next(next))
        }
    };
    progress.end();
    let ended = ended?;
    match text(&ended, "status") {
        "completed" => completed(context, &ended),
        status => {
            if context.screen.json {
                context.screen.document(&ended)?;
            }
            let why = shown(text(&ended, "error"));
            let message = match status {
                "failed" => format!("the import failed: {why}"),
                other => format!("the import ended {other}"),
            };
            let next = format!("`tilde import retry {repository} {job}` fetches what is missing");
            Err(Error::failed(message).next(next))
        }
    }
}

/// The job once it has ended.
async fn ended(context: &Context<'_>, at: &At, progress: &Progress) -> Result<Value> {
    let began = tokio::time::Instant::now();
    let mut seen = began;
    loop {
        match context.api.get(at).await {
            Ok(job) => {
                seen = tokio::time::Instant::now();
                if !matches!(text(&job, "status"), "pending" | "running") {
                    return Ok(job);
                }
                show(progress, &job);
            }
            Err(error) if error.kind == Kind::Unreachable && seen.elapsed() < AWAY_MAX => {}
            Err(error) => return Err(error),
        }
        let pause = if began.elapsed() < MINUTE { LOOK } else { LOOK_LATER };
        tokio::time::sleep(pause).await;
    }
}

fn show(progress: &Progress, job: &Value) {
    let known = job["listed_all"] == true;
    let total = |field: &str| known.then(|| number(job, field));
    progress.show(&State {
        phase: text(job, "phase"),
        objects: number(job, "objects_imported"),
        objects_total: total("objects_total"),
        bytes: number(job, "bytes_imported"),
        bytes_total: total("bytes_total"),
        rate: number(job, "bytes_per_second"),
        eta: job["eta_seconds"].as_u64().map(Duration::from_secs),
    });
}

fn completed(context: &Context<'_>, job: &Value) -> Result<()> {
    let screen = context.screen;
    let bytes = HumanBytes(number(job, "bytes_imported"));
    let unchanged = number(job, "objects_unchanged");
    if !job["preview"].is_null() {
        return previewed(context, job);
    }
    screen.note(&format!(
        "imported {} objects ({bytes}), {unchanged} of them there already",
        number(job, "objects_imported")
    ));
    let named = job["skipped"].as_array().into_iter().flatten().take(NAMED_MAX);
    for one in named {
        screen.note(&format!("left out {}: {}", cell(one, "key"), cell(one, "reason")));
    }
    let (skipped, missing) = (number(job, "objects_skipped"), number(job, "objects_missing"));
    if skipped + missing > 0 {
        screen.note(&format!("{skipped} could not be read, {missing} had vanished"));
    }
    match (screen.json, text(job, "commit_id")) {
        (true, _) => screen.document(job),
        (false, "") => {
            screen.note("nothing matched, so there is no commit");
            Ok(())
        }
        (false, commit) => screen.line(commit),
    }
}

/// What a dry run found.
fn previewed(context: &Context<'_>, job: &Value) -> Result<()> {
    let screen = context.screen;
    if screen.json {
        return screen.document(job);
    }
    let preview = &job["preview"];
    for kind in ["added", "modified", "removed", "unchanged"] {
        let bytes = HumanBytes(number(&preview[kind], "bytes"));
        screen
            .line(&format!("{kind:<10} {} objects, {bytes}", number(&preview[kind], "objects")))?;
    }
    if let Some(refusal) = preview["refusal"].as_str() {
        screen.note(&format!("the import itself would fail: {}", shown(refusal)));
    }
    Ok(())
}
