//! `cargo xtask test`: everything that must hold, in the order in which it tells most for the least
//! time.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::process::{command, succeeds, watch};
use crate::report::{Counts, Outcome, Report};
use crate::workspace::{cargo, is_ci};
use crate::{console, deny, e2e, tidy};

pub(crate) const HELP: &str = "\
cargo xtask test [--provision]

Runs, in this order: rustfmt, tidy, clippy, all Rust tests, cargo-deny, the console (its types, its
tests, and that console/dist is what its sources give), the end-to-end tests: the real binary
against the public Python client, curl, a mock S3 server and a real one, and the console in a
browser. It goes on after a failure, and ends with a summary of what ran and what was left out, and
why.

What it needs it sets up under target/: a Python environment with pinned packages; the console's
packages go to console/node_modules. The real S3 server (Ceph radosgw), Node and Chromium come in
Debian packages; they are installed only with --provision or when CI is set, after naming them.
Without them those tests are left out.

  PROPTEST_CASES=N   cases of each property test; here 48 unless set (cargo xtask soak: many)
";

/// Cases of each property test in the short tier.
const CASES: &str = "48";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(other) = arguments.iter().find(|argument| *argument != "--provision") {
        bail!("test: unknown argument {other}; cargo xtask test --help shows what there is");
    }
    if is_ci() {
        println!("CI is set: missing Debian packages are installed, and a gap is a failure.");
    }
    let mut report = Report::default();
    report.step("rustfmt", |_| cargo_step(&["fmt", "--all", "--check"]));
    report.step("tidy", |_| tidy::check());
    report.step("clippy", |_| {
        cargo_step(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    });
    report.step("Rust tests", rust_tests);
    report.step("cargo-deny", |_| deny::check());
    console::step(&mut report, arguments);
    e2e::steps(&mut report, arguments);
    Ok(report.finish())
}

fn cargo_step(arguments: &[&str]) -> Result<Outcome> {
    Ok(Outcome::of(succeeds(&mut command(cargo(), arguments))?))
}

/// All tests of the workspace. Everything is built at once, so that each crate is built in one
/// shape only.
fn rust_tests(counts: &mut Counts) -> Result<Outcome> {
    if !succeeds(&mut command(cargo(), &["build", "--workspace", "--bins", "--tests"]))? {
        return Ok(Outcome::Failed("the workspace does not build".to_owned()));
    }
    let cases = std::env::var("PROPTEST_CASES").unwrap_or_else(|_| CASES.to_owned());
    println!("PROPTEST_CASES={cases}");
    let mut tests = command(cargo(), &["test", "--workspace", "--no-fail-fast"]);
    tests.env("PROPTEST_CASES", cases);
    let mut ours = Counts::default();
    let passed = watch(&mut tests, |line| {
        if line.starts_with("test result:") {
            ours.add(line);
        }
    })?;
    Ok(outcome(counts, ours, passed))
}

/// A gap is a failure on a build server, and left out elsewhere.
pub(crate) fn gap(reason: String) -> Outcome {
    if is_ci() { Outcome::Failed(reason) } else { Outcome::LeftOut(reason) }
}

/// What a test runner's counts and exit status say together.
pub(crate) fn outcome(total: &mut Counts, counts: Counts, passed: bool) -> Outcome {
    total.passed += counts.passed;
    total.failed += counts.failed;
    match (passed, counts.failed) {
        (true, 0) if counts.passed > 0 => Outcome::Passed(counts.text()),
        (true, 0) => Outcome::Failed("no test ran".to_owned()),
        (_, 0) => Outcome::Failed(format!("{}, then it broke off", counts.text())),
        _ => Outcome::Failed(counts.text()),
    }
}
