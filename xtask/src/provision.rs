//! Debian packages: named before they are installed, and only when that was asked for.

use std::process::Command;

use crate::process::{command, find, succeeds};
use crate::workspace::is_ci;

/// Whether packages may be installed: on a build server, or because the flag says so.
pub(crate) fn may_install(arguments: &[String]) -> bool {
    is_ci() || arguments.iter().any(|argument| argument == "--provision")
}

/// Installs `packages` with apt-get; the error is a sentence for the summary.
pub(crate) fn install(packages: &[&str], reason: &str) -> Result<(), String> {
    if find("apt-get").is_none() {
        return Err("there is no apt-get to install it with".to_owned());
    }
    println!("Installing Debian packages for {reason}: {}", packages.join(" "));
    let mut update = apt(&["update", "-q"])?;
    let mut install = apt(&["install", "-q", "-y", "--no-install-recommends"])?;
    install.args(packages);
    for command in [&mut update, &mut install] {
        match succeeds(command) {
            Ok(true) => {}
            Ok(false) => return Err("apt-get failed, see above".to_owned()),
            Err(error) => return Err(format!("{error:#}")),
        }
    }
    Ok(())
}

/// apt-get with enough rights.
fn apt(arguments: &[&str]) -> Result<Command, String> {
    let user = crate::process::output(&mut command("id", &["-u"])).unwrap_or_default();
    let mut words = match (user.trim(), find("sudo")) {
        ("0", _) => vec![],
        (_, Some(_)) => vec!["sudo", "-n"],
        (_, None) => return Err("it takes root to install it, and there is no sudo".to_owned()),
    };
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    words.extend(arguments);
    Ok(command(words[0], &words[1..]))
}
