//! The verbs of the engine but the import itself, over the real catalog and block store in a
//! temporary folder.

mod access;
mod accounts;
mod audit;
mod check;
mod connectors;
mod devices;
mod history;
mod logins;
mod objects;
mod organizations;
mod repositories;
mod sweep;
mod world;
