//! Running a decoder: token ids in, hidden states and logits out. Each family is a file of its own over shared parts.

mod attention;
mod gemma;
mod gpt2;
mod gpt_neox;
mod linear;
mod llama;
mod opt;
mod pass;
mod stack;

use candle_core::{DType, Device, Tensor};

use crate::error::{Context, Error, Result};
use crate::model::Weights;
use crate::model::adapter::Adapter;
use crate::model::config::{Config, Family};
use crate::ops;
use linear::{Linear, Parts};
pub use pass::{Cache, Held, Pass, Step};
pub use stack::Shapes;
use stack::Stack;

/// The names and shapes of every weight that a configuration calls for. Matrices are (out, in) in every family, GPT-2's
/// too, whose files have them the other way round.
pub fn shapes(config: &Config) -> Shapes {
    let mut shapes = match config.family {
        Family::Gpt2 => gpt2::shapes(config),
        Family::GptNeox => gpt_neox::shapes(config),
        Family::Opt => opt::shapes(config),
        Family::Gemma2 | Family::Gemma3 => gemma::shapes(config),
        _ => llama::shapes(config),
    };
    if !config.tie_word_embeddings {
        shapes.push((config.head_name().to_string(), vec![config.vocab_size, config.hidden_size]));
    }
    shapes
}

/// The weights that files of a family store transposed, (in, out).
pub fn is_stored_transposed(config: &Config, name: &str) -> bool {
    config.family == Family::Gpt2 && gpt2::is_conv1d(name)
}

/// Checks that these are the weights that a configuration calls for, each of its shape.
pub fn check(weights: &Weights, config: &Config) -> Result<()> {
    for (name, expected) in shapes(config) {
        let Some(shape) = weights.shape(&name) else {
            return Err(Error::failed_with_hint(
                format!("the weights lack `{name}`, which config.json calls for"),
                "is this the config.json of these weights?",
            ));
        };
        if shape != expected {
            return Err(Error::invalid(
                format!("loading `{name}`"),
                format!("shape {expected:?}, as config.json says"),
                format!("{shape:?}"),
            ));
        }
    }
    Ok(())
}

/// A decoder ready to run.
pub struct Decoder {
    stack: Box<dyn Stack>,
    head: Linear,
    config: Config,
    device: Device,
    dtype: DType,
}

impl Decoder {
    pub(super) fn new(
        config: &Config,
        weights: &Weights,
        adapter: Option<&Adapter>,
        fixed: bool,
    ) -> Result<Self> {
        let parts = Parts { weights, adapter, fixed };
        let embedding = parts.tensor(config.embedding_name())?;
        let stack: Box<dyn Stack> = match config.family {
            Family::Gpt2 => Box::new(gpt2::Gpt2::new(config, parts)?),
            Family::GptNeox => Box::new(gpt_neox::GptNeox::new(config, parts)?),
            Family::Opt => Box::new(opt::Opt::new(config, parts)?),
            Family::Gemma2 | Family::Gemma3 => Box::new(gemma::Gemma::new(config, parts)?),
            _ => Box::new(llama::Llama::new(config, parts)?),
        };
        Ok(Self {
            stack,
            device: embedding.device().clone(),
            dtype: embedding.dtype(),
            head: if config.tie_word_embeddings {
                parts.linear_over(embedding)?
            } else {
                parts.linear(config.head_name().trim_end_matches(".weight"), false)?
            },
            config: config.clone(),
        })
    }

    /// ids (batch, time) u32 → final hidden states (batch, time, width), normed, ready for [`Decoder::logits`].
    pub fn hidden(&self, ids: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let mut step = self.begin(ids, pass)?;
        let mut x = self.embed(ids, &step)?;
        for layer in 0..self.layers() {
            x = self.block(layer, &x, &mut step)?;
        }
        if let Some(cache) = step.cache.as_deref_mut() {
            cache.advance(ids.dim(1)?);
        }
        self.norm(&x)
    }

    /// The circumstances of a pass over ids (batch, time), for running the parts one by one.
    pub fn begin<'a>(&self, ids: &Tensor, pass: &'a mut Pass) -> Result<Step<'a>> {
        let (batch, time) = ids.dims2()?;
        let past = pass.cache.as_ref().map_or(0, |cache| cache.len());
        let padding = pass.starts.iter().min().copied().unwrap_or(0);
        let tokens = (past + time).saturating_sub(padding);
        if tokens > self.config.max_position_embeddings {
            return Err(Error::invalid(
                "running the model",
                format!("at most {} tokens", self.config.max_position_embeddings),
                tokens.to_string(),
            )
            .with_hint("lower max_length, or use a model with a longer context"));
        }
        Step::new(&self.config, (batch, time), pass, &self.device)
    }

    /// Blocks in all.
    pub fn layers(&self) -> usize {
        self.config.num_hidden_layers
    }

    /// ids (batch, time) → the first block's input (batch, time, width).
    pub fn embed(&self, ids: &Tensor, step: &Step) -> Result<Tensor> {
        self.stack.embed(ids, step)
    }

    /// One block: (batch, time, width) → the same.
    pub fn block(&self, layer: usize, x: &Tensor, step: &mut Step) -> Result<Tensor> {
        self.stack.block(layer, x, step)
    }

    /// The norm before the head.
    pub fn norm(&self, x: &Tensor) -> Result<Tensor> {
        self.stack.norm().forward(x)
    }

    /// hidden (…, width) → logits (…, vocabulary) in f32.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let logits = self.head.forward(hidden, None)?;
        let logits = logits.to_dtype(DType::F32).during("the logits")?;
        match self.config.logit_cap {
            Some(cap) => Ok(ops::soft_cap(&logits, cap)?),
            None => Ok(logits),
        }
    }

    /// The summed loss of next tokens, hidden (rows, width) and targets (rows) u32 → scalar, without standing logits where that
    /// can be. `factor` is what the loss will be multiplied by before the backward pass; without one there is none.
    pub fn summed_loss(
        &self,
        hidden: &Tensor,
        targets: &Tensor,
        factor: Option<f64>,
    ) -> Result<Tensor> {
        match self.head.weight_alone() {
            Some(weight) if self.config.logit_cap.is_none() && self.device.is_cpu() => {
                Ok(ops::head_loss(hidden, weight, targets, factor)?)
            }
            _ => Ok(ops::cross_entropy_sum(&self.logits(hidden)?, targets)?),
        }
    }

    /// An empty cache for `batch` rows of at most `capacity` tokens, padding included.
    pub fn cache(&self, batch: usize, capacity: usize) -> Result<Cache> {
        Cache::new(&self.config, batch, capacity, self.dtype, &self.device)
    }
}
