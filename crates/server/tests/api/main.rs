//! The API as a client meets it: every route over a real engine in a temporary folder and a real
//! S3 protocol source.

mod accounts;
mod audit;
mod authorization;
mod commits;
mod connectors;
mod console;
mod devices;
mod document;
mod downloads;
mod events;
mod front;
mod imports;
mod listener;
mod logins;
mod malformed;
mod objects;
mod observed;
mod options;
mod organizations;
mod repositories;
mod sessions;
mod sockets;
mod tenancy;
mod tokens;
mod uploads;
mod world;
