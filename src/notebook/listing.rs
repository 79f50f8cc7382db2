//! The runs of a folder: what each is in a line, how two differ in what they were made with, and which may go.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::kept;
use crate::display::{Column, Table, number::number};
use crate::doorway::{EntryKind, Roots};
use crate::error::{Error, Result};
use crate::memory;

use super::report::timing::duration;

/// A run in a line.
pub struct Line {
    pub folder: PathBuf,
    pub name: String,
    pub facts: Value,
    /// "done", "failed", "stopped", "running", or "killed" where nobody is at it any more.
    pub status: String,
    pub bytes: u64,
}

/// Metrics of a run that are listed.
const METRICS: usize = 3;

/// The runs in a folder, the newest first; folders that are no runs are passed.
pub fn list(runs: &Path) -> Result<Vec<Line>> {
    let entries = match Roots::anywhere().list(runs) {
        Err(error) if error.is_missing() => {
            return Err(Error::failed_with_hint(
                format!("there is no folder {}", runs.display()),
                "`ebb run SCRIPT` keeps its runs in `runs` of the folder that it is called in",
            ));
        }
        entries => entries?,
    };
    let folders = entries.into_iter().filter(|entry| matches!(entry.kind, EntryKind::Folder));
    let lines = folders.filter_map(|entry| {
        let facts = kept::facts(&entry.path).ok()?;
        let status = kept::status(&entry.path, &facts);
        let bytes = size(&entry.path);
        Some(Line { folder: entry.path, name: entry.name, facts, status, bytes })
    });
    let mut lines: Vec<Line> = lines.collect();
    let started = |line: &Line| text(&line.facts["started"]).parse::<jiff::Timestamp>().ok();
    lines.sort_by_key(|line| std::cmp::Reverse(started(line)));
    Ok(lines)
}

/// Bytes of all files below a folder; links are not followed.
fn size(folder: &Path) -> u64 {
    let roots = Roots::below(folder);
    let Ok(entries) = roots.list(folder) else {
        return 0;
    };
    let sizes = entries.into_iter().map(|entry| match entry.kind {
        EntryKind::Folder => size(&entry.path),
        EntryKind::File => length(&roots, &entry.path).unwrap_or(0),
        _ => 0,
    });
    sizes.sum()
}

fn length(roots: &Roots, path: &Path) -> Result<u64> {
    let facts = roots.open(path)?.file.metadata();
    Ok(facts.map_err(|error| Error::io("read", path, error))?.len())
}

