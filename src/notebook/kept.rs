//! A run read back from its folder: what it was run with, and what came of it. A folder may come from a stranger: nothing
//! in it is believed further than that it is shown.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cells::{self, Cell, Content};
use super::outcome::{Outcome, Ran};
use super::outputs::{self, Line};
use super::record::{FACTS, METRICS, SCRIPT};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;
use crate::frame::{DataFrame, read};
use crate::script::report::ScriptError;

/// A run as it was kept.
pub struct Kept {
    pub folder: PathBuf,
    /// What run.json says.
    pub facts: Value,
    pub script: String,
    pub outcome: Outcome,
    /// The lines of metrics.jsonl.
    pub metrics: Vec<Value>,
    /// What is worth a word: lines that are cut short, for example.
    pub notes: Vec<String>,
    /// Folders that texts speak of, and what stands for each where runs of other places are compared.
    pub places: Vec<(String, String)>,
}

/// What run.json of a folder says.
pub fn facts(folder: &Path) -> Result<Value> {
    let (named, folder) = (folder, &Roots::really(folder));
    let path = folder.join(FACTS);
    let is_gone = Roots::anywhere().find(folder).is_err_and(|error| error.is_missing());
    let text = match Roots::below(folder).text(&path) {
        Err(error) if is_gone || error.is_missing() => {
            return Err(Error::failed_with_hint(
                format!("{} holds no run", named.display()),
                "a run is a folder with run.json in it, such as those that `ebb runs` lists",
            ));
        }
        text => text?,
    };
    let facts: Value = serde_json::from_str(&text)
        .map_err(|error| Error::malformed(&path, Some(error.line()), error.to_string()))?;
    // Other programs write files of this name too, and their folders are none of ours.
    if facts["script_sha256"].is_string() && facts["status"].is_string() {
        Ok(facts)
    } else {
        Err(Error::malformed(&path, None, "expected what ebb writes about a run, got other JSON"))
    }
}

/// How a run stands: as its record says, but "killed" where it would be under way and nobody is at it.
pub fn status(folder: &Path, facts: &Value) -> String {
    let said = facts["status"].as_str().unwrap_or("unknown");
    let is_dead = || !outputs::is_being_written(folder);
    if said == "running" && is_dead() { "killed".to_string() } else { said.to_string() }
}

/// The run in a folder.
///
/// # Errors
/// Where there is none, or its script is not the one that was run.
pub fn open(folder: &Path) -> Result<Kept> {
    let folder = &Roots::really(folder);
    let facts = facts(folder)?;
    let script = Roots::below(folder).text(&folder.join(SCRIPT))?;
    if facts["script_sha256"] != files::sha256(script.as_bytes()) {
        return Err(Error::failed_with_hint(
            format!("{SCRIPT} in {} is not the script that was run", folder.display()),
            "it was changed since, so that what the cells showed belongs to another text: run it anew",
        ));
    }
    let cells = cells::split(&script);
    let mut notes = Vec::new();
    let lines = lines(folder, &mut notes)?;
    let error = error(&facts, &script);
    let ran = cells.iter().enumerate().filter_map(|(place, cell)| ran(place, cell, &lines));
    let outcome = Outcome { ran: ran.collect(), error, ..Outcome::default() };
    let metrics = json_lines(folder, METRICS, &mut notes)?.unwrap_or_default();
    let places = places(&facts);
    Ok(Kept { folder: folder.to_path_buf(), facts, script, outcome, metrics, notes, places })
}

impl Kept {
    /// The rows of a table that were kept in a file.
    pub fn rows(&self, file: &str) -> Result<DataFrame> {
        let path = self.folder.join(outputs::FOLDER).join(file);
        // The run's folder is the root: that of its tables may be a link.
        let bytes = Roots::below(&self.folder).bytes(&path).map_err(|error| match error {
            Error::NotAllowed { .. } => Error::malformed(
                self.folder.join(outputs::FILE),
                None,
                format!("it names the table {file:?}, which does not lie in the run's folder"),
            ),
            other => other,
        })?;
        read::parse(&path, &bytes)
    }

