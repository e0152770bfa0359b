//! `cargo xtask bench import --generated N`: does the server's memory grow with the number of
//! objects?

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::content::Computed;
use super::server;
use super::source::serve;
use super::table::RSS_MIB_MUST;

/// How much larger the second source is than the first.
const FACTOR: u64 = 20;
/// Memory that the larger import may take beyond the smaller, in MiB: what an allocator keeps
/// varies.
const GROWTH_MIB_MAX: f64 = 48.0;

/// Imports a twentieth of the objects, then all, into fresh servers.
pub(super) fn run(objects: u64) -> Result<ExitCode> {
    ensure!(objects >= FACTOR, "bench: --generated needs at least {FACTOR} objects");
    server::build()?;
    let mut peaks = Vec::new();
    println!("| objects | wall s | objects/s | CPU us/object | peak RSS MiB |");
    println!("|---|---|---|---|---|");
    for count in [objects / FACTOR, objects] {
        let url = serve(Computed::tiny(count))?;
        let cost = server::run(&url, "generated", count, "auto")?;
        let (rate, cpu) = (count as f64 / cost.wall_s, cost.cpu_s * 1e6 / count as f64);
        let peak = cost.peak_rss_mib;
        println!("| {count} | {:.1} | {rate:.0} | {cpu:.0} | {peak:.0} |", cost.wall_s);
        peaks.push(peak);
    }
    let growth = peaks[1] - peaks[0];
    println!("\nMemory grew by {growth:.0} MiB for {FACTOR} times the objects.");
    let holds = peaks[1] <= RSS_MIB_MUST && growth <= GROWTH_MIB_MAX;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
