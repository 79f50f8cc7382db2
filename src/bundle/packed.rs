//! A bundle in memory: read and checked, or put together.

use std::collections::BTreeMap;
use std::path::Path;

use super::archive;
use super::layout::{FILES, LARGEST, MANIFEST, README};
use super::manifest::{Entry, Manifest};
use super::page::{About, page};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;

/// A bundle that was checked, in memory.
pub struct Bundle {
    pub manifest: Manifest,
    pub(super) entries: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    /// Reads a bundle and checks all of it.
    pub fn open(path: &Path) -> Result<Self> {
        let opened = Roots::anywhere().open(path)?;
        if opened.len > LARGEST {
            return Err(Error::failed(format!(
                "{} is no bundle: it has {} bytes, and a bundle at most {LARGEST}",
                path.display(),
                opened.len
            )));
        }
        Self::of(&opened.bytes(path)?).map_err(|error| {
            Error::failed_with_hint(
                format!("the bundle {} is refused: {error}", path.display()),
                "nothing of it was written; ask whoever made it for another copy, made by `ebb bundle`",
            )
        })
    }

    /// A bundle's bytes, checked.
    pub fn of(bytes: &[u8]) -> Result<Self> {
        let entries = archive::read(bytes)?;
        let text = entries.get(MANIFEST).ok_or_else(|| {
            Error::failed(format!("it holds no {MANIFEST}, so that it is no bundle"))
        })?;
        let manifest = Manifest::read(text)?;
        manifest.check(&entries)?;
        let entries = entries.into_iter().map(|(name, bytes)| (name, bytes.to_vec()));
        Ok(Self { manifest, entries: entries.collect() })
    }

    /// The text of the script.
    pub fn script(&self) -> Result<String> {
        let name = format!("{FILES}{}", self.manifest.script);
        let bytes = self.entries.get(&name).cloned().unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| Error::failed(format!("{name} is not UTF-8 text")))
    }
}

/// A bundle's bytes: the entries, with their list and a page for readers added.
///
/// # Errors
/// Where a name could not be written on every system, or all of it is too much for a plain zip archive.
pub fn pack(
    mut entries: BTreeMap<String, Vec<u8>>,
    mut manifest: Manifest,
    about: &About,
) -> Result<Vec<u8>> {
    manifest.entries = listed(&entries);
    entries.insert(README.to_string(), page(&manifest, about).into_bytes());
    manifest.entries = listed(&entries);
    entries.insert(MANIFEST.to_string(), manifest.text().into_bytes());
    let bytes = archive::write(&entries)?;
    // What would be refused elsewhere is refused here.
    Bundle::of(&bytes)?;
    Ok(bytes)
}

fn listed(entries: &BTreeMap<String, Vec<u8>>) -> Vec<Entry> {
    let entry = |(name, bytes): (&String, &Vec<u8>)| Entry {
        name: name.clone(),
        bytes: bytes.len() as u64,
        sha256: files::sha256(bytes),
    };
    entries.iter().map(entry).collect()
}
