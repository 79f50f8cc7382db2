//! What a run read, found again and checked: small files inside the bundle, large ones and those of the Hub by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::asked::Asked;
use super::places::Places;
use crate::bundle::{self, Fetched, Placed};
use crate::doorway::{EntryKind, Found, Roots};
use crate::error::{Error, Result};
use crate::files;

/// Folders within each other that are looked through for the files of a model.
const DEEPEST: usize = 8;
/// Bytes of a module.
const LARGEST_CODE: u64 = 1 << 20;

/// What goes into the bundle, and what is only named in it.
pub struct Gathered<'a> {
    asked: &'a Asked,
    inputs: Vec<(String, Option<String>)>,
    /// The run's own folder: what the script wrote there it writes again.
    run_folder: PathBuf,
    pub entries: BTreeMap<String, Vec<u8>>,
    pub place: Vec<Placed>,
    pub fetch: Vec<Fetched>,
    pub shipped: Vec<Fetched>,
    /// The inputs of the record, by their names in the bundle.
    pub renamed: Vec<Value>,
    pub notes: Vec<String>,
    /// Bytes of inputs that are inside.
    bytes: u64,
}

impl<'a> Gathered<'a> {
    pub fn new(facts: &Value, asked: &'a Asked, run_folder: &Path) -> Self {
        let inputs = facts["inputs"].as_array().into_iter().flatten().filter_map(|input| {
            Some((
                input["name"].as_str()?.to_string(),
                input["sha256"].as_str().map(str::to_string),
            ))
        });
        let found = Roots::anywhere().find(run_folder);
        Self {
            asked,
            inputs: inputs.collect(),
            run_folder: found.map_or(run_folder.to_path_buf(), |found| found.path().to_path_buf()),
            entries: BTreeMap::new(),
            place: Vec::new(),
            fetch: Vec::new(),
            shipped: Vec::new(),
            renamed: Vec::new(),
            notes: Vec::new(),
            bytes: 0,
        }
    }

    /// An entry that is at hand.
    pub fn text(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        check_name(name, name)?;
        self.entries.insert(name.to_string(), bytes.to_vec());
        Ok(())
    }

    /// Everything that the record names.
    pub fn inputs(&mut self, places: &mut Places) -> Result<()> {
        for (name, sha256) in self.inputs.clone() {
            let renamed = self.input(&name, sha256.as_deref(), places)?;
            let renamed = renamed.unwrap_or(name);
            self.renamed.push(json!({ "name": renamed, "sha256": sha256 }));
        }
        Ok(())
    }

    /// What is to be inside besides.
    pub fn more(&mut self, places: &mut Places) -> Result<()> {
        for path in &self.asked.with {
            let named = path.display().to_string();
            match Roots::anywhere().find(path)? {
                Found::File(file) => {
                    self.file(&file, &named, places)?;
                }
                Found::Folder(folder) => {
                    self.folder(&folder, &named, places, DEEPEST)?;
                }
            }
        }
        Ok(())
    }

    /// One input; gives its name in the bundle where it is a file or a folder.
    fn input(
        &mut self,
        name: &str,
        sha256: Option<&str>,
        places: &mut Places,
    ) -> Result<Option<String>> {
        let known = Fetched { name: name.to_string(), sha256: sha256.map(str::to_string) };
        if name.starts_with("cached: ") {
            return Ok(None);
        }
        if name.starts_with("ebb/") {
            push(&mut self.shipped, known);
            return Ok(None);
        }
        if name.starts_with("hf/") {
            push(&mut self.fetch, known);
            return Ok(None);
        }
        let path = places.working_folder().join(name);
        match Roots::anywhere().find(&path) {
            Ok(found) if found.path().starts_with(&self.run_folder) => Ok(None),
            Ok(Found::File(file)) => {
                let (place, hash) = self.file(&file, name, places)?;
                self.check(name, &[hash])?;
                Ok(Some(shorter(&place)))
            }
            Ok(Found::Folder(folder)) => {
                check_model(&folder, name)?;
                let hashes = self.folder(&folder, name, places, DEEPEST)?;
                self.check(name, &of_weights(&hashes))?;
                places.place(&folder, name).map(|place| Some(shorter(&place)))
            }
            Err(error) if error.is_missing() && !Path::new(name).is_absolute() => {
                if name.contains('/') && !name.contains('@') {
                    let note = format!(
                        "{name} was loaded from the Hub, and the record does not say at which commit"
                    );
                    self.notes.push(note);
                }
                push(&mut self.fetch, known);
                Ok(None)
            }
            Err(error) if error.is_missing() => Err(Error::failed_with_hint(
                format!("the input {name} of the run is not there any more"),
                "put it back, or run the script anew",
            )),
            Err(error) => Err(error),
        }
    }

