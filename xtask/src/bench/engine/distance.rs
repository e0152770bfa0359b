//! Sources that are far away: each request waits before it is answered, so that what counts is how
//! many are under way.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::super::api::{REPOSITORY, count, everything};
use super::super::content::Computed;
use super::super::peers::{self, Peer, Programs, Task};
use super::super::rows::{Bar, Row, ratios};
use super::super::server::Server;
use super::super::source::{Pauses, serve_from_afar};
use super::super::table::RSS_MIB_MUST;
use super::{Load, pager};
use crate::process::{command, succeeds_silently};

/// What a request to a store on the same continent waits for.
const PAUSE: Duration = Duration::from_millis(30);
const LISTED_OBJECTS: u64 = 1_000_000;
const LISTING: &str = "listing";
/// Objects in a folder. Whoever lists from several places at once has to guess where keys are:
/// pages that end where folders do tell the least about the next folder.
const SHAPES: [(&str, u64); 3] =
    [("a folder a page", 1_000), ("folders of 300", 300), ("one folder", u64::MAX)];
/// Speed of a listing over that of one stream.
const STREAMS_AIM: f64 = 8.0;
const SMALL_OBJECTS: u64 = 10_000;
const SMALL_BYTES: u64 = 4 << 10;
/// Objects read side by side, by both programs.
const CONCURRENCY: u32 = 64;
const BUCKET: &str = "computed";

/// Dry runs of large buckets next to one stream of pages.
pub(super) fn listing(load: &Load) -> Result<Vec<Row>> {
    let objects = load.scaled(LISTED_OBJECTS);
    let server = Server::start("auto")?;
    server.api.set_up()?;
    let mut shapes = Vec::new();
    for (number, (_, folder_objects)) in SHAPES.into_iter().enumerate() {
        let pauses = Pauses { list: PAUSE, object: Duration::ZERO };
        let source = Computed { folder_objects, ..Computed::tiny(objects) };
        let url = serve_from_afar(source, pauses)?;
        let connector = server.api.connect(&format!("source-{number}"), &url, BUCKET)?;
        let mut request = everything(&connector);
        request["dry_run"] = json!(true);
        shapes.push((url, request, Vec::new()));
    }
    let (mut stream_s, mut least_s, mut peak) = (vec![], 0.0, 0.0f64);
    for run in 1..=load.runs {
        let one = pager::list(&shapes[0].0, BUCKET)?;
        ensure!(one.keys == objects, "{} keys were listed", one.keys);
        eprintln!("{run}/{}: one stream {:.1} s", load.runs, one.wall_s);
        least_s = one.pages as f64 * PAUSE.as_secs_f64();
        stream_s.push(one.wall_s);
        for ((name, _), (_, request, walls)) in SHAPES.iter().zip(&mut shapes) {
            let (job, cost) = server.import(REPOSITORY, request)?;
            let found = job["preview"]["added"]["objects"].as_u64();
            ensure!(found == Some(objects), "the dry run did not find everything: {job}");
            eprintln!("{run}/{}: dry run, {name}: {:.1} s", load.runs, cost.wall_s);
            walls.push(cost.wall_s);
            peak = peak.max(cost.peak_rss_mib);
        }
    }
    let pause_ms = PAUSE.as_millis();
    let what = format!("pages of {objects} keys, {pause_ms} ms each");
    let mut rows = vec![
        Row::new(LISTING, what, "s", [least_s]),
        Row::new(LISTING, "a client with one stream", "s", &*stream_s),
    ];
    for ((name, _), (_, _, walls)) in SHAPES.iter().zip(&shapes) {
        let faster = Row::new(LISTING, format!("faster, {name}"), "x", ratios(&stream_s, walls));
        rows.push(Row::new(LISTING, format!("dry run, {name}"), "s", &**walls));
        rows.push(faster.asked(Bar::AtLeast(STREAMS_AIM)));
    }
    rows.push(Row::new(LISTING, "peak RSS", "MiB", [peak]).asked(Bar::AtMost(RSS_MIB_MUST)));
    Ok(rows)
}

/// Small objects, next to s5cmd with as many under way.
pub(super) fn small(load: &Load) -> Result<Vec<Row>> {
    let part = "small";
    let programs = Programs::install(load.may_install)?;
    let objects = load.scaled(SMALL_OBJECTS);
    let pauses = Pauses { list: PAUSE, object: PAUSE };
    let url = serve_from_afar(Computed::even(objects, SMALL_BYTES), pauses)?;
    let task = Task { url: &url, bucket: BUCKET, objects, s5cmd_workers: CONCURRENCY };
    let (mut ours_s, mut theirs_s, mut peak) = (vec![], vec![], 0.0f64);
    for run in 1..=load.runs {
        succeeds_silently(&mut command("sync", &[]));
        let server = Server::start("auto")?;
        let mut request = everything(&server.api.prepare(&url, BUCKET)?);
        request["concurrency"] = json!(CONCURRENCY);
        let (job, ours) = server.import(REPOSITORY, &request)?;
        ensure!(count(&job, "objects_imported")? == objects, "not all was imported: {job}");
        drop(server);
        succeeds_silently(&mut command("sync", &[]));
        let theirs = peers::run(Peer::S5cmd, &programs, task)?;
        let (ours_wall_s, runs) = (ours.wall_s, load.runs);
        eprintln!("{run}/{runs}: tilde {ours_wall_s:.2} s, s5cmd {:.2} s", theirs.wall_s);
        ours_s.push(ours.wall_s);
        theirs_s.push(theirs.wall_s);
        peak = peak.max(ours.peak_rss_mib);
    }
    let faster = ratios(&theirs_s, &ours_s);
    let pause_ms = PAUSE.as_millis();
    let what = format!("{objects} objects, {pause_ms} ms each, concurrency {CONCURRENCY}");
    Ok(vec![
        Row::new(part, what, "s", ours_s),
        Row::new(part, format!("s5cmd with {CONCURRENCY} workers"), "s", theirs_s),
        Row::new(part, "s5cmd over ours", "x", faster).asked(Bar::AtLeast(1.0)),
        Row::new(part, "peak RSS", "MiB", [peak]).asked(Bar::AtMost(RSS_MIB_MUST)),
    ])
}
