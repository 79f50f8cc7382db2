//! Where things stand in a bundle.

/// What the name of a bundle ends with.
pub const ENDING: &str = ".ebb";
/// The folder of the script and of what it reads, that of overriding modules, and that of the run that was kept.
pub const FILES: &str = "files/";
pub const LIBRARY: &str = "library/";
pub const EXPECTED: &str = "expected/";

/// The list of what is in it, and the page for readers.
pub const MANIFEST: &str = "manifest.json";
pub const README: &str = "README.md";
/// Bytes of a bundle: what a plain zip archive can hold.
pub const LARGEST: u64 = u32::MAX as u64 - 1;
