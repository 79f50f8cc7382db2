//! Scaled dot-product attention (Vaswani et al. 2017), causal or over whole texts, with grouped key/value heads (Ainslie et
//! al. 2023), padding and sliding windows.
//!
//! Neither the scores nor their softmax are kept for the backward pass: it computes them again, block by block.

pub(super) mod composed;
mod kernel;
mod scores;
mod span;

use candle_core::{CpuStorage, CustomOp3, DType, Device, Layout, Result, Shape, Tensor, bail};

use super::cpu::Elements;
use kernel::{Backward, Forward, Heads};
pub use scores::Scores;
pub use span::AttentionSpan;

/// Attention with grouped key/value heads, causal where `span` has no ends: q (batch, queries, heads, head_dim), k and v (batch, keys, kv_heads,
/// head_dim), queries standing at the end of the keys → (batch, queries, heads, head_dim). A number as `scores` is what
/// products are multiplied by.
/// A row's result does not depend on the rows beside it nor on its padding. Queries on padding give zeros.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scores: impl Into<Scores>,
    span: &AttentionSpan,
) -> Result<Tensor> {
    let scores = scores.into();
    check(q, k, v, span)?;
    if !q.device().is_cpu() {
        return composed::attention(q, k, v, scores, span);
    }
    let op = Attention { scores, span: span.clone() };
    with_rows(q)?.apply_op3(&with_rows(k)?, &with_rows(v)?, op)?.to_dtype(q.dtype())
}

fn check(q: &Tensor, k: &Tensor, v: &Tensor, span: &AttentionSpan) -> Result<()> {
    let (batch, queries, heads, head_dim) = q.dims4()?;
    let (key_batch, keys, kv_heads, key_dim) = k.dims4()?;
    let fits = k.dims() == v.dims()
        && key_batch == batch
        && key_dim == head_dim
        && keys >= queries
        && kv_heads * head_dim > 0
        && heads.is_multiple_of(kv_heads);
    if !fits {
        bail!(
            "attention: queries {:?}, keys {:?} and values {:?} do not fit together",
            q.dims(),
            k.dims(),
            v.dims()
        );
    }
    if !span.starts.is_empty() && span.starts.len() != batch {
        bail!("attention: expected a start for each of {batch} rows, got {}", span.starts.len());
    }
    let fit = |end: &usize| *end <= keys;
    if !span.ends.is_empty() && (span.ends.len() != batch || !span.ends.iter().all(fit)) {
        bail!(
            "attention: expected an end within {keys} keys for each of {batch} rows, got {:?}",
            span.ends
        );
    }
    Ok(())
}

/// f32 with each head's elements side by side. A view into a cache is left where it is.
fn with_rows(x: &Tensor) -> Result<Tensor> {
    let x = x.to_dtype(DType::F32)?;
    match x.stride().last() {
        Some(1) => Ok(x),
        _ => x.contiguous(),
    }
}

struct Attention {
    scores: Scores,
    span: AttentionSpan,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let forward = Forward {
            q: Heads::of(q.as_slice()?, q_layout)?,
            k: Heads::of(k.as_slice()?, k_layout)?,
            v: Heads::of(v.as_slice()?, v_layout)?,
            scores: self.scores,
            span: &self.span,
        };
        Ok((CpuStorage::F32(forward.run()), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [q, k, v, grad] = [q, k, v, grad].map(Tensor::contiguous);
        let (q, k, v, grad) = (q?, k?, v?, grad?);
        let (to_q, to_k, to_v) = {
            let all = [&q, &k, &v, &grad].map(Elements::of);
            let [q_all, k_all, v_all, grad_all] = all;
            let (q_all, k_all, v_all, grad_all) = (q_all?, k_all?, v_all?, grad_all?);
            Backward {
                q: Heads::packed(&q_all, q.dims4()?),
                k: Heads::packed(&k_all, k.dims4()?),
                v: Heads::packed(&v_all, v.dims4()?),
                grad: Heads::packed(&grad_all, grad.dims4()?),
                scores: self.scores,
                span: &self.span,
            }
            .run()
        };
        Ok((
            Some(Tensor::from_vec(to_q, q.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(to_k, k.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(to_v, v.shape(), &Device::Cpu)?),
        ))
    }
}
