//! `~/.tilde/config.yaml`, which the public CLI and the Python client read too.
//!
//! Only its owner can read what is written, it is written whole or not at all, and everything in it
//! that is not ours stays, comments included where the file's shape allows it.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use model::Secret;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Read and write for the owner alone.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;
const API_KEY: &str = "api_key";
const ENDPOINT_URL: &str = "endpoint_url";

/// The file, there or not.
pub(crate) struct ConfigFile {
    path: PathBuf,
}

/// What is in it.
#[derive(Default)]
pub(crate) struct Stored {
    text: String,
    map: Map<String, Value>,
}

/// What became of the file when its key was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Removed {
    /// There was none.
    Nothing,
    /// It held nothing else and is gone.
    File,
    /// It holds what others put there.
    Keys,
}

impl ConfigFile {
    /// The file of the user whose home is `home`.
    pub(crate) fn below(home: &Path) -> Self {
        Self { path: home.join(".tilde/config.yaml") }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in the file; `None` if there is none.
    pub(crate) fn read(&self) -> Result<Option<Stored>> {
        let error = |error| Error::file("read", &self.path, &error);
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
                let path = self.path.display();
                let message = format!("{path} has more than {FILE_BYTES_MAX} bytes");
                return Err(Error::failed(message).next("move it away and sign in again"));
            }
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let text = fs::read_to_string(&self.path).map_err(error)?;
        let map = parse(&text).ok_or_else(|| {
            let message = format!("{} is not a YAML mapping", self.path.display());
            Error::failed(message).next("repair it, or move it away and sign in again")
        })?;
        Ok(Some(Stored { text, map }))
    }

    /// Permission bits of the file, if it is there.
    pub(crate) fn mode(&self) -> Option<u32> {
        Some(fs::metadata(&self.path).ok()?.permissions().mode() & 0o777)
    }

    /// Puts key and endpoint in, beside what `stored` has.
    pub(crate) fn save(&self, stored: Stored, key: &Secret, endpoint: &str) -> Result<()> {
        let mut map = stored.map.clone();
        map.insert(API_KEY.to_owned(), key.expose().into());
        map.insert(ENDPOINT_URL.to_owned(), endpoint.into());
        let mut text = without_our_lines(&stored.text);
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        for (name, value) in [(API_KEY, key.expose()), (ENDPOINT_URL, endpoint)] {
            // A JSON string is a YAML string, whatever is in it.
            text += &format!("{name}: {}\n", Value::from(value));
        }
        self.write(&faithful(text, &map)?)
    }

    /// Takes key and endpoint out; the file goes if nothing else is in it.
    pub(crate) fn remove(&self) -> Result<Removed> {
        let Some(Stored { text, mut map }) = self.read()? else { return Ok(Removed::Nothing) };
        map.retain(|name, _| name != API_KEY && name != ENDPOINT_URL);
        if map.is_empty() {
            fs::remove_file(&self.path)
                .map_err(|error| Error::file("remove", &self.path, &error))?;
            return Ok(Removed::File);
        }
        self.write(&faithful(without_our_lines(&text), &map)?)?;
        Ok(Removed::Keys)
    }

    fn write(&self, text: &str) -> Result<()> {
        // Where the file is a link, what it leads to is replaced, not the link.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder = path.parent().unwrap_or(Path::new("/"));
        let written = || {
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
            let mut file = tempfile::Builder::new().prefix(".config.yaml").tempfile_in(folder)?;
            file.as_file().set_permissions(Permissions::from_mode(FILE_MODE))?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        written().map_err(|error: std::io::Error| Error::file("write", &self.path, &error))
    }
}

impl Stored {
    /// The key, if there is one; as in the other clients, what is no text counts as absent.
    pub(crate) fn api_key(&self) -> Option<Secret> {
        self.text_at(API_KEY).map(|key| Secret::new(key.to_owned()))
    }

    /// The endpoint, if there is one.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.text_at(ENDPOINT_URL)
    }

    /// Whether a sign-in would replace something.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.map.contains_key(API_KEY) || self.map.contains_key(ENDPOINT_URL)
    }

    fn text_at(&self, name: &str) -> Option<&str> {
        self.map.get(name)?.as_str().filter(|text| !text.is_empty())
    }
}

/// The mapping in a YAML text; an empty text has an empty one.
fn parse(text: &str) -> Option<Map<String, Value>> {
    match serde_saphyr::from_str::<Option<Value>>(text).ok()? {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(map)) => Some(map),
        Some(_) => None,
    }
}

/// `text` if it says exactly `map`, else `map` written anew.
fn faithful(text: String, map: &Map<String, Value>) -> Result<String> {
    if parse(&text).as_ref() == Some(map) {
        return Ok(text);
    }
    // JSON is YAML, and the one form of it that needs no rules about quotes.
    serde_json::to_string_pretty(map)
        .map(|text| text + "\n")
        .map_err(|_| Error::failed("the config file holds something that cannot be written back"))
}

