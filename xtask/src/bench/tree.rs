//! `cargo xtask bench tree`: the benchmark of the room `tree`, which prints its own table.

use std::process::ExitCode;

use anyhow::Result;

use crate::process::{command, succeeds};
use crate::workspace::cargo;

/// Runs it in the release profile.
pub(super) fn run() -> Result<ExitCode> {
    let bench = succeeds(&mut command(cargo(), &["bench", "-p", "tree", "--bench", "tree"]))?;
    Ok(if bench { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
