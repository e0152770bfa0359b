//! The blocks room.
