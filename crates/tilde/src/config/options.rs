//! The table of every option: its name, default, meaning and parser. The config file, the
//! environment, the error messages and docs/configuration.md all follow from it; there is no second
//! list.

use std::str::FromStr;

use model::limits::TRANSFERS_MAX;
use serde_json::Value;
use sources::{Private, TokenEndpoint, VerifyMode};

use super::{Config, LogFormat, PrivateNetworks, keys};

/// Imports side by side: most that can be configured.
const JOBS_MAX: usize = 64;
/// Cache of decoded pages: most MiB that can be configured.
const CACHE_MIB_MAX: u64 = 65_536;
/// Hours between collections, and of grace: most that can be configured, ten years.
const HOURS_MAX: u32 = 87_600;
/// Days in the trash: most that can be configured, ten years.
const DAYS_MAX: u32 = 3_650;
/// Characters of a refused value that an error repeats.
const FOUND_CHARS_MAX: usize = 60;

/// One option.
pub(crate) struct Opt {
    /// Dotted name in the config file.
    pub(crate) key: &'static str,
    /// The default, as it would stand in the file; empty for none.
    pub(crate) default: &'static str,
    /// What an absent value means, where there is no default; for the documentation.
    pub(crate) unset: &'static str,
    /// A short environment variable beside the systematic one.
    pub(crate) short: Option<&'static str>,
    /// Completes the sentence "expected ...".
    pub(crate) expects: &'static str,
    /// What it does, in Markdown.
    pub(crate) about: &'static str,
    /// Stores a value; the error says what is wrong with it.
    pub(crate) set: fn(&mut Config, &Value) -> Result<(), String>,
}

impl Opt {
    /// The environment variable that overrides it.
    pub(crate) fn variable(&self) -> String {
        format!("TILDE__{}", self.key.to_ascii_uppercase().replace('.', "__"))
    }
}

