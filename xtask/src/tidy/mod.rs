//! `cargo xtask tidy`: the house rules that a program can check. Each finding names the file, the
//! line and what to do; there is no list of exceptions.

mod arrows;
mod manifest;
mod mask;
mod rust;
#[cfg(test)]
mod tests;
mod text;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::report::Outcome;
use crate::workspace::root;

pub(crate) const HELP: &str = "\
cargo xtask tidy

Checks what CONTRIBUTING.md lists under \"House rules\": which room may depend on which, what a room
may not call, sizes of functions and files, file headers, names, Markdown links. Takes a second,
builds nothing, changes nothing.
";

/// Folders that are not ours to check.
const SKIPPED: [&str; 5] = ["target", ".git", ".venv", "__pycache__", "node_modules"];
/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 16;

/// Runs the command.
pub(crate) fn run(_: &[String]) -> Result<ExitCode> {
    Ok(match check()? {
        Outcome::Failed(_) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<Outcome> {
    let root = root();
    let mut findings = arrows::check(&root)?;
    let mut files = Vec::new();
    collect(&root, "", 0, &mut files)?;
    for path in &files {
        let bytes = fs::read(root.join(path)).with_context(|| format!("cannot read {path}"))?;
        let Ok(content) = String::from_utf8(bytes) else { continue };
        findings.extend(text::check(&root, path, &content));
        if path.ends_with(".rs") {
            findings.extend(rust::check(path, &content));
        }
    }
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", files.len(), findings.len());
    Ok(match findings.len() {
        0 => Outcome::Passed(format!("{} files", files.len())),
        count => Outcome::Failed(format!("{count} findings")),
    })
}

/// The files under `folder`, relative to the root, in order.
fn collect(root: &Path, folder: &str, depth: usize, files: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(root.join(folder));
    let entries = entries.with_context(|| format!("cannot read folder {folder}"))?;
    let mut names: Vec<(String, bool)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let kind = entry.file_type().ok()?;
            let name = entry.file_name().into_string().ok()?;
            (kind.is_dir() || kind.is_file()).then_some((name, kind.is_dir()))
        })
        .collect();
    names.sort();
    for (name, is_folder) in names {
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if !is_folder {
            files.push(path);
        } else if !SKIPPED.contains(&name.as_str()) && depth < DEPTH_MAX {
            collect(root, &path, depth + 1, files)?;
        }
    }
    Ok(())
}

/// The room a file belongs to: the folder under crates/, or xtask; empty for the rest.
fn room(path: &str) -> &str {
    match path.strip_prefix("crates/") {
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None if path.starts_with("xtask/") => "xtask",
        None => "",
    }
}
