//! `tilde admin`: users and keys, straight in the catalog, beside a running server or without one.
//! Whoever can write the data directory may do this.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{Engine, NewUserSpec};
use model::Secret;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::quickstart::quoted;
use crate::rooms::{Access, engine_beside};

/// Bytes of a password on standard input.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// What `tilde admin user add` takes.
#[derive(Args)]
pub(crate) struct NewUser {
    /// Name to log in with
    name: String,
    /// Email address, may be used to log in too
    #[arg(long, default_value = "", hide_default_value = true)]
    email: String,
    /// Name that people see
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    full_name: String,
    /// Read a password from standard input; without one, API keys are the only way in
    #[arg(long)]
    password_stdin: bool,
}

/// What `tilde admin user password` takes.
#[derive(Args)]
pub(crate) struct NewPassword {
    /// Whose password it is
    name: String,
    /// Read the password from standard input; there is no other way to give it
    #[arg(long)]
    password_stdin: bool,
}

/// What `tilde admin key create` takes.
#[derive(Args)]
pub(crate) struct NewKey {
    /// Whose key it is
    #[arg(long, value_name = "NAME")]
    user: String,
    /// What the key is for
    #[arg(long, default_value = "admin key create")]
    name: String,
}

/// `tilde admin user add`
pub(crate) async fn add_user(config: &Config, new: NewUser) -> Result<()> {
    let password = if new.password_stdin { Some(read_password()?) } else { None };
    let engine = open(config).await?;
    let spec =
        NewUserSpec { username: new.name, email: new.email, full_name: new.full_name, password };
    let user = engine.add_user(spec).await?;
    println!("added user {}", user.username);
    let folder = quoted(config.data_dir());
    let user = user.username;
    eprintln!("make an API key: tilde admin key create --data-dir {folder} --user {user}");
    Ok(())
}

/// `tilde admin user password`
pub(crate) async fn set_password(config: &Config, new: NewPassword) -> Result<()> {
    if !new.password_stdin {
        bail!("give the new password on standard input, and say so with --password-stdin");
    }
    let password = read_password()?;
    open(config).await?.set_password(&new.name, password).await?;
    println!("set the password of user {}; whoever was signed in is signed out", new.name);
    Ok(())
}

/// `tilde admin key create`: the key alone on standard output, so that a script can take it.
pub(crate) async fn create_key(config: &Config, new: NewKey) -> Result<()> {
    let key = open(config).await?.issue_key(&new.user, &new.name).await?;
    println!("{}", key.token.expose());
    Ok(())
}

async fn open(config: &Config) -> Result<Engine> {
    engine_beside(&DataDir::at(config.data_dir()), Access::Write).await
}

/// All of standard input, without the line end.
fn read_password() -> Result<Secret> {
    let mut text = String::new();
    let mut input = std::io::stdin().lock().take(PASSWORD_BYTES_MAX);
    input.read_to_string(&mut text).context("cannot read a password from standard input")?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("standard input holds no password");
    }
    Ok(Secret::new(password.to_owned()))
}
