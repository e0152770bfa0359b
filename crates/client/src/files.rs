//! Files on this machine: where an object may be written, which files a folder has, and what is in
//! them.
//!
//! A path comes from whoever wrote into the repository. It can name nothing outside of the folder
//! that the user chose: what would leave it is refused, and a link inside of it is not followed.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};

/// What is added to the name of a file that is not whole yet.
pub(crate) const PART: &str = ".part";
/// Files of one upload.
const FILES_MAX: usize = 1_000_000;
/// Folders inside of each other.
const DEPTH_MAX: usize = 128;
/// Bytes read at a time.
const READ_BYTES: usize = 1 << 20;

/// Where the object at `path` goes, relative to the target folder; or why it may not.
pub(crate) fn relative(path: &str) -> Result<PathBuf, &'static str> {
    if path.contains('\0') {
        return Err("it has a NUL in its name");
    }
    if path.starts_with('/') {
        return Err("it is an absolute path");
    }
    for part in path.split('/') {
        match part {
            ".." => return Err("it leads out of the target folder"),
            "" | "." => return Err("it has a part without a name, which no file can have"),
            _ => {}
        }
    }
    let relative = PathBuf::from(path);
    // What the system itself makes of the text is what counts.
    let is_plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if is_plain { Ok(relative) } else { Err("it leads out of the target folder") }
}

/// Makes the folders between `root` and the file at `relative`; the file's path. A link among them
/// is refused: it can lead anywhere.
pub(crate) fn place(root: &Path, relative: &Path) -> Result<PathBuf> {
    fs::create_dir_all(root).map_err(|error| Error::file("make the folder", root, &error))?;
    let mut folder = root.to_owned();
    for part in relative.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        match fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                let message = format!("{} is in the way: it is no folder", folder.display());
                return Err(Error::failed(message).next("a link to a folder is not followed"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => match fs::create_dir(&folder) {
                // Another download of this command was faster.
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(Error::file("make the folder", &folder, &error));
                }
                _ => {}
            },
            Err(error) => return Err(Error::file("look at", &folder, &error)),
        }
    }
    Ok(root.join(relative))
}

/// The length of what is at `path`: `None` if nothing is there, an error if it is no plain file.
pub(crate) fn plain_length(path: &Path) -> Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
        Ok(_) => {
            let message = format!("{} is in the way: it is no plain file", path.display());
            Err(Error::failed(message).next("move it away"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("look at", path, &error)),
    }
}

/// `path` with `.part` behind it.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PART);
    PathBuf::from(name)
}

/// How many `.part` a path ends in. The unfinished file of one object can have the name of another;
/// so those with fewer are fetched first.
pub(crate) fn part_depth(path: &str) -> usize {
    let mut rest = path;
    let mut depth = 0;
    while let Some(shorter) = rest.strip_suffix(PART) {
        (rest, depth) = (shorter, depth + 1);
    }
    depth
}

/// Has read the whole file into the hasher.
pub(crate) async fn hashed(path: PathBuf) -> Result<blake3::Hasher> {
    let work = tokio::task::spawn_blocking(move || {
        let error = |error| Error::file("read", &path, &error);
        let mut file = fs::File::open(&path).map_err(error)?;
        let mut buffer = vec![0; READ_BYTES];
        let mut hasher = blake3::Hasher::new();
        loop {
            match file.read(&mut buffer).map_err(error)? {
                0 => return Ok(hasher),
                length => hasher.update(&buffer[..length]),
            };
        }
    });
    work.await.map_err(|_| Error::failed("reading a file was given up"))?
}

/// A file to be uploaded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LocalFile {
    pub(crate) path: PathBuf,
    /// Below the folder, with slashes.
    pub(crate) relative: String,
    pub(crate) size: u64,
}

