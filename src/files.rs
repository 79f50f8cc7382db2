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
    let aside = written_aside(&folder, path, write)?;
    aside
        .persist(path)
        .map_err(|error| Error::io("write", path, error.error))?;
    sync_folder(&folder);
    Ok(())
}

/// Writes a file that must not be there yet: of several that try at once, one succeeds. `false` where it is there.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<bool> {
    let failed = |error| Error::io("write", path, error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let aside = written_aside(folder, path, |out| out.write_all(bytes).map_err(failed))?;
    match aside.persist_noclobber(path) {
        Ok(_) => {
            sync_folder(folder);
            Ok(true)
        }
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error.error)),
    }
}

type AsideFile = tempfile::NamedTempFile<std::fs::File>;

/// A synced file beside `path`, with the permissions that the umask leaves to any new file.
fn written_aside(
    folder: &Path,
    path: &Path,
    write: impl FnOnce(&mut std::io::BufWriter<&mut std::fs::File>) -> Result<()>,
) -> Result<AsideFile> {
    let failed = |error| Error::io("write", path, error);
    let mut aside = aside_in(folder).map_err(failed)?;
    let mut buffered = std::io::BufWriter::with_capacity(1 << 20, aside.as_file_mut());
    write(&mut buffered)?;
    buffered.flush().map_err(failed)?;
    drop(buffered);
    aside.as_file().sync_all().map_err(failed)?;
    Ok(aside)
}

/// What the names of files written aside begin with; random letters and digits follow.
const ASIDE: &str = ".ebb-aside-";
const RANDOM: usize = 16;

/// A new file that is locked while it is written, so that nobody takes it for one that a killed process left.
fn aside_in(folder: &Path) -> std::io::Result<AsideFile> {
    loop {
        let aside = tempfile::Builder::new()
            .prefix(ASIDE)
            .rand_bytes(RANDOM)
            .make_in(folder, |path| std::fs::File::create_new(path))?;
        let is_busy = matches!(
            aside.as_file().try_lock(),
            Err(std::fs::TryLockError::WouldBlock)
        );
        if !is_busy && aside.path().exists() {
            return Ok(aside);
        }
    }
}

/// Whether a path has the name of a file written aside.
pub fn is_aside(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let random = name.and_then(|name| name.strip_prefix(ASIDE));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

/// Removes a file written aside that a killed process left; one that is being written stays.
pub fn sweep_aside(path: &Path) -> Result<()> {
    let is_plain = std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file());
    if !is_aside(path) || !is_plain {
        return Ok(());
    }
    let Ok(file) = std::fs::File::open(path) else {
        return Ok(());
    };
    if matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// A file of ours to add lines to; never what a link that has taken its place leads to.
pub fn append(path: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW);
    options
        .open(path)
        .map_err(|error| Error::io("write", path, error))
}

fn sync_folder(folder: &Path) {
    if let Ok(directory) = std::fs::File::open(folder) {
        // A rename is durable once its folder is synced; a file system that cannot do so is no reason to fail.
        let _ = directory.sync_all();
    }
}

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
