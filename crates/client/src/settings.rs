//! Which server, and with which key: flag before environment before file before default.

use std::path::PathBuf;
use std::sync::Arc;

use http::Uri;
use model::{Clock, Secret};
use tokio_util::sync::CancellationToken;

use crate::command::Options;
use crate::config_file::{ConfigFile, Stored};
use crate::error::{Error, Kind, Result};

/// Where `tilde serve` listens unless told otherwise.
pub(crate) const ENDPOINT_DEFAULT: &str = "http://127.0.0.1:8765";
/// What tokens begin with: of users, roles and agents.
const KEY_PREFIXES: [&str; 3] = ["tuk-", "trk-", "tak-"];

/// Finds the value of a variable.
pub type Lookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What the program gives its client of the world outside.
pub struct Surroundings {
    /// The user's home, where the config file is.
    pub home: Option<PathBuf>,
    /// Looks an environment variable up; one that is empty counts as unset.
    pub variable: Lookup,
    /// Real time.
    pub clock: Arc<dyn Clock>,
    /// Is cancelled when the user wants an end.
    pub interrupt: CancellationToken,
    /// Of this program.
    pub version: &'static str,
}

/// Where a setting comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File,
    Default,
}

/// What is set, and where.
pub(crate) struct Settings {
    /// Scheme, host and port, without a final slash.
    pub(crate) endpoint: String,
    pub(crate) endpoint_origin: Origin,
    key: Option<(Secret, Origin)>,
}

impl Surroundings {
    /// The config file of this user.
    pub(crate) fn config_file(&self) -> Result<ConfigFile> {
        let home = self.home.as_deref().ok_or_else(|| {
            Error::failed("there is no home folder for ~/.tilde/config.yaml").next("set HOME")
        })?;
        Ok(ConfigFile::below(home))
    }

    pub(crate) fn env(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// What holds for a command with these options.
    pub(crate) fn settings(&self, options: &Options) -> Result<Settings> {
        let stored = match &self.home {
            // Where both are given elsewhere, a damaged file is nobody's concern.
            Some(_) if !self.is_complete(options) => self.config_file()?.read()?,
            _ => None,
        };
        Settings::find(options, |name| self.env(name), stored.as_ref())
    }

    fn is_complete(&self, options: &Options) -> bool {
        let has = |name: &str| self.env(name).is_some();
        let has_endpoint = has("TILDE_ENDPOINT_URL") || has("TILDE_API_URL");
        (options.api_key.is_some() || has("TILDE_API_KEY"))
            && (options.endpoint_url.is_some() || has_endpoint)
    }
}

impl Settings {
    fn find(
        options: &Options,
        env: impl Fn(&str) -> Option<String>,
        stored: Option<&Stored>,
    ) -> Result<Self> {
        let flag = |value: &Option<String>, name: &'static str| {
            value.clone().map(|value| (value, Origin::Flag(name)))
        };
        let variable = |name: &'static str| Some((env(name)?, Origin::Variable(name)));
        let endpoint = flag(&options.endpoint_url, "--endpoint-url")
            .or_else(|| variable("TILDE_ENDPOINT_URL"))
            .or_else(|| variable("TILDE_API_URL"))
            .or_else(|| Some((stored?.endpoint()?.to_owned(), Origin::File)));
        let (endpoint, endpoint_origin) =
            endpoint.unwrap_or((ENDPOINT_DEFAULT.to_owned(), Origin::Default));
        let key = flag(&options.api_key, "--api-key").or_else(|| variable("TILDE_API_KEY"));
        let key = key.map(|(key, origin)| (Secret::new(key), origin));
        let key = key.or_else(|| Some((stored?.api_key()?, Origin::File)));
        let endpoint = checked_endpoint(&endpoint)
            .map_err(|error| error.during(endpoint_origin.describe()))?;
        Ok(Self { endpoint, endpoint_origin, key })
    }

