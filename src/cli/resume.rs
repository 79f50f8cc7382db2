//! `ebb run --resume RUN`: a run that failed, was stopped or was killed goes on in its folder, with its parameters and its
//! seed. Finetunings with a `dir` go on from their checkpoints, and what `cached` kept is not computed again.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::folders::{self, Held};
use crate::notebook::kept;
use crate::notebook::record::SCRIPT;

/// What a run goes on with.
pub struct Resumed {
    pub folder: PathBuf,
    /// The script's path as it was run, and its text as it stands now, or as it was where it is gone.
    pub script: String,
    pub text: String,
    /// The parameters of the record. They permit nothing.
    pub recorded: Vec<(String, String)>,
    pub seed: u64,
    pub notes: Vec<String>,
    /// Until the run has begun nobody else goes on with it.
    pub held: RefCell<Option<Held>>,
}

/// Takes `--resume RUN` out of the words behind `ebb run`; gives the run's folder.
pub fn asked(words: &mut Vec<String>) -> Option<String> {
    let place =
        words.iter().position(|word| word == "--resume" || word.starts_with("--resume="))?;
    let word = words.remove(place);
    if let Some(folder) = word.strip_prefix("--resume=") {
        return Some(folder.to_string());
    }
    Some(if place < words.len() { words.remove(place) } else { String::new() })
}

/// Reads what a run goes on with.
pub fn read(folder: &str) -> Result<Resumed> {
    if folder.is_empty() {
        return Err(Error::failed_with_hint(
            "--resume names no run",
            "ebb run --resume runs/NAME goes on with a run that `ebb runs` lists",
        ));
    }
    let folder = PathBuf::from(folder);
    kept::facts(&folder)?;
    let under_way = || {
        Error::failed_with_hint(
            format!("the run in {} is under way", folder.display()),
            "wait until it has ended",
        )
    };
    let held = folders::hold_now(&Roots::really(&folder)).ok_or_else(under_way)?;
    let facts = kept::facts(&folder)?;
    match kept::status(&folder, &facts).as_str() {
        "running" => return Err(under_way()),
        "done" => {
            return Err(Error::failed_with_hint(
                format!("the run in {} is done: there is nothing to go on with", folder.display()),
                "`ebb verify RUN` runs it again, and `ebb run SCRIPT` makes a new one",
            ));
        }
        _ => {}
    }
    let script = facts["script"].as_str().unwrap_or(SCRIPT).to_string();
    let folder = Roots::really(&folder);
    let before = Roots::below(&folder).text(&folder.join(SCRIPT))?;
    let mut notes = Vec::new();
    // A record may come from a stranger, and names no file outside the folder that this is called in.
    let text = match Roots::below(Path::new(".")).text(Path::new(&script)) {
        Ok(now) => {
            let now = now.replace("\r\n", "\n");
            if now != before {
                notes.push(format!(
                    "{script} has changed since the run began; it is run as it stands now"
                ));
            }
            now
        }
        Err(_) => {
            notes.push(format!(
                "{script} is not to be read below this folder; the script is run as it was"
            ));
            before
        }
    };
    let recorded = facts["parameters"].as_object().map(typed_parameters).unwrap_or_default();
    let seed = facts["first_seed"].as_u64().unwrap_or_default();
    let held = RefCell::new(Some(held));
    Ok(Resumed { folder, script, text, recorded, seed, notes, held })
}

/// The parameters of a record as one types them.
pub fn typed_parameters(parameters: &Map<String, Value>) -> Vec<(String, String)> {
    parameters.iter().map(|(name, value)| (name.clone(), typed(value))).collect()
}

/// A parameter's value as one types it.
fn typed(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}
