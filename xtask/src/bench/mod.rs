//! `cargo xtask bench`: stub.
use std::process::ExitCode;
pub(crate) const HELP: &str = "";
pub(crate) fn run(_: &[String]) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
