//! Collections through the whole engine: what nothing needs goes, and nothing else does, whatever
//! happens meanwhile.

mod compaction;
mod kill;
mod life;
mod random;
mod running;
mod worker;
mod world;
