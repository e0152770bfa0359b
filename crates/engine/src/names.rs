//! What things may be called, and how much text may describe them. Each refusal names the field.

use std::collections::BTreeMap;

use model::limits::{
    DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX, METADATA_PAIRS_MAX, NAME_BYTES_MAX, PAGE_ROWS_MAX,
};
use model::{ObjectPath, PageRequest};

use crate::{Error, Result};

/// Fewest characters of a slug.
const SLUG_MIN: usize = 2;
/// Most characters of the name of an organization or repository.
const SLUG_MAX: usize = 63;
/// Most characters of a username.
const USERNAME_MAX: usize = 39;

/// Whether `text` starts with a lower-case letter or a digit and goes on with those and `also`.
fn is_slug(text: &str, also: &[u8], length_max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (SLUG_MIN..=length_max).contains(&text.len())
        && plain(text.as_bytes()[0])
        && text.bytes().all(|byte| plain(byte) || also.contains(&byte))
}

/// `^[a-z0-9][a-z0-9-]{1,62}$`
pub(crate) fn is_organization_slug(text: &str) -> bool {
    is_slug(text, b"-", SLUG_MAX)
}

/// `^[a-z0-9][a-z0-9._-]{1,62}$`
pub(crate) fn check_repository_name(text: &str) -> Result<()> {
    match is_slug(text, b"._-", SLUG_MAX) {
        true => Ok(()),
        false => Err(Error::invalid("name: must match ^[a-z0-9][a-z0-9._-]{1,62}$")),
    }
}

/// `^[a-z0-9][a-z0-9_-]{1,38}$`
pub(crate) fn check_username(text: &str) -> Result<()> {
    match is_slug(text, b"_-", USERNAME_MAX) {
        true => Ok(()),
        false => Err(Error::invalid("username: must match ^[a-z0-9][a-z0-9_-]{1,38}$")),
    }
}

/// A name in free text: not empty, at most [`NAME_BYTES_MAX`] bytes, no control characters.
pub(crate) fn check_name(field: &str, text: &str) -> Result<()> {
    match text.trim().is_empty() {
        true => Err(Error::invalid(format!("{field}: must not be empty"))),
        false => check_label(field, text),
    }
}

/// As [`check_name`], but may be empty.
pub(crate) fn check_label(field: &str, text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{field}: must not contain control characters")));
    }
    check_length(field, text, NAME_BYTES_MAX)
}

/// A description: at most [`DESCRIPTION_BYTES_MAX`] bytes.
pub(crate) fn check_description(text: &str) -> Result<()> {
    check_length("description", text, DESCRIPTION_BYTES_MAX)
}

/// The path of an object.
pub(crate) fn check_path(field: &str, text: &str) -> Result<ObjectPath> {
    ObjectPath::new(text).map_err(|error| Error::invalid(format!("{field}: {error}")))
}

/// Metadata of an object or a commit.
pub(crate) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    let bytes: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    match metadata.len() <= METADATA_PAIRS_MAX && bytes <= METADATA_BYTES_MAX {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "metadata: at most {METADATA_PAIRS_MAX} pairs and {METADATA_BYTES_MAX} bytes"
        ))),
    }
}

/// What users say about themselves, as long as a description.
pub(crate) fn check_bio(text: &str) -> Result<()> {
    check_length("bio", text, DESCRIPTION_BYTES_MAX)
}

fn check_length(field: &str, text: &str, bytes_max: usize) -> Result<()> {
    match text.len() <= bytes_max {
        true => Ok(()),
        false => Err(Error::invalid(format!("{field}: at most {bytes_max} bytes"))),
    }
}

/// Rows of a page: at least 1; more than [`PAGE_ROWS_MAX`] are that many.
pub(crate) fn check_amount(amount: usize) -> Result<usize> {
    match amount {
        0 => Err(Error::invalid("amount: must be at least 1")),
        amount => Ok(amount.min(PAGE_ROWS_MAX)),
    }
}

/// A page request with its amount checked.
pub(crate) fn check_page(page: PageRequest) -> Result<PageRequest> {
    Ok(PageRequest { amount: check_amount(page.amount)?, ..page })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_what_their_patterns_say() {
        let longest = "a".repeat(SLUG_MAX);
        for good in ["ab", "a1-", "0-0", longest.as_str()] {
            assert!(is_organization_slug(good), "{good}");
        }
        let too_long = "a".repeat(SLUG_MAX + 1);
        for bad in ["", "a", "-a", "Ab", "a_b", "a.b", "ä-", "a b", "a\n", too_long.as_str()] {
            assert!(!is_organization_slug(bad), "{bad}");
        }
        assert!(check_repository_name("my.repo_1-x").is_ok());
        assert!(check_repository_name(".repo").is_err());
        assert!(check_username("a_b-c").is_ok());
        assert!(check_username(&"a".repeat(USERNAME_MAX)).is_ok());
        assert!(check_username(&"a".repeat(USERNAME_MAX + 1)).is_err());
    }

    #[test]
    fn texts_and_amounts_are_bounded() {
        assert!(check_name("name", " ").is_err());
        assert!(check_name("name", "a\0b").is_err());
        assert!(check_label("full_name", "").is_ok());
        assert!(check_label("full_name", &"x".repeat(NAME_BYTES_MAX + 1)).is_err());
        assert!(check_description(&"x".repeat(DESCRIPTION_BYTES_MAX)).is_ok());
        assert!(check_description(&"x".repeat(DESCRIPTION_BYTES_MAX + 1)).is_err());
        assert!(check_amount(0).is_err());
        assert_eq!(check_amount(PAGE_ROWS_MAX + 1).expect("clamped"), PAGE_ROWS_MAX);
    }
}
