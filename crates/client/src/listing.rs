//! `tilde ls`: objects like files in folders.

use clap::Args;
use indicatif::HumanBytes;
use serde_json::Value;

use crate::Context;
use crate::address::ObjectAddress;
use crate::api::{At, Pages, number, text};
use crate::error::{Error, Result};
use crate::object::View;
use crate::screen::{shown, when};

#[derive(Args)]
pub struct Ls {
    #[arg(value_name = "ORG/REPO[/PATH]")]
    address: ObjectAddress,
    /// With size and time
    #[arg(short, long)]
    long: bool,
    /// Everything below, with full paths
    #[arg(short = 'R', long)]
    recursive: bool,
    #[command(flatten)]
    view: View,
}

pub(crate) async fn ls(ls: Ls, context: &Context<'_>) -> Result<()> {
    let ObjectAddress { repository, path } = &ls.address;
    let is_folder = path.is_empty() || path.ends_with('/');
    let folder = if is_folder { path.clone() } else { format!("{path}/") };
    let at = |prefix: &str| ls.view.on(repository.at().then("/objects")).query("prefix", prefix);
    if list(context, &ls, at(&folder), &folder).await? > 0 {
        return Ok(());
    }
    // Nothing below it: it may be an object, whose path is the first that starts with it.
    if !is_folder {
        let first = Pages::of(at(path), 1).next(&context.api).await?.unwrap_or_default();
        if let Some(object) = first.iter().find(|object| text(object, "path") == path) {
            return print(context, &ls, object, path);
        }
    }
    if path.is_empty() {
        context.screen.note("nothing is in it yet");
        return Ok(());
    }
    let message = format!("there is nothing at {path} in {repository}");
    Err(Error::not_found(message).next(format!("`tilde ls {repository}/` shows what there is")))
}

/// Prints all pages; how many rows there were.
async fn list(context: &Context<'_>, ls: &Ls, at: At, folder: &str) -> Result<usize> {
    let at = if ls.recursive { at } else { at.query("delimiter", "/") };
    let mut count = 0;
    let api = &context.api;
    api.pages(&at, |rows| {
        count += rows.len();
        rows.iter().try_for_each(|row| {
            let path = text(row, "path");
            let name = if ls.recursive { path } else { path.strip_prefix(folder).unwrap_or(path) };
            // The marker of the folder itself, an object with its very path.
            let name = if name.is_empty() { "./" } else { name };
            print(context, ls, row, name)
        })
    })
    .await?;
    Ok(count)
}

fn print(context: &Context<'_>, ls: &Ls, row: &Value, name: &str) -> Result<()> {
    let name = shown(name);
    if !ls.long {
        return context.screen.result(row, &name);
    }
    let entry = &row["entry"];
    let (size, time) = match entry {
        Value::Null => ("-".to_owned(), "-".to_owned()),
        _ => (HumanBytes(number(entry, "size")).to_string(), when(&entry["last_modified"])),
    };
    context.screen.result(row, &format!("{size:>12}  {time:<19}  {name}"))
}
