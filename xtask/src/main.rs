//! `cargo xtask`: everything a developer runs here, in one place. It promises to be built in
//! seconds (three small dependencies), so that it can say early what is missing.

mod bench;
mod console;
mod deny;
mod e2e;
mod process;
mod provision;
mod report;
mod soak;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  test [--provision]   everything that must hold before a change is merged: formatting, tidy,
                       clippy, all Rust tests, then the real binary against real clients
  ci                   the same, as the build server runs it
  tidy                 the house rules: room arrows, sizes, banned names and calls, links
  console              the web console alone: types, tests, and that console/dist is up to date
  bench import|engine|api|tree
                       speed and memory beside those of other programs
  soak                 the long tiers of the property and kill tests

  COMMAND --help       what it needs, takes and leaves behind
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A command, with what stands after its name.
type Command = fn(&[String]) -> Result<ExitCode>;

fn run(arguments: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        print!("{HELP}");
        return Ok(ExitCode::FAILURE);
    };
    let (help, command): (&str, Command) = match command.as_str() {
        "test" | "ci" => (test::HELP, test::run),
        "tidy" => (tidy::HELP, tidy::run),
        "console" => (console::HELP, console::run),
        "bench" => (bench::HELP, bench::run),
        "soak" => (soak::HELP, soak::run),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        other => bail!("there is no command {other}; cargo xtask help shows what there is"),
    };
    if rest.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{help}");
        return Ok(ExitCode::SUCCESS);
    }
    command(rest)
}
