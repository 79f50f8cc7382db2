//! Files written whole or not at all. They are read through the doorway.

use std::collections::BTreeSet;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::doorway::{Folder, Roots};
use crate::error::{Error, Result};
use crate::place::{self, UnderWay};

/// Folders whose files of killed writes were swept by this process.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Writes `path` through `write`: aside in the same folder, synced, then renamed over it. On any error nothing is
/// left behind and an older file stays as it was; its permissions are kept. Missing parent folders are made. The folder
/// must really lie below the roots when it is written.
pub fn write_whole(
    roots: &Roots,
    path: &Path,
    write: impl FnOnce(&mut std::io::BufWriter<&mut std::fs::File>) -> Result<()>,
) -> Result<()> {
    let (folder, name) = place::around(roots, path)?;
    sweep_once(&folder);
    let target = folder.way(&name);
    let (aside, _under_way) = written_aside(&folder, path, write)?;
    keep_permissions(aside.as_file(), &target);
    aside.persist(target).map_err(|error| Error::io("write", path, error.error))?;
    sync_folder(&folder);
    Ok(())
}

/// Writes a file that must not be there yet: of several that try at once, one succeeds. `false` where it is there.
pub fn write_new(roots: &Roots, path: &Path, bytes: &[u8]) -> Result<bool> {
    let failed = |error| Error::io("write", path, error);
    let (folder, name) = place::around(roots, path)?;
    let write =
        |out: &mut std::io::BufWriter<&mut std::fs::File>| out.write_all(bytes).map_err(failed);
    let (aside, _under_way) = written_aside(&folder, path, write)?;
    match aside.persist_noclobber(folder.way(&name)) {
        Ok(_) => {
            sync_folder(&folder);
            Ok(true)
        }
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error.error)),
    }
}

type AsideFile = tempfile::NamedTempFile<std::fs::File>;

/// A synced file in a folder, with the permissions that the umask leaves to any new file.
fn written_aside(
    folder: &Folder,
    path: &Path,
    write: impl FnOnce(&mut std::io::BufWriter<&mut std::fs::File>) -> Result<()>,
) -> Result<(AsideFile, UnderWay)> {
    let failed = |error| Error::io("write", path, error);
    let mut aside = aside_in(&folder.way("")).map_err(|error| failed(plainly(error)))?;
    let under_way = UnderWay::new(aside.path());
    let mut buffered = std::io::BufWriter::with_capacity(1 << 20, aside.as_file_mut());
    write(&mut buffered)?;
    buffered.flush().map_err(failed)?;
    drop(buffered);
    aside.as_file().sync_all().map_err(failed)?;
    Ok((aside, under_way))
}

/// A system's error without the path that a library adds to it.
fn plainly(error: std::io::Error) -> std::io::Error {
    let code = std::error::Error::source(&error)
        .and_then(|inner| inner.downcast_ref::<std::io::Error>())
        .and_then(std::io::Error::raw_os_error);
    match code {
        Some(code) => std::io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

/// Gives a file that is to replace another the permissions of that one.
fn keep_permissions(file: &std::fs::File, replaced: &Path) {
    let Ok(facts) = std::fs::symlink_metadata(replaced) else {
        return;
    };
    if facts.is_file() {
        // Where the file system has none there is nothing to keep.
        let _ = file.set_permissions(facts.permissions());
    }
}

/// Removes what killed processes left in a folder, the first time that this process writes into it.
fn sweep_once(folder: &Folder) {
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.insert(folder.path().to_path_buf()) {
        return;
    }
    drop(swept);
    let Ok(entries) = std::fs::read_dir(folder.way("")) else {
        return;
    };
    for entry in entries.flatten() {
        // What cannot be removed is no reason not to write.
        let _ = sweep_aside(&entry.path());
    }
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
        let is_busy = matches!(aside.as_file().try_lock(), Err(std::fs::TryLockError::WouldBlock));
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
pub fn append(roots: &Roots, path: &Path) -> Result<std::fs::File> {
    let (folder, name) = place::around(roots, path)?;
    let mut options = std::fs::OpenOptions::new();
    options.append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW);
    options.open(folder.way(name)).map_err(|error| Error::io("write", path, error))
}

/// A file that begins empty, in place of one that is there; what a link of that name leads to stays.
pub fn replaced(roots: &Roots, path: &Path) -> Result<std::fs::File> {
    let (folder, name) = place::around(roots, path)?;
    match std::fs::remove_file(folder.way(&name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("replace", path, error));
        }
        _ => {}
    }
    std::fs::File::create_new(folder.way(&name)).map_err(|error| Error::io("write", path, error))
}

/// A new file that grows; `None` where there is one of that name.
pub fn create_new(roots: &Roots, path: &Path) -> Result<Option<std::fs::File>> {
    let (folder, name) = place::around(roots, path)?;
    match std::fs::File::create_new(folder.way(name)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(Error::io("write", path, error)),
    }
}

fn sync_folder(folder: &Folder) {
    if let Ok(directory) = std::fs::File::open(folder.way("")) {
        // A rename is durable once its folder is synced; a file system that cannot do so is no reason to fail.
        let _ = directory.sync_all();
    }
}

/// [`write_whole`] for bytes at hand.
pub fn write_bytes(roots: &Roots, path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(roots, path, |out| {
        out.write_all(bytes).map_err(|error| Error::io("write", path, error))
    })
}

/// The SHA-256 of bytes in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of what a file holds, from its beginning; `check` is asked between two parts of it whether to go on.
pub fn sha256_of(file: &mut std::fs::File, check: impl Fn() -> Result<()>) -> Result<String> {
    let failed = |error| Error::io("read", "the file", error);
    file.rewind().map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        check()?;
        let read = file.read(&mut piece).map_err(failed)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(piece.get(..read).unwrap_or_default());
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
