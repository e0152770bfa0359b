//! Imports through the whole engine, from a real S3 protocol source that behaves or does not.

mod busy;
mod fairness;
mod faults;
mod fragments;
mod hostile;
mod life;
mod model;
mod options;
mod prior;
mod repeat;
mod repo;
mod repositories;
mod resume;
mod sites;
mod unordered;
mod versions;
mod world;
