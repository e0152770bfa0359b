//! The real program, run as a user runs it.

mod admin;
mod config;
mod program;
mod quickstart;
mod serve;
mod stop;
