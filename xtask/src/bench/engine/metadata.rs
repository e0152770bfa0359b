//! The path of listings and metadata: an import of which every object is in the repository already
//! lists, compares and carries over, and reads nothing.

use anyhow::{Result, ensure};
use serde_json::json;

use super::super::api::{REPOSITORY, count, everything};
use super::super::content::Computed;
use super::super::peers::{self, Programs};
use super::super::rows::{Bar, Row, ratios};
use super::super::server::Server;
use super::super::source::serve;
use super::super::table::RSS_MIB_MUST;
use super::Load;
use super::pager;

const MILLION: u64 = 1_000_000;
const BUCKET: &str = "computed";
/// Objects carried over in a second.
const RATE_AIM: f64 = 50_000.0;
/// Time over that of listing alone.
const OVER_LISTING_AIM: f64 = 1.2;
/// Memory over that for a tenth of the objects.
const GROWTH_AIM: f64 = 1.1;

/// A million objects.
pub(super) fn million(load: &Load) -> Result<Vec<Row>> {
    Ok(Imports::run(load, load.scaled(MILLION), load.runs)?.rows("metadata"))
}

/// Ten times as many, after a million, for the memory of both.
pub(super) fn ten_million(load: &Load) -> Result<Vec<Row>> {
    let tenth = Imports::run(load, load.scaled(MILLION), 1)?;
    let whole = Imports::run(load, load.scaled(10 * MILLION), 1)?;
    let part = "metadata-10m";
    let growth = whole.peak_rss_mib / tenth.peak_rss_mib;
    let what = format!("peak RSS, {} over {} objects", whole.objects, tenth.objects);
    let mut rows = whole.rows(part);
    rows.push(Row::new(part, what, "x", [growth]).asked(Bar::AtMost(GROWTH_AIM)));
    Ok(rows)
}

/// What one server needed for an import and the same again.
struct Imports {
    objects: u64,
    first_s: f64,
    /// In turn: s5cmd and a client that only list, a dry run, the import.
    s5cmd_s: Vec<f64>,
    listing_s: Vec<f64>,
    dry_run_s: Vec<f64>,
    again_s: Vec<f64>,
    again_cpu_us: Vec<f64>,
    /// Of everything.
    peak_rss_mib: f64,
}

impl Imports {
    fn run(load: &Load, objects: u64, runs: usize) -> Result<Self> {
        let programs = Programs::install(load.may_install)?;
        let url = serve(Computed::tiny(objects))?;
        let server = Server::start("auto")?;
        let connector = server.api.prepare(&url, BUCKET)?;
        let request = everything(&connector);
        let mut dry_run = request.clone();
        dry_run["dry_run"] = json!(true);
        let (job, first) = server.import(REPOSITORY, &request)?;
        ensure!(count(&job, "objects_imported")? == objects, "not all was imported: {job}");
        eprintln!("{objects} objects, imported for the first time: {:.1} s", first.wall_s);
        let mut imports = Self {
            objects,
            first_s: first.wall_s,
            s5cmd_s: vec![],
            listing_s: vec![],
            dry_run_s: vec![],
            again_s: vec![],
            again_cpu_us: vec![],
            peak_rss_mib: 0.0,
        };
        for run in 1..=runs {
            let s5cmd = peers::list(&programs, &url, BUCKET)?;
            let listing = pager::list(&url, BUCKET)?;
            ensure!(listing.keys == objects, "{} keys were listed", listing.keys);
            let (_, dry) = server.import(REPOSITORY, &dry_run)?;
            let (job, again) = server.import(REPOSITORY, &request)?;
            ensure!(count(&job, "objects_unchanged")? == objects, "not all was carried: {job}");
            eprintln!(
                "{run}/{runs}: listed {:.1} s, dry run {:.1} s, imported again {:.1} s, {:.0} MiB",
                listing.wall_s, dry.wall_s, again.wall_s, again.peak_rss_mib
            );
            imports.s5cmd_s.push(s5cmd.wall_s);
            imports.listing_s.push(listing.wall_s);
            imports.dry_run_s.push(dry.wall_s);
            imports.again_s.push(again.wall_s);
            imports.again_cpu_us.push(again.cpu_s * 1e6 / objects as f64);
            imports.peak_rss_mib = again.peak_rss_mib;
        }
        Ok(imports)
    }

    fn rows(&self, part: &'static str) -> Vec<Row> {
        let objects = self.objects;
        let rate =
            |walls: &[f64]| walls.iter().map(|wall| objects as f64 / wall).collect::<Vec<_>>();
        let over = |listing: &[f64], what: &str| {
            let row = Row::new(part, what, "x", ratios(&self.again_s, listing));
            row.asked(Bar::AtMost(OVER_LISTING_AIM))
        };
        let again = format!("unchanged import of {objects}");
        vec![
            Row::new(part, "first import", "objects/s", rate(&[self.first_s])),
            Row::new(part, again, "objects/s", rate(&self.again_s)).asked(Bar::AtLeast(RATE_AIM)),
            Row::new(part, "its CPU", "us/object", &*self.again_cpu_us),
            Row::new(part, "pages requested and thrown away", "s", &*self.listing_s),
            Row::new(part, "s5cmd ls", "s", &*self.s5cmd_s),
            Row::new(part, "dry run", "s", &*self.dry_run_s),
            Row::new(part, "unchanged import", "s", &*self.again_s),
            over(&self.s5cmd_s, "unchanged import over s5cmd ls"),
            over(&self.dry_run_s, "unchanged import over the dry run"),
            Row::new(part, "peak RSS", "MiB", [self.peak_rss_mib]).asked(Bar::AtMost(RSS_MIB_MUST)),
        ]
    }
}
