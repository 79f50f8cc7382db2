//! A bundle into a folder of its own: whole or not at all, and never over what stands there.

use std::path::{Path, PathBuf};

use super::layout::MANIFEST;
use super::names::shown;
use super::packed::Bundle;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::folders::Aside;
use crate::{files, place};

impl Bundle {
    /// Unpacks into a folder that is not there yet, in a folder that is; one that holds this very bundle, unpacked and
    /// unchanged, serves as well. Gives where it really is.
    ///
    /// # Errors
    /// Where anything else stands there, or a file that the receiver has to put there is missing or another one.
    pub fn unpack(&self, folder: &Path) -> Result<PathBuf> {
        place::check_name(folder)?;
        let parent = folder.parent().unwrap_or(Path::new("."));
        let roots = Roots::below(parent);
        match roots.find(folder) {
            Err(error) if error.is_missing() => {
                let written = self.write(&roots, parent, folder);
                // Another process may have been faster.
                if roots.find(folder).is_err() {
                    written?;
                }
            }
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let real = roots.folder(folder)?.path().to_path_buf();
        self.check_unchanged(&real, folder)?;
        self.check_placed(&real, folder)?;
        Ok(real)
    }

    fn write(&self, roots: &Roots, parent: &Path, folder: &Path) -> Result<()> {
        let aside = Aside::new(roots, parent, "bundle")?;
        for (name, bytes) in &self.entries {
            if !files::write_new(&aside.roots(), &aside.path().join(name), bytes)? {
                return Err(Error::failed(format!(
                    "{} cannot be unpacked: the file system takes it for another file of the bundle",
                    shown(name)
                )));
            }
        }
        aside.put(folder, &|path| Err(stranger(path)))
    }

    /// Whether a folder holds this bundle and nothing of it was changed.
    fn check_unchanged(&self, real: &Path, folder: &Path) -> Result<()> {
        let roots = Roots::below(real);
        let has = |name: &str, bytes: &[u8]| -> Result<bool> {
            let mut opened = roots.open(&real.join(name))?;
            let is_as_long = opened.len == bytes.len() as u64;
            Ok(is_as_long && files::sha256_of(&mut opened.file, || Ok(()))? == files::sha256(bytes))
        };
        let manifest = self.entries.get(MANIFEST).map(Vec::as_slice).unwrap_or_default();
        if !has(MANIFEST, manifest).unwrap_or(false) {
            return Err(stranger(folder));
        }
        for (name, bytes) in &self.entries {
            match has(name, bytes) {
                Ok(true) => {}
                Err(error) if !error.is_missing() => return Err(error),
                _ => {
                    let path = folder.join(name);
                    return Err(Error::failed_with_hint(
                        format!(
                            "{} is not what the bundle holds: it was changed since the bundle was unpacked",
                            path.display()
                        ),
                        format!("move {} away, and it is unpacked anew", folder.display()),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether the files that the receiver has to put there are there.
    fn check_placed(&self, real: &Path, folder: &Path) -> Result<()> {
        let roots = Roots::below(real);
        let mut missing = Vec::new();
        for file in &self.manifest.place {
            let path = folder.join(&file.path);
            let mut opened = match roots.open(&real.join(&file.path)) {
                Err(error) if error.is_missing() => {
                    missing.push(format!(
                        "{} ({} bytes, sha256 {})",
                        path.display(),
                        file.bytes,
                        file.sha256
                    ));
                    continue;
                }
                opened => opened?,
            };
            let hash = files::sha256_of(&mut opened.file, || Ok(()))?;
            if hash != file.sha256 {
                return Err(Error::failed_with_hint(
                    format!(
                        "{} is another file than the script was run with: sha256 {hash}",
                        path.display()
                    ),
                    format!("put the file with the sha256 {} there", file.sha256),
                ));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::failed_with_hint(
            format!(
                "the script reads what is too large to be in the bundle: {}",
                missing.join(", ")
            ),
            "put each file where it is named here (README.md in the folder says what each is), and give the command again",
        ))
    }
}

fn stranger(folder: &Path) -> Error {
    Error::failed_with_hint(
        format!("{} is there already, and is not this bundle unpacked", folder.display()),
        "move it away, or give the bundle another name: it is unpacked into a folder of its name",
    )
}
