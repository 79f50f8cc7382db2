//! The record of a run: a folder with the script, what went in, what came out, and the report.
//!
//! `script.rhai` is the script as it was run, `run.json` says with what and when, `metrics.jsonl` holds a line for each
//! `log(map)`, written at once, and `report.html` is made at the end, also when the script failed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::runner::{Outcome, Ran};
use crate::error::{Error, Result};
use crate::script::host::Host;
use crate::script::report::ScriptError;
use crate::{files, plain};

/// A run folder under way.
pub struct Record {
    folder: PathBuf,
    script_name: String,
    script_sha256: String,
    command: Vec<String>,
    started: Timestamp,
    inputs: Vec<(String, Option<String>)>,
    metrics: Option<File>,
}

/// The first free `runs/DATE-NAME-N` under `working_folder`.
pub fn free_folder(working_folder: &Path, script: &Path) -> PathBuf {
    let stem = script.file_stem().unwrap_or_default().to_string_lossy();
    let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let runs = working_folder.join("runs");
    let mut number = 1;
    loop {
        let folder = runs.join(format!("{date}-{stem}-{number}"));
        if !folder.exists() {
            return folder;
        }
        number += 1;
    }
}

impl Record {
    /// Makes the folder and writes the script into it. A folder that already holds a run is refused.
    pub fn begin(
        folder: &Path,
        script_name: &str,
        script: &str,
        command: Vec<String>,
    ) -> Result<Self> {
        if folder.join("run.json").exists() {
            return Err(Error::failed_with_hint(
                format!("{} already holds the record of a run", folder.display()),
                "give another folder, or remove this one first",
            ));
        }
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        files::write_bytes(&folder.join("script.rhai"), script.as_bytes())?;
        Ok(Self {
            folder: folder.to_path_buf(),
            script_name: script_name.to_string(),
            script_sha256: files::sha256(script.as_bytes()),
            command,
            started: now(),
            inputs: Vec::new(),
            metrics: None,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file or model that was read.
    pub fn input(&mut self, name: String, sha256: Option<String>) {
        let input = (name, sha256);
        if !self.inputs.contains(&input) {
            self.inputs.push(input);
        }
    }

    /// A line of metrics, on disk when this returns.
    pub fn metrics(&mut self, map: Map<String, Value>) -> Result<()> {
        let path = self.folder.join("metrics.jsonl");
        let failed = |error| Error::io("write", &path, error);
        if self.metrics.is_none() {
            self.metrics = Some(File::create(&path).map_err(failed)?);
        }
        let line = format!("{}\n", plain::json(&Value::Object(map)));
        match &mut self.metrics {
            Some(file) => file.write_all(line.as_bytes()).map_err(failed),
            None => Ok(()),
        }
    }

    /// Writes run.json; without an outcome the run is said to be under way.
    pub fn write(&self, host: &Host, outcome: Option<&Outcome>) -> Result<()> {
        let facts = self.facts(host, outcome);
        let text = plain::json_pretty(&facts);
        files::write_bytes(
            &self.folder.join("run.json"),
            format!("{text}\n").as_bytes(),
        )
    }

    /// What run.json says.
    pub fn facts(&self, host: &Host, outcome: Option<&Outcome>) -> Value {
        let status = match outcome {
            None => "running",
            Some(Outcome { error: None, .. }) => "done",
            Some(Outcome {
                error: Some(error), ..
            }) if error.interrupted => "stopped",
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
            "offline": host.access.offline,
            "ebb": env!("CARGO_PKG_VERSION"),
            "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "started": self.started.to_string(),
            "ended": outcome.map(|_| now().to_string()),
            "inputs": inputs,
            "cells": outcome.map(|outcome| cells(&outcome.ran)),
            "error": error.map(error_facts),
        })
    }
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
