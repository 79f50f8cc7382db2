//! Parts that decoders of every family share: weights by name, and linear layers that may carry an adapter.

use candle_core::Tensor;

use super::Weights;
use super::adapter::Adapter;
use crate::error::{Error, Result};
use crate::ops;
use crate::random::Stream;

/// The weight of that name.
pub fn take(weights: &Weights, name: &str) -> Result<Tensor> {
    weights
        .get(name)
        .cloned()
        .ok_or_else(|| Error::failed(format!("the model has no weight `{name}`")))
}

/// `x · wᵀ`, and beside it the low-rank path of an adapter that targets this module.
pub struct Linear {
    weight: Tensor,
    low_rank: Option<LowRank>,
}

struct LowRank {
    down: Tensor,
    up: Tensor,
    scale: f64,
    dropout: f64,
}

impl Linear {
    /// The layer whose weight is `{module}.weight`.
    pub fn new(weights: &Weights, adapter: Option<&Adapter>, module: &str) -> Result<Self> {
        let low_rank = match adapter {
            Some(adapter) if adapter.covers(module) => Some(LowRank {
                down: take(&adapter.weights, &format!("{module}.lora_A.weight"))?,
                up: take(&adapter.weights, &format!("{module}.lora_B.weight"))?,
                scale: adapter.scale(),
                dropout: adapter.dropout,
            }),
            _ => None,
        };
        Ok(Self {
            weight: take(weights, &format!("{module}.weight"))?,
            low_rank,
        })
    }

    /// x (…, in) → (…, out). `dropout` is where the adapter's dropout draws from while training.
    pub fn forward(&self, x: &Tensor, dropout: Option<Stream>) -> Result<Tensor> {
        let y = ops::linear(x, &self.weight, None)?;
        let Some(low_rank) = &self.low_rank else {
            return Ok(y);
        };
        let x = match dropout {
            Some(stream) if low_rank.dropout > 0.0 => ops::dropout(x, low_rank.dropout, &stream)?,
            _ => x.clone(),
        };
        let down = ops::linear(&x, &low_rank.down, None)?;
        let up = ops::linear(&down, &low_rank.up, None)?;
        Ok((y + (up * low_rank.scale)?)?)
    }
}
