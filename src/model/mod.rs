//! Language models: a configuration, a tokenizer, weights, perhaps an adapter, and how they came to be.
//!
//! A [`Model`] never changes. Finetuning gives a new one that shares the tensors it did not train.

pub mod adapter;
mod blocks;
pub mod bpe;
pub mod chat;
pub mod config;
pub mod decoder;
mod gguf;
pub(crate) mod growth;
mod jinja;
pub mod keep;
pub mod lineage;
pub mod load;
mod manifest;
mod marks;
pub mod messages;
mod methods;
mod peft;
mod python;
mod residual;
pub mod save;
pub mod targets;
pub mod text;
pub mod turns;
pub mod weights;

use std::sync::{Arc, Weak};

use candle_core::{DType, Device};

use crate::error::{Error, Result};
use crate::memory;
use crate::ops::FixedWeight;
use adapter::Adapter;
use config::Config;
use decoder::Decoder;
use lineage::{Lineage, Stage, StepRecord};
use text::TextTokenizer;

pub use weights::{Tensors, Weights};

/// A language model. Cheap to clone.
#[derive(Clone)]
pub struct Model(Arc<Parts>);

/// What an adapter stands on: where the base was loaded from, and the hash of its weights.
#[derive(Clone, Debug, Default)]
pub struct BaseSource {
    pub name: String,
    pub sha256: Option<String>,
}

#[derive(Clone)]
struct Parts {
    base: BaseSource,
    /// Whether the base weights are still those that were loaded.
    as_loaded: bool,
    config: Config,
    tokenizer: Arc<TextTokenizer>,
    weights: Weights,
    adapter: Option<Adapter>,
    lineage: Lineage,
    log: Vec<StepRecord>,
}

/// Which model something was about, without keeping it alive.
#[derive(Clone, Debug, Default)]
pub struct Remembered(Weak<Parts>);

impl Remembered {
    /// Whether it was this very model.
    pub fn is(&self, model: &Model) -> bool {
        self.0.upgrade().is_some_and(|known| Arc::ptr_eq(&known, &model.0))
    }
}

impl Model {
    pub fn remembered(&self) -> Remembered {
        Remembered(Arc::downgrade(&self.0))
    }

    /// Puts a model together after checking that the weights are those the configuration calls for, all on one device
    /// and of one dtype.
    pub fn new(
        config: Config,
        tokenizer: Arc<TextTokenizer>,
        weights: Weights,
        adapter: Option<Adapter>,
        lineage: Lineage,
    ) -> Result<Self> {
        decoder::check(&weights, &config)?;
        if tokenizer.vocab_size() > config.vocab_size {
            return Err(Error::invalid(
                "putting the model together",
                format!("a tokenizer of at most {} tokens (vocab_size)", config.vocab_size),
                tokenizer.vocab_size().to_string(),
            ));
        }
        Ok(Self(Arc::new(Parts {
            base: BaseSource { name: lineage.source.clone(), sha256: lineage.sha256.clone() },
            as_loaded: true,
            config,
            tokenizer,
            weights,
            adapter,
            lineage,
            log: Vec::new(),
        })))
    }

    /// The model with another note of what its adapter stands on.
    fn over(&self, base: BaseSource) -> Self {
        Self(Arc::new(Parts { base, ..(*self.0).clone() }))
    }

    /// Where the base weights were loaded from.
    pub fn base_source(&self) -> &BaseSource {
        &self.0.base
    }

    /// Whether the base weights are still those that were loaded.
    pub fn base_is_as_loaded(&self) -> bool {
        self.0.as_loaded
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub fn tokenizer(&self) -> &Arc<TextTokenizer> {
        &self.0.tokenizer
    }

    /// The base weights, without the adapter.
    pub fn weights(&self) -> &Weights {
        &self.0.weights
    }

    pub fn adapter(&self) -> Option<&Adapter> {
        self.0.adapter.as_ref()
    }

    pub fn lineage(&self) -> &Lineage {
        &self.0.lineage
    }

    /// The log of the finetuning that made this model; empty for a loaded one.
    pub fn log(&self) -> &[StepRecord] {
        &self.0.log
    }

    pub fn device(&self) -> Device {
        self.0.weights.device()
    }

    /// The type of the dense weights.
    pub fn dtype(&self) -> DType {
        let any = self.0.weights.dense.values().next();
        any.map_or(DType::F32, candle_core::Tensor::dtype)
    }

    /// Number of values in the base weights.
    pub fn parameter_count(&self) -> usize {
        self.0.weights.count()
    }

    /// The decoder over this model's own weights, for running forward.
    pub fn decoder(&self) -> Result<Decoder> {
        self.decoder_over(&self.0.weights, self.0.adapter.as_ref())
    }

    /// The decoder over other weights of the same shapes (a trainer's variables), with or without an adapter.
    pub fn decoder_over(&self, weights: &Weights, adapter: Option<&Adapter>) -> Result<Decoder> {
        Decoder::new(&self.0.config, weights, adapter, false)
    }

    /// The decoder for many short passes over this model's own weights. On a CPU its matrices are laid out anew for that,
    /// as f32, unless they would take more than half of the memory that is left besides the bytes that the passes need.
    pub fn decoder_for_steps(&self, needed: u64) -> Result<Decoder> {
        let Parts { config, weights, adapter, .. } = &*self.0;
        let matrices = decoder::shapes(config).into_iter().filter_map(|(_, shape)| match *shape {
            [outputs, inputs] => Some(FixedWeight::bytes(outputs, inputs) as u64),
            _ => None,
        });
        let bytes = matrices.fold(0, u64::saturating_add);
        let fits = memory::room().is_none_or(|room| bytes <= room.saturating_sub(needed) / 2);
        Decoder::new(config, weights, adapter.as_ref(), fits && self.device().is_cpu())
    }

    /// The model that a finetuning made of this one: new weights (sharing what was not trained), how, and its log.
    pub fn descendant(
        &self,
        weights: Weights,
        adapter: Option<Adapter>,
        stage: Stage,
        log: Vec<StepRecord>,
    ) -> Self {
        let mut lineage = self.0.lineage.clone();
        lineage.stages.push(stage);
        let mut kept = self.0.weights.dense.iter();
        let with_adapter = |name: &str| {
            let adapter = adapter.as_ref();
            adapter.is_some_and(|it| it.brought.contains(name) || it.rows.contains_key(name))
        };
        let same = kept.all(|(name, old)| {
            if with_adapter(name) {
                return true;
            }
            let new = weights.dense.get(name);
            new.is_some_and(|new| new.id() == old.id())
        }) && self.0.weights.packed.iter().all(|(name, old)| {
            let new = weights.packed.get(name);
            new.is_some_and(|new| Arc::ptr_eq(new, old))
        });
        Self(Arc::new(Parts {
            base: self.0.base.clone(),
            as_loaded: self.0.as_loaded && same,
            config: self.0.config.clone(),
            tokenizer: self.0.tokenizer.clone(),
            weights,
            adapter,
            lineage,
            log,
        }))
    }

    /// The model with its adapter folded into the weights.
    pub fn merge(&self) -> Result<Self> {
        let Some(adapter) = &self.0.adapter else {
            return Ok(self.clone());
        };
        Ok(Self(Arc::new(Parts {
            weights: adapter.folded_into(&self.0.weights)?,
            as_loaded: false,
            adapter: None,
            ..(*self.0).clone()
        })))
    }
}
