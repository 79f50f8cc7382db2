//! A run that goes on: what an attempt left in the run's folder is set aside, and the next one begins there.

use std::path::{Path, PathBuf};

use super::outputs;
use super::record::{FACTS, METRICS, REPORT, SCRIPT};
use crate::doorway::{EntryKind, Roots};
use crate::error::{Error, Result};
use crate::place;

/// What the names of set aside attempts begin with.
const ATTEMPT: &str = "attempt-";

/// Moves the record of the last attempt into `attempt-N` of the run's folder; checkpoints, models and whatever else the
/// script put there stay where they are. Gives the attempt's folder.
pub fn set_aside(folder: &Path, roots: &Roots) -> Result<PathBuf> {
    let held = place::folder(roots, folder)?;
    let entries = roots.list(folder)?;
    let number = (1..).find(|number| {
        let name = format!("{ATTEMPT}{number}");
        !entries.iter().any(|entry| entry.name == name)
    });
    let name = format!("{ATTEMPT}{}", number.unwrap_or(1));
    let attempt = folder.join(&name);
    let within = place::folder(roots, &attempt)?;
    for entry in entries {
        let is_file = matches!(entry.kind, EntryKind::File);
        let is_rows = entry.name == outputs::FOLDER && matches!(entry.kind, EntryKind::Folder);
        if is_rows || (is_file && is_ours(&entry.name)) {
            std::fs::rename(held.way(&entry.name), within.way(&entry.name))
                .map_err(|error| Error::io("move", &entry.path, error))?;
        }
    }
    Ok(attempt)
}

/// Whether a run writes a file of that name: the record, and the logs of finetunings.
fn is_ours(name: &str) -> bool {
    let log = name.strip_prefix("finetune-").and_then(|rest| rest.strip_suffix(".jsonl"));
    let is_log = log.is_some_and(|number| number.chars().all(|digit| digit.is_ascii_digit()));
    is_log || [FACTS, METRICS, REPORT, SCRIPT, outputs::FILE].contains(&name)
}
