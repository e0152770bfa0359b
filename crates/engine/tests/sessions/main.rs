//! Sessions, commits and reverts, over the real catalog and block store in a temporary folder.

mod commit;
mod damage;
mod ended;
mod large;
mod model;
mod races;
mod reading;
mod revert;
mod world;
