//! Bundles: a script with what it reads and what came of it, in one archive that a stranger can run and check.
//!
//! A bundle is a zip archive whose entries are stored, in the order of their names, with fixed times: the same content gives
//! the same bytes. `manifest.json` lists every entry with its size and hash, `README.md` is for readers, `files/` is the
//! folder that the script is run in, `library/` what takes the place of the standard library, and `expected/` the run as it
//! was kept. Whoever made one is not trusted: all of it is checked before any of it is written.

mod archive;
mod layout;
mod manifest;
mod names;
mod packed;
mod page;
mod unpack;

pub use self::layout::{ENDING, EXPECTED, FILES, LIBRARY};
pub use self::manifest::{Fetched, Manifest, Placed};
pub use self::names::fault as name_fault;
pub use self::packed::{Bundle, pack};
pub use self::page::About;
