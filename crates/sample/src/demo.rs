//! The data set of the quickstart: a year of weather at eight invented places, as CSV, JSON and
//! charts, and one large binary.
//!
//! Everything is computed with integers from the hour and the place, so that every machine makes
//! the same bytes.

use std::collections::BTreeMap;

use time::{Date, Duration, Month, OffsetDateTime};

use crate::{Bucket, Object};

/// The name of the demo bucket.
pub const DEMO_BUCKET: &str = "sample-bucket";
/// Every key of the demo bucket starts with it.
pub const DEMO_PREFIX: &str = "datasets/";

const YEAR: i32 = 2025;
const HOURS_OF_YEAR: i64 = 365 * 24;
const MAP_WIDTH: i64 = 1280;
const MAP_HEIGHT: i64 = 1024;

/// A place with a weather station.
struct Station {
    name: &'static str,
    altitude_m: i64,
    /// How strongly the sea evens out its seasons, 0 to 100.
    maritime_pct: i64,
}

const STATIONS: [Station; 8] = [
    Station { name: "coast", altitude_m: 6, maritime_pct: 80 },
    Station { name: "delta", altitude_m: 2, maritime_pct: 55 },
    Station { name: "forest", altitude_m: 310, maritime_pct: 15 },
    Station { name: "harbour", altitude_m: 11, maritime_pct: 70 },
    Station { name: "hill", altitude_m: 540, maritime_pct: 20 },
    Station { name: "lake", altitude_m: 395, maritime_pct: 35 },
    Station { name: "plain", altitude_m: 120, maritime_pct: 5 },
    Station { name: "summit", altitude_m: 1870, maritime_pct: 10 },
];

/// One hour at one station; tenths of degrees, of metres per second and of millimetres.
struct Reading {
    temperature: i64,
    humidity_pct: i64,
    wind: i64,
    rain: i64,
}

/// A month at a station in one line.
struct Summary {
    mean: i64,
    lowest: i64,
    highest: i64,
    rain: i64,
}

/// A bucket of 121 objects, about 5 MB, under `datasets/`; the same bytes on every machine.
pub fn demo_bucket() -> Bucket {
    let mut objects = BTreeMap::new();
    let mut put = |path: &str, content_type: &str, moment: OffsetDateTime, bytes: Vec<u8>| {
        let mut object = Object::new(bytes);
        object.content_type = content_type.to_owned();
        object.last_modified = moment;
        object.metadata.insert("origin".into(), "computed".into());
        objects.insert(format!("{DEMO_PREFIX}{path}"), object);
    };
    let end_of_year = end_of(Month::December);
    for month in months() {
        let folder = format!("weather/{YEAR}/{:02}", u8::from(month));
        for station in &STATIONS {
            let path = format!("{folder}/{}.csv", station.name);
            put(&path, "text/csv", end_of(month), station.csv(month).into());
        }
        let path = format!("{folder}/summary.json");
        put(&path, "application/json", end_of(month), summary_json(month).into());
    }
    for station in &STATIONS {
        let path = format!("charts/temperature-{}.svg", station.name);
        put(&path, "image/svg+xml", end_of_year, station.chart().into());
    }
    put("weather/stations.json", "application/json", end_of_year, stations_json().into());
    let path = format!("terrain/heights-{MAP_WIDTH}x{MAP_HEIGHT}-u16le.bin");
    put(&path, "application/octet-stream", end_of_year, heights());
    put("README.md", "text/markdown", end_of_year, README.into());
    put("notes/how to read.txt", "text/plain", end_of_year, HOW_TO_READ.into());
    put("notes/donn\u{e9}es.md", "text/markdown", end_of_year, DONNEES.into());
    Bucket { name: DEMO_BUCKET.into(), objects }
}

const README: &str = "# Sample data\n\n\
    A year of weather at eight invented places. All of it is computed, none of it was measured.\n\n\
    - `weather/2025/MM/STATION.csv`: hourly readings\n\
    - `weather/2025/MM/summary.json`: one line per station and month\n\
    - `weather/stations.json`: where the stations are\n\
    - `charts/`: mean temperatures over the year\n\
    - `terrain/`: heights in metres, 1,280 x 1,024 little-endian 16-bit numbers\n";
