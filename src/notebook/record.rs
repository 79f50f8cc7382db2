//! The record of a run: a folder with the script, what went in, what came out, and the report.
//!
//! `script.rhai` is the script as it was run, `run.json` says with what and when, `metrics.jsonl` holds a line for each
//! `log(map)`, written at once, `outputs.jsonl` what each cell showed, and `report.html` is made as the run goes on and at its
//! end, also when the script failed.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::outcome::{Outcome, Ran};
use super::outputs::{self, Outputs};
use super::report::html;
use crate::display::Table;
use crate::doorway::{Folder, Roots};
use crate::error::{Error, Result};
use crate::script::host::Host;
use crate::script::report::ScriptError;
use crate::{files, memory, ops, place, plain};

/// A run under way, with the folder that it is kept in, if it is kept.
pub struct Record {
    place: Option<Place>,
    script_name: String,
    script_sha256: String,
    command: Vec<String>,
    started: Timestamp,
    /// The seed that the run began with; the script may set another.
    first_seed: u64,
    inputs: Vec<(String, Option<String>)>,
    metrics: Option<File>,
    /// Of each metric its last value, and how many there were.
    last: Map<String, Value>,
    finetunings: Vec<Value>,
    /// When the page was written, and how long that took.
    page: Option<(Instant, Duration)>,
}

/// What is to be said of a run that has ended.
pub struct Closed {
    /// What run.json says.
    pub facts: Value,
    pub page: String,
    /// Where the page is, where the run is kept.
    pub path: Option<PathBuf>,
}

/// Where a run is kept.
struct Place {
    folder: PathBuf,
    /// Below which the folder must really lie when something is written into it.
    roots: Roots,
    outputs: Outputs,
}

/// What is left to say of a run that ends at once: plain data, which another thread may write.
pub struct Abandoned {
    path: PathBuf,
    roots: Roots,
    facts: Value,
}

impl Abandoned {
    /// Notes in run.json how the run ended. Where that fails nobody is left to be told.
    pub fn write(mut self, status: &str, error: Option<&Error>) {
        // What the run has told since is on disk.
        let told = self.roots.text(&self.path).ok();
        if let Some(told) = told.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
            self.facts = told;
        }
        self.facts["status"] = Value::from(status);
        if let Some(error) = error {
            self.facts["error"] = json!({ "message": error.to_string(), "hint": error.hint() });
        }
        self.facts["ended"] = Value::from(now().to_string());
        let _ = write_facts(&self.roots, &self.path, &self.facts);
    }
}

/// The file that a run is known by.
pub const FACTS: &str = "run.json";
/// The script as it was run.
pub const SCRIPT: &str = "script.rhai";
/// What else a run keeps in its folder.
pub const METRICS: &str = "metrics.jsonl";
pub const REPORT: &str = "report.html";

/// The page of a run under way is written no more often than this, and never so often that it costs a tenth of the time.
const EVERY: Duration = Duration::from_secs(1);
const SHARE: u32 = 10;

/// Makes the first free `DATE-NAME-N` in the folder `runs`: of several runs that begin at once each gets its own.
pub fn free_folder(roots: &Roots, runs: &Path, script: &Path) -> Result<PathBuf> {
    let stem = script.file_stem().unwrap_or_default().to_string_lossy();
    let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let held = place::folder(roots, runs)?;
    let mut number = 1;
    loop {
        let name = format!("{date}-{stem}-{number}");
        let folder = runs.join(&name);
        match std::fs::create_dir(held.way(&name)) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Error::io("create", &folder, error)),
        }
    }
}

