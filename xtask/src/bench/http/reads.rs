//! Reading: small objects as fast as they come, a large one, ranges of a large one at a rate.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::super::data::{Prepared, Random};
use super::super::rows::{Bar, Row, ratios};
use super::drive::{Ask, Driven, closed, once, open};
use super::peer::Peer;
use super::{CONNECTIONS, Setting};

/// Bytes at the start of an answer that are compared with the object's.
const COMPARED_BYTES: usize = 16;
const SMALL_TIME: Duration = Duration::from_secs(5);
const NGINX_SMALL_AIM: f64 = 1.0 / 3.0;
const RCLONE_SMALL_AIM: f64 = 3.0;
const NGINX_LARGE_AIM: f64 = 0.6;
/// Downloads of one measurement.
const DOWNLOADS: usize = 3;
const RANGE_BYTES: u64 = 64 << 10;
const RANGES: usize = 4_096;
const RANGES_PER_S: u32 = 1_000;
const RANGES_TIME: Duration = Duration::from_secs(10);
/// Most ranges that can be under way.
const RANGES_CONNECTIONS: u64 = 64;
const RANGES_P99_MS_AIM: f64 = 5.0;

/// What one server gave, run by run.
struct Series<'a> {
    peer: &'a Peer,
    runs: Vec<Driven>,
}

impl Series<'_> {
    fn values(&self, of: impl Fn(&Driven) -> f64) -> Vec<f64> {
        self.runs.iter().map(of).collect()
    }
}

/// Drives the servers in turn, as often as asked: a warm-up each, then the runs.
fn in_turn<'a>(
    setting: &'a Setting,
    wanted: impl Fn(&Peer) -> bool,
    asks: impl Fn(&Peer) -> Result<Vec<Ask>>,
    drive: impl Fn(&Peer, &[Ask]) -> Result<Driven>,
) -> Result<Vec<Series<'a>>> {
    let mut series = Vec::new();
    for peer in setting.peers.iter().filter(|peer| wanted(peer)) {
        let asks = asks(peer)?;
        once(peer, &asks).with_context(|| format!("{} before the runs", peer.name))?;
        series.push((asks, Series { peer, runs: Vec::new() }));
    }
    for run in 1..=setting.runs {
        for (asks, Series { peer, runs }) in &mut series {
            let driven = drive(peer, asks).with_context(|| peer.name.to_owned())?;
            eprintln!(
                "{run}/{} {}: {:.0} requests/s, p99 {:.2} ms, CPU {:.1} us, generator {:.1} us",
                setting.runs,
                peer.name,
                driven.requests_per_s(),
                driven.latency_ms(0.99),
                driven.server_us(),
                driven.own_us()
            );
            runs.push(driven);
        }
    }
    Ok(series.into_iter().map(|(_, series)| series).collect())
}

/// Our speed over that of the others.
fn over(part: &'static str, speeds: &[(&str, Vec<f64>)], aims: &[(&str, f64)]) -> Vec<Row> {
    let ours = &speeds[0].1;
    let ratio = |(name, aim): &(&str, f64)| {
        let (_, theirs) = speeds.iter().find(|(found, _)| found == name)?;
        let row = Row::new(part, format!("tilde over {name}"), "x", ratios(ours, theirs));
        Some(row.asked(Bar::AtLeast(*aim)))
    };
    aims.iter().filter_map(ratio).collect()
}

/// GET of random small objects.
pub(super) fn small(setting: &Setting) -> Result<Vec<Row>> {
    const PART: &str = "small";
    let set = &setting.sets[0];
    let asks = |peer: &Peer| {
        let ask = |object: &_| whole(peer, set, object);
        set.objects.iter().map(ask).collect::<Result<_>>()
    };
    let drive = |peer: &Peer, asks: &[Ask]| closed(peer, asks, CONNECTIONS, SMALL_TIME);
    let series = in_turn(setting, |_| true, asks, drive)?;
    let mut rows = Vec::new();
    for one in &series {
        let name = one.peer.name;
        let row = |what: &str, unit, of: &dyn Fn(&Driven) -> f64| {
            Row::new(PART, format!("{name}: {what}"), unit, one.values(of))
        };
        rows.push(row("GET of 8 KiB, 16 connections", "1/s", &Driven::requests_per_s));
        rows.push(row("latency, p99", "ms", &|driven| driven.latency_ms(0.99)));
        rows.push(row("CPU of the server", "us/request", &Driven::server_us));
        rows.push(row("CPU of the generator", "us/request", &Driven::own_us));
    }
    let speed = |one: &Series<'_>| (one.peer.name, one.values(Driven::requests_per_s));
    let speeds: Vec<_> = series.iter().map(speed).collect();
    rows.extend(over(PART, &speeds, &[("nginx", NGINX_SMALL_AIM), ("rclone", RCLONE_SMALL_AIM)]));
    Ok(rows)
}

