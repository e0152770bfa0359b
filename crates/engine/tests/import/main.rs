//! Imports through the whole engine, from a real S3 protocol source that behaves or does not.

mod faults;
mod life;
mod resume;
mod world;
