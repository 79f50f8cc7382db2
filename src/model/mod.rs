//! Language models: a configuration, a tokenizer, weights, perhaps an adapter, and how they came to be.
//!
//! A [`Model`] never changes. Finetuning gives a new one that shares the tensors it did not train.

pub mod adapter;
pub mod bpe;
pub mod config;
pub mod decoder;
mod layer;
pub mod lineage;
pub mod llama;
pub mod load;
mod peft;
pub mod save;
pub mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};
use adapter::Adapter;
use config::Config;
use decoder::Decoder;
use lineage::{Lineage, Stage, StepRecord};
use text::TextTokenizer;

/// Tensors by the names transformers gives them.
pub type Weights = BTreeMap<String, Tensor>;

/// A language model. Cheap to clone.
#[derive(Clone)]
pub struct Model(Arc<Parts>);

struct Parts {
    config: Config,
    tokenizer: Arc<TextTokenizer>,
    weights: Weights,
    adapter: Option<Adapter>,
    lineage: Lineage,
    log: Vec<StepRecord>,
}

impl Model {
    /// Puts a model together after checking that the weights are those the configuration calls for, all on one device
    /// and of one dtype.
    pub fn new(
        config: Config,
        tokenizer: Arc<TextTokenizer>,
        weights: Weights,
        adapter: Option<Adapter>,
        lineage: Lineage,
    ) -> Result<Self> {
        for (name, expected) in llama::shapes(&config) {
            let Some(weight) = weights.get(&name) else {
                return Err(Error::failed_with_hint(
                    format!("the weights lack `{name}`, which config.json calls for"),
                    "is this the config.json of these weights?",
                ));
            };
            if weight.dims() != expected {
                return Err(Error::invalid(
                    format!("loading `{name}`"),
                    format!("shape {expected:?}, as config.json says"),
                    format!("{:?}", weight.dims()),
                ));
            }
        }
        if tokenizer.vocab_size() > config.vocab_size {
            return Err(Error::invalid(
                "putting the model together",
                format!(
                    "a tokenizer of at most {} tokens (vocab_size)",
                    config.vocab_size
                ),
                tokenizer.vocab_size().to_string(),
            ));
        }
        Ok(Self(Arc::new(Parts {
            config,
            tokenizer,
            weights,
            adapter,
            lineage,
            log: Vec::new(),
        })))
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

    pub fn device(&self) -> &Device {
        match self.0.weights.values().next() {
            Some(weight) => weight.device(),
            None => &Device::Cpu,
        }
    }

    pub fn dtype(&self) -> DType {
        self.0
            .weights
            .values()
            .next()
            .map_or(DType::F32, Tensor::dtype)
    }

    /// Number of values in the base weights.
    pub fn parameter_count(&self) -> usize {
        self.0.weights.values().map(Tensor::elem_count).sum()
    }

    /// The decoder over this model's own weights, for running forward.
    pub fn decoder(&self) -> Result<Decoder> {
        self.decoder_over(&self.0.weights, self.0.adapter.as_ref())
    }

    /// The decoder over other weights of the same shapes (a trainer's variables), with or without an adapter.
    pub fn decoder_over(&self, weights: &Weights, adapter: Option<&Adapter>) -> Result<Decoder> {
        Decoder::new(&self.0.config, weights, adapter)
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
        Self(Arc::new(Parts {
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
            config: self.0.config.clone(),
            tokenizer: self.0.tokenizer.clone(),
            weights: adapter.folded_into(&self.0.weights)?,
            adapter: None,
            lineage: self.0.lineage.clone(),
            log: self.0.log.clone(),
        })))
    }
}
