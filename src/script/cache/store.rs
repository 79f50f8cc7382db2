//! The folder that entries lie in: found, held, written, checked, listed and cleared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rhai::Dynamic;
use serde_json::{Value, json};

use super::values::{self, Writer};
use crate::control::Control;
use crate::doorway::{EntryKind, Roots};
use crate::error::{Error, Result};
use crate::folders::{self, Held};
use crate::model::load::LoadOptions;
use crate::script::host::Inputs;
use crate::{files, place};

const NOTE: &str = "entry.json";
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// An entry as it is listed.
pub struct Entry {
    pub address: String,
    pub label: String,
    pub bytes: u64,
}

/// One entry's place, held by this process.
pub struct Shelf {
    folder: PathBuf,
    address: String,
    options: LoadOptions,
    _held: Held,
}

impl Shelf {
    /// Holds the place of an address, waiting while another process does.
    pub fn hold(cache: &Path, address: &str, device: &str, control: &Control) -> Result<Self> {
        let anywhere = Roots::anywhere();
        let folder = place::folder(&anywhere, &cache.join(address))?.path().to_path_buf();
        let held = loop {
            if let Some(held) = folders::hold_now(&folder) {
                break held;
            }
            control.check()?;
            std::thread::sleep(PAUSE);
            place::folder(&anywhere, &folder)?;
        };
        let options = LoadOptions {
            device: device.to_string(),
            control: control.clone(),
            roots: Roots::of([folder.clone()]),
            ..LoadOptions::default()
        };
        Ok(Self { folder, address: address.to_string(), options, _held: held })
    }

    /// What is kept here with what it was read from: `None` where there is nothing, an error where it is not as written.
    pub fn find(&self) -> Result<Option<(Value, Inputs)>> {
        let Some(note) = note(&self.folder)? else {
            return Ok(None);
        };
        let damaged = |what: &str| Err(Error::failed(format!("its {what} not as it was written")));
        if note.get("address") != Some(&Value::from(self.address.clone())) {
            return damaged("address is");
        }
        if note.get("files") != Some(&json!(hashes(&self.folder)?)) {
            return damaged("files are");
        }
        let inputs = note.get("inputs").cloned().unwrap_or_default();
        let inputs = serde_json::from_value(inputs);
        Ok(Some((note, inputs.map_err(|error| Error::failed(error.to_string()))?)))
    }

    /// The value of an entry that was found.
    pub fn read(&self, note: &Value) -> Result<Dynamic> {
        values::read(note.get("value").unwrap_or(&Value::Null), &self.folder, &self.options)
    }

    /// Removes what is here.
    pub fn empty(&self) -> Result<()> {
        empty(&self.folder)
    }

    /// Keeps a value: what it is made of, then the note that makes it an entry.
    pub fn keep(&self, label: &str, value: &Dynamic, inputs: &Inputs) -> Result<u64> {
        let mut writer = Writer { folder: &self.folder, options: &self.options, parts: 0 };
        let value = writer.value(value, 0)?;
        let mut note = json!({
            "address": self.address, "label": label, "value": value, "inputs": inputs,
            "files": hashes(&self.folder)?,
        });
        let hash = files::sha256(note.to_string().as_bytes());
        if let Some(map) = note.as_object_mut() {
            map.insert("note_sha256".to_string(), hash.into());
        }
        let roots = Roots::of([self.folder.clone()]);
        files::write_bytes(&roots, &self.folder.join(NOTE), note.to_string().as_bytes())?;
        size(&self.folder)
    }
}

/// Whether a value can be kept at all.
pub fn check(value: &Dynamic) -> Result<()> {
    values::check(value, 0)
}

