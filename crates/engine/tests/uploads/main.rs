//! Uploads over the real catalog and block store in a temporary folder, and a store that fails or
//! counts where a test wants it.

mod bodies;
mod busy;
mod collection;
mod faults;
mod multipart;
mod tokens;
mod world;
