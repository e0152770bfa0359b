//! Where bytes rest: items in segments, segments in a store.
//!
//! A [`Segment`] is written once through a [`Writer`], sealed, and never changed; [`Blocks`] reads
//! its items back, and packs items of several segments into one file without changing their
//! addresses ([`Blocks::pack`]). The room promises that a sealed segment is durable, that nothing
//! can see one before, that no byte is returned whose frame does not match its checksum, and that
//! [`Blocks::verify`] finds every flipped bit. The bytes on disk are described in
//! `docs/formats.md`, "Segments".

mod error;
pub mod faulty;
mod format;
mod local;
mod memory;
mod name;
mod pack;
mod read;
mod segment;
mod store;
mod verify;

pub use error::{Error, Result};
pub use format::{ITEMS_MAX, ItemKind, packed_bytes};
pub use local::Local;
pub use memory::Memory;
pub use name::Name;
pub use read::Blocks;
pub use segment::{Segment, Writer};
pub use store::{Locate, Sink, Store, StoredFile};
pub use verify::Damage;