/// The note of an entry, checked against the hash that it carries.
fn note(folder: &Path) -> Result<Option<Value>> {
    let text = match Roots::of([folder.to_path_buf()]).text(&folder.join(NOTE)) {
        Err(error) if error.is_missing() => return Ok(None),
        text => text?,
    };
    let broken = || Error::failed("its entry.json is not as it was written");
    let mut note: Value = serde_json::from_str(&text).map_err(|_| broken())?;
    let hash = note.as_object_mut().and_then(|map| map.shift_remove("note_sha256"));
    let is_whole = hash == Some(files::sha256(note.to_string().as_bytes()).into());
    if is_whole { Ok(Some(note)) } else { Err(broken()) }
}

/// Every file of a folder but its note, links and all else refused.
fn walk(top: &Path, folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in Roots::of([top.to_path_buf()]).list(folder)? {
        match entry.kind {
            EntryKind::Folder => walk(top, &entry.path, found)?,
            EntryKind::File => found.push(entry.path),
            _ => return Err(Error::failed(format!("`{}` in it is no file", entry.name))),
        }
    }
    Ok(())
}

fn hashes(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut paths = Vec::new();
    walk(folder, folder, &mut paths)?;
    let roots = Roots::of([folder.to_path_buf()]);
    let mut hashes = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        if name != NOTE {
            hashes.insert(name, files::sha256_of(&mut roots.open(&path)?.file, || Ok(()))?);
        }
    }
    Ok(hashes)
}

fn size(folder: &Path) -> Result<u64> {
    let mut paths = Vec::new();
    walk(folder, folder, &mut paths)?;
    let roots = Roots::of([folder.to_path_buf()]);
    let mut bytes = 0;
    for path in paths {
        let file = roots.open(&path)?.file;
        bytes += file.metadata().map_err(|error| Error::io("read", &path, error))?.len();
    }
    Ok(bytes)
}

/// The note goes first, so that a kill leaves no entry with parts missing.
fn empty(folder: &Path) -> Result<()> {
    let failed = |path: &Path, error: std::io::Error| Error::io("remove", path, error);
    let mut entries = Roots::of([folder.to_path_buf()]).list(folder)?;
    entries.sort_by_key(|entry| entry.name != NOTE);
    for entry in entries {
        let removed = match entry.kind {
            EntryKind::Folder => std::fs::remove_dir_all(&entry.path),
            _ => std::fs::remove_file(&entry.path),
        };
        removed.map_err(|error| failed(&entry.path, error))?;
    }
    Ok(())
}

/// Whether a name is that of an entry of ours: 64 digits of a hash.
fn is_address(name: &str) -> bool {
    name.len() == 64 && name.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

fn places(cache: &Path) -> Result<Vec<(String, PathBuf)>> {
    match Roots::anywhere().list(cache) {
        Err(error) if error.is_missing() => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(entries) => {
            let ours = entries.into_iter();
            let ours = ours.filter(|e| matches!(e.kind, EntryKind::Folder) && is_address(&e.name));
            Ok(ours.map(|entry| (entry.name, entry.path)).collect())
        }
    }
}

/// The entries of a cache folder. What cannot be read as one is listed with a word about it.
pub fn list(cache: &Path) -> Result<Vec<Entry>> {
    let entries = places(cache)?.into_iter().filter_map(|(address, folder)| {
        let label = match note(&folder) {
            Ok(None) => return None,
            Ok(Some(note)) => note.get("label").and_then(Value::as_str).unwrap_or("").to_string(),
            Err(_) => "(damaged)".to_string(),
        };
        Some(Entry { address, label, bytes: size(&folder).unwrap_or(0) })
    });
    Ok(entries.collect())
}

/// Removes the entries that no process holds; gives how many entries went and their bytes.
pub fn clear(cache: &Path) -> Result<(usize, u64)> {
    let (mut count, mut bytes) = (0, 0);
    for (_, folder) in places(cache)? {
        let Some(_held) = folders::hold_now(&folder) else {
            continue;
        };
        bytes += size(&folder).unwrap_or(0);
        count += usize::from(!matches!(note(&folder), Ok(None)));
        empty(&folder)?;
        std::fs::remove_dir(&folder).map_err(|error| Error::io("remove", &folder, error))?;
    }
    Ok((count, bytes))
}
