//! `tilde auth`: signing in by device login, seeing who one is, signing out.

use std::time::Duration;

use clap::Subcommand;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use model::Secret;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{Api, At, number, text};
use crate::browser;
use crate::command::Options;
use crate::config_file::{ConfigFile, Removed, Stored};
use crate::error::{Error, Kind, Result};
use crate::screen::{Screen, has_person, shown};
use crate::settings::{Settings, Surroundings};

/// Between two questions, where the server does not say.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(5);
/// What is added to it when the server finds that too often.
const SLOWER: Duration = Duration::from_secs(1);
/// A code that lasts longer is not waited for longer.
const LIFE_MAX: Duration = Duration::from_secs(3_600);

#[derive(Subcommand)]
pub enum Verb {
    /// Sign in with your browser
    Login {
        /// Replace what an existing config file says
        #[arg(long)]
        yes: bool,
        /// Open no browser, only print the address
        #[arg(long)]
        no_browser: bool,
    },
    /// Show who is signed in
    Status,
    /// Sign out: remove the key from ~/.tilde/config.yaml
    Logout,
}

pub(crate) async fn run(
    verb: Verb,
    screen: Screen,
    around: &Surroundings,
    options: &Options,
) -> Result<()> {
    match verb {
        Verb::Login { yes, no_browser } => {
            let settings = around.settings(options)?;
            Login { screen, around, settings }.run(yes, no_browser).await
        }
        Verb::Status => status(screen, around, &around.settings(options)?).await,
        Verb::Logout => logout(screen, &around.config_file()?),
    }
}

async fn status(screen: Screen, around: &Surroundings, settings: &Settings) -> Result<()> {
    let me = async { Api::signed(around, settings)?.get(&At::new("/auth/me")).await };
    let me = match me.await {
        Err(error) if error.kind == Kind::Denied => {
            if !screen.json {
                screen.line("Not logged in.")?;
            }
            // The public CLI ends with 1 here, whatever the reason.
            return Err(Error { kind: Kind::Failed, ..error });
        }
        me => me?,
    };
    let user = &me["user"];
    let (name, email) = (shown(text(user, "username")), shown(text(user, "email")));
    let (_, origin) = settings.key()?;
    let document = json!({
        "username": user["username"], "email": user["email"],
        "endpoint_url": settings.endpoint, "key_from": origin.describe(),
    });
    screen.result(&document, &format!("Logged in as {name} ({email})"))?;
    screen.note(&format!("at {}, with the key from {}", settings.endpoint, origin.describe()));
    Ok(())
}

fn logout(screen: Screen, file: &ConfigFile) -> Result<()> {
    let removed = file.remove()?;
    screen.result(&json!({"removed": removed != Removed::Nothing}), "Logged out.")?;
    match removed {
        Removed::Keys => screen.note("the config file stays, as it holds more than the key"),
        Removed::File => {}
        Removed::Nothing => screen.note("there was no config file"),
    }
    screen.note("the key itself stays valid; `tilde key revoke` ends it");
    Ok(())
}

struct Login<'a> {
    screen: Screen,
    around: &'a Surroundings,
    settings: Settings,
}

impl Login<'_> {
    async fn run(&self, yes: bool, no_browser: bool) -> Result<()> {
        let file = self.around.config_file()?;
        // Asked before a key is made, so that none is made in vain.
        let stored = file.read()?.unwrap_or_default();
        if stored.is_signed_in() {
            let question = format!("{} exists; replace the key in it?", file.path().display());
            self.screen.confirm(&question, yes)?;
        }
        let api = Api::anonymous(self.around, &self.settings);
        let code = api.bare(Method::POST, &At::new("/auth/device/code")).await?;
        self.tell(&code, no_browser)?;
        let key = self.wait(&api, &code).await?;
        self.keep(&file, stored, &key)
    }

    /// Says what to do in the browser, and opens it if the user wants.
    fn tell(&self, code: &Value, no_browser: bool) -> Result<()> {
        let url = text(code, "verification_uri_complete");
        let say = |line: &str| {
            // With --json the one document is the outcome.
            if self.screen.json {
                self.screen.insist(line)
            } else {
                return self.screen.line(line);
            }
            Ok(())
        };
        say(&format!("\nYour one-time code: {}\n", shown(text(code, "user_code"))))?;
        match browser::opener(self.around).filter(|_| has_person() && !no_browser) {
            None => say(&format!("Open {} in your browser.", shown(url)))?,
            Some(program) => {
                say(&format!("Press Enter to open {} in your browser...", shown(url)))?;
                let url = url.to_owned();
                // A thread of its own, which the program does not wait for when it ends: the code
                // may be entered elsewhere without anybody pressing Enter here.
                std::thread::spawn(move || {
                    if std::io::stdin().read_line(&mut String::new()).is_ok_and(|read| read > 0) {
                        browser::open(&program, &url);
                    }
                });
            }
        }
        say("Waiting for authorization...")
    }

    async fn wait(&self, api: &Api, code: &Value) -> Result<Secret> {
        let seconds = |field: &str| Duration::from_secs(number(code, field));
        let interval = Some(seconds("interval")).filter(|interval| !interval.is_zero());
        let mut interval = interval.unwrap_or(INTERVAL_DEFAULT);
        let end = Instant::now() + seconds("expires_in").min(LIFE_MAX);
        let json = HeaderValue::from_static("application/json");
        let at = At::new("/auth/device/token");
        let mut call = api.call(Method::POST, &at).header(CONTENT_TYPE, json);
        call.body = json!({"device_code": code["device_code"]}).to_string().into();
        loop {
            tokio::time::sleep(interval).await;
            if Instant::now() >= end {
                return Err(expired());
            }
            let (status, answer) = api.attempt(&call).await?;
            match (text(&answer, "access_token"), text(&answer, "error")) {
                ("", "authorization_pending") => {}
                ("", "slow_down") => interval += SLOWER,
                ("", "expired_token") => return Err(expired()),
                ("", _) => return Err(Error::answered(status, &answer)),
                (token, _) => return Ok(Secret::new(token.to_owned())),
            }
        }
    }

    fn keep(&self, file: &ConfigFile, stored: Stored, key: &Secret) -> Result<()> {
        let endpoint = &self.settings.endpoint;
        file.save(stored, key, endpoint)?;
        let path = file.path().display().to_string();
        let document = json!({"endpoint_url": endpoint, "config_file": path});
        self.screen.result(&document, "Login successful!")?;
        for name in ["TILDE_API_KEY", "TILDE_ENDPOINT_URL", "TILDE_API_URL"] {
            if self.around.env(name).is_some() {
                self.screen.note(&format!("{name} is set and comes before {path}"));
            }
        }
        Ok(())
    }
}

fn expired() -> Error {
    Error::failed("the code has expired").next("run `tilde auth login` again")
}