    /// A text that speaks of the run's folder, so that it is the same for a run in another one.
    pub fn without_place(&self, text: &str) -> String {
        let text = replaced(text, &self.folder.display().to_string(), "RUN");
        self.places.iter().fold(text, |text, (place, word)| replaced(&text, place, word))
    }

    /// The same for all texts of a value.
    pub fn value_without_place(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.without_place(text)),
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| self.value_without_place(value)).collect())
            }
            Value::Object(map) => {
                let pair = |(name, value): (&String, &Value)| {
                    (name.clone(), self.value_without_place(value))
                };
                Value::Object(map.iter().map(pair).collect())
            }
            other => other.clone(),
        }
    }
}

/// A text with a word for a folder's path, where that stands for itself and is no part of a longer name. Paths are whole: a
/// folder that is called `3` is no reason to change numbers.
fn replaced(text: &str, path: &str, word: &str) -> String {
    if !Path::new(path).is_absolute() || path.len() < 2 {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(path) {
        out.push_str(before);
        let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        out.push_str(if after.starts_with(goes_on) { path } else { word });
        rest = after;
    }
    out + rest
}

/// Where a run was that is kept in a bundle now: `places` maps folders of the machine it was made on to words.
fn places(facts: &Value) -> Vec<(String, String)> {
    let places = facts["places"].as_array().into_iter().flatten();
    let pair =
        |place: &Value| Some((place[0].as_str()?.to_string(), place[1].as_str()?.to_string()));
    places.filter_map(pair).filter(|(place, _)| !place.is_empty()).collect()
}

/// The lines of the outputs.
fn lines(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<Line>> {
    let lines = json_lines(folder, outputs::FILE, notes)?;
    if lines.is_none() {
        let file = outputs::FILE;
        notes.push(format!("the run kept no {file}: what its cells showed is not known"));
    }
    Ok(lines.unwrap_or_default())
}

/// The lines of a file in the folder; none where there is no file. A killed run may have left the last one cut short.
fn json_lines<T: DeserializeOwned>(
    folder: &Path,
    file: &str,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<T>>> {
    let path = folder.join(file);
    let text = match Roots::below(folder).text(&path) {
        Err(error) if error.is_missing() => return Ok(None),
        text => text?,
    };
    let mut lines = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str::<T>(line) {
            Ok(line) => lines.push(line),
            Err(_) if !line.ends_with('\n') => {
                notes.push(format!("line {} of {file} is cut short and left out", number + 1));
            }
            Err(error) => return Err(Error::malformed(&path, Some(number + 1), error.to_string())),
        }
    }
    Ok(Some(lines))
}

/// A cell with what it showed; nothing for one of code that was not come to.
fn ran(place: usize, cell: &Cell, lines: &[Line]) -> Option<Ran> {
    let line = lines.iter().find(|line| line.cell == place);
    let is_prose = matches!(cell.content, Content::Prose(_));
    let (items, seconds) = match line {
        Some(line) => (line.items.clone(), line.seconds),
        None if is_prose => (Vec::new(), 0.0),
        None => return None,
    };
    Some(Ran { cell: cell.clone(), items, seconds })
}

/// The error that a run ended with, if it did.
fn error(facts: &Value, script: &str) -> Option<Box<ScriptError>> {
    let error = &facts["error"];
    let text = |value: &Value| value.as_str().map(str::to_string);
    let message = text(&error["message"])?;
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let line = number(&error["line"]);
    let quoted = line.and_then(|line| script.lines().nth(line.checked_sub(1)?));
    let notes = error["notes"].as_array().into_iter().flatten();
    Some(Box::new(ScriptError {
        message,
        hint: text(&error["hint"]),
        file: text(&error["file"]).unwrap_or_default(),
        line,
        line_text: quoted.unwrap_or_default().to_string(),
        column: number(&error["column"]),
        notes: notes.filter_map(text).collect(),
        interrupted: facts["status"] == "stopped",
    }))
}
