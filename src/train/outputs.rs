//! What a finetuning writes beside its result: checkpoints, a log as JSON lines, and events for TensorBoard.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::checkpoint::{Keeping, Progress, log_line, log_text};
use super::tensorboard::EventWriter;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;
use crate::model::lineage::StepRecord;

/// Where a finetuning writes to; nowhere by default.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    pub checkpoints: Option<Keeping>,
    /// A file of JSON lines, one a step. It grows as the finetuning goes on. At the end `trainer_state.json` stands beside
    /// it, a history in the Trainer's terms, for tools that read those.
    pub log: Option<PathBuf>,
    /// A folder for an event file that TensorBoard reads.
    pub tensorboard: Option<PathBuf>,
    /// Below which the log and the events must really lie when they are written.
    pub roots: Roots,
}

/// The logs under way.
pub struct Logs {
    roots: Roots,
    lines: Option<(PathBuf, File)>,
    events: Option<EventWriter>,
}

impl Logs {
    /// Opens the logs, with the steps of `before` (those of a checkpoint) in them already.
    pub fn open(outputs: &Outputs, before: &[StepRecord]) -> Result<Self> {
        let lines = match &outputs.log {
            Some(path) => {
                refuse_strangers(path, is_log)?;
                refuse_strangers(&history_path(path), is_history)?;
                // What a killed run wrote after its checkpoint is written again, the same.
                files::write_bytes(&outputs.roots, path, log_text(before)?.as_bytes())?;
                Some((path.clone(), files::append(&outputs.roots, path)?))
            }
            None => None,
        };
        let events = match &outputs.tensorboard {
            Some(folder) => Some(EventWriter::create(&outputs.roots, folder, now())?),
            None => None,
        };
        Ok(Self { roots: outputs.roots.clone(), lines, events })
    }

    pub fn step(&mut self, record: &StepRecord) -> Result<()> {
        if let Some((path, file)) = &mut self.lines {
            let line = log_line(record)?;
            file.write_all(line.as_bytes()).map_err(|error| Error::io("write", &*path, error))?;
        }
        if let Some(events) = &mut self.events {
            let mut values = vec![
                ("train/loss", record.loss),
                ("train/learning_rate", record.learning_rate),
                ("train/grad_norm", record.grad_norm),
                ("train/epoch", record.epoch),
            ];
            values.extend(record.tokens_per_second.map(|rate| ("train/tokens_per_second", rate)));
            values.extend(record.validation_loss.map(|loss| ("eval/loss", loss)));
            events.scalars(record.step as u64, now(), &values)?;
            events.flush()?;
        }
        Ok(())
    }

    /// Writes the log once more, whole, so that it is there after a crash of the machine too, and the history.
    pub fn finish(self, log: &[StepRecord], progress: &Progress, steps: usize) -> Result<()> {
        let Some((path, _)) = self.lines else {
            return Ok(());
        };
        files::write_bytes(&self.roots, &path, log_text(log)?.as_bytes())?;
        let history = serde_json::to_string_pretty(&history(log, progress, steps))
            .map_err(|error| Error::failed(format!("the history cannot be written: {error}")))?;
        files::write_bytes(&self.roots, &history_path(&path), history.as_bytes())
    }
}

/// `trainer_state.json` beside `log.jsonl`; beside a log of another name, that name with `-trainer_state.json`.
fn history_path(log: &Path) -> PathBuf {
    match log.file_stem().and_then(|stem| stem.to_str()) {
        Some(stem) if stem != "log" => log.with_file_name(format!("{stem}-trainer_state.json")),
        _ => log.with_file_name("trainer_state.json"),
    }
}

/// Refuses to write over a file of that name that no finetuning of ours wrote.
fn refuse_strangers(path: &Path, is_ours: fn(&str) -> bool) -> Result<()> {
    let is_ours = match std::fs::symlink_metadata(path) {
        Err(_) => true,
        Ok(facts) => {
            facts.is_file() && is_ours(&Roots::below(path.parent().unwrap_or(path)).text(path)?)
        }
    };
    if is_ours {
        Ok(())
    } else {
        Err(Error::failed_with_hint(
            format!(
                "{} is there already, and no finetuning of this program wrote it",
                path.display()
            ),
            "give another dir, or move the file away",
        ))
    }
}

/// Whether every line is a step as we write it; the last one may be torn, where its process was killed.
fn is_log(text: &str) -> bool {
    let (whole, torn) = text.rsplit_once('\n').unwrap_or(("", text));
    let is_step = |line: &str| {
        let record = serde_json::from_str::<StepRecord>(line).ok();
        let written = record.and_then(|record| log_line(&record).ok());
        written.is_some_and(|written| written.trim_end() == line)
    };
    whole.lines().all(is_step) && is_beginning_of_step(torn)
}

/// Whether a line is the beginning of a step: it names what a step names, in that order, as far as it goes.
fn is_beginning_of_step(line: &str) -> bool {
    const KEYS: [&str; 8] = [
        "{\"step\":",
        ",\"epoch\":",
        ",\"loss\":",
        ",\"learning_rate\":",
        ",\"grad_norm\":",
        ",\"tokens\":",
        ",\"tokens_per_second\":",
        ",\"validation_loss\":",
    ];
    let mut rest = line;
    for key in KEYS {
        let Some(behind) = rest.strip_prefix(key) else {
            return key.starts_with(rest);
        };
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit() || "+-.enul".contains(c));
    }
    "}".starts_with(rest)
}

/// Whether a text is a history of ours: transformers' own has more in it.
fn is_history(text: &str) -> bool {
    let ours = history(&[], &Progress::default(), 0);
    let keys = |value: &Value| -> Vec<String> {
        let map = value.as_object().into_iter().flatten();
        map.map(|(key, _)| key.clone()).collect()
    };
    serde_json::from_str(text).is_ok_and(|theirs| keys(&theirs) == keys(&ours))
}

/// What transformers' Trainer keeps of a training, under its names.
fn history(log: &[StepRecord], progress: &Progress, steps: usize) -> Value {
    let mut entries = Vec::new();
    for record in log {
        entries.push(json!({
            "epoch": record.epoch,
            "grad_norm": record.grad_norm,
            "learning_rate": record.learning_rate,
            "loss": record.loss,
            "step": record.step,
        }));
        if let Some(loss) = record.validation_loss {
            entries.push(json!({ "epoch": record.epoch, "eval_loss": loss, "step": record.step }));
        }
    }
    json!({
        "best_global_step": progress.best.map(|(step, _)| step),
        "best_metric": progress.best.map(|(_, loss)| loss),
        "epoch": log.last().map_or(0.0, |record| record.epoch),
        "global_step": progress.step,
        "max_steps": steps,
        "num_input_tokens_seen": log.iter().map(|record| record.tokens).sum::<usize>(),
        "log_history": entries,
    })
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
