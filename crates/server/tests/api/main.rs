//! The API as a client meets it: every route over a real engine in a temporary folder and a real
//! S3 protocol source.

mod accounts;
mod commits;
mod connectors;
mod document;
mod events;
mod front;
mod imports;
mod listener;
mod malformed;
mod objects;
mod observed;
mod options;
mod organizations;
mod repositories;
mod tenancy;
mod world;
