//! A repository whose objects are replaced again and again: the benchmark of the room `engine`,
//! which moves the clock, as no client of a server can.

use anyhow::{Result, ensure};

use super::super::rows::Row;
use super::Load;
use crate::process::{command, watch};
use crate::workspace::cargo;

/// Runs it in the release profile, and takes over the rows it prints.
pub(super) fn measure(load: &Load) -> Result<Vec<Row>> {
    let mut bench = command(cargo(), &["bench", "-p", "engine", "--bench", "churn", "--"]);
    if load.quick {
        bench.arg("--quick");
    }
    let mut rows = Vec::new();
    let succeeded = watch(&mut bench, |line| {
        let row = serde_json::from_str(line).ok();
        rows.extend(row.and_then(|row| Row::from_json("churn", &row)));
    })?;
    ensure!(succeeded, "the benchmark failed, see above");
    ensure!(!rows.is_empty(), "the benchmark printed no rows");
    Ok(rows)
}
