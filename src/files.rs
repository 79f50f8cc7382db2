//! Files written whole or not at all. They are read through the doorway.

use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Writes `path` through `write`: aside in the same folder, synced, then renamed over it. On any error nothing is
/// left behind and an older file stays as it was. Missing parent folders are made.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut std::io::BufWriter<&mut std::fs::File>) -> Result<()>,
) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, error))?;
    let mut aside = tempfile::Builder::new()
        .prefix(".ebb-")
        .tempfile_in(&folder)
        .map_err(|error| Error::io("write", path, error))?;
    let mut buffered = std::io::BufWriter::with_capacity(1 << 20, aside.as_file_mut());
    write(&mut buffered)?;
    buffered
        .flush()
        .map_err(|error| Error::io("write", path, error))?;
    drop(buffered);
    let file = aside.as_file();
    file.sync_all()
        .map_err(|error| Error::io("write", path, error))?;
    share_permissions(file);
    aside
        .persist(path)
        .map_err(|error| Error::io("write", path, error.error))?;
    if let Ok(directory) = std::fs::File::open(&folder) {
        // A rename is durable once its folder is synced; a file system that cannot do so is no reason to fail.
        let _ = directory.sync_all();
    }
    Ok(())
}

/// Temporary files are private; a result is as readable as any other file.
#[cfg(unix)]
fn share_permissions(file: &std::fs::File) {
    use std::os::unix::fs::PermissionsExt;
    let _ = file.set_permissions(std::fs::Permissions::from_mode(0o644));
}

#[cfg(not(unix))]
fn share_permissions(_file: &std::fs::File) {}

/// [`write_whole`] for bytes at hand.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, |out| {
        out.write_all(bytes)
            .map_err(|error| Error::io("write", path, error))
    })
}

/// The SHA-256 of bytes in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
