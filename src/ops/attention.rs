//! Causal scaled dot-product attention (Vaswani et al. 2017) with grouped key/value heads (Ainslie et al. 2023), left
//! padding and sliding windows.

use candle_core::{D, DType, Device, Result, Tensor, bail};

/// Which keys a query may see.
#[derive(Clone, Debug, Default)]
pub struct AttentionSpan {
    /// First real key of each row of a left-padded batch; empty when no row is padded.
    pub starts: Vec<usize>,
    /// Sliding window: a query at position p sees keys p − window + 1 ..= p.
    pub window: Option<usize>,
}

impl AttentionSpan {
    /// The keys that a query at key position `position` of batch row `row` sees.
    fn visible(&self, row: usize, position: usize) -> std::ops::Range<usize> {
        let start = self.starts.get(row).copied().unwrap_or(0);
        let oldest = self
            .window
            .map_or(0, |window| (position + 1).saturating_sub(window));
        start.max(oldest)..position + 1
    }
}

/// Causal attention with grouped key/value heads: q (batch, queries, heads, head_dim), k and v (batch, keys, kv_heads,
/// head_dim), queries standing at the end of the keys → (batch, queries, heads, head_dim). Scores are scaled by `scale`.
/// A row's result does not depend on the rows beside it nor on its padding. Queries on padding give zeros.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    span: &AttentionSpan,
) -> Result<Tensor> {
    let (batch, queries, heads, _) = q.dims4()?;
    let (key_batch, keys, kv_heads, _) = k.dims4()?;
    if k.dims() != v.dims()
        || key_batch != batch
        || keys < queries
        || kv_heads == 0
        || heads % kv_heads != 0
    {
        bail!(
            "attention: queries {:?}, keys {:?} and values {:?} do not fit together",
            q.dims(),
            k.dims(),
            v.dims()
        );
    }
    if !span.starts.is_empty() && span.starts.len() != batch {
        bail!(
            "attention: {} starts for a batch of {batch}",
            span.starts.len()
        );
    }
    composed(q, k, v, scale, span)
}

fn composed(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    span: &AttentionSpan,
) -> Result<Tensor> {
    let (batch, queries, heads, head_dim) = q.dims4()?;
    let (_, keys, kv_heads, _) = k.dims4()?;
    let grouped = (batch, kv_heads, heads / kv_heads * queries, head_dim);
    let by_head = |x: &Tensor| x.to_dtype(DType::F32)?.transpose(1, 2)?.contiguous();
    let (k, v) = (by_head(k)?, by_head(v)?);
    let scores = (by_head(q)?.reshape(grouped)?.matmul(&k.t()?)? * scale)?;
    let (hidden, real) = masks(batch, queries, keys, span, q.device())?;
    let scores = scores
        .reshape((batch, heads, queries, keys))?
        .broadcast_add(&hidden)?;
    let weights = candle_nn::ops::softmax(&scores, D::Minus1)?.broadcast_mul(&real)?;
    weights
        .reshape((batch, kv_heads, heads / kv_heads * queries, keys))?
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
            match visible.is_empty() {
                true => real[index] = 0.0,
                false => hidden[index * keys..][visible].fill(0.0),
            }
        }
    }
    Ok((
        Tensor::from_vec(hidden, (batch, 1, queries, keys), device)?,
        Tensor::from_vec(real, (batch, 1, queries, 1), device)?,
    ))
}
