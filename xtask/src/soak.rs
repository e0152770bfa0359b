//! `cargo xtask soak`: the long tiers. Random tests with many cases, and the server killed again
//! and again.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::e2e::power_cuts;
use crate::process::{command, succeeds};
use crate::report::{Outcome, Report};
use crate::workspace::cargo;

pub(crate) const HELP: &str = "\
cargo xtask soak [--cases N] [--rounds N]

Runs the tests that get better with time, each until it is done or something fails:
  --cases N    cases of each property test (default 20000)
  --rounds N   rounds of the kill tests: the server is killed at every step of an import, restarted,
               and must end with the same content, once; and of the power cuts, after each of which
               what was acknowledged must be there (default 50)

Takes an hour or more with the defaults.
";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (mut cases, mut rounds) = (20_000u32, 50u32);
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("soak: {name} needs a number"))?;
        let value = value.parse().with_context(|| format!("soak: {value} is not a number"))?;
        match name.as_str() {
            "--cases" => cases = value,
            "--rounds" => rounds = value,
            _ => {
                bail!("soak: unknown argument {name}; cargo xtask soak --help shows what there is")
            }
        }
    }
    let mut report = Report::default();
    report.step(&format!("property tests, {cases} cases each"), |_| {
        let arguments = ["test", "--workspace", "--no-fail-fast"];
        let mut tests = command(cargo(), &arguments);
        Ok(Outcome::of(succeeds(tests.env("PROPTEST_CASES", cases.to_string()))?))
    });
    report.step(&format!("kill tests, {rounds} rounds"), |_| {
        let arguments = ["test", "-p", "tilde", "--test", "kill", "--", "--include-ignored"];
        let mut tests = command(cargo(), &arguments);
        Ok(Outcome::of(succeeds(tests.env("KILL_ROUNDS", rounds.to_string()))?))
    });
    power_cuts(&mut report, rounds);
    Ok(report.finish())
}
