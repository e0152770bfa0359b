//! `tilde quickstart`: the server with a data directory of its own, a source, the tour through the
//! main job, and then a server that stays up to go on with.

mod api;
mod screen;
mod source;
mod tour;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use model::Secret;
use sources::Private;

use crate::config::{Config, LogFormat, PrivateNetworks};
use crate::data_dir::DataDir;
use crate::serve::{self, Server};
use crate::signals::Signals;
use crate::{cli, logs};
use api::Api;
use screen::Screen;
use source::Source;
use tour::{Made, Tour};

/// The user that the first start makes.
const ADMIN: &str = "admin";
/// Folder below the default data directory.
const FOLDER: &str = "quickstart";

/// What `tilde quickstart` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// End after the comparison, instead of staying up
    #[arg(long)]
    once: bool,
    /// Import from your own bucket, with the usual AWS_ variables, instead of the sample
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    source: Option<String>,
    /// Where the bucket is, if not at AWS
    #[arg(long, value_name = "URL", requires = "source")]
    endpoint: Option<String>,
    /// Data directory [default: ~/.local/share/tilde/quickstart]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address of the API [default: 127.0.0.1:8765]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

/// Runs it until the comparison (`--once`), or until a signal.
pub(crate) async fn run(options: Options) -> Result<()> {
    let screen = Screen::stdout();
    let mut config = configure(&options)?;
    // What goes wrong is told on screen; the log would only repeat it.
    logs::start(LogFormat::Text, "error")?;
    let mut signals = Signals::listen()?;
    screen.line(format_args!("Tilde {}, quickstart", env!("CARGO_PKG_VERSION")));
    give_way(&mut config, &screen);

    let work = async {
        let source = open_source(&options).await?;
        allow(&mut config, &source);
        let server = serve::start(&config).await?;
        Ok::<_, anyhow::Error>((source, server))
    };
    let (mut source, server) = tokio::select! {
        started = work => started?,
        () = signals.next() => return Ok(()),
    };
    let data = DataDir::at(config.data_dir());
    introduce(&screen, &data, &server, &source);

    let toured = tokio::select! {
        toured = tour(&screen, &data, &server, &mut source) => toured,
        () = signals.next() => {
            screen.line("\nStopping.");
            server.stop().await;
            ensure!(!options.once, "interrupted before the comparison");
            return Ok(());
        }
    };
    if let Ok((made, token)) = &toured {
        if !options.once {
            go_on(&screen, &data, &server, made, token);
        }
        farewell(&screen, &data);
        if !options.once {
            screen.heading(format_args!("Running at {}; Ctrl-C stops it", server.url));
            signals.next().await;
            screen.line("\nStopping.");
        }
    }
    server.stop().await;
    toured.map(drop)
}

fn configure(options: &Options) -> Result<Config> {
    let mut config = cli::load(None, options.data_dir.as_deref(), options.listen.as_deref())?;
    if options.data_dir.is_none() {
        config.data_dir = Some(config.data_dir().join(FOLDER));
    }
    // The tour speaks plain HTTP with the listen address.
    (config.public_url, config.tls_cert_file, config.tls_key_file) = (None, None, None);
    config.metrics_listen = None;
    Ok(config)
}

/// Takes another port if the wanted one is taken: a first try should not fail for that.
fn give_way(config: &mut Config, screen: &Screen) {
    let taken = TcpListener::bind(config.listen).err();
    if taken.is_some_and(|error| error.kind() == ErrorKind::AddrInUse) {
        screen
            .line(format_args!("  port {} is taken, so a free one is used", config.listen.port()));
        config.listen.set_port(0);
    }
}

async fn open_source(options: &Options) -> Result<Source> {
    match &options.source {
        None => Source::sample().await,
        Some(uri) => {
            let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            Source::own(uri, options.endpoint.as_deref(), env)
        }
    }
}

/// The sample is on this machine, which a server that others can reach would not connect to.
fn allow(config: &mut Config, source: &Source) {
    if source.sample.is_some() && config.private() == Private::Deny {
        let loopback = "127.0.0.1/32".parse().expect("it is a network");
        config.private_networks = PrivateNetworks::Fixed(Private::Cidrs(vec![loopback]));
    }
}

