//! The configuration of a server: flags before environment before file before defaults. A name that
//! no option has is an error wherever it stands, and every error says where, which option, and what
//! is expected.

mod docs;
mod keys;
mod options;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use engine::CollectSettings;
use model::Cidr;
use serde_json::Value;
use serde_saphyr::UserMessageFormatter;
use sources::{Endpoint, Private, TokenEndpoint, VerifyMode};

pub(crate) use docs::markdown;
pub(crate) use keys::{Key, decode as decode_key};
use options::{OPTIONS, Opt};

/// Environment variables that are no options of the file.
pub(crate) const BOOTSTRAP_API_KEY: &str = "TILDE_BOOTSTRAP_API_KEY";
/// Password of the first user.
pub(crate) const BOOTSTRAP_PASSWORD: &str = "TILDE_BOOTSTRAP_PASSWORD";
/// Where systematic names of variables begin.
const VARIABLE_PREFIX: &str = "TILDE__";
/// Bytes of a config file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The options of [`options::OPTIONS`], parsed.
pub(crate) struct Config {
    /// `listen`
    pub(crate) listen: SocketAddr,
    /// `data_dir`; set once the configuration is loaded.
    pub(crate) data_dir: Option<PathBuf>,
    /// `public_url`, without a final slash
    pub(crate) public_url: Option<String>,
    /// `tls.cert_file`
    pub(crate) tls_cert_file: Option<PathBuf>,
    /// `tls.key_file`
    pub(crate) tls_key_file: Option<PathBuf>,
    /// `metrics.listen`
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// `log.format`
    pub(crate) log_format: LogFormat,
    /// `log.level`, a valid filter
    pub(crate) log_level: String,
    /// `auth.encryption.keys`
    pub(crate) encryption_keys: Vec<Key>,
    /// `auth.trusted_proxies`
    pub(crate) trusted_proxies: Vec<Cidr>,
    /// `imports.concurrency`
    pub(crate) imports_concurrency: usize,
    /// `imports.jobs`
    pub(crate) imports_jobs: usize,
    /// `imports.verify`
    pub(crate) imports_verify: VerifyMode,
    /// `sources.private_networks`
    pub(crate) private_networks: PrivateNetworks,
    /// `sources.ca_files`
    pub(crate) ca_files: Vec<PathBuf>,
    /// `sources.s3.endpoint`
    pub(crate) s3_endpoint: Option<Endpoint>,
    /// `sources.gcs.endpoint`
    pub(crate) gcs_endpoint: Option<Endpoint>,
    /// `sources.gcs.token_endpoint`
    pub(crate) gcs_token_endpoint: TokenEndpoint,
    /// `gc.interval_hours`; 0 for never
    pub(crate) gc_interval_hours: u32,
    /// `gc.grace_hours`
    pub(crate) gc_grace_hours: u32,
    /// `gc.trash_days`
    pub(crate) gc_trash_days: u32,
    /// `cache.pages_mib`
    pub(crate) cache_pages_mib: u64,
}

/// `log.format`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

/// `sources.private_networks`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PrivateNetworks {
    /// Allowed while nobody but this machine can reach the server.
    Auto,
    /// As configured.
    Fixed(Private),
}

/// A value given on the command line.
pub(crate) struct Flag {
    /// As the user typed it: `--listen`.
    pub(crate) name: &'static str,
    /// The option it sets.
    pub(crate) key: &'static str,
    /// The value.
    pub(crate) value: String,
}

impl Config {
    /// The configuration from `file`, the variables of `env`, and `flags`.
    pub(crate) fn load(
        file: Option<&Path>,
        env: &BTreeMap<String, String>,
        flags: &[Flag],
    ) -> Result<Self> {
        let mut config = Self::defaults();
        if let Some(path) = file {
            config.apply_file(path)?;
        }
        config.apply_env(env)?;
        for flag in flags {
            let option = find(flag.key).expect("every flag names an option");
            config.apply(flag.name, option, &Value::from(flag.value.as_str()))?;
        }
        config.finish(env)
    }

