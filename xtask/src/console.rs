//! `cargo xtask console`, also a step of `cargo xtask test`: the console's types are those of the
//! API, it is sound, its tests pass, and what is committed under console/dist is what its sources
//! give.
//!
//! Nothing that is committed is written to: what is built goes to target/console and is compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::process::{command, find, output, succeeds, watch};
use crate::provision;
use crate::report::{Counts, Outcome, Report};
use crate::test::outcome;
use crate::workspace::{root, target};

/// What Node comes in, on Debian.
const NODE: [&str; 2] = ["nodejs", "npm"];
/// Its programs.
const NODE_PROGRAMS: [&str; 2] = ["node", "npm"];
/// Files that differ and are named.
const NAMED_MAX: usize = 5;
/// Deepest folder of what is built.
const DEPTH_MAX: usize = 8;

pub(crate) const HELP: &str = "\
cargo xtask console [--provision]

Installs the console's pinned packages (npm ci, without their scripts) where they are not; checks
its sources, that its types are those of crates/server/openapi.json, and that console/dist is what
its sources give; runs its tests. Takes half a minute, most of it the first time.
";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    step(&mut report, arguments);
    Ok(report.finish())
}

/// Adds the step.
pub(crate) fn step(report: &mut Report, arguments: &[String]) {
    let may_install = provision::may_install(arguments);
    report.step("console", |counts| {
        if let Err(reason) = have_node(may_install) {
            return Ok(Outcome::LeftOut(reason));
        }
        if !install()? {
            let how = "npm could not install the pinned packages, see above";
            return Ok(Outcome::LeftOut(how.to_owned()));
        }
        check(counts)
    });
}

fn have_node(may_install: bool) -> Result<(), String> {
    let hint = "it needs Node 20.19, 22.12 or newer, and npm (on Debian: nodejs npm)";
    if NODE_PROGRAMS.iter().any(|program| find(program).is_none()) {
        if !may_install {
            return Err(format!("{hint}; --provision installs them"));
        }
        provision::install(&NODE, "the console")?;
    }
    let version = output(&mut command("node", &["--version"])).unwrap_or_default();
    match is_new_enough(&version) {
        true => Ok(()),
        false => Err(format!("{hint}; this is {}", version.trim())),
    }
}

/// Whether a version like `v20.19.2` is one that the tools of the console take.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.');
    let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    match (next(), next()) {
        (Some(20), Some(minor)) => minor >= 19,
        (Some(22), Some(minor)) => minor >= 12,
        (Some(major), Some(_)) => major > 22,
        _ => false,
    }
}

/// The pinned packages, without running anything of theirs; once for each lock file.
fn install() -> Result<bool> {
    let lock = fs::read_to_string(folder().join("package-lock.json"));
    let lock = lock.context("cannot read console/package-lock.json")?;
    let stamp = folder().join("node_modules").join(".installed.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(true);
    }
    let mut npm = inside("npm");
    if !succeeds(npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))? {
        return Ok(false);
    }
    fs::write(&stamp, lock).context("cannot write into node_modules")?;
    Ok(true)
}

fn check(counts: &mut Counts) -> Result<Outcome> {
    if !succeeds(inside("npm").args(["run", "--silent", "check"]))? {
        return Ok(Outcome::Failed("its sources are not sound, see above".to_owned()));
    }
    let made = target().join("console");
    fs::create_dir_all(&made).context("cannot make target/console")?;
    let schema = made.join("schema.ts");
    let mut types = inside(folder().join("node_modules/.bin/openapi-typescript"));
    types.arg("../crates/server/openapi.json").arg("-o").arg(&schema);
    if !succeeds(&mut types)? || fs::read(&schema)? != fs::read(folder().join("src/api/schema.ts"))?
    {
        let how = "its types are not those of the API; npm run types, in console/, writes them";
        return Ok(Outcome::Failed(how.to_owned()));
    }
    let dist = made.join("dist");
    let mut build = inside("npm");
    build.args(["run", "--silent", "build", "--", "--emptyOutDir", "--outDir"]).arg(&dist);
    if !succeeds(&mut build)? {
        return Ok(Outcome::Failed("it cannot be built, see above".to_owned()));
    }
    let differ = differences(&files(&folder().join("dist"))?, &files(&dist)?);
    if !differ.is_empty() {
        let named = differ.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let how =
            "console/dist is not what its sources give; npm run build, in console/, writes it";
        return Ok(Outcome::Failed(format!("{how} ({}: {named})", differ.len())));
    }
    run_tests(counts)
}

fn run_tests(counts: &mut Counts) -> Result<Outcome> {
    let mut ours = Counts::default();
    let mut tests = inside("npm");
    tests.args(["run", "--silent", "test"]).env("NO_COLOR", "1");
    let passed = watch(&mut tests, |line| {
        if line.trim_start().starts_with("Tests ") {
            ours.add(line);
        }
    })?;
    Ok(outcome(counts, ours, passed))
}

fn folder() -> PathBuf {
    root().join("console")
}

/// A command in the console's folder.
fn inside(program: impl AsRef<Path>) -> Command {
    let mut command = command(program, &[]);
    command.current_dir(folder());
    command
}

/// Every file under a folder, by its path there.
fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    gather(folder, "", 0, &mut found)?;
    Ok(found)
}

fn gather(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    anyhow::ensure!(depth < DEPTH_MAX, "{} has too many folders", folder.display());
    let entries = fs::read_dir(folder);
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            gather(&path, &format!("{name}/"), depth + 1, found)?;
        } else {
            let content = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
            found.insert(name, content);
        }
    }
    Ok(())
}

/// Names of the files that are not the same on both sides.
fn differences<T: PartialEq>(
    left: &BTreeMap<String, T>,
    right: &BTreeMap<String, T>,
) -> Vec<String> {
    let mut names: Vec<_> = left.keys().chain(right.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| left.get(*name) != right.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_told_apart() {
        for good in ["v20.19.0\n", "v20.20.2", "v22.12.0", "v23.0.0", "v100.1.1"] {
            assert!(is_new_enough(good), "{good}");
        }
        for bad in ["v20.18.3", "v18.20.4", "v21.7.0", "v22.11.0", "", "v", "node"] {
            assert!(!is_new_enough(bad), "{bad}");
        }
    }

    #[test]
    fn a_difference_is_a_file_that_is_other_missing_or_too_much() {
        let of = |pairs: &[(&str, u8)]| -> BTreeMap<String, u8> {
            pairs.iter().map(|(name, content)| ((*name).to_owned(), *content)).collect()
        };
        let left = of(&[("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(differences(&left, &left), [""; 0]);
        assert_eq!(differences(&left, &of(&[("b", 2), ("c", 4), ("d", 1)])), ["a", "c", "d"]);
    }
}
