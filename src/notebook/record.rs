//! The record of a run: a folder with the script, what went in, what came out, and the report.
//!
//! `script.rhai` is the script as it was run, `run.json` says with what and when, `metrics.jsonl` holds a line for each
//! `log(map)`, written at once, and `report.html` is made at the end, also when the script failed.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::outcome::{Outcome, Ran};
use crate::doorway::{Folder, Roots};
use crate::error::{Error, Result};
use crate::script::host::Host;
use crate::script::report::ScriptError;
use crate::{files, memory, place, plain};

/// A run folder under way.
pub struct Record {
    folder: PathBuf,
    /// Below which the folder must really lie when something is written into it.
    roots: Roots,
    script_name: String,
    script_sha256: String,
    command: Vec<String>,
    started: Timestamp,
    inputs: Vec<(String, Option<String>)>,
    metrics: Option<File>,
    /// Of each metric its last value, and how many there were.
    last: Map<String, Value>,
    finetunings: Vec<Value>,
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
        self.facts["status"] = Value::from(status);
        if let Some(error) = error {
            self.facts["error"] = json!({ "message": error.to_string(), "hint": error.hint() });
        }
        self.facts["ended"] = Value::from(now().to_string());
        let _ = write_facts(&self.roots, &self.path, &self.facts);
    }
}

/// The file that a run is known by.
const FACTS: &str = "run.json";
/// What else a run keeps in its folder.
const METRICS: &str = "metrics.jsonl";
const REPORT: &str = "report.html";
const SCRIPT: &str = "script.rhai";

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
        let record = Self {
            folder: folder.to_path_buf(),
            roots,
            script_name: script_name.to_string(),
            script_sha256: files::sha256(script.as_bytes()),
            command,
            started: now(),
            inputs: Vec::new(),
            metrics: None,
            last: Map::new(),
            finetunings: Vec::new(),
        };
        let path = folder.join(FACTS);
        if !files::write_new(
            &record.roots,
            &path,
            facts_text(&record.facts(host, None)).as_bytes(),
        )? {
            return Err(Error::failed_with_hint(
                format!("{} already holds the record of a run", folder.display()),
                "give another folder, or remove this one first",
            ));
        }
        let written = refuse_strangers(&held).and_then(|()| {
            files::write_bytes(&record.roots, &folder.join(SCRIPT), script.as_bytes())
        });
        if let Err(error) = written {
            // The run does not begin, so the folder holds none.
            let _ = std::fs::remove_file(held.way(FACTS));
            return Err(error);
        }
        Ok(record)
    }

    /// What is to be said of this run if it is ended at once.
    pub fn abandoned(&self, host: &Host) -> Abandoned {
        Abandoned {
            path: self.folder.join(FACTS),
            roots: self.roots.clone(),
            facts: self.facts(host, None),
        }
    }

    /// Where the report goes.
    pub fn report_path(&self) -> PathBuf {
        self.folder.join(REPORT)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn roots(&self) -> &Roots {
        &self.roots
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
        let path = self.folder.join(METRICS);
        let failed = |error| Error::io("write", &path, error);
        if self.metrics.is_none() {
            let new = files::create_new(&self.roots, &path)?;
            self.metrics = Some(new.ok_or_else(|| failed(ErrorKind::AlreadyExists.into()))?);
        }
        for (name, value) in &map {
            let count = self.last.get(name).and_then(|known| known["count"].as_u64()).unwrap_or(0);
            self.last.insert(name.clone(), json!({ "last": value, "count": count + 1 }));
        }
        let line = format!("{}\n", plain::json(&Value::Object(map)));
        match &mut self.metrics {
            Some(file) => file.write_all(line.as_bytes()).map_err(failed),
            None => Ok(()),
        }
    }

    /// Writes run.json; without an outcome the run is said to be under way.
    pub fn write(&self, host: &Host, outcome: Option<&Outcome>) -> Result<()> {
        write_facts(&self.roots, &self.folder.join(FACTS), &self.facts(host, outcome))
    }

    /// What run.json says.
    pub fn facts(&self, host: &Host, outcome: Option<&Outcome>) -> Value {
        let status = match outcome {
            None => "running",
            Some(Outcome { error: None, .. }) => "done",
            Some(Outcome { error: Some(error), .. }) if error.interrupted => "stopped",
            Some(_) => "failed",
        };
        let parameters: Map<String, Value> = host
            .parameters
            .borrow()
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.value.clone()))
            .collect();
        let inputs: Vec<Value> = self
            .inputs
            .iter()
            .map(|(name, sha256)| json!({ "name": name, "sha256": sha256 }))
            .collect();
        let error = outcome.and_then(|outcome| outcome.error.as_deref());
        json!({
            "script": self.script_name,
            "script_sha256": self.script_sha256,
            "command": self.command,
            "status": status,
            "parameters": parameters,
            "seed": host.seed.get(),
            "device": host.device,
            "threads": rayon::current_num_threads(),
            "memory": memory::limit(),
            "offline": host.access.offline,
            "ebb": env!("CARGO_PKG_VERSION"),
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
fn refuse_strangers(folder: &Folder) -> Result<()> {
    let there = |name: &&str| std::fs::symlink_metadata(folder.way(name)).is_ok();
    match [SCRIPT, METRICS, REPORT].iter().find(|name| there(name)) {
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
