//! How repositories and objects are named on the command line: `ORG/REPO` and `ORG/REPO/PATH`.

use std::str::FromStr;

use crate::api::At;

/// `ORG/REPO`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repository {
    pub(crate) organization: String,
    pub(crate) name: String,
}

/// `ORG/REPO/PATH`; the path is everything behind the second slash, as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ObjectAddress {
    pub(crate) repository: Repository,
    /// Empty for the whole repository.
    pub(crate) path: String,
}

impl Repository {
    /// `/organizations/ORG/repositories/REPO`
    pub(crate) fn at(&self) -> At {
        organization(&self.organization).then("/repositories").segment(&self.name)
    }
}

/// `/organizations/ORG`
pub(crate) fn organization(name: &str) -> At {
    At::new("/organizations").segment(name)
}

impl FromStr for Repository {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: ObjectAddress = text.parse()?;
        match &*address.path {
            "" => Ok(address.repository),
            _ => Err("give a repository, ORG/REPO, and no path in it"),
        }
    }
}

impl FromStr for ObjectAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix("tilde://").unwrap_or(text);
        let mut parts = text.splitn(3, '/');
        let mut name = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        match (name(), name()) {
            (Some(organization), Some(name)) => Ok(Self {
                repository: Repository { organization, name },
                path: parts.next().unwrap_or_default().to_owned(),
            }),
            _ => Err("give ORG/REPO or ORG/REPO/PATH"),
        }
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.organization, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_as_it_is() {
        for (text, path) in [
            ("a/b", ""),
            ("a/b/", ""),
            ("a/b/c", "c"),
            ("a/b//c/", "/c/"),
            ("tilde://a/b/c d?#", "c d?#"),
        ] {
            let address: ObjectAddress = text.parse().expect(text);
            assert_eq!(address.repository.to_string(), "a/b");
            assert_eq!(address.path, path);
        }
        for text in ["", "a", "a/", "/b", "/b/c", "a//c"] {
            assert!(text.parse::<ObjectAddress>().is_err(), "{text}");
        }
        assert!("a/b".parse::<Repository>().is_ok() && "a/b/".parse::<Repository>().is_ok());
        assert!("a/b/c".parse::<Repository>().is_err());
    }
}