const HOW_TO_READ: &str = "Times are UTC. An empty line never occurs, the first line names the \
    columns.\nThe space in the name of this file is there on purpose.\n";
const DONNEES: &str = "# Donn\u{e9}es\n\nUn an de m\u{e9}t\u{e9}o dans huit lieux invent\u{e9}s. \
    L'accent dans le nom de ce fichier est voulu.\n";

impl Station {
    fn reading(&self, hour: i64) -> Reading {
        let noise = |kind: u64, width: i64| {
            let seed = mix((hour as u64) << 16 ^ (self.altitude_m as u64) << 3 ^ kind);
            (seed % (2 * width as u64 + 1)) as i64 - width
        };
        let season = wave(hour - 2700, HOURS_OF_YEAR) * (130 - self.maritime_pct) / 1000;
        let day = wave(hour - 9, 24) * (60 - self.maritime_pct / 2) / 1000;
        let front = wave(hour + self.altitude_m, 171);
        let temperature = 115 + season + day - self.altitude_m * 65 / 1000 - front / 40;
        let wind = 42 + self.maritime_pct / 4 + self.altitude_m / 30 + front / 50 + noise(2, 18);
        Reading {
            temperature: temperature + noise(1, 12),
            humidity_pct: (68 + front / 60 - day / 3 + noise(3, 6)).clamp(20, 100),
            wind: wind.max(0),
            rain: if front > 700 { ((front - 650) / 40 + noise(4, 7)).max(0) } else { 0 },
        }
    }

    fn readings(&self, month: Month) -> impl Iterator<Item = Reading> {
        let first = i64::from(first_of(month).ordinal() - 1) * 24;
        let hours = i64::from(month.length(YEAR)) * 24;
        (first..first + hours).map(|hour| self.reading(hour))
    }

    fn csv(&self, month: Month) -> String {
        let mut csv = String::from("time,temperature_c,humidity_pct,wind_m_s,rain_mm\n");
        for (hour, reading) in self.readings(month).enumerate() {
            let (day, hour, month) = (hour / 24 + 1, hour % 24, u8::from(month));
            let Reading { temperature, humidity_pct, wind, rain } = reading;
            let numbers =
                format!("{},{humidity_pct},{},{}", tenths(temperature), tenths(wind), tenths(rain));
            csv += &format!("{YEAR}-{month:02}-{day:02}T{hour:02}:00Z,{numbers}\n");
        }
        csv
    }

    fn summary(&self, month: Month) -> Summary {
        let (mut lowest, mut highest, mut sum, mut count, mut rain) = (i64::MAX, i64::MIN, 0, 0, 0);
        for reading in self.readings(month) {
            lowest = lowest.min(reading.temperature);
            highest = highest.max(reading.temperature);
            sum += reading.temperature;
            rain += reading.rain;
            count += 1;
        }
        Summary { mean: sum / count, lowest, highest, rain }
    }

    /// A line chart of the monthly means.
    fn chart(&self) -> String {
        let points: Vec<String> = months()
            .zip(0..)
            .map(|(month, index)| {
                format!("{},{}", 40 + index * 50, 200 - self.summary(month).mean / 2)
            })
            .collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 320\">\
             <title>Mean temperature, {}, {YEAR}</title>\
             <path d=\"M40 200H590\" stroke=\"#999\"/>\
             <polyline fill=\"none\" stroke=\"#06c\" stroke-width=\"3\" points=\"{}\"/></svg>\n",
            self.name,
            points.join(" "),
        )
    }
}

fn summary_json(month: Month) -> String {
    let stations = STATIONS.map(|station| {
        let Summary { mean, lowest, highest, rain } = station.summary(month);
        format!(
            "    {{\"station\": \"{}\", \"mean_c\": {}, \"lowest_c\": {}, \"highest_c\": {}, \
             \"rain_mm\": {}}}",
            station.name,
            tenths(mean),
            tenths(lowest),
            tenths(highest),
            tenths(rain),
        )
    });
    let month = u8::from(month);
    format!(
        "{{\n  \"month\": \"{YEAR}-{month:02}\",\n  \"stations\": [\n{}\n  ]\n}}\n",
        stations.join(",\n")
    )
}

