//! Models with random weights, to train from nothing.

use std::sync::Arc;

use candle_core::Tensor;

use super::LoadOptions;
use super::place::{device_of, dtype_of, require_memory};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::lineage::Lineage;
use crate::model::text::TextTokenizer;
use crate::model::weights::{Matrices, Tensors};
use crate::model::{Model, Weights, decoder};
use crate::random::Stream;

/// A model with random weights: matrices normal with standard deviation `initializer_range`, norms one, biases zero.
pub fn random(
    config: Config,
    tokenizer: Arc<TextTokenizer>,
    seed: u64,
    options: &LoadOptions,
) -> Result<Model> {
    let device = device_of(&options.device)?;
    let dtype = dtype_of(options)?;
    require_memory(&config, &Matrices::new(), dtype, &device)?;
    let mut weights = Tensors::new();
    for (name, shape) in decoder::shapes(&config) {
        let weight = if name.ends_with(".bias") || is_norm_from_one(&config, &name, &shape) {
            Tensor::zeros(shape, dtype, &device)?
        } else if shape.len() == 1 {
            Tensor::ones(shape, dtype, &device)?
        } else {
            let stream = Stream::new(seed, &format!("init {name}"));
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count as u64)
                .map(|i| (stream.normal(i) * config.initializer_range) as f32)
                .collect();
            Tensor::from_vec(values, shape, &device)?.to_dtype(dtype)?
        };
        weights.insert(name, weight);
    }
    let weights = Weights::dense(weights);
    let lineage = Lineage { source: format!("new, seed {seed}"), ..Lineage::default() };
    Model::new(config, tokenizer, weights, None, lineage)
}

/// Gemma's norms store their difference from one.
fn is_norm_from_one(config: &Config, name: &str, shape: &[usize]) -> bool {
    config.family.is_gemma() && shape.len() == 1 && name.contains("norm")
}