fn introduce(screen: &Screen, data: &DataDir, server: &Server, source: &Source) {
    screen.line("");
    screen.pair("server", &server.url);
    screen.pair("data", data.root().display());
    match (&source.sample, source.endpoint()) {
        (Some(_), Some(endpoint)) => screen
            .pair("source", format_args!("{}, a sample bucket over S3 at {endpoint}", source.uri)),
        (_, Some(endpoint)) => screen.pair("source", format_args!("{} at {endpoint}", source.uri)),
        _ => screen.pair("source", &source.uri),
    }
}

async fn tour(
    screen: &Screen,
    data: &DataDir,
    server: &Server,
    source: &mut Source,
) -> Result<(Made, Secret)> {
    let token = token(data, server).await?;
    let api = Api::new(&server.url, &token)?;
    let made = Tour { api: &api, screen, source }.walk().await?;
    Ok((made, token))
}

/// The key of an earlier run if it still works, else a new one.
async fn token(data: &DataDir, server: &Server) -> Result<Secret> {
    if let Ok(text) = std::fs::read_to_string(data.admin_key_file()) {
        let token = Secret::new(text.trim().to_owned());
        if Api::new(&server.url, &token)?.is_known().await? {
            return Ok(token);
        }
    }
    let key = server.engine.issue_key(ADMIN, "quickstart").await;
    Ok(key.context("cannot make an API key")?.token)
}

/// What to do next, for someone with a terminal at hand.
fn go_on(screen: &Screen, data: &DataDir, server: &Server, made: &Made, token: &Secret) {
    let key_file = data.admin_key_file();
    screen.heading("Go on");
    screen.line(format_args!("export TILDE_ENDPOINT_URL={}", server.url));
    if screen.is_terminal() {
        screen.line(format_args!("export TILDE_API_KEY={}", token.expose()));
    } else {
        screen.line(format_args!("export TILDE_API_KEY=\"$(cat {})\"", quoted(&key_file)));
    }
    let (organization, repository) = made.repository.split_once('/').unwrap_or_default();
    let curl = CURL
        .replace("ORG", organization)
        .replace("REPO", repository)
        .replace("EXAMPLE", &made.example);
    screen.heading("With curl");
    screen.line(curl);
    screen.heading("With Python");
    screen.line(PYTHON.replace("ORG/REPO", &made.repository));
}

const CURL: &str = r#"R=$TILDE_ENDPOINT_URL/api/v1/organizations/ORG/repositories/REPO
curl -H "Authorization: Bearer $TILDE_API_KEY" "$R/log"
curl -H "Authorization: Bearer $TILDE_API_KEY" "$R/objects?amount=3"
curl -H "Authorization: Bearer $TILDE_API_KEY" "$R/object?path=EXAMPLE""#;

const PYTHON: &str = r#"python3 -m venv tilde-venv && tilde-venv/bin/pip install -q tilde-sdk
tilde-venv/bin/python - <<'END'
import tilde
commit = next(iter(tilde.repository("ORG/REPO").commits.list()))
print(commit.id, commit.message)
for entry in commit.objects.list(amount=5):
    print(entry.path, len(commit.objects.get(entry.path).read()))
END"#;

/// How to come back, and how to be rid of it.
fn farewell(screen: &Screen, data: &DataDir) {
    let folder = quoted(data.root());
    screen.heading("The data stays");
    screen.line(format_args!("  start again  {} serve --data-dir {folder}", program()));
    screen.line(format_args!("  delete       rm -r {folder}"));
}

/// How this program is called from here.
fn program() -> String {
    let (Ok(program), Ok(here)) = (std::env::current_exe(), std::env::current_dir()) else {
        return "tilde".to_owned();
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new("/"));
    if std::env::split_paths(&path).any(|known| known == folder) {
        return "tilde".to_owned();
    }
    match program.strip_prefix(&here) {
        Ok(relative) => quoted(&Path::new(".").join(relative)),
        Err(_) => quoted(&program),
    }
}

/// A path for a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%:,".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
