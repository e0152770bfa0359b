//! What `bench import` takes.

use anyhow::{Context as _, Result, bail};

use super::data::{SETS, Set};
use crate::provision;

/// Which ETags the source has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Etags {
    /// nginx's own, of time and size.
    Nginx,
    /// MD5 of the content, as S3's for simple uploads.
    Md5,
}

pub(super) struct Options {
    pub(super) quick: bool,
    pub(super) sets: Vec<&'static Set>,
    pub(super) runs: usize,
    pub(super) etags: Etags,
    pub(super) peers: bool,
    pub(super) may_install: bool,
    pub(super) generated: Option<u64>,
}

pub(super) fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        quick: false,
        sets: SETS.iter().collect(),
        runs: 3,
        etags: Etags::Nginx,
        peers: true,
        may_install: provision::may_install(arguments),
        generated: None,
    };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("bench: {name} needs a value"));
        match name {
            "--quick" => options.quick = true,
            "--no-peers" => options.peers = false,
            "--provision" => {}
            "--runs" => options.runs = number(name, value()?)?.max(1) as usize,
            "--generated" => options.generated = Some(number(name, value()?)?),
            "--sets" => options.sets = value()?.split(',').map(set).collect::<Result<_>>()?,
            "--etags" => {
                options.etags = match value()? {
                    "nginx" => Etags::Nginx,
                    "md5" => Etags::Md5,
                    other => bail!("bench: --etags is nginx or md5, not {other}"),
                }
            }
            other => bail!("bench: unknown argument {other}; see cargo xtask bench --help"),
        }
    }
    Ok(options)
}

/// A number, which may have underscores.
pub(super) fn number(name: &str, text: &str) -> Result<u64> {
    text.replace('_', "").parse().with_context(|| format!("bench: {name}: {text} is no number"))
}

fn set(name: &str) -> Result<&'static Set> {
    let set = SETS.iter().find(|set| set.name == name);
    set.with_context(|| format!("bench: there is no data set {name}"))
}
