//! The tilde room.
fn main() {}
