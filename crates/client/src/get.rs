//! `tilde get` and `tilde cat`: objects to files, and to standard output.
//!
//! What is not whole is called `NAME.part`. Run again, a download reads it, asks for the rest and
//! compares all of it with the object's BLAKE3 before the file gets its name.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::address::{ObjectAddress, Repository};
use crate::api::Pages;
use crate::command::parallel;
use crate::error::{Error, Kind, Result};
use crate::files::{hashed, part_depth, part_of, place, plain_length, relative};
use crate::object::{self, Known, View};
use crate::progress::Meter;
use crate::screen::shown;
use crate::transport::next_bytes;
use crate::{Context, interruption};

/// Times one object is begun after its connection broke off.
const ATTEMPTS_MAX: u32 = 5;
/// Digits of BLAKE3 in hex.
const HASH_DIGITS: usize = 64;

#[derive(Args)]
pub struct Get {
    /// An object, or with a slash at its end everything below it
    #[arg(value_name = "ORG/REPO/PATH")]
    address: ObjectAddress,
    /// File or folder to write to [default: the last name of the path, here]
    local: Option<PathBuf>,
    #[command(flatten)]
    view: View,
    /// Objects side by side
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = parallel())]
    parallel: u8,
}

#[derive(Args)]
pub struct Cat {
    #[arg(value_name = "ORG/REPO/PATH")]
    address: ObjectAddress,
    #[command(flatten)]
    view: View,
}

/// Writes an object to standard output; fails at its end if the bytes were not those of the
/// object.
pub(crate) async fn cat(cat: Cat, context: &Context<'_>) -> Result<()> {
    let ObjectAddress { repository, path } = &cat.address;
    let known = object::find(context, repository, &cat.view, path).await?;
    let known = known.ok_or_else(|| absent(repository, path))?;
    let (answer, _) = object::read(context, repository, &cat.view, &known, 0).await?;
    let expected = object::etag(&answer).unwrap_or_default();
    let (mut body, mut hasher) = (answer.into_body(), blake3::Hasher::new());
    while let Some(bytes) = next_bytes(&mut body).await? {
        hasher.update(&bytes);
        context.screen.bytes(&bytes)?;
    }
    context.screen.flush()?;
    if expected != hasher.finalize().to_hex().as_str() {
        return Err(damaged(path));
    }
    Ok(())
}

/// Downloads an object, or all below a prefix.
pub(crate) async fn get(get: Get, context: &Context<'_>) -> Result<()> {
    let work = run(&get, context);
    tokio::select! {
        result = work => result,
        () = context.around.interrupt.cancelled() => {
            Err(interruption().next("what has come stays; the same command goes on from there"))
        }
    }
}

async fn run(get: &Get, context: &Context<'_>) -> Result<()> {
    let ObjectAddress { repository, path } = &get.address;
    let Some(view) = get.view.pinned(context, repository).await? else {
        return Err(absent(repository, path));
    };
    let is_prefix = path.is_empty() || path.ends_with('/');
    let single = match is_prefix {
        true => None,
        false => object::find(context, repository, &view, path).await?,
    };
    match single {
        Some(known) => get_one(get, context, &view, &known).await,
        None => get_all(get, context, &view).await,
    }
}

async fn get_one(get: &Get, context: &Context<'_>, view: &View, known: &Known) -> Result<()> {
    let name = known.path.rsplit('/').next().unwrap_or_default();
    let target = match &get.local {
        Some(local) if !local.is_dir() => local.clone(),
        folder => {
            let name = relative(name).map_err(|why| refused(&known.path, why))?;
            folder.as_deref().unwrap_or(Path::new("")).join(name)
        }
    };
    let repository = &get.address.repository;
    let meter = Meter::new(context.screen, "downloading", Some((1, known.size)));
    let download = Download { context, repository, view, meter: &meter };
    let fetched = download.object(known, &target).await;
    meter.end();
    report(context, &[Outcome::of(known, fetched?)]).map(drop)
}

/// What became of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fetched {
    /// It came.
    Whole,
    /// The file was there already.
    Unchanged,
}

/// Objects of a download, by what became of them.
#[derive(Default)]
struct Outcome {
    downloaded: u64,
    unchanged: u64,
    bytes: u64,
    failed: u64,
    /// What a script is told about the first failure.
    first: Option<Error>,
}

