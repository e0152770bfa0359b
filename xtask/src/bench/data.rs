//! The data sets: files that neither compress nor repeat, the same sizes on every machine.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::listing::Object;
use super::options::Etags;
use crate::process::{command, output};
use crate::workspace::target;

/// Bytes of random content from which all objects are cut.
const POOL_BYTES: usize = 64 << 20;
/// Bytes at the start of each object that no other has.
const UNIQUE_BYTES: u64 = 16;

/// A data set, and what is asked of its import.
pub(super) struct Set {
    pub(super) name: &'static str,
    objects: u64,
    /// Objects in each folder.
    folder_objects: u64,
    size: Sizes,
    bars: Bars,
    /// Where every byte is compared with its MD5; the only peer is then the one that does it too.
    verified_bars: Bars,
}

/// What an import must and should reach.
#[derive(Clone, Copy)]
pub(super) struct Bars {
    /// Speed over that of the faster peer: must, aim.
    pub(super) ratio: Option<(f64, f64)>,
    /// CPU time per object.
    pub(super) cpu_us_max: Option<f64>,
}

impl Set {
    pub(super) fn bars(&self, etags: Etags) -> Bars {
        match etags {
            Etags::Nginx => self.bars,
            Etags::Md5 => self.verified_bars,
        }
    }
}

enum Sizes {
    Even(u64, u64),
    LogEven(u64, u64),
    /// The same for all; a tenth in the quick tier, which has as many.
    Fixed(u64),
}

pub(super) const SETS: [Set; 3] = [
    Set {
        name: "small",
        objects: 50_000,
        folder_objects: 500,
        size: Sizes::Even(4 << 10, 16 << 10),
        bars: Bars { ratio: Some((2.0, 3.0)), cpu_us_max: Some(110.0) },
        verified_bars: Bars { ratio: Some((1.0, 1.0)), cpu_us_max: None },
    },
    Set {
        name: "mixed",
        objects: 3_500,
        folder_objects: 100,
        size: Sizes::LogEven(4 << 10, 8 << 20),
        bars: Bars { ratio: Some((1.0, 1.2)), cpu_us_max: None },
        verified_bars: Bars { ratio: Some((1.0, 1.0)), cpu_us_max: None },
    },
    Set {
        name: "large",
        objects: 4,
        folder_objects: 4,
        size: Sizes::Fixed(1 << 30),
        bars: Bars { ratio: Some((0.9, 1.1)), cpu_us_max: None },
        verified_bars: Bars { ratio: None, cpu_us_max: None },
    },
];

/// Nothing is asked of an import.
const UNMEASURED: Bars = Bars { ratio: None, cpu_us_max: None };

/// What `bench api` reads: many small objects of one size, and a large one.
pub(super) const READ_SETS: [Set; 2] = [
    Set {
        name: "objects-8k",
        objects: 10_000,
        folder_objects: 500,
        size: Sizes::Even(8 << 10, 8 << 10),
        bars: UNMEASURED,
        verified_bars: UNMEASURED,
    },
    Set {
        name: "object-1g",
        objects: 1,
        folder_objects: 1,
        size: Sizes::Fixed(1 << 30),
        bars: UNMEASURED,
        verified_bars: UNMEASURED,
    },
];

/// A data set on disk.
pub(super) struct Prepared {
    /// Name of the bucket.
    pub(super) bucket: String,
    pub(super) folder: PathBuf,
    /// In the order of their keys.
    pub(super) objects: Vec<Object>,
}

impl Prepared {
    pub(super) fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size).sum()
    }

    /// Reads everything, so that a run does not wait for the source's disk.
    pub(super) fn warm(&self) -> Result<()> {
        let mut buffer = vec![0; 1 << 20];
        for object in &self.objects {
            let mut file = File::open(self.folder.join(&object.key))?;
            while file.read(&mut buffer)? > 0 {}
        }
        Ok(())
    }
}

