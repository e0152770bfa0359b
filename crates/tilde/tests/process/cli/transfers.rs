//! Large and many files: parts side by side, going on after a cut, and what an interrupt leaves.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::shell::Shell;
use crate::program::said;

/// Two parts and a bit.
const LARGE_BYTES: usize = (129 << 20) + 7;

/// Bytes that are different everywhere.
fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_derive_key("transfers")
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn repository(shell: &Shell) {
    shell.quietly(&["organization", "create", "acme"]);
    said(&shell.quietly(&["repository", "create", "acme/data"]));
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_large_file_goes_in_parts_and_comes_back_after_a_cut() {
    let shell = Shell::start();
    repository(&shell);
    let large = content(LARGE_BYTES, 1);
    shell.write("large.bin", &large);
    said(&shell.quietly(&["put", "large.bin", "acme/data/"]));
    let listed = said(&shell.quietly(&["ls", "acme/data/large.bin", "--json"]));
    let hash = blake3::hash(&large).to_hex();
    assert_eq!(json(&listed)["entry"]["e_tag"], hash.as_str());

    // As if the download had been cut off: what is there is of the object.
    shell.write("back.bin.part", &large[..100 << 20]);
    said(&shell.quietly(&["get", "acme/data/large.bin", "back.bin"]));
    assert!(std::fs::read(shell.folder.path("back.bin")).expect("there") == large);
    assert!(!shell.folder.path("back.bin.part").exists());

    // What is there is of something else: found out, and fetched anew.
    for other in [content(50 << 20, 2), content(LARGE_BYTES, 3), content(LARGE_BYTES + 1, 4)] {
        shell.write("other.bin.part", other);
        said(&shell.quietly(&["get", "acme/data/large.bin", "other.bin"]));
        assert!(std::fs::read(shell.folder.path("other.bin")).expect("there") == large);
    }
    let again = said(&shell.quietly(&["get", "acme/data/large.bin", "other.bin", "--json"]));
    assert_eq!(json(&again)["unchanged"], 1);
    shell.server.stop();
}

#[test]
fn many_files_are_sent_once_and_fetched_as_they_are() {
    let shell = Shell::start();
    repository(&shell);
    for number in 0..300_usize {
        let path = format!("tree/{}/\u{e9} {number}.bin", number % 7);
        shell.write(&path, content(number * 37, number as u64));
    }
    let put = ["put", "tree", "acme/data/t", "--json"];
    assert_eq!(json(&said(&shell.quietly(&put)))["uploaded"], 300);
    shell.write("tree/new.bin", "new");
    shell.write("tree/0/\u{e9} 7.bin", "changed");
    let second = json(&said(&shell.quietly(&put)));
    assert_eq!((&second["uploaded"], &second["unchanged"]), (&2.into(), &299.into()));
    said(&shell.quietly(&["get", "acme/data/t/", "back", "--parallel", "16"]));
    let status = std::process::Command::new("diff")
        .args(["-r", "tree", "back"])
        .current_dir(shell.folder.path(""))
        .stdout(Stdio::inherit())
        .status()
        .expect("diff runs");
    assert!(status.success());
    shell.server.stop();
}

#[test]
fn an_interrupted_upload_leaves_no_session_unless_asked_to() {
    let shell = Shell::start();
    repository(&shell);
    let file = std::fs::File::create(shell.write("huge.bin", "")).expect("made");
    // All holes: costs no disk here, and takes long enough to be interrupted.
    file.set_len(4 << 30).expect("set");
    for keep in [false, true] {
        let mut arguments = vec!["put", "huge.bin", "acme/data/"];
        arguments.extend(keep.then_some("--keep-session"));
        let mut command = shell.command(&arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        std::thread::sleep(Duration::from_millis(700));
        let pid = child.id().to_string();
        std::process::Command::new("kill").args(["-s", "INT", &pid]).status().expect("kill runs");
        let output = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(130), "{errors}");
        assert!(output.stdout.is_empty());
        assert_eq!(errors.contains("nothing was committed"), !keep, "{errors}");
        assert_eq!(errors.contains("--session"), keep, "{errors}");
    }
    assert_eq!(said(&shell.quietly(&["log", "acme/data"])), "");
    shell.server.stop();
}
