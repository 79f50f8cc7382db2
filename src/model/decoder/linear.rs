//! Linear layers and norms by name, out of a model's weights: dense or packed, with or without bias and adapter.

use std::sync::Arc;

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::model::Weights;
use crate::model::adapter::Adapter;
use crate::ops::{self, FixedWeight, Packed};
use crate::random::Stream;

/// What a decoder is built from.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub weights: &'a Weights,
    pub adapter: Option<&'a Adapter>,
    /// Whether the matrices are only read, many times over, and laid out for that.
    pub fixed: bool,
}

impl Parts<'_> {
    /// The dense weight of that name.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        self.weights
            .dense
            .get(name)
            .cloned()
            .ok_or_else(|| Error::failed(format!("the model has no weight `{name}`")))
    }

    /// The layer whose weight is `{module}.weight`, with `{module}.bias` if `bias`.
    pub fn linear(&self, module: &str, bias: bool) -> Result<Linear> {
        let name = format!("{module}.weight");
        let matrix = match self.weights.packed.get(&name) {
            Some(packed) if self.fixed => {
                Matrix::Fixed(FixedWeight::packed(packed.clone())?.into())
            }
            Some(packed) => Matrix::Packed(packed.clone()),
            None => self.dense(self.tensor(&name)?)?,
        };
        let beside = self.adapter.and_then(|adapter| Some((adapter, adapter.scale(module)?)));
        let low_rank = match beside {
            Some((adapter, scale)) => {
                let side = |side: &str| {
                    let name = format!("{module}.lora_{side}.weight");
                    let found = adapter.weights.get(&name).cloned();
                    found.ok_or_else(|| Error::failed(format!("the adapter has no `{name}`")))
                };
                Some(LowRank {
                    down: side("A")?,
                    up: side("B")?,
                    scale,
                    dropout: adapter.form.dropout,
                })
            }
            None => None,
        };
        Ok(Linear {
            matrix,
            bias: if bias { Some(self.tensor(&format!("{module}.bias"))?) } else { None },
            low_rank,
        })
    }

    /// The layer over a weight (out, in) alone.
    pub fn linear_over(&self, weight: Tensor) -> Result<Linear> {
        Ok(Linear { matrix: self.dense(weight)?, bias: None, low_rank: None })
    }

    fn dense(&self, weight: Tensor) -> Result<Matrix> {
        if self.fixed {
            Ok(Matrix::Fixed(FixedWeight::dense(&weight)?.into()))
        } else {
            Ok(Matrix::Dense(weight))
        }
    }

    /// An RMSNorm.
    pub fn rms_norm(&self, module: &str, epsilon: f64) -> Result<Norm> {
        let weight = self.tensor(&format!("{module}.weight"))?;
        Ok(Norm::Rms { weight, epsilon })
    }

    /// An RMSNorm whose weight is stored as its difference from one (Gemma).
    pub fn rms_norm_from_one(&self, module: &str, epsilon: f64) -> Result<Norm> {
        let change = self.tensor(&format!("{module}.weight"))?;
        Ok(Norm::RmsFromOne { change, epsilon })
    }

    /// A LayerNorm with bias.
    pub fn layer_norm(&self, module: &str, epsilon: f64) -> Result<Norm> {
        Ok(Norm::Layer {
            weight: self.tensor(&format!("{module}.weight"))?,
            bias: self.tensor(&format!("{module}.bias"))?,
            epsilon,
        })
    }
}

/// `x · wᵀ + b`, and beside it the low-rank path of an adapter that targets this module.
pub struct Linear {
    matrix: Matrix,
    bias: Option<Tensor>,
    low_rank: Option<LowRank>,
}

enum Matrix {
    Dense(Tensor),
    Packed(Arc<Packed>),
    Fixed(Arc<FixedWeight>),
}

struct LowRank {
    down: Tensor,
    up: Tensor,
    scale: f64,
    dropout: f64,
}

impl Linear {
    /// The weight (out, in) where the layer is nothing but its product.
    pub fn weight_alone(&self) -> Option<&Tensor> {
        match &self.matrix {
            Matrix::Dense(weight) if self.bias.is_none() && self.low_rank.is_none() => Some(weight),
            _ => None,
        }
    }

    /// x (…, in) → (…, out). `dropout` is where the adapter's dropout draws from while training.
    pub fn forward(&self, x: &Tensor, dropout: Option<Stream>) -> Result<Tensor> {
        let bias = self.bias.as_ref();
        let y = match &self.matrix {
            Matrix::Dense(weight) => ops::linear(x, weight, bias)?,
            Matrix::Packed(weight) => ops::packed_linear(x, weight, bias)?,
            Matrix::Fixed(weight) => ops::fixed_linear(x, weight, bias)?,
        };
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

/// Normalisation over the width.
pub enum Norm {
    Rms {
        weight: Tensor,
        epsilon: f64,
    },
    /// The weight is 1 + `change`.
    RmsFromOne {
        change: Tensor,
        epsilon: f64,
    },
    Layer {
        weight: Tensor,
        bias: Tensor,
        epsilon: f64,
    },
}

impl Norm {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Rms { weight, epsilon } => ops::rms_norm(x, weight, *epsilon)?,
            Self::RmsFromOne { change, epsilon } => ops::rms_norm(x, &(change + 1.0)?, *epsilon)?,
            Self::Layer { weight, bias, epsilon } => ops::layer_norm(x, weight, bias, *epsilon)?,
        })
    }
}