/// Every option, in the order of the documentation.
pub(crate) const OPTIONS: &[Opt] = &[
    Opt {
        key: "listen",
        default: "127.0.0.1:8765",
        unset: "",
        short: Some("TILDE_LISTEN"),
        expects: "an IP address and a port, like 0.0.0.0:8765 or [::1]:8765",
        about: "Address of the API. Port 0 takes a free one. Anything but a loopback address makes \
            the server reachable by others: set `public_url` and TLS, or put a proxy in front.",
        set: |config, value| parse(&mut config.listen, value),
    },
    Opt {
        key: "data_dir",
        default: "",
        unset: "`$XDG_DATA_HOME/tilde`, or `~/.local/share/tilde`",
        short: Some("TILDE_DATA_DIR"),
        expects: "the path of a folder",
        about: "Folder that holds everything the server keeps: catalog, segments, keys. One server \
            at a time can use it. A relative path counts from the working directory.",
        set: |config, value| some(&mut config.data_dir, value),
    },
    Opt {
        key: "public_url",
        default: "",
        unset: "the address the server listens on",
        short: None,
        expects: "a URL like https://data.example.com, without path, query or user",
        about: "Where clients reach the server, when that is not its listen address: behind a \
            proxy or under a name. Links in answers start with it.",
        set: |config, value| origin(&mut config.public_url, value),
    },
    Opt {
        key: "tls.cert_file",
        default: "",
        unset: "no TLS",
        short: None,
        expects: "the path of a PEM file",
        about: "Certificate chain, in PEM. With `tls.key_file` the server speaks HTTPS, and only \
            that.",
        set: |config, value| some(&mut config.tls_cert_file, value),
    },
    Opt {
        key: "tls.key_file",
        default: "",
        unset: "no TLS",
        short: None,
        expects: "the path of a PEM file",
        about: "Private key of the certificate, in PEM.",
        set: |config, value| some(&mut config.tls_key_file, value),
    },
    Opt {
        key: "metrics.listen",
        default: "",
        unset: "no metrics",
        short: None,
        expects: "an IP address and a port, like 127.0.0.1:9765",
        about: "Address of the Prometheus metrics, at `/metrics`. They need no login: keep the \
            address private.",
        set: |config, value| some(&mut config.metrics_listen, value),
    },
    Opt {
        key: "log.format",
        default: "text",
        unset: "",
        short: None,
        expects: "text or json",
        about: "`text` for people, `json` for log collectors: one object per line. Logs go to \
            standard error.",
        set: |config, value| {
            let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
            one_of(&mut config.log_format, value, formats)
        },
    },
    Opt {
        key: "log.level",
        default: "info",
        unset: "",
        short: None,
        expects: "error, warn, info, debug or trace, or a filter like info,engine=debug",
        about: "How much is logged, also per part of the program: `info,engine=debug`.",
        set: |config, value| filter(&mut config.log_level, value),
    },
    Opt {
        key: "auth.encryption.keys",
        default: "",
        unset: "one key that the server makes: `DATA/keys/encryption.key`",
        short: None,
        expects: "a list of keys, each 32 random bytes in base64 or {id: NAME, key: BASE64}",
        about: "Keys that seal the credentials of connectors (AES-256-GCM). The first seals, all \
            open: to rotate, put a new key first and keep the old ones. A key may be written as \
            `${env:NAME}` or `${file:/path}`. `head -c 32 /dev/urandom | base64` makes one. A lost \
            key makes the connectors it sealed unusable; imported data stays readable.",
        set: |config, value| keys::set(&mut config.encryption_keys, value),
    },
    Opt {
        key: "auth.trusted_proxies",
        default: "[127.0.0.0/8, '::1/128']",
        unset: "",
        short: None,
        expects: "a list of networks like [10.0.0.0/8, fd00::/8]",
        about: "Where proxies are that set `X-Forwarded-For`. Wrong passwords and device logins \
            are limited for each address that a request comes from; from a proxy listed here, \
            that is the last one in the header which is no such proxy. List no address from which \
            clients come straight: they could write what they like.",
        set: |config, value| list(&mut config.trusted_proxies, value),
    },
    Opt {
        key: "imports.concurrency",
        default: "10",
        unset: "",
        short: None,
        expects: "a number from 1 to 256",
        about: "GET requests in flight to the source, for each import.",
        set: |config, value| number(&mut config.imports_concurrency, value, 1, TRANSFERS_MAX),
    },
    Opt {
        key: "imports.jobs",
        default: "4",
        unset: "",
        short: None,
        expects: "a number from 1 to 64",
        about: "Imports that run side by side; more wait their turn.",
        set: |config, value| number(&mut config.imports_jobs, value, 1, JOBS_MAX),
    },
    Opt {
        key: "imports.verify",
        default: "auto",
        unset: "",
        short: None,
        expects: "auto or full",
        about: "`auto` checks the length of every object, every checksum the source offers, and \
            the MD5 of objects up to 1 MiB whose ETag is one. `full` checks the MD5 whatever the \
            size. Both insist on the ETag that was listed.",
        set: |config, value| {
            let modes = [("auto", VerifyMode::Auto), ("full", VerifyMode::Full)];
            one_of(&mut config.imports_verify, value, modes)
        },
    },
    Opt {
        key: "sources.private_networks",
        default: "auto",
        unset: "",
        short: None,
        expects: "auto, allow, deny, or a list of networks like [10.0.0.0/8, fd00::/8]",
        about: "Whether connectors may reach private and loopback addresses. `auto` allows them \
            only while the server listens on loopback and `public_url` is unset or loopback, so \
            that a shared server does not open its network to its users. Link-local and cloud \
            metadata addresses and the server's own are always refused.",
        set: |config, value| networks(&mut config.private_networks, value),
    },
    Opt {
        key: "sources.ca_files",
        default: "[]",
        unset: "",
        short: None,
        expects: "a list of paths of PEM files",
        about: "Certificates of authorities that sources may present, besides those the system \
            trusts. Certificates are always verified.",
        set: |config, value| list(&mut config.ca_files, value),
    },
    Opt {
        key: "sources.s3.endpoint",
        default: "",
        unset: "AWS",
        short: None,
        expects: "a URL like https://s3.example.com:9000, without path, query or user",
        about: "Endpoint of S3 connectors that name none, instead of AWS: a private endpoint or an \
            emulator.",
        set: |config, value| some(&mut config.s3_endpoint, value),
    },
    Opt {
        key: "sources.gcs.endpoint",
        default: "",
        unset: "Google's",
        short: None,
        expects: "a URL like https://storage.example.com:4443, without path, query or user",
        about: "Endpoint of GCS connectors, instead of Google's: a private endpoint or an \
            emulator.",
        set: |config, value| some(&mut config.gcs_endpoint, value),
    },
    Opt {
        key: "sources.gcs.token_endpoint",
        default: "",
        unset: "Google's",
        short: None,
        expects: "a URL like https://oauth2.example.com, without path, query or user, or none",
        about: "Where GCS connectors get access tokens for their service accounts, at `/token`. \
            `none` sends no token, for emulators that want none.",
        set: |config, value| token_endpoint(&mut config.gcs_token_endpoint, value),
    },
    Opt {
        key: "gc.interval_hours",
        default: "24",
        unset: "",
        short: None,
        expects: "a number from 0 to 87600",
        about: "Hours from the end of a collection to the next one. A collection finds bytes that \
            nothing needs any more, and removes them in the end. 0: only `tilde gc` collects.",
        set: |config, value| number(&mut config.gc_interval_hours, value, 0, HOURS_MAX),
    },
    Opt {
        key: "gc.grace_hours",
        default: "24",
        unset: "",
        short: None,
        expects: "a number from 0 to 87600",
        about: "How long nothing must have needed a segment before it goes to the trash.",
        set: |config, value| number(&mut config.gc_grace_hours, value, 0, HOURS_MAX),
    },
    Opt {
        key: "gc.trash_days",
        default: "7",
        unset: "",
        short: None,
        expects: "a number from 0 to 3650",
        about: "How long files stay in the trash, from where `tilde gc --undo` brings them back, \
            before they are removed. Until then they take up space.",
        set: |config, value| number(&mut config.gc_trash_days, value, 0, DAYS_MAX),
    },
    Opt {
        key: "cache.pages_mib",
        default: "32",
        unset: "",
        short: None,
        expects: "a number from 1 to 65536",
        about: "Memory for decoded pages of trees, in MiB.",
        set: |config, value| number(&mut config.cache_pages_mib, value, 1, CACHE_MIB_MAX),
    },
];