/// The runs as a table: of the parameters those that are not the same in all runs of a script.
pub fn table(lines: &[Line]) -> Table {
    let names = ["run", "status", "script", "time", "parameters", "results", "size"];
    let column = |name: &str| Column {
        name: name.to_string(),
        kind: String::new(),
        numeric: matches!(name, "time" | "size"),
    };
    let row = |line: &Line| {
        vec![
            Some(line.name.clone()),
            Some(line.status.clone()),
            Some(text(&line.facts["script"])),
            seconds(&line.facts).map(duration),
            Some(parameters(line, lines)),
            Some(results(&line.facts)),
            Some(memory::shown(line.bytes)),
        ]
    };
    let caption = match lines.len() {
        1 => "1 run".to_string(),
        count => format!("{count} runs"),
    };
    Table {
        columns: names.map(column).to_vec(),
        rows: lines.iter().map(row).collect(),
        caption,
        ..Table::default()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// How long a run took.
fn seconds(facts: &Value) -> Option<f64> {
    let time = |name: &str| facts[name].as_str()?.parse::<jiff::Timestamp>().ok();
    let (begun, ended) = (time("started")?, time("ended")?);
    Some(ended.duration_since(begun).as_secs_f64())
}

/// The parameters that other runs of the same script had otherwise.
fn parameters(line: &Line, lines: &[Line]) -> String {
    let same = lines.iter().filter(|other| other.facts["script"] == line.facts["script"]);
    let others: Vec<&Line> = same.collect();
    let own = line.facts["parameters"].as_object().into_iter().flatten();
    let seed = ("seed".to_string(), line.facts["first_seed"].clone());
    let own = own.map(|(name, value)| (name.clone(), value.clone())).chain([seed]);
    let told = own.filter_map(|(name, value)| {
        let at = |facts: &Value| match name.as_str() {
            "seed" if facts["parameters"].get("seed").is_none() => facts["first_seed"].clone(),
            name => facts["parameters"][name].clone(),
        };
        let differs = others.iter().any(|other| at(&other.facts) != value);
        (differs && !value.is_null()).then(|| format!("{name} {}", shown(&value)))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The last values of the first metrics.
fn results(facts: &Value) -> String {
    let metrics = facts["metrics"].as_object().into_iter().flatten();
    let told =
        metrics.take(METRICS).map(|(name, metric)| format!("{name} {}", shown(&metric["last"])));
    told.collect::<Vec<_>>().join(", ")
}

/// A value as one reads it in a table.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(of) if of.is_f64() => of.as_f64().map_or(of.to_string(), number),
        Value::Null => "–".to_string(),
        other => other.to_string(),
    }
}

/// What two runs were made with and what they gave, side by side: all that differs, and the metrics of both.
pub fn side_by_side(before: &Value, after: &Value) -> Table {
    let (one, other) = (flat(before), flat(after));
    let mut names: Vec<&String> = one.keys().collect();
    names.extend(other.keys().filter(|name| !one.contains_key(*name)));
    let rows = names.into_iter().filter_map(|name| {
        let (before, after) = (one.get(name), other.get(name));
        let is_result = name.starts_with("metric ");
        let cell = |value: Option<&Value>| value.map(shown);
        (before != after || is_result).then(|| vec![Some(name.clone()), cell(before), cell(after)])
    });
    let rows: Vec<Vec<Option<String>>> = rows.collect();
    let column =
        |name: &str| Column { name: name.to_string(), kind: String::new(), numeric: false };
    let caption = match rows.len() {
        0 => "what they were made with is the same".to_string(),
        1 => "1 line".to_string(),
        count => format!("{count} lines"),
    };
    Table {
        columns: ["", "before", "after"].map(column).to_vec(),
        rows,
        caption,
        ..Table::default()
    }
}

/// What is worth comparing of a record, by name.
fn flat(facts: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    for name in [
        "script",
        "status",
        "first_seed",
        "device",
        "threads",
        "ebb",
        "source",
        "system",
        "vectors",
    ] {
        all.insert(name.replace("first_seed", "seed"), facts[name].clone());
    }
    let time = seconds(facts).map_or(Value::Null, |seconds| duration(seconds).into());
    all.insert("time".to_string(), time);
    for (name, value) in facts["parameters"].as_object().into_iter().flatten() {
        all.insert(format!("--{name}"), value.clone());
    }
    for input in facts["inputs"].as_array().into_iter().flatten() {
        let hash = text(&input["sha256"]);
        let hash: String = hash.chars().take(12).collect();
        all.insert(format!("input {}", text(&input["name"])), hash.into());
    }
    for (place, one) in facts["finetunings"].as_array().into_iter().flatten().enumerate() {
        for (name, value) in one["options"].as_object().into_iter().flatten() {
            all.insert(format!("finetuning {}: {name}", place + 1), value.clone());
        }
    }
    for (name, metric) in facts["metrics"].as_object().into_iter().flatten() {
        all.insert(format!("metric {name}"), metric["last"].clone());
    }
    all
}

/// Which runs go where all but the newest `keep` of each script do, or those that did not end well; none that is under way.
pub fn chosen(lines: &[Line], keep: Option<usize>, unfinished: bool) -> Vec<&Line> {
    let is_chosen = |place: &usize| {
        let Some(line) = lines.get(*place) else { return false };
        let newer = lines.iter().take(*place);
        let newer = newer.filter(|other| other.facts["script"] == line.facts["script"]).count();
        let is_old = keep.is_some_and(|keep| newer >= keep);
        let is_unfinished = unfinished && line.status != "done";
        line.status != "running" && (is_old || is_unfinished)
    };
    (0..lines.len()).filter(is_chosen).filter_map(|place| lines.get(place)).collect()
}
