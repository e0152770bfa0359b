//! Which room may depend on which, and on what from outside. The table is the picture in
//! ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::manifest;
use crate::process::{command, output};
use crate::workspace::cargo;

/// A room and what may stand in its dependencies.
pub(super) struct Room {
    name: &'static str,
    /// Rooms it may use.
    rooms: &'static [&'static str],
    /// Crates from outside that it must never use.
    never: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room {
        name: "model",
        rooms: &[],
        never: &["futures-util", "getrandom", "http", "hyper", "rand", "tempfile", "tokio"],
    },
    Room {
        name: "blocks",
        rooms: &["model"],
        never: &["axum", "http", "hyper", "rusqlite", "sqlx"],
    },
    Room {
        name: "tree",
        rooms: &["model", "blocks"],
        never: &["axum", "http", "hyper", "rusqlite", "sqlx"],
    },
    Room { name: "catalog", rooms: &["model"], never: &["axum", "http", "hyper", "object_store"] },
    Room {
        name: "sources",
        rooms: &["model"],
        never: &["aes-gcm", "axum", "object_store", "rusqlite", "sqlx"],
    },
    Room {
        name: "engine",
        rooms: &["model", "blocks", "tree", "catalog", "sources"],
        never: &["axum", "getrandom", "hyper", "rand", "rusqlite", "sqlx"],
    },
    Room {
        name: "server",
        rooms: &["model", "engine"],
        never: &["getrandom", "object_store", "rand", "rusqlite", "sqlx"],
    },
    Room { name: "sample", rooms: &[], never: &["rusqlite", "sqlx"] },
    Room {
        name: "client",
        rooms: &["model"],
        never: &["axum", "getrandom", "object_store", "rand", "rusqlite", "sqlx"],
    },
    Room { name: "testkit", rooms: &["model", "sample", "blocks", "sources"], never: &[] },
    Room {
        name: "tilde",
        rooms: &[
            "model", "blocks", "tree", "catalog", "sources", "engine", "server", "sample", "client",
        ],
        never: &["rusqlite", "sqlx"],
    },
    Room { name: "xtask", rooms: &[], never: &["tokio"] },
];

/// Rooms that any room's tests may use.
const TEST_ROOMS: [&str; 2] = ["testkit", "sample"];

/// Never anywhere in what we link: a second TLS, C code for it, or a client that brings both.
const BANNED: [&str; 6] =
    ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys", "reqwest"];

/// All findings about dependencies.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    let metadata = output(&mut command(cargo(), &arguments))?;
    let metadata = serde_json::from_str(&metadata).context("cargo metadata is not JSON")?;
    let mut findings = check_metadata(&metadata);
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    findings.extend(check_lock(&lock));
    for package in packages(&metadata) {
        let path = package["manifest_path"].as_str().unwrap_or_default();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        let name = path.strip_prefix(&format!("{}/", root.display())).unwrap_or(path);
        findings.extend(manifest::check(name, &text));
    }
    Ok(findings)
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

/// Findings in the answer of `cargo metadata`.
pub(super) fn check_metadata(metadata: &Value) -> Vec<String> {
    let members: BTreeSet<&str> =
        packages(metadata).filter_map(|package| package["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in packages(metadata) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            findings.push(format!("{name}: a new room; give it a row in xtask/src/tidy/arrows.rs"));
            continue;
        };
        if package["features"].as_object().is_some_and(|features| !features.is_empty()) {
            findings.push(format!("{name}: cargo features; what the product does is not optional"));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let is_dev = dependency["kind"].as_str() == Some("dev");
            findings.extend(check_edge(room, on, is_dev, &members));
        }
    }
    findings
}

fn check_edge(room: &Room, on: &str, is_dev: bool, members: &BTreeSet<&str>) -> Option<String> {
    let name = room.name;
    if BANNED.contains(&on) {
        return Some(format!("{name}: depends on {on}, which is banned everywhere"));
    }
    if !members.contains(on) {
        let forbidden = !is_dev && room.never.contains(&on);
        return forbidden.then(|| format!("{name}: must never depend on {on}"));
    }
    let allowed = match is_dev {
        true => TEST_ROOMS.contains(&on) || below(name).contains(on),
        false => room.rooms.contains(&on),
    };
    let kind = if is_dev { "a test arrow" } else { "an arrow" };
    (!allowed).then(|| format!("{name}: {kind} to {on} is not in the picture (ARCHITECTURE.md)"))
}

/// The rooms below a room, however deep.
fn below(name: &str) -> BTreeSet<&'static str> {
    let direct = ROOMS.iter().filter(|room| room.name == name).flat_map(|room| room.rooms);
    direct.flat_map(|room| below(room).into_iter().chain([*room])).collect()
}

/// Findings in Cargo.lock.
pub(super) fn check_lock(lock: &str) -> Vec<String> {
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let banned = names.filter(|name| BANNED.contains(name));
    banned.map(|name| format!("Cargo.lock: {name} is banned; cargo tree -i {name}")).collect()
}
