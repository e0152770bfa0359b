//! The servers that are driven: ours, nginx with the same objects as files, `rclone serve s3` over
//! the same folder.

use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::super::measure::{cpu_s, terminate};
use super::super::nginx::Nginx;
use super::super::peers::{Peer as Program, Programs};
use super::super::server::Server;
use super::connection::{range_header, request};
use super::drive::Ask;
use crate::process::command;
use crate::workspace::target;

/// Times 50 ms in which rclone must listen.
const START_POLLS: u32 = 200;

/// A server, as the load generator sees it.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Host and port.
    pub(super) address: String,
    /// Of the processes that answer.
    pids: Vec<u32>,
    /// What stands before bucket and key in the target of a request.
    path: &'static str,
    /// Headers that each request needs.
    headers: Vec<(&'static str, String)>,
}

impl Peer {
    /// Ours; each bucket was imported into a folder of its name.
    pub(super) fn tilde(server: &Server) -> Self {
        let authorization = format!("Bearer {}", server.api.key);
        Self {
            name: "tilde",
            address: server.api.address.clone(),
            pids: vec![server.pid()],
            path: "/api/v1/organizations/bench/repositories/bench/object?path=",
            headers: vec![("Authorization", authorization)],
        }
    }

    pub(super) fn nginx(nginx: &Nginx) -> Result<Self> {
        let address = nginx.url.strip_prefix("http://").context("an unknown scheme")?.to_owned();
        let pids = nginx.workers()?;
        Ok(Self { name: "nginx", address, pids, path: "/", headers: vec![] })
    }

    pub(super) fn rclone(rclone: &Rclone) -> Self {
        let (address, pids) = (rclone.address.clone(), vec![rclone.process.id()]);
        Self { name: "rclone", address, pids, path: "/", headers: vec![] }
    }

    /// CPU seconds of the server so far.
    pub(super) fn cpu_s(&self) -> Result<f64> {
        self.pids.iter().map(|pid| cpu_s(*pid)).sum()
    }

    /// A request for an object, or for a range of it, that begins with `start`.
    pub(super) fn ask(
        &self,
        object: &str,
        size: u64,
        range: Option<Range<u64>>,
        start: Vec<u8>,
    ) -> Ask {
        let range_value = range.as_ref().map(range_header);
        let mut headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        headers.extend(range_value.as_deref().map(|value| ("Range", value)));
        let line = format!("GET {}{object}", self.path);
        let request = request(&line, &self.address, &headers, b"");
        let status = if range.is_some() { 206 } else { 200 };
        let length = range.map_or(size, |range| range.end - range.start);
        Ask { request, status, length, start }
    }
}

/// A running `rclone serve s3`; stopped when dropped.
pub(super) struct Rclone {
    process: Child,
    address: String,
}

impl Rclone {
    /// Serves the folders of the data sets as buckets, anonymously, read only, with listings of
    /// folders kept. That each answer has the MD5 of its object as the ETag is its default; we
    /// verify each answer.
    pub(super) fn start(programs: &Programs) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let mut serve = command(programs.of(Program::Rclone), &["serve", "s3"]);
        serve.arg(target().join("bench").join("data")).args(["--addr", &address]);
        serve.args(["--read-only", "--dir-cache-time", "24h", "--poll-interval", "0"]);
        serve.args(["--log-level", "ERROR"]);
        serve.env("RCLONE_CONFIG", "").stderr(Stdio::null()).stdout(Stdio::null());
        let process = serve.spawn().context("cannot start rclone")?;
        let rclone = Self { process, address };
        for _ in 0..START_POLLS {
            if TcpStream::connect(&rclone.address).is_ok() {
                return Ok(rclone);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("rclone does not listen")
    }
}

impl Drop for Rclone {
    fn drop(&mut self) {
        terminate(&mut self.process);
    }
}