    /// Where the data lies.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data_dir.as_deref().expect("a loaded configuration has a data directory")
    }

    /// Whether people on other machines may use the server: what `auto` of the private networks
    /// asks.
    fn is_shared(&self) -> bool {
        let is_public = |url: &String| {
            let url: http::Uri = url.parse().expect("it was parsed when it was set");
            let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
            host != "localhost" && !host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        };
        !self.listen.ip().is_loopback() || self.public_url.as_ref().is_some_and(is_public)
    }

    /// Which private addresses connectors may reach.
    pub(crate) fn private(&self) -> Private {
        match &self.private_networks {
            PrivateNetworks::Fixed(private) => private.clone(),
            PrivateNetworks::Auto if self.is_shared() => Private::Deny,
            PrivateNetworks::Auto => Private::Allow,
        }
    }

    /// How collections run.
    pub(crate) fn collections(&self) -> CollectSettings {
        let hours = |hours: u32| Duration::from_secs(u64::from(hours) * 3_600);
        CollectSettings {
            interval: hours(self.gc_interval_hours),
            grace: hours(self.gc_grace_hours),
            trash: hours(self.gc_trash_days * 24),
        }
    }

    fn defaults() -> Self {
        // The table holds the defaults; what stands here is replaced before anyone sees it.
        let mut config = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: None,
            public_url: None,
            tls_cert_file: None,
            tls_key_file: None,
            metrics_listen: None,
            log_format: LogFormat::Text,
            log_level: String::new(),
            encryption_keys: Vec::new(),
            trusted_proxies: Vec::new(),
            imports_concurrency: 0,
            imports_jobs: 0,
            imports_verify: VerifyMode::Auto,
            private_networks: PrivateNetworks::Auto,
            ca_files: Vec::new(),
            s3_endpoint: None,
            gcs_endpoint: None,
            gcs_token_endpoint: TokenEndpoint::Google,
            gc_interval_hours: 0,
            gc_grace_hours: 0,
            gc_trash_days: 0,
            cache_pages_mib: 0,
        };
        for option in OPTIONS.iter().filter(|option| !option.default.is_empty()) {
            let value = serde_saphyr::from_str(option.default).expect("defaults are YAML");
            (option.set)(&mut config, &value).expect("defaults are valid");
        }
        config
    }

    fn apply(&mut self, origin: &str, option: &Opt, value: &Value) -> Result<()> {
        (option.set)(self, value)
            .map_err(|why| anyhow!("{origin}: `{}` must be {}; {why}", option.key, option.expects))
    }

    fn apply_file(&mut self, path: &Path) -> Result<()> {
        let origin = path.display().to_string();
        let length =
            std::fs::metadata(path).with_context(|| format!("cannot read {origin}"))?.len();
        if length > FILE_BYTES_MAX {
            bail!("{origin}: a config file has at most {FILE_BYTES_MAX} bytes");
        }
        let yaml =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {origin}"))?;
        let value: Value = serde_saphyr::from_str(&yaml).map_err(|error| {
            // Without the snippet, which could show a key, and without hints for programmers.
            let why = error.without_snippet().render_with_formatter(&UserMessageFormatter);
            anyhow!("{origin}: not valid YAML: {why}")
        })?;
        self.apply_tree(&origin, "", &value)
    }

    /// Applies a mapping below the dotted name `above`.
    fn apply_tree(&mut self, origin: &str, above: &str, value: &Value) -> Result<()> {
        let fields = match value {
            Value::Null => return Ok(()),
            Value::Object(fields) => fields,
            _ if above.is_empty() => bail!("{origin}: expected options, like `listen: ADDRESS`"),
            _ => bail!("{origin}: `{above}` must be a group of options, like {}", example(above)),
        };
        for (name, value) in fields {
            let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            match find(&key) {
                Some(_) if value.is_null() => {}
                Some(option) => self.apply(origin, option, value)?,
                None if is_group(&key) => self.apply_tree(origin, &key, value)?,
                None => bail!("{origin}: unknown option `{key}`{}", suggestion(&key)),
            }
        }
        Ok(())
    }

    fn apply_env(&mut self, env: &BTreeMap<String, String>) -> Result<()> {
        for option in OPTIONS {
            if let Some((name, value)) = option.short.and_then(|name| env.get_key_value(name)) {
                self.apply(name, option, &Value::from(value.as_str()))?;
            }
        }
        for (name, value) in env.iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)) {
            let option = OPTIONS.iter().find(|option| option.variable() == *name);
            let key = name[VARIABLE_PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
            let option = option.ok_or_else(|| {
                anyhow!("environment variable {name}: unknown option `{key}`{}", suggestion(&key))
            })?;
            self.apply(name, option, &Value::from(value.as_str()))?;
        }
        Ok(())
    }

    /// What concerns more than one option.
    fn finish(mut self, env: &BTreeMap<String, String>) -> Result<Self> {
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            bail!("`tls.cert_file` and `tls.key_file` must be set together");
        }
        if self.data_dir.is_none() {
            self.data_dir = Some(default_data_dir(env)?);
        }
        Ok(self)
    }
}

/// `$XDG_DATA_HOME/tilde`, or `~/.local/share/tilde`.
fn default_data_dir(env: &BTreeMap<String, String>) -> Result<PathBuf> {
    let set = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|share| share.join("tilde"))
        .context("no data directory: set `--data-dir`, TILDE_DATA_DIR or HOME")
}

fn find(key: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|option| option.key == key)
}

fn is_group(key: &str) -> bool {
    OPTIONS.iter().any(|option| option.key.strip_prefix(key).is_some_and(|r| r.starts_with('.')))
}

/// An option of the group `above`.
fn example(above: &str) -> String {
    let inside = OPTIONS.iter().find(|option| option.key.starts_with(above));
    inside.map_or_else(String::new, |option| format!("`{}`", option.key))
}

/// Names the option that was probably meant.
fn suggestion(key: &str) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let near = OPTIONS.iter().map(|option| (distance(key, option.key), option)).min_by_key(|n| n.0);
    let same_name = OPTIONS.iter().find(|option| last(option.key) == last(key));
    match (near, same_name) {
        (Some((distance, option)), _) if distance <= 2 => format!("; is `{}` meant?", option.key),
        (_, Some(option)) => format!("; is `{}` meant?", option.key),
        _ => String::new(),
    }
}

/// Edits between two short texts (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
