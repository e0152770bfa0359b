//! The program `tilde`: configuration, composition of the rooms, command line and quickstart. No
//! business rules.

mod admin;
mod backup;
mod check;
mod cli;
mod config;
mod data_dir;
mod gc;
mod logs;
mod metrics;
mod quickstart;
mod remote;
mod rooms;
mod serve;
mod signals;
mod system;
mod tls;

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for everything that speaks TLS; it is the only one, so this cannot be too late.
    let _already = rustls::crypto::ring::default_provider().install_default();
    cli::run()
}
