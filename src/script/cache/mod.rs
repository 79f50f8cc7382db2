//! What `cached` keeps: finished values under content addresses, in a folder that scripts and processes share.
//!
//! An entry is a folder of ours named by its address, held by one process at a time. Its `entry.json` is written last and
//! lists every other file with its hash: without it, or where anything differs from it, there is no entry.

mod code;
mod key;
mod store;
mod values;

pub use key::address;
pub use store::{Shelf, check, clear, list};