/// All plain files below `root` in the order of their names; links are not followed, and what is
/// left out for that is counted.
pub(crate) fn walk(root: &Path) -> Result<(Vec<LocalFile>, u64)> {
    let mut files = Vec::new();
    let mut skipped = 0;
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        if depth > DEPTH_MAX {
            return Err(Error::failed(format!("{}: folders too deep", folder.display())));
        }
        let error = |error| Error::file("list", &folder, &error);
        for entry in fs::read_dir(&folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            let path = entry.path();
            let name = entry.file_name().into_string().map_err(|_| {
                let message = format!("{}: the name is not UTF-8", path.display());
                Error::failed(message).next("rename it, or leave it out with --exclude")
            })?;
            let kind = entry.file_type().map_err(error)?;
            let relative = format!("{prefix}{name}");
            if kind.is_dir() {
                folders.push((path, relative + "/", depth + 1));
            } else if kind.is_file() {
                let size = entry.metadata().map_err(error)?.len();
                files.push(LocalFile { path, relative, size });
            } else {
                skipped += 1;
            }
            if files.len() > FILES_MAX {
                let message = format!("{} has more than {FILES_MAX} files", root.display());
                return Err(Error::failed(message).next("upload it folder by folder"));
            }
        }
    }
    files.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok((files, skipped))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_leave_the_folder_is_refused() {
        for path in [
            "..",
            "../a",
            "a/..",
            "a/../b",
            "/etc/passwd",
            "//a",
            "a\0b",
            ".",
            "./a",
            "a/./b",
            "a//b",
            "a/",
            "",
        ] {
            assert!(relative(path).is_err(), "{path:?}");
        }
        for path in ["a", "...", "..a", "a/b..", " ", "a\\..\\b", "-rf", "données/\u{7}"] {
            assert_eq!(relative(path), Ok(PathBuf::from(path)), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_stays_below(path in "[./a\\\\\u{e9}~:]{0,12}") {
            if let Ok(relative) = relative(&path) {
                let joined = Path::new("/target").join(&relative);
                prop_assert!(joined.starts_with("/target") && joined != Path::new("/target"));
                prop_assert!(joined.components().all(|part| part != Component::ParentDir));
                prop_assert_eq!(relative.to_str(), Some(&*path));
            }
        }
    }

    #[test]
    fn a_link_on_the_way_is_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (root, outside) = (folder.path().join("in"), folder.path().join("out"));
        fs::create_dir(&outside).expect("made");
        let path = place(&root, Path::new("a/b/c")).expect("made");
        assert_eq!(path, root.join("a/b/c"));
        assert!(root.join("a/b").is_dir());
        std::os::unix::fs::symlink(&outside, root.join("link")).expect("linked");
        let error = place(&root, Path::new("link/x")).expect_err("refused");
        assert!(error.message.contains("in the way"), "{}", error.message);
        std::os::unix::fs::symlink(outside.join("x"), root.join("x.part")).expect("linked");
        assert!(plain_length(&part_of(&root.join("x"))).is_err());
        fs::write(root.join("y"), "12").expect("written");
        assert_eq!(plain_length(&root.join("y")).expect("a file"), Some(2));
        assert_eq!(plain_length(&root.join("z")).expect("nothing"), None);
    }

    #[test]
    fn unfinished_names_are_counted() {
        for (path, depth) in [("a", 0), ("a.part", 1), ("a.part.part", 2), ("a.part/b", 0)] {
            assert_eq!(part_depth(path), depth, "{path}");
        }
    }

    #[test]
    fn a_walk_has_files_in_order_and_no_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join("b/c")).expect("made");
        for name in ["z", "b/c/d", "b/a", "b-"] {
            fs::write(root.join(name), name).expect("written");
        }
        std::os::unix::fs::symlink(root, root.join("loop")).expect("linked");
        let (files, skipped) = walk(root).expect("walked");
        let names: Vec<&str> = files.iter().map(|file| &*file.relative).collect();
        assert_eq!((names, skipped), (vec!["b-", "b/a", "b/c/d", "z"], 1));
        assert_eq!(files[2].size, 5);
    }
}
