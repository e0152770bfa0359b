//! The commands: what each takes, and where it goes.

use clap::{Args, Subcommand};

use crate::error::Result;
use crate::screen::Screen;
use crate::settings::Surroundings;
use crate::{
    Context, auth, connectors, doctor, get, history, import, keys, listing, organizations, put,
    raw, repositories, sessions,
};

/// A command that talks to a server.
#[derive(Subcommand)]
pub enum Command {
    /// Sign in, sign out, and see who you are
    Auth(Noun<auth::Verb>),
    /// Organizations
    Organization(Noun<organizations::Verb>),
    /// Repositories
    Repository(Noun<repositories::Verb>),
    /// Connectors: credentials and a location in S3 or Google Cloud Storage
    Connector(Noun<connectors::Verb>),
    /// Import from a bucket or another repository, and follow imports
    ///
    /// `tilde import s3://bucket/prefix/ ORG/REPO/path --wait` finds or makes the connector,
    /// attaches it and starts the import. On standard output: the job's id, or with --wait the
    /// commit's.
    Import(With<import::Import>),
    /// API keys of your own
    Key(Noun<keys::Verb>),
    /// Sessions: changes that become one commit
    Session(Noun<sessions::Verb>),
    /// List commits, newest first
    Log(With<history::Log>),
    /// List what differs between two commits, or what a session changes
    Diff(With<history::Diff>),
    /// Undo a commit by a new one; prints its id
    Revert(With<history::Revert>),
    /// List objects
    Ls(With<listing::Ls>),
    /// Write an object to standard output
    Cat(With<get::Cat>),
    /// Download an object, or everything below a path that ends in a slash
    ///
    /// Run again, it goes on where it was cut off. Every object is verified before it gets its
    /// name.
    Get(With<get::Get>),
    /// Upload a file, or everything in a folder, as one commit; prints the commit's id
    ///
    /// Files that are there already, byte for byte, are not sent again.
    Put(With<put::Put>),
    /// Send a request to the API
    Api(With<raw::Raw>),
    /// Look for what keeps the command line from working, and say what to do
    Doctor(With<Nothing>),
}

/// Objects side by side.
const PARALLEL: std::ops::RangeInclusive<i64> = 1..=64;

/// How `--parallel` is read.
pub(crate) fn parallel() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(PARALLEL)
}

/// What every command takes.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// API key [default: TILDE_API_KEY, then ~/.tilde/config.yaml]
    #[arg(long, global = true, value_name = "KEY", help_heading = "Global options")]
    pub(crate) api_key: Option<String>,
    /// Address of the server [default: TILDE_ENDPOINT_URL, TILDE_API_URL, ~/.tilde/config.yaml,
    /// then http://127.0.0.1:8765]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub(crate) endpoint_url: Option<String>,
    /// Print JSON: one document, or one a line where there can be many
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Print results and errors, and nothing else
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
}

/// A noun and its verbs.
#[derive(Args)]
pub struct Noun<V: Subcommand> {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    verb: V,
}

/// A verb of its own.
#[derive(Args)]
pub struct With<A: Args> {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    arguments: A,
}

/// No arguments.
#[derive(Args)]
pub struct Nothing {}

impl Options {
    pub(crate) fn screen(&self) -> Screen {
        Screen { json: self.json, quiet: self.quiet }
    }
}

impl Command {
    pub(crate) fn options(&self) -> &Options {
        match self {
            Self::Auth(noun) => &noun.options,
            Self::Organization(noun) => &noun.options,
            Self::Repository(noun) => &noun.options,
            Self::Connector(noun) => &noun.options,
            Self::Key(noun) => &noun.options,
            Self::Session(noun) => &noun.options,
            Self::Import(verb) => &verb.options,
            Self::Log(verb) => &verb.options,
            Self::Diff(verb) => &verb.options,
            Self::Revert(verb) => &verb.options,
            Self::Ls(verb) => &verb.options,
            Self::Cat(verb) => &verb.options,
            Self::Get(verb) => &verb.options,
            Self::Put(verb) => &verb.options,
            Self::Api(verb) => &verb.options,
            Self::Doctor(verb) => &verb.options,
        }
    }

    /// Whether it has something to do, or to say, when it is interrupted.
    pub(crate) fn tidies_up(&self) -> bool {
        match self {
            Self::Import(verb) => verb.arguments.follows(),
            Self::Get(_) | Self::Put(_) => true,
            _ => false,
        }
    }

    pub(crate) async fn execute(self, screen: Screen, around: &Surroundings) -> Result<()> {
        let signed = |options: &Options| Context::signed(screen, around, options);
        match self {
            Self::Auth(noun) => auth::run(noun.verb, screen, around, &noun.options).await,
            Self::Doctor(verb) => doctor::run(screen, around, &verb.options).await,
            Self::Organization(noun) => {
                organizations::run(noun.verb, &signed(&noun.options)?).await
            }
            Self::Repository(noun) => repositories::run(noun.verb, &signed(&noun.options)?).await,
            Self::Connector(noun) => connectors::run(noun.verb, &signed(&noun.options)?).await,
            Self::Key(noun) => keys::run(noun.verb, &signed(&noun.options)?).await,
            Self::Session(noun) => sessions::run(noun.verb, &signed(&noun.options)?).await,
            Self::Import(verb) => import::run(verb.arguments, &signed(&verb.options)?).await,
            Self::Log(verb) => history::log(verb.arguments, &signed(&verb.options)?).await,
            Self::Diff(verb) => history::diff(verb.arguments, &signed(&verb.options)?).await,
            Self::Revert(verb) => history::revert(verb.arguments, &signed(&verb.options)?).await,
            Self::Ls(verb) => listing::ls(verb.arguments, &signed(&verb.options)?).await,
            Self::Cat(verb) => get::cat(verb.arguments, &signed(&verb.options)?).await,
            Self::Get(verb) => get::get(verb.arguments, &signed(&verb.options)?).await,
            Self::Put(verb) => put::put(verb.arguments, &signed(&verb.options)?).await,
            Self::Api(verb) => raw::run(verb.arguments, &signed(&verb.options)?).await,
        }
    }
}
