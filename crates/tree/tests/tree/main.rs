//! The room from outside: trees in a memory store against a `BTreeMap`, the cost of small changes,
//! walks, damage, and the golden files.

mod damage;
mod golden;
mod like_a_map;
mod small_changes;
mod walk;
mod world;
