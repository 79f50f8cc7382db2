//! Token ids to vectors: a row of the embedding matrix each.

use candle_core::{D, Result, Tensor};

/// Rows of `weight` (vocabulary, width) for ids (batch, time) u32 → (batch, time, width).
pub fn embedding(ids: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let mut shape = ids.dims().to_vec();
    shape.push(weight.dim(D::Minus1)?);
    weight.index_select(&ids.flatten_all()?, 0)?.reshape(shape)
}
