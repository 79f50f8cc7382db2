//! A model out of its parts, whichever layout they came from.

use std::sync::Arc;

use super::options::LoadOptions;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::lineage::Lineage;
use crate::model::text::TextTokenizer;
use crate::model::{Model, Weights, decoder};

/// The model, quantized if asked.
pub fn finish(
    config: Config,
    tokenizer: TextTokenizer,
    weights: Weights,
    lineage: Lineage,
    options: &LoadOptions,
) -> Result<Model> {
    decoder::check(&weights, &config)?;
    weights.refuse_not_finite()?;
    let weights = match &options.quantize {
        Some(kind) => weights.quantized(&config, kind)?,
        None => weights,
    };
    Model::new(config, Arc::new(tokenizer), weights, None, lineage)
}
