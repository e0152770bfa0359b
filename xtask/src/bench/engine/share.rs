//! An import from another repository: entries are written, bytes of objects are neither read nor
//! written.

use anyhow::{Result, ensure};
use serde_json::json;

use super::super::api::{REPOSITORY, count, everything};
use super::super::content::Computed;
use super::super::measure::{folder_bytes, io};
use super::super::rows::{Bar, Row};
use super::super::server::Server;
use super::super::source::serve;
use super::super::table::RSS_MIB_MUST;
use super::Load;

const PART: &str = "cross";
const ENTRIES: u64 = 1_000_000;
/// Large beside an entry, so that bytes of objects would show.
const OBJECT_BYTES: u64 = 1 << 10;
const WALL_S_AIM: f64 = 5.0;
/// Bytes an entry may cost. A server that moved the objects would need [`OBJECT_BYTES`] more.
const ENTRY_BYTES_AIM: f64 = 512.0;

/// A large repository imported into empty ones.
pub(super) fn measure(load: &Load) -> Result<Vec<Row>> {
    let entries = load.scaled(ENTRIES);
    let url = serve(Computed::even(entries, OBJECT_BYTES))?;
    let server = Server::start("auto")?;
    let connector = server.api.prepare(&url, "computed")?;
    let (_, first) = server.import(REPOSITORY, &everything(&connector))?;
    eprintln!("{entries} objects to share, imported in {:.1} s", first.wall_s);
    let request = json!({
        "source_organization": "bench", "source_repository": REPOSITORY, "destination_path": "",
    });
    let segments = server.data.join("segments");
    let (mut wall_s, mut read, mut written, mut grown) = (vec![], vec![], vec![], vec![]);
    let mut peak = 0.0;
    for run in 1..=load.runs {
        let repository = format!("copy-{run}");
        server.api.create_repository(&repository)?;
        let (io_before, bytes_before) = (io(server.pid())?, folder_bytes(&segments)?);
        let (job, cost) = server.import(&repository, &request)?;
        let (io_after, bytes_after) = (io(server.pid())?, folder_bytes(&segments)?);
        ensure!(count(&job, "objects_imported")? == entries, "not all was imported: {job}");
        let each = |bytes: u64| bytes as f64 / entries as f64;
        wall_s.push(cost.wall_s);
        read.push(each(io_after.read - io_before.read));
        written.push(each(io_after.written - io_before.written));
        grown.push(each(bytes_after.saturating_sub(bytes_before)));
        peak = cost.peak_rss_mib;
        eprintln!("{run}/{}: {:.2} s", load.runs, cost.wall_s);
    }
    let per_entry = |what: &str, bytes: Vec<f64>| {
        let row = Row::new(PART, what, "bytes/entry", bytes);
        row.asked(Bar::AtMost(ENTRY_BYTES_AIM))
    };
    let what = format!("{entries} entries of objects of {OBJECT_BYTES} bytes");
    Ok(vec![
        Row::new(PART, what, "s", wall_s).asked(Bar::AtMost(WALL_S_AIM)),
        per_entry("read by the server", read),
        per_entry("written by the server", written),
        per_entry("growth of the segments", grown),
        Row::new(PART, "peak RSS", "MiB", [peak]).asked(Bar::AtMost(RSS_MIB_MUST)),
    ])
}
