//! The commands that talk to a server, anywhere: what the program gives its client of the world
//! outside.

use std::process::ExitCode;
use std::sync::Arc;

use client::{Command, Surroundings};
use tokio_util::sync::CancellationToken;

use crate::cli::block_on;
use crate::signals::Signals;
use crate::system::SystemClock;

/// Exit code after a second signal: as a shell reports a program ended by Ctrl-C.
const IMPATIENT: i32 = 130;

/// Runs the command. The first signal lets it say what it leaves behind, a second one ends it.
pub(crate) fn run(command: Command) -> ExitCode {
    let ran = block_on(async {
        let mut signals = Signals::listen()?;
        let interrupt = CancellationToken::new();
        let surroundings = Surroundings {
            home: std::env::var_os("HOME").filter(|home| !home.is_empty()).map(Into::into),
            variable: Box::new(|name| std::env::var(name).ok()),
            clock: Arc::new(SystemClock),
            interrupt: interrupt.clone(),
            version: env!("CARGO_PKG_VERSION"),
        };
        tokio::spawn(async move {
            signals.next().await;
            interrupt.cancel();
            signals.next().await;
            std::process::exit(IMPATIENT);
        });
        Ok(client::run(command, &surroundings).await)
    });
    ran.unwrap_or_else(|error| {
        eprintln!("tilde: {error:#}");
        ExitCode::FAILURE
    })
}