impl Outcome {
    fn of(known: &Known, fetched: Fetched) -> Self {
        let whole = u64::from(fetched == Fetched::Whole);
        let bytes = if whole > 0 { known.size } else { 0 };
        Self { downloaded: whole, unchanged: 1 - whole, bytes, ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.downloaded += other.downloaded;
        self.unchanged += other.unchanged;
        self.bytes += other.bytes;
        self.failed += other.failed;
        self.first = self.first.take().or(other.first);
    }
}

fn report(context: &Context<'_>, outcomes: &[Outcome]) -> Result<()> {
    let sum = |count: fn(&Outcome) -> u64| outcomes.iter().map(count).sum::<u64>();
    let (downloaded, unchanged) = (sum(|one| one.downloaded), sum(|one| one.unchanged));
    let (bytes, failed) = (sum(|one| one.bytes), sum(|one| one.failed));
    if context.screen.json {
        return context.screen.document(&json!({
            "downloaded": downloaded, "unchanged": unchanged, "bytes": bytes, "failed": failed,
        }));
    }
    let bytes = indicatif::HumanBytes(bytes);
    context.screen.note(&format!(
        "downloaded {downloaded} ({bytes}), {unchanged} there already, {failed} failed"
    ));
    Ok(())
}

/// Everything below a prefix. What cannot be fetched or written is told, and the rest goes on.
async fn get_all(get: &Get, context: &Context<'_>, view: &View) -> Result<()> {
    let ObjectAddress { repository, path } = &get.address;
    let prefix = match path.is_empty() || path.ends_with('/') {
        true => path.clone(),
        false => format!("{path}/"),
    };
    let last = prefix.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty());
    let root = match (&get.local, last) {
        (Some(local), _) => local.clone(),
        (None, name) => {
            let name = name.unwrap_or(&repository.name);
            relative(name).map_err(|why| refused(path, why))?
        }
    };
    let meter = Meter::new(context.screen, "downloading", None);
    let download = Download { context, repository, view, meter: &meter };
    let mut outcome = Outcome::default();
    let (mut pass, mut deepest) = (0, 0);
    let mut count = 0;
    while pass <= deepest {
        let at = view.on(repository.at().then("/objects")).query("prefix", &prefix);
        let mut pages = Pages::new(at);
        while let Some(rows) = pages.next(&context.api).await? {
            count += rows.len();
            let known: Vec<Known> = rows.iter().filter_map(Known::of).collect();
            deepest = known.iter().map(|one| part_depth(&one.path)).fold(deepest, usize::max);
            let due = known.into_iter().filter(|one| part_depth(&one.path) == pass);
            let work = due.map(|one| download.below(&root, &prefix, one));
            let mut fetched = iter(work).buffer_unordered(usize::from(get.parallel));
            while let Some(one) = fetched.next().await {
                outcome.add(one);
            }
        }
        pass += 1;
    }
    meter.end();
    if count == 0 && !path.is_empty() {
        return Err(absent(repository, path));
    }
    let (failed, first) = (outcome.failed, outcome.first.take());
    report(context, &[outcome])?;
    match first {
        None => Ok(()),
        Some(error) => {
            let message = format!("{failed} of {count} objects are not here");
            Err(Error::new(error.kind, message).next("the same command fetches what is missing"))
        }
    }
}

/// What all objects of a command share.
struct Download<'a> {
    context: &'a Context<'a>,
    repository: &'a Repository,
    view: &'a View,
    meter: &'a Meter,
}

