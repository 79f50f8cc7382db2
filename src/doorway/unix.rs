//! Handles on what stands at a place, on systems like Unix.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Result;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::held::Held;

/// A handle that only stands for a file (Linux `O_PATH`): a pipe is not waited for, a device is not touched.
#[cfg(any(target_os = "linux", target_os = "android"))]
const HOLD: i32 = 0o10_000_000;
/// Elsewhere a handle that does not wait (`O_NONBLOCK`).
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const HOLD: i32 = 0x4;

/// A handle on what is at a place, without reading it.
pub fn hold(place: &Path) -> Result<File> {
    OpenOptions::new().read(true).custom_flags(HOLD).open(place)
}

/// Where the system keeps a handle under a name.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn name_of(handle: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}

/// Where a handle's file really is; `None` where it was replaced or removed since.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn real_path(handle: &File, facts: &Metadata, _place: &Path) -> Option<PathBuf> {
    match facts.nlink() {
        0 if facts.is_file() || facts.is_dir() => None,
        _ => name_of(handle).read_link().ok(),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn real_path(_handle: &File, facts: &Metadata, place: &Path) -> Option<PathBuf> {
    let real = place.canonicalize().ok()?;
    let there = real.symlink_metadata().ok()?;
    (there.dev() == facts.dev() && there.ino() == facts.ino()).then_some(real)
}

/// The same file to read from: through the handle, not through any path of it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn readable(handle: File) -> Result<File> {
    File::open(name_of(&handle))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn readable(handle: File) -> Result<File> {
    Ok(handle)
}

/// Where a folder's entries are listed.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn folder(held: &Held) -> PathBuf {
    name_of(&held.handle)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn folder(held: &Held) -> PathBuf {
    held.path.clone()
}

/// What is neither a file nor a folder.
pub fn special(facts: &Metadata) -> &'static str {
    let kind = facts.file_type();
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
