//! The manifest: what a bundle holds, what has to be had besides it, and how the script is run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::layout::{EXPECTED, FILES, MANIFEST};
use super::names::{self, shown};
use crate::error::{Error, Result};
use crate::{files, plain};

/// The form that this program writes. A newer one may say what this program would not heed.
const FORM: u64 = 1;

/// What `manifest.json` says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    pub form: u64,
    /// The version of the program that made it.
    pub ebb: String,
    /// The script, below `files/`.
    pub script: String,
    pub parameters: Map<String, Value>,
    pub first_seed: u64,
    /// All entries but the manifest.
    pub entries: Vec<Entry>,
    /// Inputs of the disk that are too large to be inside.
    pub place: Vec<Placed>,
    /// Models and data of the Hub, and checkpoints that are published.
    pub fetch: Vec<Fetched>,
    /// What the program ships.
    pub shipped: Vec<Fetched>,
}

/// An entry of the archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

/// A file that the receiver has to put somewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    /// Where, in the folder that the bundle is unpacked into.
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

/// Something known by its name, such as `org/name@commit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    pub name: String,
    pub sha256: Option<String>,
}

impl Manifest {
    /// One of the form that this program writes.
    pub fn new() -> Self {
        Self { form: FORM, ebb: env!("CARGO_PKG_VERSION").to_string(), ..Self::default() }
    }

    /// Reads one; nothing is believed yet but its form.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let malformed = |error: serde_json::Error| {
            Error::failed(format!("its manifest.json cannot be read: {error}"))
        };
        let value: Value = serde_json::from_slice(bytes).map_err(malformed)?;
        match value["form"].as_u64() {
            Some(FORM) => {}
            Some(newer) if newer > FORM => {
                return Err(Error::failed(format!(
                    "its manifest has the form {newer}, and this program knows form {FORM}: it was made by a newer ebb ({})",
                    value["ebb"].as_str().map(plain::one_line).unwrap_or_default()
                )));
            }
            _ => return Err(Error::failed("its manifest says no form that is known")),
        }
        serde_json::from_value(value).map_err(malformed)
    }

    /// The commits of the Hub that the run had: `org/name`, of data sets `hf/org/name`. Where it had two of one repository,
    /// the script names them itself.
    pub fn locked(&self) -> BTreeMap<String, String> {
        let mut commits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for thing in &self.fetch {
            let Some((repository, rest)) = thing.name.split_once('@') else { continue };
            let commit = rest.split(':').next().unwrap_or(rest);
            commits.entry(repository.to_string()).or_default().insert(commit.to_string());
        }
        let single = |(repository, commits): (String, BTreeSet<String>)| {
            let mut commits = commits.into_iter();
            commits.next().filter(|_| commits.next().is_none()).map(|commit| (repository, commit))
        };
        commits.into_iter().filter_map(single).collect()
    }

    pub fn text(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        plain::json_pretty(&value) + "\n"
    }

    /// Refuses an archive that is not what the manifest says.
    pub fn check(&self, entries: &BTreeMap<String, &[u8]>) -> Result<()> {
        let mut listed = BTreeSet::from([MANIFEST]);
        for entry in &self.entries {
            let Some(bytes) = entries.get(&entry.name) else {
                return Err(Error::failed(format!(
                    "its manifest lists {}, which it does not hold",
                    shown(&entry.name)
                )));
            };
            if bytes.len() as u64 != entry.bytes || files::sha256(bytes) != entry.sha256 {
                return Err(Error::failed(format!(
                    "{} has another content than its manifest says",
                    shown(&entry.name)
                )));
            }
            listed.insert(&entry.name);
        }
        if let Some(stranger) = entries.keys().find(|name| !listed.contains(name.as_str())) {
            return Err(Error::failed(format!(
                "it holds {}, which its manifest does not list",
                shown(stranger)
            )));
        }
        let placed = self.place.iter().map(|file| file.path.as_str());
        names::check(entries.keys().map(String::as_str).chain(placed.clone()))?;
        if let Some(path) = placed.into_iter().find(|path| !path.starts_with(FILES)) {
            return Err(Error::failed(format!("it wants {} outside of {FILES}", shown(path))));
        }
        for name in [format!("{FILES}{}", self.script), format!("{EXPECTED}run.json")] {
            if !entries.contains_key(&name) {
                return Err(Error::failed(format!("it holds no {}", shown(&name))));
            }
        }
        Ok(())
    }
}
