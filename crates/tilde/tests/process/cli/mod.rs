//! The commands that talk to a server, each run as a user runs it against a real one. What they
//! print is kept in `transcripts/`; after a change on purpose `UPDATE=1` writes it anew.

mod hostile;
mod shell;
mod sign_in;
mod transcripts;
mod transfers;
