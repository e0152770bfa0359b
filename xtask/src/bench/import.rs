//! `cargo xtask bench import`: the runs, program after program, and the table.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::content::Files;
use super::data::{Prepared, Set, prepare};
use super::measure::Cost;
use super::nginx::Nginx;
use super::options::{Etags, Options};
use super::peers::{self, Peer, Programs, S5CMD_WORKERS, Task};
use super::server;
use super::source::serve;
use super::table::{Row, markdown};
use crate::process::{command, succeeds_silently};
use crate::workspace::target;

/// Name of our own rows.
const OURS: &str = "tilde";

/// Runs the benchmark.
pub(super) fn run(options: &Options) -> Result<ExitCode> {
    server::build()?;
    let programs = options.peers.then(|| Programs::install(options.may_install)).transpose()?;
    let sets: Vec<(&Set, Prepared)> = options
        .sets
        .iter()
        .map(|set| Ok((*set, prepare(set, options.quick, options.etags)?)))
        .collect::<Result<_>>()?;
    let (facts, sets): (Vec<_>, Vec<_>) = sets.into_iter().unzip();
    let (nginx, url);
    match options.etags {
        Etags::Nginx => {
            nginx = Nginx::start(&sets, options.may_install)?;
            url = nginx.url.clone();
        }
        Etags::Md5 => url = serve(Files::new(&sets))?,
    }
    let verify = if options.etags == Etags::Md5 { "full" } else { "auto" };
    let peers = Peer::equals(options.etags);
    let mut rows = Vec::new();
    for (facts, set) in facts.iter().zip(&sets) {
        let mut runs: Vec<(&str, Vec<Cost>)> = vec![(OURS, vec![])];
        if options.peers {
            runs.extend(peers.iter().map(|peer| (peer.name(), vec![])));
        }
        for round in 1..=options.runs {
            for (name, costs) in &mut runs {
                settle(set)?;
                let objects = set.objects.len() as u64;
                let peer = peers.iter().find(|peer| peer.name() == *name);
                let cost = match (peer, &programs) {
                    (Some(peer), Some(programs)) => {
                        let (url, bucket) = (&*url, &*set.bucket);
                        let s5cmd_workers = S5CMD_WORKERS;
                        let task = Task { url, bucket, objects, s5cmd_workers };
                        peers::run(*peer, programs, task)
                    }
                    _ => server::run(&url, &set.bucket, objects, verify),
                };
                let cost = cost.with_context(|| format!("{name} on {}", set.bucket))?;
                println!(
                    "{} {name} {round}/{}: {:.2} s wall, {:.2} s CPU, {:.0} MiB",
                    set.bucket, options.runs, cost.wall_s, cost.cpu_s, cost.peak_rss_mib
                );
                costs.push(cost);
            }
        }
        rows.extend(Row::all(facts.bars(options.etags), set, &runs));
    }
    report(&rows, verify)?;
    Ok(if rows.iter().any(Row::misses) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Nothing is waiting to be written, and the source is in memory.
fn settle(set: &Prepared) -> Result<()> {
    succeeds_silently(&mut command("sync", &[]));
    set.warm().context("cannot read the data set")
}

fn report(rows: &[Row], verify: &str) -> Result<()> {
    let folder = target().join("bench");
    let text = markdown(rows, verify);
    println!("\n{text}");
    let name = if verify == "full" { "import-verify-full" } else { "import" };
    fs::write(folder.join(format!("{name}.md")), &text)?;
    let json = json!({"verify": verify, "rows": rows.iter().map(Row::json).collect::<Vec<_>>()});
    fs::write(folder.join(format!("{name}.json")), format!("{json:#}\n"))?;
    println!("target/bench/{name}.md and .json");
    Ok(())
}
