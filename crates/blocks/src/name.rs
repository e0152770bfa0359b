//! Names of segment files: built from hex digits only, and parsed so strictly that no other name
//! gets through.

use std::fmt;
use std::str::FromStr;

use model::{RepositoryId, SegmentId, WriterId};

use crate::{Error, Result};

/// The folder of all segments, below the root of a store.
pub(crate) const FOLDER: &str = "segments";
/// What an unfinished segment's file name ends in.
pub(crate) const OPEN: &str = ".open";
/// A UUID with its four hyphens: there is no other spelling of this length.
const UUID_CHARS: usize = 36;

/// The name of a finished segment's file: `segments/<repository>/<writer>-<number>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name {
    /// The repository whose bytes the segment holds.
    pub repository: RepositoryId,
    /// Who wrote the file, and which of the writer's segments it is.
    pub id: SegmentId,
}

impl Name {
    /// Parses the name of a finished file, or with `.open` at its end of an unfinished one; says
    /// which it is.
    pub(crate) fn parse_any(file: &str) -> Result<(Self, bool)> {
        match file.strip_suffix(OPEN) {
            Some(file) => Ok((file.parse()?, true)),
            None => Ok((file.parse()?, false)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SegmentId { writer: WriterId(writer), number } = self.id;
        write!(f, "{FOLDER}/{}/{writer:016x}-{number:08x}", self.repository)
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(file: &str) -> Result<Self> {
        parse(file).ok_or_else(|| Error::Name { file: file.to_owned() })
    }
}

/// Whatever numbers and ids can be parsed from (upper case, signs, braces), only the one spelling
/// that we write ourselves passes.
fn parse(file: &str) -> Option<Name> {
    let (repository, file) = file.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
    let (writer, number) = file.split_once('-')?;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_spelled = repository.len() == UUID_CHARS
        && repository.bytes().all(|byte| byte == b'-' || is_digit(byte))
        && (writer.len(), number.len()) == (16, 8)
        && writer.bytes().chain(number.bytes()).all(is_digit);
    if !is_spelled {
        return None;
    }
    let writer = WriterId(u64::from_str_radix(writer, 16).ok()?);
    let number = u32::from_str_radix(number, 16).ok()?;
    Some(Name { repository: repository.parse().ok()?, id: SegmentId { writer, number } })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "segments/0f8fad5b-d9cb-469f-a165-70867728950e/00000000000000ff-0000001a";

    #[test]
    fn one_name_has_one_spelling() {
        let name: Name = FILE.parse().expect("a name");
        assert_eq!((name.id.writer.0, name.id.number), (0xff, 0x1a));
        assert_eq!(name.to_string(), FILE);
        assert_eq!(Name::parse_any(&format!("{FILE}.open")).expect("a name"), (name, true));
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        for wrong in [
            String::new(),
            FILE.to_uppercase(),
            FILE.replace("0f8fad5b", "0F8FAD5B"),
            FILE.replace("ff-", "FF-"),
            FILE.replace("0000001a", "+000001a"),
            FILE.replace("0000001a", "1a"),
            format!("/{FILE}"),
            format!("./{FILE}"),
            format!("{FILE}/"),
            format!("{FILE}.open.open"),
            format!("{FILE}\0"),
            format!("segments/../{FILE}"),
            format!("segments/{uuid}/../00000000000000ff-0000001a"),
            format!("segments/{uuid}/..-.."),
            format!("segments/{{{uuid}}}/00000000000000ff-0000001a"),
            "segments/../../etc/passwd".to_owned(),
            "/etc/passwd".to_owned(),
        ] {
            assert!(Name::parse_any(&wrong).is_err(), "{wrong:?}");
        }
    }
}
