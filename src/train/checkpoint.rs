//! Checkpoints of a finetuning: folders that appear whole or not at all, each enough to go on to the same bytes.
//!
//! `FOLDER/checkpoint-00000120/` holds `state.json` (what is trained on what with which options, how far it is, and the
//! hashes of the other files), `variables.safetensors`, `moments.safetensors`, where the best weights are kept
//! `best.safetensors`, and `log.jsonl`. Random draws are functions of the seed and the step, so no generator has a state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;
use crate::model::Tensors;
use crate::model::lineage::StepRecord;

/// Where checkpoints go, how often, and how many stay.
#[derive(Clone, Debug)]
pub struct Keeping {
    pub folder: PathBuf,
    /// Updates between two checkpoints; there is always one after the last update.
    pub every: usize,
    /// The latest so many stay.
    pub keep: usize,
    /// Go on from the latest checkpoint, if there is one.
    pub resume: bool,
}

/// Where a finetuning stands, besides the tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Updates done.
    pub step: usize,
    /// The step whose validation loss was the lowest, and that loss.
    pub best: Option<(usize, f64)>,
    /// Validations since then.
    pub stale: usize,
    /// Early stopping ended it.
    pub stopped: bool,
}

/// Everything that a checkpoint holds.
pub struct Checkpoint {
    pub progress: Progress,
    pub variables: Tensors,
    /// "first NAME" and "second NAME".
    pub moments: Tensors,
    pub best: Option<Tensors>,
    pub log: Vec<StepRecord>,
}

#[derive(Serialize, Deserialize)]
struct State {
    format: u32,
    /// What must be the same for a finetuning to go on: model, data, options.
    run: Value,
    progress: Progress,
    /// SHA-256 of each other file.
    files: BTreeMap<String, String>,
}

const FORMAT: u32 = 1;
/// Names of what is written aside begin so: checkpoints, and the logs beside them.
const LEFT: &str = ".ebb-";
const ASIDE: &str = ".ebb-checkpoint-";