/// Downloads of a large object, one at a time.
pub(super) fn large(setting: &Setting) -> Result<Vec<Row>> {
    const PART: &str = "large";
    let set = &setting.sets[1];
    let object = &set.objects[0];
    let asks = |peer: &Peer| {
        let ask = || Ok(Ask { start: vec![], ..whole(peer, set, object)? });
        (0..DOWNLOADS).map(|_| ask()).collect::<Result<_>>()
    };
    let series = in_turn(setting, |_| true, asks, once)?;
    let mb_per_s = |driven: &Driven| driven.requests_per_s() * object.size as f64 / 1e6;
    let cpu = |driven: &Driven| driven.server_cpu_s / driven.requests as f64;
    let mut rows = Vec::new();
    for one in &series {
        let name = one.peer.name;
        let what = format!("{name}: GET of {} MiB", object.size >> 20);
        rows.push(Row::new(PART, what, "MB/s", one.values(mb_per_s)));
        rows.push(Row::new(PART, format!("{name}: CPU of the server"), "s", one.values(cpu)));
    }
    let speeds: Vec<_> = series.iter().map(|one| (one.peer.name, one.values(mb_per_s))).collect();
    rows.extend(over(PART, &speeds, &[("nginx", NGINX_LARGE_AIM)]));
    Ok(rows)
}

/// Ranges of a large object, at a rate that does not wait.
pub(super) fn ranges(setting: &Setting) -> Result<Vec<Row>> {
    const PART: &str = "ranges";
    let set = &setting.sets[1];
    let object = &set.objects[0];
    let name = format!("{}/{}", set.bucket, object.key);
    let file = File::open(set.folder.join(&object.key))?;
    let asks = |peer: &Peer| {
        let mut random = Random(7);
        let mut ask = || {
            let first = random.below(object.size - RANGE_BYTES);
            let mut start = vec![0; COMPARED_BYTES];
            file.read_exact_at(&mut start, first)?;
            Ok(peer.ask(&name, object.size, Some(first..first + RANGE_BYTES), start))
        };
        (0..RANGES).map(|_| ask()).collect()
    };
    let drive =
        |peer: &Peer, asks: &[Ask]| open(peer, asks, RANGES_CONNECTIONS, RANGES_PER_S, RANGES_TIME);
    let series = in_turn(setting, |peer| peer.name != "rclone", asks, drive)?;
    let mut rows = Vec::new();
    for one in &series {
        let name = one.peer.name;
        let what = format!("{name}: 64 KiB at {RANGES_PER_S}/s, p50");
        rows.push(Row::new(PART, what, "ms", one.values(|driven| driven.latency_ms(0.5))));
        let p99 = one.values(|driven| driven.latency_ms(0.99));
        let p99 = Row::new(PART, format!("{name}: p99"), "ms", p99);
        let is_ours = name == "tilde";
        rows.push(if is_ours { p99.asked(Bar::AtMost(RANGES_P99_MS_AIM)) } else { p99 });
        let cpu = one.values(Driven::server_us);
        rows.push(Row::new(PART, format!("{name}: CPU of the server"), "us/request", cpu));
    }
    Ok(rows)
}

/// A request for a whole object, which is compared with the file it was made from.
fn whole(peer: &Peer, set: &Prepared, object: &super::super::listing::Object) -> Result<Ask> {
    let mut start = vec![0; COMPARED_BYTES];
    File::open(set.folder.join(&object.key))?.read_exact_at(&mut start, 0)?;
    Ok(peer.ask(&format!("{}/{}", set.bucket, object.key), object.size, None, start))
}
