//! Our side of the benchmark: the release build of `tilde serve` on an empty data directory.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::api::Api;
use super::measure::{Cost, cpu_s, peak_rss_mib, terminate};
use crate::process::{command, succeeds};
use crate::workspace::{cargo, target};

/// Builds what is measured.
pub(super) fn build() -> Result<()> {
    let built = succeeds(&mut command(cargo(), &["build", "--release", "-p", "tilde"]))?;
    ensure!(built, "tilde does not build");
    Ok(())
}

fn binary() -> PathBuf {
    target().join("release").join("tilde")
}

/// A server that ends with its data directory when dropped.
struct Server {
    process: Child,
    api: Api,
    data: PathBuf,
}

impl Server {
    fn start(verify: &str) -> Result<Self> {
        let data = target().join("bench").join("out").join("tilde");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        fs::create_dir_all(&data)?;
        let mut serve = command(binary(), &["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        serve.arg(&data).env("TILDE__IMPORTS__VERIFY", verify).env("TILDE__LOG__LEVEL", "warn");
        let mut process = serve.stdout(Stdio::piped()).spawn().context("cannot start tilde")?;
        let output = process.stdout.take().context("standard output is piped")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("http://")?.1.to_owned()));
        let address = address.context("tilde did not start")?;
        let key = fs::read_to_string(data.join("admin.key"))?.trim().to_owned();
        Ok(Self { process, api: Api { address, key }, data })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        terminate(&mut self.process);
        // What is left is removed before the next run.
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// One import of a bucket, from the request to the commit.
pub(super) fn run(endpoint: &str, bucket: &str, objects: u64, verify: &str) -> Result<Cost> {
    let mut server = Server::start(verify)?;
    let connector = server.api.prepare(endpoint, bucket)?;
    let pid = server.process.id();
    let cpu_before = cpu_s(pid)?;
    let started = Instant::now();
    let imported = server.api.import(&connector)?;
    let wall_s = started.elapsed().as_secs_f64();
    let cpu_s = cpu_s(pid)? - cpu_before;
    let peak_rss_mib = peak_rss_mib(pid).context("no memory in /proc")?;
    ensure!(imported == objects, "{imported} objects of {objects} were imported");
    terminate(&mut server.process);
    Ok(Cost { wall_s, cpu_s, peak_rss_mib })
}