    /// Refuses an input of which no hash is one that the run's record has for that name.
    fn check(&self, name: &str, hashes: &[String]) -> Result<()> {
        let recorded = self.inputs.iter().filter(|(known, _)| known == name);
        let recorded: Vec<&str> = recorded.filter_map(|(_, hash)| hash.as_deref()).collect();
        if recorded.iter().any(|hash| hashes.iter().any(|now| now == hash)) {
            return Ok(());
        }
        Err(Error::failed_with_hint(
            format!(
                "the input {name} has changed since the run read it: sha256 {} then, {} now",
                if recorded.is_empty() { "unknown".to_string() } else { recorded.join(" or ") },
                hashes.first().map_or("none", String::as_str)
            ),
            "run the script anew, and bundle that run",
        ))
    }

    /// A file: inside, where it is small enough, else only named. Gives its place and its hash.
    fn file(&mut self, path: &Path, named: &str, places: &mut Places) -> Result<(String, String)> {
        let place = places.place(path, named)?;
        check_name(&place, named)?;
        let mut opened = Roots::anywhere().open(path)?;
        let known = self.entries.get(&place);
        let is_new = known.is_none() && !self.place.iter().any(|file| file.path == place);
        // Code is always inside, however little of the data is.
        let is_code = opened.len <= LARGEST_CODE && place.ends_with(".rhai");
        let is_small = opened.len <= self.asked.largest
            && self.bytes.saturating_add(opened.len) <= self.asked.most;
        let is_inside = is_code || is_small;
        if let Some(bytes) = known {
            let hash = files::sha256(bytes);
            if files::sha256_of(&mut opened.file, || Ok(()))? == hash {
                return Ok((place, hash));
            }
            return Err(Error::failed(format!(
                "{named} and another file of the run have the same place in the bundle ({place}) and are not the same"
            )));
        }
        if is_inside {
            let bytes = opened.bytes(path)?;
            let hash = files::sha256(&bytes);
            self.bytes += bytes.len() as u64;
            self.entries.insert(place.clone(), bytes);
            return Ok((place, hash));
        }
        let sha256 = files::sha256_of(&mut opened.file, || Ok(()))?;
        if is_new {
            self.notes.push(format!(
                "{named} ({} bytes) is not inside, but named with its hash: whoever runs the bundle needs it besides",
                opened.len
            ));
            let file = Placed { path: place.clone(), bytes: opened.len, sha256: sha256.clone() };
            self.place.push(file);
        }
        Ok((place, sha256))
    }

    /// The files of a folder, with their names and hashes.
    fn folder(
        &mut self,
        folder: &Path,
        named: &str,
        places: &mut Places,
        depth: usize,
    ) -> Result<Vec<(String, String)>> {
        let mut hashes = Vec::new();
        for entry in Roots::anywhere().list(folder)? {
            let inner = format!("{}/{}", named.trim_end_matches('/'), entry.name);
            match entry.kind {
                EntryKind::Folder if depth > 0 => {
                    hashes.extend(self.folder(&entry.path, &inner, places, depth - 1)?);
                }
                EntryKind::File | EntryKind::Link if is_file(&entry.path) => {
                    let (_, hash) = self.file(&entry.path, &inner, places)?;
                    hashes.push((entry.name, hash));
                }
                _ => self.notes.push(format!(
                    "{inner} is not inside: it is no regular file, or lies too deep"
                )),
            }
        }
        Ok(hashes)
    }
}

/// Refuses a folder that holds no model: a record names no others.
fn check_model(folder: &Path, name: &str) -> Result<()> {
    let entries = Roots::anywhere().list(folder)?;
    let is_of_model = |name: &str| {
        ["config.json", "adapter_config.json"].contains(&name) || name.ends_with(".gguf")
    };
    if entries.iter().any(|entry| is_of_model(&entry.name)) {
        return Ok(());
    }
    Err(Error::failed_with_hint(
        format!("the input {name} of the run is a folder without a model"),
        "put the model back, or run the script anew",
    ))
}

fn is_file(path: &Path) -> bool {
    Roots::anywhere().find(path).is_ok_and(|found| !found.is_folder())
}

/// Adds what is not there yet.
fn push(list: &mut Vec<Fetched>, known: Fetched) {
    if !list.contains(&known) {
        list.push(known);
    }
}

/// The hashes that the weights of a folder may have in a record: one file's, or that of the hashes of several.
fn of_weights(files: &[(String, String)]) -> Vec<String> {
    let mut found: Vec<String> = files.iter().map(|(_, hash)| hash.clone()).collect();
    for ending in [".safetensors", ".bin"] {
        let parts = files.iter().filter(|(name, _)| name.ends_with(ending));
        let parts: Vec<&str> = parts.map(|(_, hash)| hash.as_str()).collect();
        found.push(crate::files::sha256(parts.join(" ").as_bytes()));
    }
    found
}

/// A place as the script knows it.
fn shorter(place: &str) -> String {
    place.strip_prefix(bundle::FILES).unwrap_or(place).to_string()
}

fn check_name(place: &str, named: &str) -> Result<()> {
    match bundle::name_fault(place) {
        None => Ok(()),
        Some(fault) => Err(Error::failed_with_hint(
            format!("{named} cannot be put into a bundle: its name {fault}"),
            "rename it, and run the script anew",
        )),
    }
}