/// The text of a scalar.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The items of a list, or of a text with commas, as the environment has it.
pub(super) fn items(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items.clone()),
        Value::String(text) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(items.map(Value::from).collect())
        }
        _ => None,
    }
}

/// How an error shows a refused value.
fn found(value: &Value) -> String {
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let short: String = shown.chars().take(FOUND_CHARS_MAX).collect();
    let dots = if short.len() < shown.len() { "..." } else { "" };
    format!("found `{short}{dots}`")
}

fn parsed<T: FromStr>(value: &Value) -> Result<T, String> {
    text(value).and_then(|text| text.parse().ok()).ok_or_else(|| found(value))
}

fn parse<T: FromStr>(slot: &mut T, value: &Value) -> Result<(), String> {
    *slot = parsed(value)?;
    Ok(())
}

fn some<T: FromStr>(slot: &mut Option<T>, value: &Value) -> Result<(), String> {
    *slot = Some(parsed(value)?);
    Ok(())
}

fn number<T>(slot: &mut T, value: &Value, least: T, most: T) -> Result<(), String>
where
    T: FromStr + PartialOrd,
{
    let number: T = parsed(value)?;
    if number < least || number > most {
        return Err(found(value));
    }
    *slot = number;
    Ok(())
}

fn list<T: FromStr>(slot: &mut Vec<T>, value: &Value) -> Result<(), String> {
    let items = items(value).ok_or_else(|| found(value))?;
    *slot = items.iter().map(parsed).collect::<Result<_, _>>()?;
    Ok(())
}

fn one_of<T, const N: usize>(
    slot: &mut T,
    value: &Value,
    choices: [(&str, T); N],
) -> Result<(), String> {
    let chosen = choices.into_iter().find(|(name, _)| value.as_str() == Some(name));
    *slot = chosen.ok_or_else(|| found(value))?.1;
    Ok(())
}

fn networks(slot: &mut PrivateNetworks, value: &Value) -> Result<(), String> {
    *slot = match value.as_str() {
        Some("auto") => PrivateNetworks::Auto,
        Some("allow") => PrivateNetworks::Fixed(Private::Allow),
        Some("deny") => PrivateNetworks::Fixed(Private::Deny),
        _ => {
            let items = items(value).filter(|items| !items.is_empty());
            let items = items.ok_or_else(|| found(value))?;
            let ranges = items.iter().map(parsed).collect::<Result<_, _>>()?;
            PrivateNetworks::Fixed(Private::Cidrs(ranges))
        }
    };
    Ok(())
}

fn token_endpoint(slot: &mut TokenEndpoint, value: &Value) -> Result<(), String> {
    *slot = match value.as_str() {
        Some("none") => TokenEndpoint::None,
        _ => TokenEndpoint::At(parsed(value)?),
    };
    Ok(())
}

fn filter(slot: &mut String, value: &Value) -> Result<(), String> {
    let text = text(value).ok_or_else(|| found(value))?;
    tracing_subscriber::EnvFilter::try_new(&text).map_err(|_| found(value))?;
    // A lone word that is no level would name a part of the program and silence all others.
    let is_level = |word: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&word);
    if text.split(',').any(|part| !part.contains(['=', '[']) && !is_level(part.trim())) {
        return Err(found(value));
    }
    *slot = text;
    Ok(())
}

/// A URL of scheme, host and optional port; stored without a final slash.
fn origin(slot: &mut Option<String>, value: &Value) -> Result<(), String> {
    let text = text(value).ok_or_else(|| found(value))?;
    let url: http::Uri = text.parse().map_err(|_| found(value))?;
    let scheme = matches!(url.scheme_str(), Some("http" | "https"));
    let host = url.authority().is_some_and(|host| !host.as_str().contains('@'));
    if !scheme || !host || url.path() != "/" || url.query().is_some() {
        return Err(found(value));
    }
    *slot = Some(text.trim_end_matches('/').to_owned());
    Ok(())
}
