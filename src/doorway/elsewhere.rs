//! Handles on what stands at a place, on other systems than Unix.

use std::fs::{File, Metadata};
use std::io::Result;
use std::path::{Path, PathBuf};

use super::held::Held;

pub fn hold(place: &Path) -> Result<File> {
    File::open(place)
}

pub fn real_path(_handle: &File, _facts: &Metadata, place: &Path) -> Option<PathBuf> {
    place.canonicalize().ok()
}

pub fn readable(handle: File) -> Result<File> {
    Ok(handle)
}

pub fn folder(held: &Held) -> PathBuf {
    held.path.clone()
}

pub fn special(_facts: &Metadata) -> &'static str {
    "a device"
}
