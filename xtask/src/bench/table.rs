//! The results as a table: medians, and the ratio to the faster peer beside what is asked for.

use serde_json::{Value, json};

use super::data::{Bars, Prepared};
use super::measure::Cost;

/// Memory that the server may take.
pub(super) const RSS_MIB_MUST: f64 = 256.0;
pub(super) const RSS_MIB_AIM: f64 = 150.0;

/// One program on one data set.
pub(super) struct Row {
    set: String,
    program: String,
    runs: usize,
    wall_s: f64,
    wall_min_s: f64,
    wall_max_s: f64,
    objects_per_s: f64,
    mb_per_s: f64,
    cpu_us_per_object: f64,
    peak_rss_mib: f64,
    /// How many times as fast as the faster peer.
    ratio: Option<f64>,
    /// What is asked of it; of ours only.
    bars: Option<Bars>,
}

impl Row {
    /// The rows of a data set; the first program is ours.
    pub(super) fn all(bars: Bars, set: &Prepared, runs: &[(&str, Vec<Cost>)]) -> Vec<Self> {
        let (objects, bytes) = (set.objects.len() as f64, set.bytes() as f64);
        let mut rows: Vec<Self> = runs
            .iter()
            .map(|(program, costs)| {
                let wall = sorted(costs, |cost| cost.wall_s);
                let wall_s = median(&wall);
                Self {
                    set: set.bucket.clone(),
                    program: (*program).to_owned(),
                    runs: costs.len(),
                    wall_s,
                    wall_min_s: wall[0],
                    wall_max_s: wall[wall.len() - 1],
                    objects_per_s: objects / wall_s,
                    mb_per_s: bytes / 1e6 / wall_s,
                    cpu_us_per_object: median(&sorted(costs, |cost| cost.cpu_s)) * 1e6 / objects,
                    peak_rss_mib: sorted(costs, |cost| cost.peak_rss_mib)[costs.len() - 1],
                    ratio: None,
                    bars: None,
                }
            })
            .collect();
        let fastest = rows.iter().skip(1).map(|row| row.wall_s).reduce(f64::min);
        let ours = &mut rows[0];
        ours.bars = Some(bars);
        ours.ratio = fastest.map(|wall_s| wall_s / ours.wall_s);
        rows
    }

    /// Whether it falls short of what it must reach.
    pub(super) fn misses(&self) -> bool {
        let Some(bars) = self.bars else { return false };
        let must = bars.ratio.map_or(0.0, |(must, _)| must);
        let slow = self.ratio.is_some_and(|ratio| ratio < must);
        let costly = bars.cpu_us_max.is_some_and(|most| self.cpu_us_per_object > most);
        slow || costly || self.peak_rss_mib > RSS_MIB_MUST
    }

    fn line(&self) -> String {
        let mut ratio = self.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}x"));
        if let Some((must, aim)) = self.bars.and_then(|bars| bars.ratio) {
            ratio.push_str(&format!(" (must {must}x, aim {aim}x)"));
        }
        format!(
            "| {} | {} | {} | {:.2} ({:.2}-{:.2}) | {:.0} | {:.0} | {:.0} | {:.0} | {ratio} |\n",
            self.set,
            self.program,
            self.runs,
            self.wall_s,
            self.wall_min_s,
            self.wall_max_s,
            self.objects_per_s,
            self.mb_per_s,
            self.cpu_us_per_object,
            self.peak_rss_mib,
        )
    }

    /// For other programs to read.
    pub(super) fn json(&self) -> Value {
        json!({
            "set": self.set, "program": self.program, "runs": self.runs, "wall_s": self.wall_s,
            "wall_min_s": self.wall_min_s, "wall_max_s": self.wall_max_s,
            "objects_per_s": self.objects_per_s, "mb_per_s": self.mb_per_s,
            "cpu_us_per_object": self.cpu_us_per_object, "peak_rss_mib": self.peak_rss_mib,
            "ratio": self.ratio,
        })
    }
}

/// The whole table.
pub(super) fn markdown(rows: &[Row], verify: &str) -> String {
    let mut text = format!(
        "Median wall time until durable (peers: plus `sync -f`), imports.verify: {verify}.\n\n\
         | data | program | runs | wall s (min-max) | objects/s | MB/s | CPU us/object \
         | peak RSS MiB | ours over the faster peer |\n|---|---|---|---|---|---|---|---|---|\n"
    );
    rows.iter().for_each(|row| text.push_str(&row.line()));
    let peak = rows.iter().filter(|row| row.bars.is_some()).map(|row| row.peak_rss_mib);
    let peak = peak.fold(0.0, f64::max);
    text.push_str(&format!(
        "\nOur peak memory: {peak:.0} MiB (must {RSS_MIB_MUST:.0}, aim {RSS_MIB_AIM:.0}).\n"
    ));
    for row in rows.iter().filter(|row| row.misses()) {
        text.push_str(&format!("MISSED: {} on {}.\n", row.program, row.set));
    }
    text
}

fn sorted(costs: &[Cost], value: impl Fn(&Cost) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = costs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}
