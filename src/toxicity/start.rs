//! What the training of a classifier starts from: another classifier, or random weights and a tokenizer of its own.

use std::sync::Arc;

use candle_core::Device;

use super::classifier::Classifier;
use super::config::EncoderConfig;
use super::fresh::{self, Fresh};
use super::tokenizer::EncoderTokenizer;
use super::weights;
use crate::aside::{aside, under};
use crate::control::Control;
use crate::error::Result;
use crate::model::Tensors;
use crate::model::lineage::Lineage;
use crate::model::load::device_of;

/// What a training starts from.
pub enum Start {
    /// Its encoder and tokenizer; its head too where the labels are the same.
    Classifier(Arc<Classifier>),
    /// Random weights, and a tokenizer made from the texts. The second is the device.
    Fresh(Fresh, String),
}

/// What there is before the first update.
pub struct Begun {
    pub config: EncoderConfig,
    pub tokenizer: Arc<EncoderTokenizer>,
    pub weights: Tensors,
    pub lineage: Lineage,
    pub source: String,
}

/// The weights and the tokenizer that a training on `texts` begins with.
pub fn begin(
    start: &Start,
    texts: &Arc<Vec<String>>,
    labels: &[String],
    seed: u64,
    control: &Control,
) -> Result<Begun> {
    match start {
        Start::Fresh(fresh, device) => {
            let device = device_of(device)?;
            let (fresh, texts) = (fresh.clone(), texts.clone());
            let spread = fresh.spread();
            let made = under(control, || aside(move || fresh.trained_on(&texts)));
            let (config, tokenizer) = made?;
            let weights = fresh::weights(&config, labels.len(), spread, seed, &device)?;
            let source = format!("new, seed {seed}");
            let lineage = Lineage { source: source.clone(), ..Lineage::default() };
            Ok(Begun { config, tokenizer: Arc::new(tokenizer), weights, lineage, source })
        }
        Start::Classifier(old) => {
            let config = old.encoder.config().clone();
            let mut weights = old.encoder.weights()?;
            if old.labels() != labels {
                let [_, head] = weights::head_names(config.family);
                let shapes = weights::shapes(&config, labels.len()).into_iter();
                for (name, shape) in shapes.filter(|(name, _)| name.starts_with(head)) {
                    let device = weights.get(&name).map(|weight| weight.device().clone());
                    let device = device.unwrap_or(Device::Cpu);
                    let first = fresh::first(&name, shape, 0.02, seed, &device)?;
                    weights.insert(name, first);
                }
            }
            let (lineage, source) = (old.lineage().clone(), old.source().to_string());
            Ok(Begun { config, tokenizer: old.tokenizer.clone(), weights, lineage, source })
        }
    }
}
