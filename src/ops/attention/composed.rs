//! Attention out of candle's own differentiable operations, for devices that are not a CPU.

use candle_core::{D, DType, Device, Result, Tensor};

use super::scores::Scores;
use super::span::AttentionSpan;
use crate::ops::soft_cap;

/// As [`super::attention`].
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scores: Scores,
    span: &AttentionSpan,
) -> Result<Tensor> {
    let (batch, queries, heads, head_dim) = q.dims4()?;
    let (_, keys, kv_heads, _) = k.dims4()?;
    let grouped = heads / kv_heads * queries;
    let by_head = |x: &Tensor| x.to_dtype(DType::F32)?.transpose(1, 2)?.contiguous();
    let (k, v) = (by_head(k)?, by_head(v)?);
    let q_by_head = by_head(q)?.reshape((batch, kv_heads, grouped, head_dim))?;
    let products = q_by_head.matmul(&k.t()?)?;
    let products = products.reshape((batch, heads, queries, keys))?;
    let scaled = (products * scores.scale)?;
    let scaled = match scores.cap {
        Some(cap) => soft_cap::composed(&scaled, cap)?,
        None => scaled,
    };
    let (hidden, real) = masks(batch, queries, keys, span, q.device())?;
    candle_nn::ops::softmax(&scaled.broadcast_add(&hidden)?, D::Minus1)?
        .broadcast_mul(&real)?
        .reshape((batch, kv_heads, grouped, keys))?
        .matmul(&v)?
        .reshape((batch, heads, queries, head_dim))?
        .transpose(1, 2)?
        .contiguous()?
        .to_dtype(q.dtype())
}

/// What is added to the scores, (batch, 1, queries, keys): 0 where a key is seen; and 1 for queries that see a key,
/// (batch, 1, queries, 1).
fn masks(
    batch: usize,
    queries: usize,
    keys: usize,
    span: &AttentionSpan,
    device: &Device,
) -> Result<(Tensor, Tensor)> {
    let mut hidden = vec![-1e30f32; batch * queries * keys];
    let mut real = vec![1f32; batch * queries];
    for row in 0..batch {
        for query in 0..queries {
            let index = row * queries + query;
            let visible = span.visible(row, keys - queries + query);
            if visible.is_empty() {
                real[index] = 0.0
            } else {
                hidden[index * keys..][visible].fill(0.0)
            }
        }
    }
    Ok((
        Tensor::from_vec(hidden, (batch, 1, queries, keys), device)?,
        Tensor::from_vec(real, (batch, 1, queries, 1), device)?,
    ))
}
