//! What a process cost: time, CPU, memory; from /proc.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::process::{command, succeeds_silently};

/// Clock ticks of a second in /proc/PID/stat: fixed for programs, whatever the kernel's own is.
const TICKS: f64 = 100.0;

/// How long a peer may take.
const PEER_TIMEOUT: Duration = Duration::from_secs(3_600);

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) wall_s: f64,
    pub(super) cpu_s: f64,
    pub(super) peak_rss_mib: f64,
}

/// CPU seconds of a process so far, its own threads only.
pub(super) fn cpu_s(pid: u32) -> Result<f64> {
    Ok(stat(&pid.to_string())?[0])
}

/// The processes that a process has started.
pub(super) fn children(pid: u32) -> Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let text = text.context("no children in /proc")?;
    text.split_whitespace().map(|child| child.parse().context("an unknown /proc format")).collect()
}

/// CPU seconds of the children that this process has waited for.
fn children_cpu_s() -> Result<f64> {
    Ok(stat("self")?[1])
}

/// Own and children's CPU seconds.
fn stat(process: &str) -> Result<[f64; 2]> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).context("cannot read /proc")?;
    // The name, in parentheses, can hold anything.
    let fields = text.rsplit_once(')').context("an unknown /proc format")?.1;
    let ticks = |field: usize| fields.split_whitespace().nth(field)?.parse::<f64>().ok();
    let sum = |field| Some((ticks(field)? + ticks(field + 1)?) / TICKS);
    Ok([sum(11).context("no CPU time in /proc")?, sum(13).context("no CPU time in /proc")?])
}

/// Most memory that a process has held so far.
pub(super) fn peak_rss_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

/// Bytes that a process has read and written so far, through calls for files; from the page cache
/// or not.
#[derive(Clone, Copy)]
pub(super) struct Io {
    pub(super) read: u64,
    pub(super) written: u64,
}

/// What a process has read and written so far.
pub(super) fn io(pid: u32) -> Result<Io> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).context("cannot read /proc")?;
    let bytes = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    let (read, written) = (bytes("rchar: "), bytes("wchar: "));
    Ok(Io {
        read: read.context("no reads in /proc")?,
        written: written.context("no writes in /proc")?,
    })
}

/// Bytes of all files below a folder.
pub(super) fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { folder_bytes(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}

/// Runs a peer and then makes what it wrote under `destination` durable.
pub(super) fn run_durably(peer: &mut Command, destination: &str) -> Result<Cost> {
    let cpu_before = children_cpu_s()?;
    let started = Instant::now();
    let mut child = peer.stdout(Stdio::null()).spawn().context("cannot start the peer")?;
    let pid = child.id();
    let sampler = thread::spawn(move || {
        let mut peak = 0.0f64;
        while let Some(rss) = peak_rss_mib(pid) {
            peak = peak.max(rss);
            if started.elapsed() > PEER_TIMEOUT {
                succeeds_silently(&mut command("kill", &["-KILL", &pid.to_string()]));
            }
            thread::sleep(Duration::from_millis(50));
        }
        peak
    });
    let status = child.wait()?;
    let cpu_s = children_cpu_s()? - cpu_before;
    ensure!(status.success(), "the peer failed: {status}");
    ensure!(command("sync", &["-f", destination]).status()?.success(), "sync failed");
    let wall_s = started.elapsed().as_secs_f64();
    let peak_rss_mib = sampler.join().map_err(|_| anyhow::anyhow!("the sampler panicked"))?;
    Ok(Cost { wall_s, cpu_s, peak_rss_mib })
}

/// Asks a process to end, and waits until it has.
pub(super) fn terminate(child: &mut Child) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let asked = command("kill", &["-TERM", &child.id().to_string()]).status();
    if !asked.is_ok_and(|status| status.success()) {
        // It cannot be asked.
        let _ = child.kill();
    }
    let _ = child.wait();
}
