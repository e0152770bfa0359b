//! Our side of the benchmark: the release build of `tilde serve` on an empty data directory.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::api::{Api, REPOSITORY, count, everything};
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
pub(super) struct Server {
    process: Child,
    pub(super) api: Api,
    pub(super) data: PathBuf,
}

impl Server {
    pub(super) fn start(verify: &str) -> Result<Self> {
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

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// One import, from the request to the commit: the job, and its cost. The memory is that of the
    /// server since its start.
    pub(super) fn import(&self, repository: &str, request: &Value) -> Result<(Value, Cost)> {
        let cpu_before = cpu_s(self.pid())?;
        let started = Instant::now();
        let job = self.api.import(repository, request)?;
        let wall_s = started.elapsed().as_secs_f64();
        let cpu_s = cpu_s(self.pid())? - cpu_before;
        let peak_rss_mib = peak_rss_mib(self.pid()).context("no memory in /proc")?;
        Ok((job, Cost { wall_s, cpu_s, peak_rss_mib }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        terminate(&mut self.process);
        // What is left is removed before the next run.
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// One import of a bucket into a fresh server.
pub(super) fn run(endpoint: &str, bucket: &str, objects: u64, verify: &str) -> Result<Cost> {
    let server = Server::start(verify)?;
    let connector = server.api.prepare(endpoint, bucket)?;
    let (job, cost) = server.import(REPOSITORY, &everything(&connector))?;
    let imported = count(&job, "objects_imported")?;
    ensure!(imported == objects, "{imported} objects of {objects} were imported");
    Ok(cost)
}
