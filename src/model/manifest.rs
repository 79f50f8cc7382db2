//! What a model folder of ours holds, noted in its ebb.json beside the lineage: each file's size and hash, and a hash of the
//! note itself. By it a folder is known to be ours to the last byte before it is replaced.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::lineage::Lineage;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::{files, folders};

/// The file that holds the note.
pub const NOTE: &str = "ebb.json";
/// Every name that a model folder of ours may hold.
pub const NAMES: [&str; 8] = [
    "adapter_config.json",
    "adapter_model.safetensors",
    "config.json",
    NOTE,
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
];
/// Bytes beyond any note.
const LARGEST_NOTE: u64 = 1 << 26;

/// The note on a folder whose other files are written.
pub fn note(lineage: &Lineage, folder: &Path) -> Result<Value> {
    let mut listed = Map::new();
    for path in folders::entries(folder)? {
        if folders::is_mark(folder, &folders::name_of(&path)) {
            continue;
        }
        let facts =
            std::fs::symlink_metadata(&path).map_err(|error| Error::io("read", &path, error))?;
        let sha256 = sha256_of(folder, &path)?;
        let entry = json!({ "bytes": facts.len(), "sha256": sha256 });
        listed.insert(folders::name_of(&path), entry);
    }
    let mut note = json!(lineage);
    note["files"] = Value::Object(listed);
    note["note_sha256"] = Value::String(files::sha256(note.to_string().as_bytes()));
    Ok(note)
}

/// The names of a folder's entries, where every one is as we wrote it; else which is not.
pub fn owned(folder: &Path) -> Result<Vec<String>> {
    if !folders::is_real_folder(folder) {
        return Err(Error::failed_with_hint(
            format!("{} exists and is not a folder", folder.display()),
            "save under another name",
        ));
    }
    let entries = folders::entries(folder)?;
    let listed = listed(folder);
    let refused = |what: String| {
        Error::failed_with_hint(
            format!("{} exists and {what}", folder.display()),
            "save into a new folder: only what this program saved, as it saved it, is replaced",
        )
    };
    let mut names = Vec::new();
    for path in &entries {
        let name = folders::name_of(path);
        let Some(listed) = &listed else {
            return Err(refused(format!(
                "is not a model that was saved here: no {NOTE} says where `{name}` in it comes from"
            )));
        };
        match listed.get(&name) {
            _ if name == NOTE || folders::is_mark(folder, &name) => {}
            None => {
                let what = format!("is not a model alone: `{name}` in it was not saved with it");
                return Err(refused(what));
            }
            Some(entry) if !is_as_listed(folder, path, entry)? => {
                return Err(refused(format!("its `{name}` has changed since it was saved")));
            }
            Some(_) => {}
        }
        names.push(name);
    }
    Ok(names)
}

/// The files that a folder's note lists, if it has a whole note of ours.
fn listed(folder: &Path) -> Option<Map<String, Value>> {
    let path = folder.join(NOTE);
    let facts = std::fs::symlink_metadata(&path).ok()?;
    if !facts.is_file() || facts.len() > LARGEST_NOTE {
        return None;
    }
    let mut note: Value = serde_json::from_str(&Roots::below(folder).text(&path).ok()?).ok()?;
    let hash = note.as_object_mut()?.shift_remove("note_sha256")?;
    let is_whole = hash == files::sha256(note.to_string().as_bytes());
    let listed = note.get("files")?.as_object()?;
    let are_ours = listed.keys().all(|name| NAMES.contains(&name.as_str()));
    (is_whole && are_ours).then(|| listed.clone())
}

fn is_as_listed(folder: &Path, path: &Path, entry: &Value) -> Result<bool> {
    let facts = std::fs::symlink_metadata(path).map_err(|error| Error::io("read", path, error))?;
    if !facts.is_file() || entry.get("bytes") != Some(&Value::from(facts.len())) {
        return Ok(false);
    }
    let sha256 = sha256_of(folder, path)?;
    Ok(entry.get("sha256").and_then(Value::as_str) == Some(sha256.as_str()))
}

/// The SHA-256 of a file of the folder.
fn sha256_of(folder: &Path, path: &Path) -> Result<String> {
    files::sha256_of(&mut Roots::below(folder).open(path)?.file, || Ok(()))
}