/// Makes the files of a set unless they are there, and lists them.
pub(super) fn prepare(set: &Set, quick: bool, etags: Etags) -> Result<Prepared> {
    let bucket = if quick { format!("{}-quick", set.name) } else { set.name.to_owned() };
    let folder = target().join("bench").join("data").join(&bucket);
    let stamp = folder.with_extension("complete");
    if !stamp.is_file() {
        println!("making the data set {bucket}");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        generate(set, quick, &folder).context("cannot make the data set")?;
        fs::write(&stamp, "complete\n")?;
    }
    let mut objects = list(&folder)?;
    if etags == Etags::Md5 {
        hash(&folder, &mut objects)?;
    }
    Ok(Prepared { bucket, folder, objects })
}

fn generate(set: &Set, quick: bool, folder: &Path) -> Result<()> {
    let mut pool = vec![0; POOL_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut pool)?;
    let mut random = Random(42);
    let (count, fixed) = match (&set.size, quick) {
        (Sizes::Fixed(size), true) => (set.objects, Some(size / 10)),
        (Sizes::Fixed(size), false) => (set.objects, Some(*size)),
        (_, true) => (set.objects / 10, None),
        (_, false) => (set.objects, None),
    };
    for index in 0..count {
        let part = folder.join(format!("part-{:03}", index / set.folder_objects));
        if index % set.folder_objects == 0 {
            fs::create_dir_all(&part)?;
        }
        let size = fixed.unwrap_or_else(|| match set.size {
            Sizes::Even(least, most) => least + random.below(most - least + 1),
            Sizes::LogEven(least, most) => {
                let (least, most) = ((least as f64).ln(), (most as f64).ln());
                (least + random.fraction() * (most - least)).exp() as u64
            }
            Sizes::Fixed(size) => size,
        });
        write(&part.join(format!("obj-{index:06}.bin")), size, &pool, &mut random)?;
    }
    Ok(())
}

fn write(path: &Path, size: u64, pool: &[u8], random: &mut Random) -> Result<()> {
    let mut file = File::create_new(path)?;
    let unique = [random.next(), random.next()].map(u64::to_le_bytes).concat();
    let mut left = size - size.min(UNIQUE_BYTES);
    file.write_all(&unique[..(size - left) as usize])?;
    while left > 0 {
        let start = random.below(pool.len() as u64) as usize;
        let length = left.min((pool.len() - start) as u64).min(8 << 20);
        file.write_all(&pool[start..start + length as usize])?;
        left -= length;
    }
    Ok(())
}

/// The files with the ETags that nginx gives them.
fn list(folder: &Path) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for part in fs::read_dir(folder)? {
        for file in fs::read_dir(part?.path())? {
            let file = file?;
            let meta = file.metadata()?;
            let key = file.path().strip_prefix(folder)?.to_string_lossy().into_owned();
            let modified = meta.modified()?.duration_since(std::time::UNIX_EPOCH)?.as_secs();
            let etag = format!("{modified:x}-{:x}", meta.len());
            objects.push(Object { key, size: meta.len(), etag, modified });
        }
    }
    objects.sort_by(|left, right| left.key.cmp(&right.key));
    Ok(objects)
}

/// Puts MD5 hashes in the place of the ETags; they are kept for the next run.
fn hash(folder: &Path, objects: &mut [Object]) -> Result<()> {
    let kept = folder.with_extension("md5");
    if !kept.is_file() {
        println!("hashing {}", folder.display());
        let script = "find . -type f -print0 | xargs -0 -P 2 -n 100 md5sum";
        let hashes = output(command("sh", &["-c", script]).current_dir(folder))?;
        fs::write(&kept, hashes)?;
    }
    let hashes = fs::read_to_string(&kept)?;
    let by_key: std::collections::HashMap<&str, &str> = hashes
        .lines()
        .filter_map(|line| line.split_once("  ./"))
        .map(|(md5, key)| (key, md5))
        .collect();
    for object in objects {
        let md5 = by_key.get(object.key.as_str());
        object.etag = (*md5.with_context(|| format!("{} was not hashed", object.key))?).to_owned();
    }
    Ok(())
}

/// SplitMix64: small, fast, and the same everywhere.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
