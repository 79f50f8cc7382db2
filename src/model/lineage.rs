//! How a model came to be: its source, then each stage of finetuning, and the log of the last one.

use serde::{Deserialize, Serialize};

/// Where a model came from and what was done to it, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// "ebb/tiny", a folder, "org/name@revision", or "new".
    pub source: String,
    /// SHA-256 of the weight file or files.
    pub sha256: Option<String>,
    /// Tensors in the file that the decoder has no use for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<String>,
    pub stages: Vec<Stage>,
}

/// One finetuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// SHA-256 over the token ids and labels trained on.
    pub data_sha256: String,
    pub rows: usize,
    pub seed: u64,
    /// The options in effect, defaults included.
    pub options: serde_json::Value,
}

/// One optimiser step of a finetuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// From 1.
    pub step: usize,
    /// Passes over the data so far, fractional.
    pub epoch: f64,
    /// Mean loss per trained token of the step, nats.
    pub loss: f64,
    pub learning_rate: f64,
    /// Norm of the whole gradient before clipping.
    pub grad_norm: f64,
    /// Tokens processed in the step, padding not counted.
    pub tokens: usize,
    /// `None` where the step was read from a checkpoint.
    pub tokens_per_second: Option<f64>,
    pub validation_loss: Option<f64>,
}
