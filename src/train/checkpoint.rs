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
use crate::folders::{self, Aside, Held};
use crate::model::Tensors;
use crate::model::lineage::StepRecord;
use crate::place;

/// Where checkpoints go, how often, and how many stay.
#[derive(Clone, Debug)]
pub struct Keeping {
    pub folder: PathBuf,
    /// Below which the folder must really lie when something is written into it.
    pub roots: Roots,
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
    /// Rows that are trained on.
    pub rows: usize,
}

#[derive(Serialize, Deserialize)]
struct State {
    format: u32,
    /// What must be the same for a finetuning to go on: model, data, options.
    run: Value,
    progress: Progress,
    #[serde(default)]
    rows: usize,
    /// SHA-256 of each other file.
    files: BTreeMap<String, String>,
}

/// 2: batches end with the epoch. One of format 1 would go on with other batches than it began with.
const FORMAT: u32 = 2;
/// What the names of checkpoints that are written aside begin with, behind `.ebb-`.
const KIND: &str = "checkpoint";
const STATE: &str = "state.json";
const VARIABLES: &str = "variables.safetensors";
const MOMENTS: &str = "moments.safetensors";
const BEST: &str = "best.safetensors";
const LOG: &str = "log.jsonl";
/// Every name that a checkpoint of ours may hold.
const NAMES: [&str; 5] = [BEST, LOG, MOMENTS, STATE, VARIABLES];

impl Keeping {
    /// Makes the folder, holds it until what is returned is dropped, sweeps what a killed run left half-written, and refuses
    /// to mix two runs.
    pub fn prepare(&self) -> Result<Held> {
        let folder = place::folder(&self.roots, &self.folder)?;
        let held = folders::try_hold(&folder.way("")).ok_or_else(|| {
            Error::failed_with_hint(
                format!("another finetuning is under way in {}", self.folder.display()),
                "wait until it has ended, or give another dir",
            )
        })?;
        folders::sweep(&self.roots, &self.folder, KIND, &NAMES)?;
        for path in folders::entries(&folder.way(""))? {
            files::sweep_aside(&path)?;
        }
        if !self.resume && !self.checkpoints()?.is_empty() {
            return Err(Error::failed_with_hint(
                format!("{} holds checkpoints of an earlier finetuning", self.folder.display()),
                "give resume: true to go on with it, or another dir",
            ));
        }
        Ok(held)
    }

