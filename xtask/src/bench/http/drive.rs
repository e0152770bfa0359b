//! Drives a server with prepared requests: as fast as it answers, or at a rate that does not wait
//! for it. Each answer must have the right status, length and first bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::super::data::Random;
use super::super::measure::cpu_s;
use super::connection::Connection;
use super::peer::Peer;

/// A request and what its answer must be.
pub(super) struct Ask {
    pub(super) request: Vec<u8>,
    pub(super) status: u16,
    /// Bytes of the body.
    pub(super) length: u64,
    /// What the body begins with; empty for an answer that is too long to be kept.
    pub(super) start: Vec<u8>,
}

/// What a drive gave.
pub(super) struct Driven {
    pub(super) requests: u64,
    pub(super) wall_s: f64,
    /// Of the server.
    pub(super) server_cpu_s: f64,
    /// Of this process, which makes the load.
    pub(super) own_cpu_s: f64,
    /// Seconds from when a request was due to its answer, ascending.
    latencies: Vec<f64>,
}

impl Driven {
    pub(super) fn requests_per_s(&self) -> f64 {
        self.requests as f64 / self.wall_s
    }

    /// CPU of the server, in microseconds a request.
    pub(super) fn server_us(&self) -> f64 {
        self.server_cpu_s * 1e6 / self.requests as f64
    }

    /// CPU of the load generator, in microseconds a request.
    pub(super) fn own_us(&self) -> f64 {
        self.own_cpu_s * 1e6 / self.requests as f64
    }

    /// The latency, in milliseconds, that this part of the requests stayed within.
    pub(super) fn latency_ms(&self, part: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        self.latencies.get(at).map_or(f64::NAN, |seconds| seconds * 1e3)
    }
}

/// Random ones of `asks` for some time, on each connection the next when the last is answered.
pub(super) fn closed(
    peer: &Peer,
    asks: &[Ask],
    connections: u64,
    time: Duration,
) -> Result<Driven> {
    measured(peer, connections, |number, connection| {
        let begun = Instant::now();
        let (mut random, mut latencies) = (Random(number), Vec::new());
        while begun.elapsed() < time {
            let sent = Instant::now();
            fulfil(connection, &asks[random.below(asks.len() as u64) as usize])?;
            latencies.push(sent.elapsed().as_secs_f64());
        }
        Ok(latencies)
    })
}

/// Random ones of `asks`, so many each second for some time, whether the ones before are answered
/// or not. Latency counts from when a request was due: a server that stalls is charged with all
/// that could not be sent meanwhile.
pub(super) fn open(
    peer: &Peer,
    asks: &[Ask],
    connections: u64,
    per_s: u32,
    time: Duration,
) -> Result<Driven> {
    let (next, begun) = (AtomicU64::new(0), Instant::now());
    let requests = u64::from(per_s) * time.as_secs();
    measured(peer, connections, |_, connection| {
        let mut latencies = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= requests {
                return Ok(latencies);
            }
            let due = begun + Duration::from_secs_f64(turn as f64 / f64::from(per_s));
            thread::sleep(due.saturating_duration_since(Instant::now()));
            fulfil(connection, &asks[Random(turn).below(asks.len() as u64) as usize])?;
            latencies.push(due.elapsed().as_secs_f64());
        }
    })
}

/// All of `asks` once, on one connection.
pub(super) fn once(peer: &Peer, asks: &[Ask]) -> Result<Driven> {
    measured(peer, 1, |_, connection| {
        let one = |ask| {
            let sent = Instant::now();
            fulfil(connection, ask)?;
            Ok(sent.elapsed().as_secs_f64())
        };
        asks.iter().map(one).collect()
    })
}

/// Runs `work` on so many connections, each with its number; the seconds that each request took.
pub(super) fn measured(
    peer: &Peer,
    connections: u64,
    work: impl Fn(u64, &mut Connection) -> Result<Vec<f64>> + Sync,
) -> Result<Driven> {
    let open = |number| Ok((number, Connection::open(&peer.address)?));
    let opened: Vec<_> = (0..connections).map(open).collect::<Result<_>>()?;
    let (server_before, own_before) = (peer.cpu_s()?, cpu_s(std::process::id())?);
    let begun = Instant::now();
    let latencies: Result<Vec<Vec<f64>>> = thread::scope(|scope| {
        let work = &work;
        let start = |(number, mut connection)| scope.spawn(move || work(number, &mut connection));
        let threads: Vec<_> = opened.into_iter().map(start).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.map(|ended| ended.map_err(|_| anyhow!("a thread panicked"))?).collect()
    });
    let latencies = latencies?;
    let wall_s = begun.elapsed().as_secs_f64();
    let server_cpu_s = peer.cpu_s()? - server_before;
    let own_cpu_s = cpu_s(std::process::id())? - own_before;
    let mut latencies = latencies.concat();
    latencies.sort_by(f64::total_cmp);
    Ok(Driven { requests: latencies.len() as u64, wall_s, server_cpu_s, own_cpu_s, latencies })
}

fn fulfil(connection: &mut Connection, ask: &Ask) -> Result<()> {
    let answer = connection.exchange(&ask.request)?;
    let right = answer.status == ask.status && answer.length == ask.length;
    ensure!(right, "answered {} with {} bytes", answer.status, answer.length);
    ensure!(answer.body.starts_with(&ask.start), "answered with other bytes than the object's");
    Ok(())
}
