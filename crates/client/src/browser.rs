//! Opening a page in the user's browser, where there is one.

use std::process::{Command, Stdio};

use crate::settings::Surroundings;

/// The program that opens pages, if this looks like a desktop.
pub(crate) fn opener(around: &Surroundings) -> Option<String> {
    if cfg!(target_os = "macos") {
        return Some("open".to_owned());
    }
    let is_desktop = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| around.env(name).is_some());
    // BROWSER can name several; the first is the user's choice.
    let chosen = around.env("BROWSER");
    let chosen = chosen.and_then(|list| list.split(':').next().map(str::to_owned));
    chosen.or_else(|| is_desktop.then(|| "xdg-open".to_owned()))
}

/// Opens `url` and waits for nothing. Only a web page: other schemes start other programs.
pub(crate) fn open(program: &str, url: &str) {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return;
    }
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The page's address is on screen too, so nothing is lost where this fails.
    let _not_essential = command.spawn();
}
