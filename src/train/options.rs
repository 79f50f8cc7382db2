//! The settings of a finetuning, with the study's defaults (REFERENCE: AdamW, 2e-4, linear decay, LoRA r 8 α 16).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ops::AdamW;

/// Which parameters are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Every weight.
    Full,
    /// Low-rank adapters beside the named modules; the base stays frozen.
    Lora { rank: usize, alpha: f64, dropout: f64, targets: Vec<String> },
    /// The last decoder block alone.
    LastBlock,
    /// The output head alone (with a tied head, the embedding it is tied to).
    Head,
}

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duration {
    Steps(usize),
    Epochs(f64),
}

/// How the learning rate moves after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Down to 0 at the last step, in a line.
    Linear,
    /// Down to 0 along half a cosine.
    Cosine,
    Constant,
}

/// What the loss of an update is the mean of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossAverage {
    /// All trained tokens of the update.
    Token,
    /// The means of its batches: the older convention, in which a token of a short batch counts for more.
    Batch,
}

/// All settings of a finetuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    pub method: Method,
    pub duration: Duration,
    /// Stop after so many of the updates. The rest is as if all were to come: the model is the one on the way there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<usize>,
    /// Rows of one forward pass.
    pub batch_size: usize,
    /// Batches of one update.
    pub gradient_accumulation: usize,
    pub learning_rate: f64,
    pub schedule: Schedule,
    pub warmup_steps: usize,
    pub weight_decay: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// The largest norm of the whole gradient; 0 turns clipping off.
    pub clip: f64,
    /// Longer texts are cut to this many tokens; the model's context when `None`.
    pub max_length: Option<usize>,
    pub seed: u64,
    /// A new order every epoch; `false` keeps the order given.
    pub shuffle: bool,
    /// Measure the validation loss every so many steps (and after the last).
    pub validate_every: Option<usize>,
    pub loss_average: LossAverage,
    /// Give the weights whose validation loss was the lowest, rather than the last.
    pub best: bool,
    /// Stop after so many validations in a row without a lower loss.
    pub patience: Option<usize>,
    /// Keep only the inputs of blocks for the backward pass and run each block again: less memory, a third more time.
    pub recompute: bool,
    pub precision: Precision,
}

/// What the decoder computes in while training. Variables and moments are f32 in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// The type of the model's weights.
    Model,
    F32,
    Bf16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            method: Method::Full,
            duration: Duration::Epochs(1.0),
            stop_after: None,
            batch_size: 4,
            gradient_accumulation: 1,
            learning_rate: 2e-4,
            schedule: Schedule::Linear,
            warmup_steps: 0,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            clip: 1.0,
            max_length: None,
            seed: 0,
            shuffle: true,
            validate_every: None,
            loss_average: LossAverage::Token,
            best: false,
            patience: None,
            recompute: false,
            precision: Precision::Model,
        }
    }
}

/// The most that sizes may be: beyond any machine, and small enough that their products are exact.
const LARGEST: usize = 1_000_000;

impl Options {
    /// Refuses settings that cannot train.
    pub fn check(&self) -> Result<()> {
        self.check_for("finetune")
    }

    /// The same, with what the options were given to.
    pub fn check_for(&self, function: &str) -> Result<()> {
        let rule = |holds: bool, name: &str, expected: &str, got: String| {
            if holds {
                Ok(())
            } else {
                Err(Error::invalid(format!("option `{name}` of {function}"), expected, got))
            }
        };
        let count = |value: usize, name: &str| {
            let expected = format!("a whole number from 1 to {LARGEST}");
            let holds = (1..=LARGEST).contains(&value);
            rule(holds, name, &expected, value.to_string())
        };
        let within = |value: f64, name: &str, low: f64, high: f64| {
            let expected = format!("a number from {low} to {high}");
            rule((low..=high).contains(&value), name, &expected, value.to_string())
        };
        if let Some(patience) = self.patience {
            count(patience, "patience")?;
        }
        if self.validate_every.is_none() && (self.best || self.patience.is_some()) {
            return Err(Error::failed_with_hint(
                "the options best and patience go by the validation loss, and validate_every is not given",
                "give validate_every, in steps, and the rows to validate on with `validation`",
            ));
        }
        count(self.batch_size, "batch_size")?;
        count(self.gradient_accumulation, "gradient_accumulation")?;
        within(self.learning_rate, "learning_rate", 0.0, 1e3)?;
        within(self.weight_decay, "weight_decay", 0.0, 1e3)?;
        within(self.beta1, "beta1", 0.0, 0.999_999_999)?;
        within(self.beta2, "beta2", 0.0, 0.999_999_999)?;
        within(self.epsilon, "epsilon", 0.0, 1.0)?;
        within(self.clip, "clip", 0.0, f64::MAX)?;
        match self.duration {
            Duration::Steps(steps) => rule(
                (1..=LARGEST * LARGEST).contains(&steps),
                "steps",
                "a whole number from 1 to 10^12",
                steps.to_string(),
            )?,
            Duration::Epochs(epochs) => rule(
                epochs > 0.0 && epochs <= 1e6,
                "epochs",
                "a number above 0",
                epochs.to_string(),
            )?,
        }
        if let Some(stop) = self.stop_after {
            rule(stop >= 1, "stop_after", "at least 1 step", stop.to_string())?;
        }
        if let Some(length) = self.max_length {
            rule(length >= 2, "max_length", "at least 2 tokens", length.to_string())?;
        }
        if let Method::Lora { rank, dropout, alpha, targets } = &self.method {
            count(*rank, "rank")?;
            within(*alpha, "alpha", f64::MIN_POSITIVE, 1e6)?;
            within(*dropout, "dropout", 0.0, 0.99)?;
            rule(!targets.is_empty(), "targets", "at least one module", "none".to_string())?;
        }
        Ok(())
    }

    /// Whether a setting asks for validation rows.
    pub fn needs_validation(&self) -> bool {
        self.validate_every.is_some()
    }

    /// Whether the validation loss is due after this update.
    pub fn validates_after(&self, step: usize) -> bool {
        self.validate_every.is_some_and(|every| step.is_multiple_of(every.max(1)))
    }

    /// Updates in all, for `rows` of data: an epoch ends with a short batch and a short group of batches where rows do not
    /// divide, as transformers' trainer counts them.
    pub fn steps(&self, rows: usize) -> usize {
        match self.duration {
            Duration::Steps(steps) => steps,
            Duration::Epochs(epochs) => {
                let batches = rows.div_ceil(self.batch_size);
                let updates = batches.div_ceil(self.gradient_accumulation);
                ((updates as f64 * epochs).ceil() as usize).max(1)
            }
        }
    }

    /// The update of a step (from 1) of `steps`.
    pub fn update_at(&self, step: usize, steps: usize) -> AdamW {
        AdamW {
            learning_rate: self.learning_rate_at(step, steps),
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            step: step as u64,
        }
    }

    /// The learning rate of a step (from 1) of `steps`, as transformers schedules it: the first step of a linear decay
    /// without warm-up has the whole rate.
    pub fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        let done = step.saturating_sub(1) as f64;
        let warmup = self.warmup_steps as f64;
        if done < warmup {
            return self.learning_rate * done / warmup.max(1.0);
        }
        let progress = (done - warmup) / (steps as f64 - warmup).max(1.0);
        let factor = match self.schedule {
            Schedule::Linear => (1.0 - progress).max(0.0),
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos()),
            Schedule::Constant => 1.0,
        };
        self.learning_rate * factor
    }
}
