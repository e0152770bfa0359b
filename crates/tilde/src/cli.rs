//! The command line: what each command takes, and where it goes.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use tokio::runtime::{Builder, Runtime};

use crate::config::{Config, Flag, markdown};
use crate::{admin, backup, check, gc, logs, quickstart, remote, serve};

/// Threads for work that blocks, file reads and writes above all.
const BLOCKING_THREADS_MAX: usize = 32;

/// Versioned data with imports from S3, Google Cloud Storage and other repositories.
#[derive(Parser)]
#[command(name = "tilde", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try it: start a server, import a sample bucket (or yours) and read it back
    Quickstart(quickstart::Options),
    /// Run the server
    Serve {
        #[command(flatten)]
        place: Place,
        /// Address of the API [default: 127.0.0.1:8765]
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<String>,
    },
    /// Manage users and keys, beside a running server or without one
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Verify a data directory, down to the bytes of every object
    ///
    /// Works beside a running server. Exit code 0: clean; 1: damaged; 2: could not check.
    Check {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: check::Options,
    },
    /// Back up a data directory into a folder, which then holds what a server can be started on
    ///
    /// Works beside a running server. Copies what is new since the former backup in the folder; cut
    /// off anywhere, it leaves that one whole. To restore, serve a copy of the folder.
    Backup {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: backup::Options,
    },
    /// Collect now: find bytes that nothing needs any more, and remove them in the end
    ///
    /// Asks the running server, or does it itself. Exit code 0: done; 1: refused or failed, and
    /// nothing that is needed is gone; 2: could not run.
    Gc {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: gc::Options,
    },
    #[command(flatten)]
    Remote(Box<client::Command>),
    /// Print what makes a shell complete the commands of this program
    Completions { shell: Shell },
    /// Print the version
    Version,
    /// Print what the documentation is made of
    #[command(subcommand, hide = true)]
    Config(ConfigCommand),
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Users
    #[command(subcommand)]
    User(UserCommand),
    /// API keys
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Subcommand)]
enum UserCommand {
    /// Add a user
    Add {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        user: admin::NewUser,
    },
    /// Set the password of a user, and end all their logins
    Password {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        password: admin::NewPassword,
    },
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make an API key and print it; it cannot be shown again
    Create {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        key: admin::NewKey,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// docs/configuration.md
    Docs,
}

/// Which server is meant.
#[derive(Args)]
pub(crate) struct Place {
    /// Config file (YAML)
    #[arg(long, value_name = "FILE", env = "TILDE_CONFIG")]
    config: Option<PathBuf>,
    /// Data directory [default: ~/.local/share/tilde]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Place {
    /// The configuration, with the flags on top.
    pub(crate) fn load(&self, listen: Option<&str>) -> Result<Config> {
        load(self.config.as_deref(), self.data_dir.as_deref(), listen)
    }
}

/// The configuration from all its places.
pub(crate) fn load(
    file: Option<&Path>,
    data_dir: Option<&Path>,
    listen: Option<&str>,
) -> Result<Config> {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let mut flags = Vec::new();
    if let Some(path) = data_dir {
        let value = path.to_str().context("--data-dir: the path is not UTF-8")?.to_owned();
        flags.push(Flag { name: "--data-dir", key: "data_dir", value });
    }
    if let Some(address) = listen {
        flags.push(Flag { name: "--listen", key: "listen", value: address.to_owned() });
    }
    Config::load(file, &env, &flags)
}

/// Runs the command of this process.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Quickstart(options) => exit(block_on(quickstart::run(options))),
        Command::Serve { place, listen } => {
            exit(place.load(listen.as_deref()).and_then(|config| {
                logs::start(config.log_format, &config.log_level)?;
                block_on(serve::run(config))
            }))
        }
        Command::Admin(command) => exit(run_admin(command)),
        Command::Check { place, options } => {
            let checked =
                place.load(None).and_then(|config| block_on(check::run(&config, options)));
            checked.unwrap_or_else(|error| fail(&error, check::COULD_NOT_CHECK))
        }
        Command::Backup { place, options } => {
            exit(place.load(None).and_then(|config| block_on(backup::run(&config, options))))
        }
        Command::Gc { place, options } => {
            let collected = place.load(None).and_then(|config| block_on(gc::run(&config, options)));
            collected.unwrap_or_else(|error| fail(&error, gc::COULD_NOT_RUN))
        }
        Command::Remote(command) => remote::run(*command),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tilde", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Version => {
            println!("tilde {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Command::Config(ConfigCommand::Docs) => {
            print!("{}", markdown());
            ExitCode::SUCCESS
        }
    }
}

fn run_admin(command: AdminCommand) -> Result<()> {
    match command {
        AdminCommand::User(UserCommand::Add { place, user }) => {
            let config = place.load(None)?;
            block_on(admin::add_user(&config, user))
        }
        AdminCommand::User(UserCommand::Password { place, password }) => {
            let config = place.load(None)?;
            block_on(admin::set_password(&config, password))
        }
        AdminCommand::Key(KeyCommand::Create { place, key }) => {
            let config = place.load(None)?;
            block_on(admin::create_key(&config, key))
        }
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(work)
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .context("cannot start the threads of the program")
}

fn exit(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("tilde: {error:#}");
    ExitCode::from(code)
}
