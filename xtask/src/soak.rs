//! `cargo xtask soak`: the long tiers. Random tests with many cases, and the server killed, frozen
//! and robbed of its power again and again.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::e2e;
use crate::process::{Ended, command, ends_within};
use crate::report::{Outcome, Report};
use crate::workspace::cargo;

pub(crate) const HELP: &str = "\
cargo xtask soak [--cases N] [--rounds N] [--minutes N]

Runs the tests that get better with time:
  --cases N    cases of each property test (default 20000), those of the engine's models of an
               import and of sessions among them, which run alone first; many writers to one
               repository commit that much longer, too
  --rounds N   rounds of the kill tests: the server is killed at every step of an import, restarted,
               and must end with the same content, once; at every step of an upload, a copy and a
               commit, after which there is all or nothing; and of the power cuts, in the middle of
               small and of large objects, after each of which what was acknowledged must be there
               (default 50)
  --minutes N  how long each of the steps may take (default 60). One that is not done by then is
               stopped: what it tried was good, and the summary says that it was not all

The last step runs the long end-to-end tests: several kills of one import, a server that is frozen
for longer than a lease, a catalog that another process holds, 64 writers to one repository for a
minute, 20,000 requests made of the API document.

Takes an hour or more with the defaults.
";

/// What a run was asked for.
struct Asked {
    cases: u32,
    rounds: u32,
    minutes: u32,
}

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let Asked { cases, rounds, minutes } = parse(arguments)?;
    let limit = Duration::from_secs(u64::from(minutes) * 60);
    let mut report = Report::default();
    for (test, what) in [("import", "an import"), ("sessions", "sessions")] {
        let model = ["test", "-p", "engine", "--test", test, "model"];
        report.step(&format!("model of {what}, {cases} cases"), |_| {
            cargo_step(&model, "PROPTEST_CASES", cases, limit)
        });
    }
    let writers = ["test", "-p", "engine", "--test", "sessions", "unbroken_chain"];
    report.step(&format!("many writers, {cases} cases"), |_| {
        cargo_step(&writers, "PROPTEST_CASES", cases, limit)
    });
    let all = ["test", "--workspace", "--no-fail-fast"];
    report.step(&format!("property tests, {cases} cases each"), |_| {
        cargo_step(&all, "PROPTEST_CASES", cases, limit)
    });
    let kill = ["test", "-p", "tilde", "--test", "kill", "--", "--include-ignored"];
    report.step(&format!("kill tests, {rounds} rounds"), |_| {
        cargo_step(&kill, "KILL_ROUNDS", rounds, limit)
    });
    let uploads = ["test", "-p", "tilde", "--test", "process", "killed"];
    report.step(&format!("kill tests of uploads, {rounds} rounds"), |_| {
        cargo_step(&uploads, "KILL_ROUNDS", rounds, limit)
    });
    e2e::power_cuts(&mut report, rounds, limit);
    e2e::long_tests(&mut report, limit);
    Ok(report.finish())
}

fn parse(arguments: &[String]) -> Result<Asked> {
    let mut asked = Asked { cases: 20_000, rounds: 50, minutes: 60 };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("soak: {name} needs a number"))?;
        let value = value.parse().with_context(|| format!("soak: {value} is not a number"))?;
        match name.as_str() {
            "--cases" => asked.cases = value,
            "--rounds" => asked.rounds = value,
            "--minutes" => asked.minutes = value,
            _ => {
                bail!("soak: unknown argument {name}; cargo xtask soak --help shows what there is")
            }
        }
    }
    Ok(asked)
}

fn cargo_step(arguments: &[&str], variable: &str, count: u32, limit: Duration) -> Result<Outcome> {
    let mut tests = command(cargo(), arguments);
    tests.env(variable, count.to_string());
    Ok(outcome(ends_within(&tests, limit)?))
}

/// What a step that is bounded in time has shown.
pub(crate) fn outcome(ended: Ended) -> Outcome {
    match ended {
        Ended::Well => Outcome::of(true),
        Ended::Badly => Outcome::of(false),
        Ended::Stopped => Outcome::Passed("stopped at its time limit, good so far".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_numbers_with_names() {
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let asked = parse(&words(&["--minutes", "2", "--rounds", "3"])).expect("good arguments");
        assert_eq!((asked.cases, asked.rounds, asked.minutes), (20_000, 3, 2));
        for bad in [&["--minutes"][..], &["--minutes", "x"], &["--hours", "1"]] {
            assert!(parse(&words(bad)).is_err(), "{bad:?}");
        }
    }
}
