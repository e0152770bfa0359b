//! Licences, sources and banned crates of everything we link, by cargo-deny where it is installed.

use anyhow::Result;

use crate::process::{command, find, succeeds, succeeds_silently};
use crate::report::Outcome;
use crate::workspace::cargo;

/// Advisories are not asked for: they need the network, and change without a change of ours.
const CHECKS: [&str; 5] = ["deny", "check", "bans", "licenses", "sources"];

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<Outcome> {
    let there = succeeds_silently(&mut command(cargo(), &["deny", "--version"]));
    if !there && find("cargo-deny").is_none() {
        let how = "cargo-deny is not installed (cargo install --locked cargo-deny)";
        return Ok(Outcome::LeftOut(how.to_owned()));
    }
    Ok(Outcome::of(succeeds(&mut command(cargo(), &CHECKS))?))
}
