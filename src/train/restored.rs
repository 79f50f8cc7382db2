//! The model that a checkpoint holds: what was trained, over the model that it was trained from.

use std::path::Path;

use candle_core::Device;
use serde_json::Value;

use super::checkpoint::{self, Checkpoint};
use super::options::Options;
use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::lineage::{Lineage, Stage};

/// A checkpoint that was opened.
pub struct Restored {
    run: Value,
    checkpoint: Checkpoint,
    /// The model that it was trained from.
    pub base: Lineage,
    options: Options,
}

/// Opens the checkpoint in a folder.
///
/// # Errors
/// Where it is not whole, or was written by another version.
pub fn open(folder: &Path, device: &Device) -> Result<Restored> {
    let (run, checkpoint) = checkpoint::opened(folder, device)?;
    let broken = |error: serde_json::Error| {
        Error::failed(format!("the checkpoint {} cannot be read: {error}", folder.display()))
    };
    let base = serde_json::from_value(run["model"].clone()).map_err(broken)?;
    let options = serde_json::from_value(run["options"].clone()).map_err(broken)?;
    Ok(Restored { run, checkpoint, base, options })
}

impl Restored {
    /// The model as it was at the checkpoint, with the best weights where these were kept: the one that the finetuning gives
    /// when it stops there.
    ///
    /// # Errors
    /// Where `base` is not the model that it was trained from.
    pub fn over(self, base: &Model) -> Result<Model> {
        if base.lineage() != &self.base {
            let told = |lineage: &Lineage| {
                format!("{} after {} finetunings", lineage.source, lineage.stages.len())
            };
            let is_told_apart = told(base.lineage()) != told(&self.base);
            let more = if is_told_apart { "" } else { ", with another hash or other settings" };
            return Err(Error::invalid(
                "opening a checkpoint",
                format!("the model that it was trained from, {}", told(&self.base)),
                format!("{}{more}", told(base.lineage())),
            ));
        }
        let parameters = Parameters::new(base, &self.options)?;
        parameters.set(self.checkpoint.best.as_ref().unwrap_or(&self.checkpoint.variables))?;
        let (weights, adapter) = parameters.detached(base.dtype())?;
        let step = self.checkpoint.progress.step;
        let is_whole = self.run["steps"].as_u64() == Some(step as u64);
        let stop_after = (!is_whole).then_some(step);
        let options = Options { stop_after, ..self.options };
        let stage = Stage {
            data_sha256: self.run["data_sha256"].as_str().unwrap_or_default().to_string(),
            rows: self.checkpoint.rows,
            seed: options.seed,
            options: serde_json::to_value(options).unwrap_or_default(),
        };
        Ok(base.descendant(weights, adapter, stage, self.checkpoint.log))
    }
}
