//! `cargo xtask bench engine`: what an import costs beside the bytes it moves. Listing, distance,
//! sharing and cleaning up, each beside what is asked of it.

mod churn;
mod distance;
mod metadata;
mod pager;
mod share;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::options::number;
use super::rows::{Row, markdown};
use super::server;
use crate::process::{command, succeeds};
use crate::provision;
use crate::workspace::{cargo, target};

/// One measurement of several rows.
struct Part {
    name: &'static str,
    /// Whether it is measured unless others are named.
    is_usual: bool,
    measure: fn(&Load) -> Result<Vec<Row>>,
}

const PARTS: [Part; 6] = [
    Part { name: "metadata", is_usual: true, measure: metadata::million },
    Part { name: "metadata-10m", is_usual: false, measure: metadata::ten_million },
    Part { name: "listing", is_usual: true, measure: distance::listing },
    Part { name: "small", is_usual: true, measure: distance::small },
    Part { name: "cross", is_usual: true, measure: share::measure },
    Part { name: "churn", is_usual: true, measure: churn::measure },
];

/// How much is measured.
struct Load {
    quick: bool,
    runs: usize,
    may_install: bool,
}

impl Load {
    /// As many, or a tenth in the quick tier.
    fn scaled(&self, objects: u64) -> u64 {
        if self.quick { objects / 10 } else { objects }
    }
}

/// Runs the benchmark.
pub(super) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (parts, load) = parse(arguments)?;
    if cfg!(debug_assertions) {
        return again_optimized(arguments);
    }
    server::build()?;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for part in parts {
        eprintln!("== {}", part.name);
        match (part.measure)(&load) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("{}: {error:#}", part.name);
                failures.push(format!("{}: {error:#}", part.name));
            }
        }
        // Whatever comes later, what was measured is kept.
        report(&rows, &failures, &load)?;
    }
    println!("\n{}", markdown(&rows, &failures));
    println!("target/bench/engine.md and .json");
    let holds = failures.is_empty() && !rows.iter().any(Row::misses);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(arguments: &[String]) -> Result<(Vec<&'static Part>, Load)> {
    let may_install = provision::may_install(arguments);
    let mut load = Load { quick: false, runs: 3, may_install };
    let mut parts: Vec<&Part> = PARTS.iter().filter(|part| part.is_usual).collect();
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("bench: {name} needs a value"));
        match name {
            "--quick" => load.quick = true,
            "--provision" => {}
            "--runs" => load.runs = number(name, value()?)?.max(1) as usize,
            "--only" => parts = value()?.split(',').map(part).collect::<Result<_>>()?,
            other => bail!("bench: unknown argument {other}; see cargo xtask bench --help"),
        }
    }
    Ok((parts, load))
}

fn part(name: &str) -> Result<&'static Part> {
    let part = PARTS.iter().find(|part| part.name == name);
    part.with_context(|| format!("bench: there is no measurement {name}"))
}

/// The sources and the client that only lists run in this process: built for debugging, they would
/// be what is measured.
fn again_optimized(arguments: &[String]) -> Result<ExitCode> {
    let mut again = command(cargo(), &["run", "--release", "--quiet", "--package", "xtask", "--"]);
    again.args(["bench", "engine"]).args(arguments);
    Ok(if succeeds(&mut again)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(rows: &[Row], failures: &[String], load: &Load) -> Result<()> {
    let folder = target().join("bench");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("engine.md"), markdown(rows, failures))?;
    let rows: Vec<_> = rows.iter().map(Row::json).collect();
    let json = json!({"quick": load.quick, "rows": rows, "failures": failures});
    fs::write(folder.join("engine.json"), format!("{json:#}\n"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>> {
        let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
        Ok(parse(&arguments)?.0.into_iter().map(|part| part.name).collect())
    }

    #[test]
    fn what_takes_very_long_is_measured_only_by_name() {
        let usual = names(&["--quick", "--runs", "1"]).expect("arguments");
        assert_eq!(usual, ["metadata", "listing", "small", "cross", "churn"]);
        let named = names(&["--only", "metadata-10m,small"]).expect("arguments");
        assert_eq!(named, ["metadata-10m", "small"]);
        assert!(names(&["--only", "speed"]).is_err());
        assert!(names(&["--only"]).is_err());
    }
}
