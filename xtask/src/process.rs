//! Running other programs: shown before they run, their output passed on as it comes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// A command in the root of the workspace.
pub(crate) fn command(program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(crate::workspace::root());
    command
}

/// Runs it; true when it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    show(command);
    let status = command.status().with_context(|| cannot_run(command))?;
    Ok(status.success())
}

/// How a program with a time limit ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    Well,
    Badly,
    /// By us, at its limit.
    Stopped,
}

/// What `timeout` exits with when it had to stop the program.
const STOPPED: i32 = 124;
/// Seconds in which a program that was interrupted may clean up.
const CLEANUP_SECONDS: u32 = 120;

/// Runs it for at most `limit`, then interrupts it and all that it started.
pub(crate) fn ends_within(inner: &Command, limit: Duration) -> Result<Ended> {
    let kill_after = format!("--kill-after={CLEANUP_SECONDS}");
    let seconds = limit.as_secs().to_string();
    let mut outer = command("timeout", &["--signal=INT", &kill_after, &seconds]);
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    show(&outer);
    let status = outer.status().with_context(|| cannot_run(&outer))?;
    Ok(match status.code() {
        Some(0) => Ended::Well,
        Some(STOPPED) => Ended::Stopped,
        _ => Ended::Badly,
    })
}

/// Runs it without showing anything; true when it succeeded. A program that is missing has failed.
pub(crate) fn succeeds_silently(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs it, passes its standard output on and hands each line to `line`; true when it succeeded.
pub(crate) fn watch(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    show(command);
    let spawned = command.stdout(Stdio::piped()).spawn();
    let mut child = spawned.with_context(|| cannot_run(command))?;
    let output = child.stdout.take().expect("standard output is piped");
    let mut terminal = std::io::stdout();
    for text in BufReader::new(output).split(b'\n') {
        let text = text.context("cannot read the output of a program")?;
        let text = String::from_utf8_lossy(&text);
        writeln!(terminal, "{text}").context("cannot write to standard output")?;
        line(&text);
    }
    Ok(child.wait().context("cannot wait for a program")?.success())
}

/// The standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| cannot_run(command))?;
    anyhow::ensure!(output.status.success(), "{} failed: {}", words(command), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first folder of PATH (or where system programs lie) that holds `program`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut places = std::env::split_paths(&path).chain(system);
    places.find_map(|folder| Some(folder.join(program)).filter(|file| file.is_file()))
}

fn show(command: &Command) {
    println!("$ {}", words(command));
}

fn words(command: &Command) -> String {
    let root = format!("{}/", crate::workspace::root().display());
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().replace(&root, "")).collect();
    words.join(" ")
}

fn cannot_run(command: &Command) -> String {
    format!("cannot run {}", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_its_time_and_no_more() {
        let limit = Duration::from_secs(60);
        let ended = |words: &[&str], limit| {
            ends_within(&command(words[0], &words[1..]), limit).expect("coreutils")
        };
        assert_eq!(ended(&["true"], limit), Ended::Well);
        assert_eq!(ended(&["false"], limit), Ended::Badly);
        assert_eq!(ended(&["sleep", "600"], Duration::from_secs(1)), Ended::Stopped);
        let mut asks = command("sh", &["-c", "test \"$ASKED\" = yes"]);
        asks.env("ASKED", "yes");
        assert_eq!(ends_within(&asks, limit).expect("a shell"), Ended::Well);
    }
}
