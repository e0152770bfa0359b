//! The real program, run as a user runs it.

mod admin;
mod backup;
mod cli;
mod config;
mod former;
mod gc;
mod importing;
mod killed;
mod program;
mod quickstart;
mod serve;
mod staging;
mod stop;
