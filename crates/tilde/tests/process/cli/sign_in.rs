//! Device login: the command shows a code, a person confirms it, and a key is in the config file.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use super::shell::Shell;

const CONFIRM: &str = "/api/v1/auth/device/confirm";

/// Runs `tilde auth login` while somebody confirms the code it shows.
fn log_in(shell: &mut Shell, arguments: &[&str]) {
    let mut command = shell.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = String::new();
    let code = loop {
        let mut line = String::new();
        assert!(output.read_line(&mut line).expect("UTF-8") > 0, "it ended: {said}");
        said += &line;
        if let Some(code) = line.strip_prefix("Your one-time code: ") {
            break code.trim().to_owned();
        }
    };
    let body = json!({"user_code": code});
    let (status, _) = shell.server.call("POST", CONFIRM, &shell.key, Some(body));
    assert_eq!(status, 200);
    output.read_to_string(&mut said).expect("UTF-8");
    let mut output = child.wait_with_output().expect("it ends");
    output.stdout = said.into_bytes();
    shell.name(&code, "USER-CODE");
    shell.keep(arguments, &output);
}

#[test]
fn a_confirmed_code_becomes_a_key_in_the_config_file() {
    let mut shell = Shell::start();
    shell.variables.retain(|(name, _)| name != "TILDE_API_KEY");
    log_in(&mut shell, &["auth", "login"]);
    let path = shell.folder.path("home/.tilde/config.yaml");
    let text = std::fs::read_to_string(&path).expect("UTF-8");
    assert!(text.starts_with("api_key: \"tuk-") && text.contains("endpoint_url: \"http://"));
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    shell.remark("the file has key and endpoint, so no variable is needed");
    shell.variables.retain(|(name, _)| name == "HOME");
    shell.run(&["auth", "status"]);
    shell.run(&["auth", "status", "--json"]);
    shell.run(&["repository", "ls"]);
    shell.run(&["doctor"]);
    shell.remark("what is in the file is not replaced unasked");
    shell.run(&["auth", "login"]);
    assert_eq!(std::fs::read_to_string(&path).expect("UTF-8"), text);
    std::fs::write(&path, format!("# mine\nprofiles: {{a: 1}}\n{text}")).expect("written");
    log_in(&mut shell, &["auth", "login", "--yes"]);
    let replaced = std::fs::read_to_string(&path).expect("UTF-8");
    assert!(replaced.starts_with("# mine\nprofiles: {a: 1}\napi_key: ") && replaced != text);
    shell.run(&["auth", "logout"]);
    assert_eq!(std::fs::read_to_string(&path).expect("UTF-8"), "# mine\nprofiles: {a: 1}\n");
    shell.run(&["auth", "status"]);
    std::fs::remove_file(&path).expect("removed");
    shell.run(&["auth", "logout", "--json"]);
    shell.compare("sign-in");
}
