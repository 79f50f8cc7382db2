//! The building blocks of a decoder step, under plain names, forward and backward together.
//!
//! Decoders and the trainer call these and never candle's own fused functions, several of which drop gradients without
//! an error. Shapes are written (batch, time, width). On a CPU the costly ones are kernels of ours; on any other device
//! they are plain candle.

use candle_core::{DType, Result, Tensor, Var};

use crate::random::Stream;

/// `x · wᵀ + bias`: x (…, in), weight (out, in), bias (out) → (…, out).
/// The gradient of a weight that is not part of a trained graph is never computed.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let _ = (x, weight, bias);
    unimplemented!()
}

/// Rows of `weight` (vocabulary, width) for ids (batch, time) u32 → (batch, time, width).
pub fn embedding(ids: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let _ = (ids, weight);
    unimplemented!()
}

/// `x / √(mean(x²) + epsilon) · weight` over the last axis (Zhang and Sennrich 2019).
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let _ = (x, weight, epsilon);
    unimplemented!()
}

/// `(x − mean) / √(variance + epsilon) · weight + bias` over the last axis.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let _ = (x, weight, bias, epsilon);
    unimplemented!()
}

/// Rotary position embedding, half-split layout (as transformers has it): x (batch, time, heads, head_dim), `cos` and
/// `sin` (positions, rotary_dim / 2), `positions` (batch, time) u32. Only the first rotary_dim of each head turn.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor, positions: &Tensor) -> Result<Tensor> {
    let _ = (x, cos, sin, positions);
    unimplemented!()
}

/// Which keys a query may see.
#[derive(Clone, Debug, Default)]
pub struct AttentionSpan {
    /// First real key of each row of a left-padded batch; empty when no row is padded.
    pub starts: Vec<usize>,
    /// Sliding window: a query at position p sees keys p − window + 1 ..= p.
    pub window: Option<usize>,
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
    let _ = (q, k, v, scale, span);
    unimplemented!()
}

/// `silu(gate) · up` (Shazeer 2020).
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let _ = (gate, up);
    unimplemented!()
}

/// Sum over rows of −log softmax(logits)[target]: logits (rows, vocabulary), targets (rows) u32 → scalar f32. The caller
/// divides by the number of tokens of the whole update, so that accumulation is exact.
pub fn cross_entropy_sum(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let _ = (logits, targets);
    unimplemented!()
}

/// −log softmax(logits)[target] of each row, without a gradient: (rows) f32.
pub fn token_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let _ = (logits, targets);
    unimplemented!()
}

/// Zeroes elements with probability `p` and scales the others by 1 / (1 − p). Element i is decided by position i of
/// `stream`, so the mask depends on neither threads nor device.
pub fn dropout(x: &Tensor, p: f64, stream: &Stream) -> Result<Tensor> {
    let _ = (x, p, stream);
    unimplemented!()
}

/// One AdamW update in place (Loshchilov and Hutter 2019, in torch's order of operations): `step` counts from 1.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub step: u64,
}

/// Updates `parameter` and its moments `first` and `second` (all f32, same shape) by `gradient · gradient_scale`.
pub fn adamw_step(
    parameter: &Var,
    first: &Var,
    second: &Var,
    gradient: &Tensor,
    gradient_scale: f64,
    settings: &AdamW,
) -> Result<()> {
    let _ = (parameter, first, second, gradient, gradient_scale, settings);
    unimplemented!()
}

/// Sum of squares of all elements, accumulated in f64 in a fixed order.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    let _ = (x, DType::F32);
    unimplemented!()
}