impl Record {
    /// Makes the folder, claims it and writes the script into it. A folder that already holds a run is refused: of several
    /// runs that ask for one folder at once, one gets it. So is one with files of the names that a run writes.
    pub fn begin(
        folder: &Path,
        roots: Roots,
        script_name: &str,
        script: &str,
        command: Vec<String>,
        host: &Host,
    ) -> Result<Self> {
        let held = place::folder(&roots, folder)?;
        let mut record = Self::unkept(script_name, script, command, host);
        let path = folder.join(FACTS);
        let taken = || {
            Error::failed_with_hint(
                format!("{} already holds the record of a run", folder.display()),
                "give another folder, or remove this one first",
            )
        };
        if std::fs::symlink_metadata(held.way(FACTS)).is_ok() {
            return Err(taken());
        }
        refuse_strangers(&held, &[SCRIPT, METRICS, REPORT, outputs::FOLDER])?;
        // Locked before there is a record, so that no run that begins looks like one that was killed.
        let Some(outputs) = Outputs::new(folder, &roots)? else {
            // A run that was quicker has its lock by now, if it is one.
            std::thread::sleep(Duration::from_millis(50));
            let is_run = std::fs::symlink_metadata(held.way(FACTS)).is_ok();
            if is_run || outputs::is_being_written(folder) {
                return Err(taken());
            }
            refuse_strangers(&held, &[outputs::FILE])?;
            return Err(taken());
        };
        let facts = facts_text(&record.facts(host, None));
        let begun = files::write_new(&roots, &path, facts.as_bytes())
            .and_then(|is_new| if is_new { Ok(()) } else { Err(taken()) })
            .and_then(|()| files::write_bytes(&roots, &folder.join(SCRIPT), script.as_bytes()));
        begun.inspect_err(|_| {
            // The run does not begin, so the folder holds none of its outputs.
            let _ = std::fs::remove_file(held.way(outputs::FILE));
        })?;
        record.place = Some(Place { folder: folder.to_path_buf(), roots, outputs });
        Ok(record)
    }

    /// A run that leaves no folder; what is to be said of it is gathered all the same.
    pub fn unkept(script_name: &str, script: &str, command: Vec<String>, host: &Host) -> Self {
        Self {
            place: None,
            script_name: script_name.to_string(),
            script_sha256: files::sha256(script.as_bytes()),
            command,
            started: now(),
            first_seed: host.seed.get(),
            inputs: Vec::new(),
            metrics: None,
            last: Map::new(),
            finetunings: Vec::new(),
            page: None,
        }
    }

    /// What is to be said of this run if it is ended at once.
    pub fn abandoned(&self, host: &Host) -> Option<Abandoned> {
        let Place { folder, roots, .. } = self.place.as_ref()?;
        let facts = self.facts(host, None);
        Some(Abandoned { path: folder.join(FACTS), roots: roots.clone(), facts })
    }

    /// Keeps all rows of the table that an item shows, if it shows one and the run is kept.
    pub fn keep_rows(&mut self, table: &mut Table) -> Result<()> {
        let place = self.place.as_mut();
        place.map_or(Ok(()), |place| place.outputs.keep_rows(table))
    }

    /// Keeps what a cell showed that has ended.
    pub fn cell(&mut self, cell: usize, ran: &Ran) -> Result<()> {
        let place = self.place.as_mut();
        place.map_or(Ok(()), |place| place.outputs.cell(cell, ran))
    }

    /// Writes the page of a run under way, now and then: what is done, and that the cell `next` is being run.
    pub fn page_under_way(&mut self, host: &Host, outcome: &Outcome, next: Value) -> Result<()> {
        let is_due = self.page.is_none_or(|(at, took)| at.elapsed() > EVERY.max(took * SHARE));
        if !is_due || self.place.is_none() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut facts = self.facts(host, None);
        if let Some(Place { folder, roots, .. }) = &self.place {
            write_facts(roots, &folder.join(FACTS), &facts)?;
        }
        facts["running"] = next;
        self.write_page(&html::page(outcome, &facts))?;
        self.page = Some((Instant::now(), begun.elapsed()));
        Ok(())
    }

    /// Writes the page of the run; gives its path where the run is kept.
    fn write_page(&self, page: &str) -> Result<Option<PathBuf>> {
        let Some(Place { folder, roots, .. }) = &self.place else {
            return Ok(None);
        };
        let path = folder.join(REPORT);
        files::write_bytes(roots, &path, page.as_bytes())?;
        Ok(Some(path))
    }

    /// A file or model that was read.
    pub fn input(&mut self, name: String, sha256: Option<String>) {
        let input = (name, sha256);
        if !self.inputs.contains(&input) {
            self.inputs.push(input);
        }
    }

    /// A finetuning that ended.
    pub fn finetuned(&mut self, settings: Value) {
        self.finetunings.push(settings);
    }