fn stations_json() -> String {
    let stations = STATIONS.map(|Station { name, altitude_m, maritime_pct }| {
        format!(
            "  {{\"name\": \"{name}\", \"altitude_m\": {altitude_m}, \
             \"maritime_pct\": {maritime_pct}}}"
        )
    });
    format!("[\n{}\n]\n", stations.join(",\n"))
}

/// A landscape of ridges: one little-endian 16-bit height in metres per cell, row by row.
fn heights() -> Vec<u8> {
    let height = |x: i64, y: i64| {
        let ridges = wave(3 * x + 2 * y, 1300) * 420 + wave(5 * y - x, 900) * 260;
        let hills = wave(7 * x + 90, 310) * wave(6 * y, 270) / 1000 * 90;
        let grain = mix((y * MAP_WIDTH + x) as u64) % 4;
        (900 + (ridges + hills) / 1000) as u16 + grain as u16
    };
    (0..MAP_HEIGHT)
        .flat_map(|y| (0..MAP_WIDTH).map(move |x| (x, y)))
        .flat_map(|(x, y)| height(x, y).to_le_bytes())
        .collect()
}

fn months() -> impl Iterator<Item = Month> {
    (1..=12).map(|number| Month::try_from(number).expect("1 to 12 are months"))
}

fn first_of(month: Month) -> Date {
    Date::from_calendar_date(YEAR, month, 1).expect("every month has a first day")
}

/// The midnight a month ends at.
fn end_of(month: Month) -> OffsetDateTime {
    let days = i64::from(month.length(YEAR));
    first_of(month).midnight().assume_utc() + Duration::days(days)
}

/// A smooth wave through 0 with peaks of 1000, one per `period`: two parabolas, near a sine.
fn wave(position: i64, period: i64) -> i64 {
    let phase = position.rem_euclid(period) * 2000 / period;
    let half = phase % 1000;
    let height = 4 * half * (1000 - half) / 1000;
    if phase < 1000 { height } else { -height }
}

/// Scatters a number over all 64 bits (the finalizer of splitmix64).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number of tenths as a decimal.
fn tenths(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}.{}", number.abs() / 10, number.abs() % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use md5::{Digest, Md5};

    #[test]
    fn the_demo_bucket_is_small_varied_and_fixed() {
        let bucket = demo_bucket();
        let sizes: Vec<usize> = bucket.objects.values().map(|object| object.bytes.len()).collect();
        assert_eq!(sizes.len(), 121);
        assert!((3_000_000..6_000_000).contains(&sizes.iter().sum::<usize>()));
        assert_eq!(sizes.iter().max(), Some(&(2 * 1280 * 1024)));
        assert!(bucket.objects.keys().all(|key| key.starts_with(DEMO_PREFIX)));
        assert!(bucket.objects.keys().any(|key| key.contains(' ')));
        assert!(bucket.objects.keys().any(|key| !key.is_ascii()));

        let mut all = Md5::new();
        for (key, object) in &bucket.objects {
            all.update(key);
            all.update(&object.bytes);
        }
        assert_eq!(crate::hex::encode(&all.finalize()), "0d33b79a468469dcbdd4a3e5f3760cff");
    }

    #[test]
    fn readings_are_plausible() {
        for station in &STATIONS {
            let (january, july) = (station.summary(Month::January), station.summary(Month::July));
            assert!(january.mean < july.mean, "{}", station.name);
            for summary in [january, july] {
                assert!(-350 < summary.lowest && summary.highest < 420, "{}", station.name);
                assert!(summary.lowest < summary.mean && summary.mean < summary.highest);
            }
        }
        assert_eq!(
            (tenths(-5), tenths(123), tenths(0)),
            ("-0.5".into(), "12.3".into(), "0.0".into())
        );
    }
}