/// The lines of a block mapping that are not our keys, with all that belongs to those.
fn without_our_lines(text: &str) -> String {
    let mut kept = String::new();
    let mut dropping = false;
    for line in text.split_inclusive('\n') {
        let continues = line.starts_with([' ', '\t']) || line.trim().is_empty();
        if !(dropping && continues) {
            let name = line.split(':').next().unwrap_or_default();
            let name = name.trim().trim_matches(['"', '\'']);
            dropping = line.contains(':') && (name == API_KEY || name == ENDPOINT_URL);
        }
        if !dropping {
            kept.push_str(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, ConfigFile) {
        let home = tempfile::tempdir().expect("a folder");
        let file = ConfigFile::below(home.path());
        (home, file)
    }

    fn save(file: &ConfigFile, key: &str, endpoint: &str) {
        let stored = file.read().expect("readable").unwrap_or_default();
        file.save(stored, &Secret::new(key.to_owned()), endpoint).expect("written");
    }

    fn text(file: &ConfigFile) -> String {
        fs::read_to_string(file.path()).expect("UTF-8")
    }

    #[test]
    fn what_is_saved_is_read_by_its_owner_alone() {
        let (home, file) = home();
        assert!(file.read().expect("readable").is_none());
        save(&file, "tuk-yes", "http://h:1");
        let stored = file.read().expect("readable").expect("there");
        assert_eq!(stored.api_key().expect("a key").expose(), "tuk-yes");
        assert_eq!(stored.endpoint(), Some("http://h:1"));
        assert_eq!(file.mode(), Some(FILE_MODE));
        let folder = fs::metadata(home.path().join(".tilde")).expect("a folder");
        assert_eq!(folder.permissions().mode() & 0o777, FOLDER_MODE);
        let names = fs::read_dir(home.path().join(".tilde")).expect("a folder").count();
        assert_eq!(names, 1, "nothing is left beside it");
    }

    #[test]
    fn what_others_wrote_stays_and_an_open_file_is_closed() {
        let (_home, file) = home();
        fs::create_dir(file.path().parent().expect("a folder")).expect("made");
        let others = "# mine\nprofiles:\n  a: {api_key: x}\nyes: 1e3\n";
        fs::write(file.path(), format!("api_key: >-\n  old\n  key\n{others}")).expect("written");
        fs::set_permissions(file.path(), Permissions::from_mode(0o644)).expect("set");
        save(&file, "tuk-new: #1", "http://h");
        let expected = format!("{others}api_key: \"tuk-new: #1\"\nendpoint_url: \"http://h\"\n");
        assert_eq!(text(&file), expected);
        assert_eq!(file.mode(), Some(FILE_MODE));
        assert_eq!(file.remove().expect("removed"), Removed::Keys);
        assert_eq!(text(&file), others);
        save(&file, "tuk-2", "http://h");
        assert!(file.read().expect("readable").expect("there").is_signed_in());
    }

    #[test]
    fn a_shape_that_lines_cannot_change_is_written_anew() {
        let (_home, file) = home();
        fs::create_dir(file.path().parent().expect("a folder")).expect("made");
        fs::write(file.path(), "{api_key: a, other: [1, \"no\"]}\n").expect("written");
        save(&file, "tuk-b", "http://h");
        let stored = file.read().expect("readable").expect("there");
        assert_eq!(stored.api_key().expect("a key").expose(), "tuk-b");
        assert_eq!(stored.map["other"], serde_json::json!([1, "no"]));
        assert_eq!(file.remove().expect("removed"), Removed::Keys);
        assert_eq!(parse(&text(&file)).expect("a mapping").len(), 1);
    }

    #[test]
    fn a_file_with_nothing_else_goes() {
        let (_home, file) = home();
        assert_eq!(file.remove().expect("none"), Removed::Nothing);
        save(&file, "tuk-a", "http://h");
        assert_eq!(file.remove().expect("removed"), Removed::File);
        assert!(!file.path().exists());
    }

    #[test]
    fn a_damaged_file_is_not_touched() {
        let (_home, file) = home();
        fs::create_dir(file.path().parent().expect("a folder")).expect("made");
        for damaged in ["- a list\n", "a: [\n", "\"text\"\n"] {
            fs::write(file.path(), damaged).expect("written");
            assert!(file.read().is_err() && file.remove().is_err(), "{damaged}");
            assert_eq!(text(&file), damaged);
        }
        fs::write(file.path(), "api_key: 7\nendpoint_url: ''\n").expect("written");
        let stored = file.read().expect("readable").expect("there");
        assert!(stored.api_key().is_none() && stored.endpoint().is_none());
    }

    #[test]
    fn a_link_stays_a_link() {
        let (home, file) = home();
        let real = home.path().join("dotfiles.yaml");
        fs::write(&real, "a: 1\n").expect("written");
        fs::create_dir(file.path().parent().expect("a folder")).expect("made");
        std::os::unix::fs::symlink(&real, file.path()).expect("linked");
        save(&file, "tuk-a", "http://h");
        assert!(file.path().is_symlink());
        assert!(fs::read_to_string(&real).expect("UTF-8").contains("tuk-a"));
    }
}