    /// A line of metrics, on disk when this returns.
    pub fn metrics(&mut self, map: Map<String, Value>) -> Result<()> {
        for (name, value) in &map {
            let count = self.last.get(name).and_then(|known| known["count"].as_u64()).unwrap_or(0);
            self.last.insert(name.clone(), json!({ "last": value, "count": count + 1 }));
        }
        let Some(Place { folder, roots, .. }) = &self.place else {
            return Ok(());
        };
        let path = folder.join(METRICS);
        let failed = |error| Error::io("write", &path, error);
        if self.metrics.is_none() {
            let new = files::create_new(roots, &path)?;
            self.metrics = Some(new.ok_or_else(|| failed(ErrorKind::AlreadyExists.into()))?);
        }
        let line = format!("{}\n", plain::json(&Value::Object(map)));
        match &mut self.metrics {
            Some(file) => file.write_all(line.as_bytes()).map_err(failed),
            None => Ok(()),
        }
    }

    /// Writes run.json and the page of a run that has ended.
    pub fn close(&self, host: &Host, outcome: &Outcome) -> Result<Closed> {
        let facts = self.facts(host, Some(outcome));
        if let Some(Place { folder, roots, .. }) = &self.place {
            write_facts(roots, &folder.join(FACTS), &facts)?;
        }
        let page = html::page(outcome, &facts);
        let path = self.write_page(&page)?;
        Ok(Closed { facts, page, path })
    }

    /// What run.json says.
    fn facts(&self, host: &Host, outcome: Option<&Outcome>) -> Value {
        let status = match outcome {
            None => "running",
            Some(Outcome { error: None, .. }) => "done",
            Some(Outcome { error: Some(error), .. }) if error.interrupted => "stopped",
            Some(_) => "failed",
        };
        // What was given is known before the script has asked for it.
        let (given, recorded) = (host.given.borrow(), host.recorded.borrow());
        let typed = recorded.iter().chain(given.iter());
        let mut parameters: Map<String, Value> =
            typed.map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        for parameter in host.parameters.borrow().iter() {
            parameters.insert(parameter.name.clone(), parameter.value.clone());
        }
        let inputs: Vec<Value> = self
            .inputs
            .iter()
            .map(|(name, sha256)| json!({ "name": name, "sha256": sha256 }))
            .collect();
        let error = outcome.and_then(|outcome| outcome.error.as_deref());
        let library = host.library.iter().map(|folder| folder.display().to_string());
        let library: Vec<String> = library.collect();
        json!({
            "script": self.script_name,
            "script_sha256": self.script_sha256,
            "working_folder": host.working_folder.display().to_string(),
            "library": library,
            "command": self.command,
            "status": status,
            "parameters": parameters,
            "first_seed": self.first_seed,
            "seed": host.seed.get(),
            "device": host.device,
            "threads": rayon::current_num_threads(),
            "memory": memory::limit(),
            "offline": host.access.offline,
            "ebb": env!("CARGO_PKG_VERSION"),
            "source": env!("EBB_SOURCE"),
            "vectors": ops::vectors(),
            "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "started": self.started.to_string(),
            "ended": outcome.map(|_| now().to_string()),
            "inputs": inputs,
            "metrics": self.last,
            "finetunings": self.finetunings,
            "cells": outcome.map(|outcome| cells(&outcome.ran)),
            "error": error.map(error_facts),
        })
    }
}

/// Refuses a folder with files that a run would write over, or through, where they are links.
fn refuse_strangers(folder: &Folder, names: &[&str]) -> Result<()> {
    let there = |name: &&str| std::fs::symlink_metadata(folder.way(name)).is_ok();
    match names.iter().find(|name| there(name)) {
        None => Ok(()),
        Some(name) => Err(Error::failed_with_hint(
            format!("{} holds `{name}` already, which is of no run", folder.path().display()),
            "give a new folder with --run-dir, or move the file away",
        )),
    }
}

fn write_facts(roots: &Roots, path: &Path, facts: &Value) -> Result<()> {
    files::write_bytes(roots, path, facts_text(facts).as_bytes())
}

fn facts_text(facts: &Value) -> String {
    plain::json_pretty(facts) + "\n"
}

/// The time to the millisecond.
fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now)
}

fn cells(ran: &[Ran]) -> Vec<Value> {
    let code = ran.iter().filter(|ran| ran.cell.code().is_some());
    code.map(|ran| {
        json!({
            "title": ran.cell.title,
            "line": ran.cell.lines_before + 1,
            "seconds": (ran.seconds * 1e3).round() / 1e3,
        })
    })
    .collect()
}

fn error_facts(error: &ScriptError) -> Value {
    json!({
        "message": error.message,
        "hint": error.hint,
        "file": error.file,
        "line": error.line,
        "column": error.column,
        "notes": error.notes,
    })
}