    /// The key, and where it comes from.
    pub(crate) fn key(&self) -> Result<(&Secret, Origin)> {
        let Some((key, origin)) = &self.key else {
            let error = Error::new(Kind::Denied, "no API key found");
            return Err(error.next(
                "run `tilde auth login`, set TILDE_API_KEY, or pass --api-key; on the server's own \
                 machine, DATA/admin.key has the first one",
            ));
        };
        if !KEY_PREFIXES.iter().any(|prefix| key.expose().starts_with(prefix)) {
            let message =
                format!("{}: an API key starts with tuk-, trk- or tak-", origin.describe());
            return Err(Error::new(Kind::Denied, message));
        }
        Ok((key, *origin))
    }
}

impl Origin {
    /// For people.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Flag(name) | Self::Variable(name) => name,
            Self::File => "~/.tilde/config.yaml",
            Self::Default => "the default",
        }
    }
}

/// An endpoint as it is used: `http` or `https`, a host, no credentials and no query.
fn checked_endpoint(text: &str) -> Result<String> {
    let wrong =
        || Error::usage("an endpoint is like https://tilde.example.com or http://127.0.0.1:8765");
    let trimmed = text.trim().trim_end_matches('/');
    let uri: Uri = trimmed.parse().map_err(|_| wrong())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().ok_or_else(wrong)?;
    if !is_http || authority.as_str().contains('@') || uri.query().is_some() {
        return Err(wrong());
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Stored {
        let home = tempfile::tempdir().expect("a folder");
        let file = ConfigFile::below(home.path());
        std::fs::create_dir(file.path().parent().expect("a folder")).expect("made");
        std::fs::write(file.path(), text).expect("written");
        file.read().expect("readable").expect("there")
    }

    #[test]
    fn flag_before_environment_before_file_before_default() {
        let file = stored("api_key: tuk-file\nendpoint_url: http://file\n");
        let environment = [
            ("TILDE_API_KEY", "tuk-env"),
            ("TILDE_ENDPOINT_URL", "http://env/"),
            ("TILDE_API_URL", "http://old"),
        ];
        let flags = Options {
            api_key: Some("tuk-flag".to_owned()),
            endpoint_url: Some("http://flag".to_owned()),
            ..Options::default()
        };
        let found = |options: &Options, skip: usize, stored: Option<&Stored>| {
            let env = |name: &str| {
                let known = environment[skip..].iter().find(|(known, _)| *known == name);
                known.map(|(_, value)| (*value).to_owned())
            };
            let settings = Settings::find(options, env, stored).expect("valid");
            let key = settings.key().map(|(key, _)| key.expose().to_owned()).unwrap_or_default();
            (settings.endpoint, key)
        };
        let pair = |endpoint: &str, key: &str| (endpoint.to_owned(), key.to_owned());
        let none = Options::default();
        assert_eq!(found(&flags, 0, Some(&file)), pair("http://flag", "tuk-flag"));
        assert_eq!(found(&none, 0, Some(&file)), pair("http://env", "tuk-env"));
        assert_eq!(found(&none, 1, Some(&file)), pair("http://env", "tuk-file"));
        assert_eq!(found(&none, 2, Some(&file)), pair("http://old", "tuk-file"));
        assert_eq!(found(&none, 3, Some(&file)), pair("http://file", "tuk-file"));
        assert_eq!(found(&none, 3, None), pair(ENDPOINT_DEFAULT, ""));
    }

    #[test]
    fn what_is_no_endpoint_or_key_is_refused_without_repeating_it() {
        for text in ["", "host", "ftp://h", "http://", "http://u:p@h", "http://h?a", "http://h h"] {
            assert!(checked_endpoint(text).is_err(), "{text}");
        }
        assert_eq!(checked_endpoint("https://h:8/sub/").expect("valid"), "https://h:8/sub");
        let options = Options { api_key: Some("hush".to_owned()), ..Options::default() };
        let settings = Settings::find(&options, |_| None, None).expect("valid");
        let error = settings.key().err().expect("refused");
        assert!(error.message.starts_with("--api-key: ") && !error.message.contains("hush"));
    }
}
