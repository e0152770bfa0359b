//! Names that want to do harm: out of the target folder, and on the terminal.

use serde_json::json;

use super::shell::Shell;
use crate::program::said;

/// Objects under these paths, each with its path as its content.
fn repository_with(shell: &Shell, paths: &[&str]) {
    shell.quietly(&["organization", "create", "acme"]);
    shell.quietly(&["repository", "create", "acme/evil"]);
    let session = said(&shell.quietly(&["session", "start", "acme/evil"]));
    let session = session.trim();
    let file = shell.write("payload", "harm");
    let file = file.to_string_lossy();
    for path in paths {
        let address = format!("acme/evil/{path}");
        said(&shell.quietly(&["put", &file, &address, "--session", session]));
    }
    said(&shell.quietly(&["session", "commit", "acme/evil", session, "-m", "Evil \x1b[2J"]));
}

#[test]
fn a_download_never_leaves_its_folder() {
    let shell = Shell::start();
    let evil =
        ["../up", "a/../../up", "/etc/x", "a/./b", "a//b", "ok", "sub/link/x", "x.part", "x"];
    repository_with(&shell, &evil);
    let outside = shell.folder.path("outside");
    std::fs::create_dir_all(shell.folder.path("target/in/sub")).expect("made");
    std::fs::create_dir(&outside).expect("made");
    let link = shell.folder.path("target/in/sub/link");
    std::os::unix::fs::symlink(&outside, link).expect("linked");
    let output = shell.quietly(&["get", "acme/evil/", "target/in", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let counts: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let bytes = 3 * "harm".len();
    let expected = json!({"downloaded": 3, "unchanged": 0, "bytes": bytes, "failed": 6});
    assert_eq!(counts, expected);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    for why in [
        "../up: refused to write \"../up\": it leads out of the target folder",
        "/etc/x: refused to write \"/etc/x\": it is an absolute path",
        "sub/link/x: ",
        "is in the way: it is no folder",
    ] {
        assert!(errors.contains(why), "{why}: {errors}");
    }
    assert!(std::fs::read_dir(&outside).expect("a folder").next().is_none());
    let mut names: Vec<_> = std::fs::read_dir(shell.folder.path("target/in"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["ok", "sub", "x", "x.part"]);
    for name in ["x", "x.part"] {
        let content = std::fs::read(shell.folder.path("target/in").join(name)).expect("there");
        assert_eq!(content, b"harm");
    }
    assert!(!shell.folder.path("target/up").exists() && !shell.folder.path("up").exists());
    shell.server.stop();
}

#[test]
fn names_and_messages_cannot_command_the_terminal() {
    let shell = Shell::start();
    repository_with(&shell, &["\x1b[31mred", "new\nline", "\u{202e}turned", "<script>"]);
    for arguments in [&["ls", "acme/evil"][..], &["ls", "-lR", "acme/evil"], &["log", "acme/evil"]]
    {
        let text = said(&shell.quietly(arguments));
        assert!(!text.contains('\x1b') && !text.contains('\u{202e}'), "{text:?}");
    }
    let text = said(&shell.quietly(&["ls", "acme/evil"]));
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.contains("new\\u{a}line") && text.contains("<script>"), "{text}");
    let names = said(&shell.quietly(&["ls", "acme/evil", "--json"]));
    let first: serde_json::Value =
        serde_json::from_str(names.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["path"], "\x1b[31mred");
    shell.server.stop();
}
