//! `cargo xtask bench api`: what the API costs, beside nginx and `rclone serve s3`. Servers and
//! load generator share one machine; the servers are driven in turn.

mod connection;
mod drive;
mod peer;
mod reads;
mod uploads;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use self::peer::{Peer, Rclone};
use super::api::count;
use super::content::Files;
use super::data::{Prepared, READ_SETS, prepare};
use super::nginx::Nginx;
use super::options::{Etags, number};
use super::peers::Programs;
use super::rows::{Row, markdown};
use super::server::{self, Server};
use super::source::serve;
use crate::process::{command, succeeds};
use crate::provision;
use crate::workspace::{cargo, target};

/// Requests under way at a time, each on a connection of its own.
const CONNECTIONS: u64 = 16;

/// One measurement of several rows.
struct Part {
    name: &'static str,
    measure: fn(&Setting) -> Result<Vec<Row>>,
}

const PARTS: [Part; 4] = [
    Part { name: "small", measure: reads::small },
    Part { name: "large", measure: reads::large },
    Part { name: "ranges", measure: reads::ranges },
    Part { name: "uploads", measure: uploads::measure },
];

struct Options {
    quick: bool,
    runs: usize,
    peers: bool,
    may_install: bool,
    parts: Vec<&'static Part>,
}

/// What the measurements work with.
struct Setting {
    runs: usize,
    quick: bool,
    /// Small objects, and a large one.
    sets: Vec<Prepared>,
    server: Server,
    /// Ours first.
    peers: Vec<Peer>,
    // They run as long as these are held.
    _nginx: Option<Nginx>,
    _rclone: Option<Rclone>,
}

impl Setting {
    /// As many, or a tenth in the quick tier.
    fn scaled(&self, objects: u64) -> u64 {
        if self.quick { objects / 10 } else { objects }
    }
}

/// Runs the benchmark.
pub(super) fn run(arguments: &[String]) -> Result<ExitCode> {
    let options = parse(arguments)?;
    if cfg!(debug_assertions) {
        return again_optimized(arguments);
    }
    server::build()?;
    let (setting, left_out) = set_up(&options)?;
    let (mut rows, mut failures) = (Vec::new(), left_out);
    for part in &options.parts {
        eprintln!("== {}", part.name);
        match (part.measure)(&setting) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("{}: {error:#}", part.name);
                failures.push(format!("{}: {error:#}", part.name));
            }
        }
        report(&rows, &failures, &options)?;
    }
    println!("\n{}", markdown(&rows, &failures));
    println!("target/bench/api.md and .json");
    let holds = failures.is_empty() && !rows.iter().any(Row::misses);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(arguments: &[String]) -> Result<Options> {
    let may_install = provision::may_install(arguments);
    let parts = PARTS.iter().collect();
    let mut options = Options { quick: false, runs: 3, peers: true, may_install, parts };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("bench: {name} needs a value"));
        match name {
            "--quick" => options.quick = true,
            "--no-peers" => options.peers = false,
            "--provision" => {}
            "--runs" => options.runs = number(name, value()?)?.max(1) as usize,
            "--only" => options.parts = value()?.split(',').map(part).collect::<Result<_>>()?,
            other => bail!("bench: unknown argument {other}; see cargo xtask bench --help"),
        }
    }
    Ok(options)
}

fn part(name: &str) -> Result<&'static Part> {
    let part = PARTS.iter().find(|part| part.name == name);
    part.with_context(|| format!("bench: there is no measurement {name}"))
}

/// The load generator is this process: built for debugging, it would be what is measured.
fn again_optimized(arguments: &[String]) -> Result<ExitCode> {
    let mut again = command(cargo(), &["run", "--release", "--quiet", "--package", "xtask", "--"]);
    again.args(["bench", "api"]).args(arguments);
    Ok(if succeeds(&mut again)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts the servers with the same objects; and the sentences about those that are left out.
fn set_up(options: &Options) -> Result<(Setting, Vec<String>)> {
    let sets: Vec<Prepared> = READ_SETS
        .iter()
        .map(|set| prepare(set, options.quick, Etags::Nginx))
        .collect::<Result<_>>()?;
    let mut left_out = Vec::new();
    let mut kept = |name: &str, reason: anyhow::Error| {
        left_out.push(format!("{name} is left out: {reason:#}"));
    };
    let (mut nginx, mut rclone) = (None, None);
    if options.peers {
        let started = Nginx::start(&sets, options.may_install);
        nginx = started.map_err(|reason| kept("nginx", reason)).ok();
        let started =
            Programs::install(options.may_install).and_then(|programs| Rclone::start(&programs));
        rclone = started.map_err(|reason| kept("rclone", reason)).ok();
    }
    let server = Server::start("auto")?;
    import(&server, &sets)?;
    let mut peers = vec![Peer::tilde(&server)];
    if let Some(nginx) = &nginx {
        peers.push(Peer::nginx(nginx)?);
    }
    peers.extend(rclone.as_ref().map(Peer::rclone));
    let (runs, quick) = (options.runs, options.quick);
    let setting = Setting { runs, quick, sets, server, peers, _nginx: nginx, _rclone: rclone };
    Ok((setting, left_out))
}

/// Each bucket into a folder of its name.
fn import(server: &Server, sets: &[Prepared]) -> Result<()> {
    let url = serve(Files::new(sets))?;
    server.api.set_up()?;
    for set in sets {
        set.warm()?;
        let connector = server.api.connect(&set.bucket, &url, &set.bucket)?;
        let request = json!({"connector_id": connector, "destination_path": set.bucket});
        let job = server.api.import("bench", &request)?;
        let imported = count(&job, "objects_imported")?;
        ensure!(imported == set.objects.len() as u64, "not all of {} is there", set.bucket);
    }
    Ok(())
}

fn report(rows: &[Row], failures: &[String], options: &Options) -> Result<()> {
    let folder = target().join("bench");
    fs::write(folder.join("api.md"), markdown(rows, failures))?;
    let rows: Vec<_> = rows.iter().map(Row::json).collect();
    let json = json!({"quick": options.quick, "rows": rows, "failures": failures});
    fs::write(folder.join("api.json"), format!("{json:#}\n"))?;
    Ok(())
}