    /// The checkpoints there are, the earliest first. A folder of that name in which something else stands is none.
    fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        let mut found = folders::entries(&self.folder)?;
        found.retain(|path| step_of(path).is_some() && is_checkpoint(path));
        found.sort_by_key(|path| step_of(path));
        Ok(found)
    }

    /// The folder of the newest checkpoint, if there is one.
    pub fn newest(&self) -> Option<PathBuf> {
        self.checkpoints().ok()?.pop()
    }

    /// Whether a checkpoint is due after this update.
    pub fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(self.every.max(1))
    }

    /// Writes a checkpoint aside, syncs and renames it, and removes those that are no longer kept.
    pub fn save(&self, run: &Value, checkpoint: &Checkpoint) -> Result<()> {
        let name = format!("checkpoint-{:08}", checkpoint.progress.step);
        let target = self.folder.join(name);
        let aside = Aside::new(&self.roots, &self.folder, KIND)?;
        let mut hashes = BTreeMap::new();
        let mut write = |name: &str, bytes: Vec<u8>| -> Result<()> {
            files::write_bytes(&aside.roots(), &aside.path().join(name), &bytes)?;
            hashes.insert(name.to_string(), files::sha256(&bytes));
            Ok(())
        };
        write(VARIABLES, packed(&checkpoint.variables)?)?;
        write(MOMENTS, packed(&checkpoint.moments)?)?;
        if let Some(best) = &checkpoint.best {
            write(BEST, packed(best)?)?;
        }
        write(LOG, log_text(&checkpoint.log)?.into_bytes())?;
        let state = State {
            format: FORMAT,
            run: run.clone(),
            progress: checkpoint.progress.clone(),
            rows: checkpoint.rows,
            files: hashes,
        };
        let text = serde_json::to_string_pretty(&state)
            .map_err(|error| Error::failed(format!("a checkpoint cannot be written: {error}")))?;
        files::write_bytes(&aside.roots(), &aside.path().join(STATE), text.as_bytes())?;
        // The same step of the same run: what is there has the same content, or was found broken.
        aside.put(&target, &owned)?;
        self.prune(&target)
    }

    /// Removes what is not kept beside the current checkpoint: the oldest, and later ones, which were found broken or the
    /// current one would not have been written. One in which something else stands too stays.
    fn prune(&self, current: &Path) -> Result<()> {
        let all = self.checkpoints()?.into_iter();
        let (later, mut kept): (Vec<_>, Vec<_>) =
            all.partition(|path| step_of(path) > step_of(current));
        kept.truncate(kept.len().saturating_sub(self.keep.max(1)));
        for old in later.iter().chain(&kept) {
            if let Ok(names) = owned(old) {
                folders::remove_at_once(&self.roots, old, KIND, &names)?;
            }
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

/// The step that a checkpoint's name says: `checkpoint-` and the step, with at least eight digits.
fn step_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let step: u64 = name.strip_prefix("checkpoint-")?.parse().ok()?;
    (name == format!("checkpoint-{step:08}")).then_some(step)
}

/// Whether a folder holds a state of ours, or, where that is broken, the tensors that stand beside one.
pub fn is_checkpoint(folder: &Path) -> bool {
    if !folders::is_real_folder(folder) {
        return false;
    }
    let there = |name: &str| folders::is_plain_file(&folder.join(name));
    let is_state = |text: String| serde_json::from_str::<State>(&text).is_ok();
    there(STATE) && Roots::below(folder).text(&folder.join(STATE)).is_ok_and(is_state)
        || there(VARIABLES) && there(MOMENTS)
}

/// The names in a checkpoint of ours in which nothing else stands; else what does.
fn owned(folder: &Path) -> Result<Vec<String>> {
    let refused = |message: String| {
        Error::failed_with_hint(message, "give another dir, or move this folder away")
    };
    if !is_checkpoint(folder) {
        let what = "a checkpoint is to be written there, and what is there is none of this program";
        return Err(refused(format!("{}: {what}", folder.display())));
    }
    folders::known_entries(folder, &NAMES).map_err(|error| refused(error.to_string()))
}

/// What a checkpoint holds, and what was trained on what with which options.
pub fn opened(folder: &Path, device: &Device) -> Result<(Value, Checkpoint)> {
    read(folder, device).map(|(state, checkpoint)| (state.run, checkpoint))
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
    let text =
        roots.text(&folder.join(STATE)).map_err(|_| broken("its state.json cannot be read"))?;
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
        if !NAMES.contains(&name) || !folders::is_plain_file(&path) {
            return Err(broken(&format!("it lacks {name}")));
        }
        let bytes = roots.bytes(&path).map_err(|_| broken(&format!("it lacks {name}")))?;
        if files::sha256(&bytes) == *hash {
            Ok(Some(bytes))
        } else {
            Err(broken(&format!("{name} has changed since it was written")))
        }
    };
    let tensors = |name: &str| -> Result<Option<Tensors>> {
        bytes(name)?.map(|bytes| unpacked(&bytes, device).map_err(|_| broken(name))).transpose()
    };
    let log = bytes(LOG)?.ok_or_else(|| broken("it has no log"))?;
    let checkpoint = Checkpoint {
        progress: state.progress.clone(),
        variables: tensors(VARIABLES)?.ok_or_else(|| broken("it has no variables"))?,
        moments: tensors(MOMENTS)?.ok_or_else(|| broken("it has no moments"))?,
        best: tensors(BEST)?,
        log: read_log(&log).ok_or_else(|| broken("its log cannot be read"))?,
        rows: state.rows,
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
    text.lines().map(|line| serde_json::from_str(line).ok()).collect()
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
            let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
            for key in keys {
                let inner = match place {
                    "" => key.clone(),
                    place => format!("{place}.{key}"),
                };
                let (old, new) = (old.get(key), new.get(key));
                let null = Value::Null;
                compare(&inner, old.unwrap_or(&null), new.unwrap_or(&null), differences);
            }
        }
        _ if was == is => {}
        _ => {
            let short = |value: &Value| -> String {
                let text = value.to_string();
                if text.chars().count() > 60 {
                    text.chars().take(60).chain(['…']).collect()
                } else {
                    text
                }
            };
            differences.push(format!("{place} was {} and is {}", short(was), short(is)));
        }
    }
}