impl Download<'_> {
    /// One object of a prefix, into its place below `root`.
    async fn below(&self, root: &Path, prefix: &str, known: Known) -> Outcome {
        match self.try_below(root, prefix, &known).await {
            Ok(fetched) => Outcome::of(&known, fetched),
            Err(error) => {
                let path = shown(&known.path);
                self.meter.say(&format!("tilde: {path}: {}", shown(&error.message)));
                Outcome { failed: 1, first: Some(error), ..Outcome::default() }
            }
        }
    }

    async fn try_below(&self, root: &Path, prefix: &str, known: &Known) -> Result<Fetched> {
        let name = known.path.strip_prefix(prefix).unwrap_or(&known.path);
        if name.is_empty() && known.size == 0 {
            // The marker of the folder itself.
            return place(root, Path::new("x")).map(|_| Fetched::Unchanged);
        }
        if let Some(folder) = name.strip_suffix('/').filter(|_| known.size == 0) {
            let folder = relative(folder).map_err(|why| refused(&known.path, why))?;
            return place(root, &folder.join("x")).map(|_| Fetched::Unchanged);
        }
        let relative = relative(name).map_err(|why| refused(&known.path, why))?;
        self.object(known, &place(root, &relative)?).await
    }

    /// One object into `target`, which it replaces.
    async fn object(&self, known: &Known, target: &Path) -> Result<Fetched> {
        if known.hash.len() != HASH_DIGITS {
            let message = "the server's ETag is no BLAKE3, so the object cannot be verified";
            return Err(Error::failed(message));
        }
        if target.is_dir() {
            return Err(Error::failed(format!("{} is a folder", target.display())));
        }
        if plain_length(target).ok().flatten() == Some(known.size)
            && hashed(target.to_owned()).await?.finalize().to_hex().as_str() == known.hash
        {
            self.meter.found(known.size);
            self.meter.done();
            return Ok(Fetched::Unchanged);
        }
        let part = part_of(target);
        let mut attempt = 1;
        loop {
            match self.fetch(known, &part).await {
                Ok(()) => break,
                Err(error) if error.kind == Kind::Unreachable && attempt < ATTEMPTS_MAX => {}
                Err(error) => return Err(error),
            }
            attempt += 1;
        }
        fs::rename(&part, target).map_err(|error| Error::file("write", target, &error))?;
        self.meter.done();
        Ok(Fetched::Whole)
    }

    /// Completes the unfinished file, from where it is; anew if what is there is of another object.
    async fn fetch(&self, known: &Known, part: &Path) -> Result<()> {
        let length = plain_length(part)?.unwrap_or_default();
        if length > 0 && length <= known.size && self.go_on(known, part, length).await? {
            return Ok(());
        }
        match self.go_on(known, part, 0).await? {
            true => Ok(()),
            false => {
                let _nothing_to_keep = fs::remove_file(part);
                Err(damaged(&known.path))
            }
        }
    }

    /// Whether the file is the object, once the rest behind its first `length` bytes has come.
    async fn go_on(&self, known: &Known, part: &Path, length: u64) -> Result<bool> {
        let mut hasher = match length {
            0 => blake3::Hasher::new(),
            _ => hashed(part.to_owned()).await?,
        };
        self.meter.found(length);
        if length < known.size || length == 0 {
            let (answer, begins) =
                object::read(self.context, self.repository, self.view, known, length).await?;
            if begins != length {
                self.meter.taken_back(length);
                hasher.reset();
            }
            let mut options = tokio::fs::OpenOptions::new();
            options.create(true).write(true).append(begins > 0).truncate(begins == 0);
            let error = |error| Error::file("write", part, &error);
            let mut file = options.open(part).await.map_err(error)?;
            let mut body = answer.into_body();
            while let Some(bytes) = next_bytes(&mut body).await? {
                hasher.update(&bytes);
                file.write_all(&bytes).await.map_err(error)?;
                self.meter.moved(bytes.len() as u64);
            }
            file.flush().await.map_err(error)?;
        }
        let is_whole = hasher.finalize().to_hex().as_str() == known.hash;
        if !is_whole {
            self.meter.taken_back(hasher.count());
        }
        Ok(is_whole)
    }
}

fn absent(repository: &Repository, path: &str) -> Error {
    let message = format!("there is nothing at {path:?} in {repository}");
    Error::not_found(message).next(format!("`tilde ls {repository}` shows what there is"))
}

fn refused(path: &str, why: &str) -> Error {
    let message = format!("refused to write {path:?}: {why}");
    Error::failed(message).next("`tilde get` of the object alone takes a file name of your own")
}

fn damaged(path: &str) -> Error {
    let message = format!("{path:?} arrived with other bytes than the commit says");
    Error::failed(message).next("try again; if it stays so, run `tilde check` on the server")
}
