//! Language models: a configuration, a tokenizer, weights, perhaps an adapter, and how they came to be.
//!
//! A [`Model`] never changes. Finetuning gives a new one that shares the tensors it did not train.

pub mod adapter;
pub mod config;
pub mod decoder;
pub mod lineage;
pub mod load;
pub mod save;
pub mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::error::Result;
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
    pub fn new(
        config: Config,
        tokenizer: Arc<TextTokenizer>,
        weights: Weights,
        adapter: Option<Adapter>,
        lineage: Lineage,
    ) -> Result<Self> {
        let _ = (config, tokenizer, weights, adapter, lineage);
        unimplemented!()
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
        unimplemented!()
    }
    pub fn dtype(&self) -> DType {
        unimplemented!()
    }
    /// The decoder over this model's own weights, for running forward.
    pub fn decoder(&self) -> Result<Decoder> {
        unimplemented!()
    }
    /// The decoder over other weights of the same shapes (a trainer's variables), with or without an adapter.
    pub fn decoder_over(&self, weights: &Weights, adapter: Option<&Adapter>) -> Result<Decoder> {
        let _ = (weights, adapter);
        unimplemented!()
    }
    /// The model that a finetuning made of this one: new weights (sharing what was not trained), how, and its log.
    pub fn descendant(
        &self,
        weights: Weights,
        adapter: Option<Adapter>,
        stage: Stage,
        log: Vec<StepRecord>,
    ) -> Result<Self> {
        let _ = (weights, adapter, stage, log);
        unimplemented!()
    }
    /// The model with its adapter folded into the weights.
    pub fn merge(&self) -> Result<Self> {
        unimplemented!()
    }
}