impl Keeping {
    /// Makes the folder, sweeps what a killed run left half-written, and refuses to mix two runs.
    pub fn prepare(&self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| Error::io("create", &self.folder, error))?;
        for path in self.entries()? {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with(LEFT)) {
                let removed = match path.is_dir() {
                    true => std::fs::remove_dir_all(&path),
                    false => std::fs::remove_file(&path),
                };
                removed.map_err(|error| Error::io("remove", &path, error))?;
            }
        }
        if !self.resume && !self.checkpoints()?.is_empty() {
            return Err(Error::failed_with_hint(
                format!(
                    "{} holds checkpoints of an earlier finetuning",
                    self.folder.display()
                ),
                "give resume: true to go on with it, or another dir",
            ));
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<PathBuf>> {
        let read = |error| Error::io("read", &self.folder, error);
        let entries = std::fs::read_dir(&self.folder).map_err(read)?;
        let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        paths.map_err(read)
    }

    /// The checkpoints there are, the earliest first.
    fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        let mut found: Vec<PathBuf> = self.entries()?;
        found.retain(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("checkpoint-")) && path.is_dir()
        });
        found.sort();
        Ok(found)
    }

    /// Whether a checkpoint is due after this update.
    pub fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(self.every.max(1))
    }

    /// Writes a checkpoint aside, syncs and renames it, and removes those that are no longer kept.
    pub fn save(&self, run: &Value, checkpoint: &Checkpoint) -> Result<()> {
        let name = format!("checkpoint-{:08}", checkpoint.progress.step);
        let target = self.folder.join(name);
        let aside = tempfile::Builder::new()
            .prefix(ASIDE)
            .tempdir_in(&self.folder)
            .map_err(|error| Error::io("write", &target, error))?;
        let mut hashes = BTreeMap::new();
        let mut write = |name: &str, bytes: Vec<u8>| -> Result<()> {
            files::write_bytes(&aside.path().join(name), &bytes)?;
            hashes.insert(name.to_string(), files::sha256(&bytes));
            Ok(())
        };
        write("variables.safetensors", packed(&checkpoint.variables)?)?;
        write("moments.safetensors", packed(&checkpoint.moments)?)?;
        if let Some(best) = &checkpoint.best {
            write("best.safetensors", packed(best)?)?;
        }
        write("log.jsonl", log_text(&checkpoint.log)?.into_bytes())?;
        let state = State {
            format: FORMAT,
            run: run.clone(),
            progress: checkpoint.progress.clone(),
            files: hashes,
        };
        let text = serde_json::to_string_pretty(&state)
            .map_err(|error| Error::failed(format!("a checkpoint cannot be written: {error}")))?;
        files::write_bytes(&aside.path().join("state.json"), text.as_bytes())?;
        if target.exists() {
            // The same step of the same run: what is there has the same content, or was found broken.
            std::fs::remove_dir_all(&target)
                .map_err(|error| Error::io("replace", &target, error))?;
        }
        let written = aside.keep();
        std::fs::rename(&written, &target).map_err(|error| Error::io("write", &target, error))?;
        if let Ok(folder) = std::fs::File::open(&self.folder) {
            // Not every file system can sync a folder.
            let _ = folder.sync_all();
        }
        self.prune(&target)
    }

    /// Removes what is not kept beside the current checkpoint: the oldest, and later ones, which were found broken or the
    /// current one would not have been written.
    fn prune(&self, current: &Path) -> Result<()> {
        let all = self.checkpoints()?.into_iter();
        let (later, mut kept): (Vec<_>, Vec<_>) = all.partition(|path| path.as_path() > current);
        kept.truncate(kept.len().saturating_sub(self.keep.max(1)));
        for old in later.iter().chain(&kept) {
            std::fs::remove_dir_all(old).map_err(|error| Error::io("remove", old, error))?;
        }
        Ok(())
    }

    /// The latest whole checkpoint of this run; `None` where the folder has none at all. One that is broken is passed
    /// over for the one before; one of another run is an error that says what differs.
    pub fn latest(&self, run: &Value, device: &Device) -> Result<Option<Checkpoint>> {
        let mut broken = None;
        for folder in self.checkpoints()?.iter().rev() {
            match read(folder, device) {
                Ok((state, checkpoint)) => {
                    refuse_other_run(folder, &state.run, run)?;
                    // Killed between writing this one and removing the oldest, a run left one too many.
                    self.prune(folder)?;
                    return Ok(Some(checkpoint));
                }
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        match broken {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }
}

fn read(folder: &Path, device: &Device) -> Result<(State, Checkpoint)> {
    let broken = |why: &str| {
        Error::failed_with_hint(
            format!("the checkpoint {} is not whole: {why}", folder.display()),
            "remove it to go on from an earlier one, or from the beginning",
        )
    };
    // A link in it must not lead to what the run may not read.
    let roots = Roots::below(folder.parent().unwrap_or(folder));
    let text = roots
        .text(&folder.join("state.json"))
        .map_err(|_| broken("its state.json cannot be read"))?;
    let state: State =
        serde_json::from_str(&text).map_err(|_| broken("its state.json cannot be read"))?;
    if state.format != FORMAT {
        return Err(broken("it was written by another version"));
    }
    let bytes = |name: &str| -> Result<Option<Vec<u8>>> {
        let Some(hash) = state.files.get(name) else {
            return Ok(None);
        };
        let path = folder.join(name);
        let bytes = roots
            .bytes(&path)
            .map_err(|_| broken(&format!("it lacks {name}")))?;
        match files::sha256(&bytes) == *hash {
            true => Ok(Some(bytes)),
            false => Err(broken(&format!("{name} has changed since it was written"))),
        }
    };
    let tensors = |name: &str| -> Result<Option<Tensors>> {
        bytes(name)?
            .map(|bytes| unpacked(&bytes, device).map_err(|_| broken(name)))
            .transpose()
    };
    let log = bytes("log.jsonl")?.ok_or_else(|| broken("it has no log"))?;
    let checkpoint = Checkpoint {
        progress: state.progress.clone(),
        variables: tensors("variables.safetensors")?
            .ok_or_else(|| broken("it has no variables"))?,
        moments: tensors("moments.safetensors")?.ok_or_else(|| broken("it has no moments"))?,
        best: tensors("best.safetensors")?,
        log: read_log(&log).ok_or_else(|| broken("its log cannot be read"))?,
    };
    Ok((state, checkpoint))
}

/// A log as JSON lines, without what differs from run to run (the rate).
pub fn log_text(log: &[StepRecord]) -> Result<String> {
    let mut text = String::new();
    for record in log {
        text += &log_line(record)?;
    }
    Ok(text)
}

/// One step as a JSON line.
pub fn log_line(record: &StepRecord) -> Result<String> {
    let mut record = record.clone();
    record.tokens_per_second = None;
    let line = serde_json::to_string(&record)
        .map_err(|error| Error::failed(format!("the log cannot be written: {error}")))?;
    Ok(line + "\n")
}

fn read_log(bytes: &[u8]) -> Option<Vec<StepRecord>> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines()
        .map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn packed(tensors: &Tensors) -> Result<Vec<u8>> {
    let mut stored = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let tensor = tensor.to_device(&Device::Cpu)?.contiguous()?;
        stored.push((name.as_str(), tensor));
    }
    let views = stored.iter().map(|(name, tensor)| (*name, tensor));
    safetensors::serialize(views, None)
        .map_err(|error| Error::failed(format!("a checkpoint cannot be written: {error}")))
}

fn unpacked(bytes: &[u8], device: &Device) -> Result<Tensors> {
    let broken = || Error::failed("a checkpoint's tensors cannot be read");
    let file = SafeTensors::deserialize(bytes).map_err(|_| broken())?;
    let mut tensors = Tensors::new();
    for (name, view) in file.tensors() {
        if view.dtype() != safetensors::Dtype::F32 {
            return Err(broken());
        }
        let tensor = Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), device)?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

fn refuse_other_run(folder: &Path, was: &Value, is: &Value) -> Result<()> {
    let mut differences = Vec::new();
    compare("", was, is, &mut differences);
    if differences.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = differences.iter().take(5).cloned().collect();
    let more = match differences.len() - shown.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Err(Error::failed_with_hint(
        format!(
            "the checkpoint {} belongs to another finetuning: {}{more}",
            folder.display(),
            shown.join(", ")
        ),
        "a finetuning can only go on as it began: take the settings back, or give another dir",
    ))
}

/// The places where two values differ, each as "options.learning_rate was 0.001 and is 0.002".
fn compare(place: &str, was: &Value, is: &Value, differences: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(old), Value::Object(new)) => {
            let keys = old
                .keys()
                .chain(new.keys().filter(|key| !old.contains_key(*key)));
            for key in keys {
                let inner = match place {
                    "" => key.clone(),
                    place => format!("{place}.{key}"),
                };
                let (old, new) = (old.get(key), new.get(key));
                let null = Value::Null;
                compare(
                    &inner,
                    old.unwrap_or(&null),
                    new.unwrap_or(&null),
                    differences,
                );
            }
        }
        _ if was == is => {}
        _ => {
            let short = |value: &Value| -> String {
                let text = value.to_string();
                match text.chars().count() > 60 {
                    true => text.chars().take(60).chain(['…']).collect(),
                    false => text,
                }
            };
            differences.push(format!("{place} was {} and is {}", short(was), short(is)));
        }
    }
}
