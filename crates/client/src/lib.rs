//! The command line's client of a Tilde server: what `tilde` does beside serving.
//!
//! It knows the public API and nothing of how a server works. The environment, real time and
//! signals come from the program ([`Surroundings`]); files, the network and the terminal are its
//! own. Every command has a `--json` form, which is stable, and ends with a documented exit code.

#![forbid(unsafe_code)]

mod address;
mod api;
mod auth;
mod browser;
mod command;
mod config_file;
mod connectors;
mod credentials;
mod doctor;
mod error;
mod files;
mod get;
mod history;
mod import;
mod keys;
mod listing;
mod object;
mod organizations;
mod progress;
mod put;
mod raw;
mod repositories;
mod screen;
mod sessions;
mod settings;
mod transport;

use std::process::ExitCode;

pub use command::Command;
pub use settings::{Lookup, Surroundings};

use api::Api;
use error::{Error, Kind, Result};
use screen::Screen;

/// What a command works with.
pub(crate) struct Context<'a> {
    pub(crate) api: Api,
    pub(crate) screen: Screen,
    pub(crate) around: &'a Surroundings,
}

/// Runs a command to its end, and says what went wrong if something did.
pub async fn run(command: Command, around: &Surroundings) -> ExitCode {
    let screen = command.options().screen();
    let tidies_up = command.tidies_up();
    let work = command.execute(screen, around);
    let interrupted = async {
        around.interrupt.cancelled().await;
        if tidies_up {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        result = work => result,
        () = interrupted => Err(interruption()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.kind != Kind::Closed {
                screen.failure(&error);
            }
            ExitCode::from(error.kind.exit_code())
        }
    }
}

pub(crate) fn interruption() -> Error {
    Error::new(Kind::Interrupted, "interrupted")
}

impl<'a> Context<'a> {
    fn signed(
        screen: Screen,
        around: &'a Surroundings,
        options: &command::Options,
    ) -> Result<Self> {
        let settings = around.settings(options)?;
        Ok(Self { api: Api::signed(around, &settings)?, screen, around })
    }
}
