//! Cross-entropy of next-token predictions, in nats.

use candle_core::{D, DType, Result, Tensor};

/// Sum over rows of −log softmax(logits)[target]: logits (rows, vocabulary), targets (rows) u32 → scalar f32. The caller
/// divides by the number of tokens of the whole update, so that accumulation is exact.
pub fn cross_entropy_sum(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    row_losses(logits, targets)?.sum_all()
}

/// −log softmax(logits)[target] of each row, without a gradient: (rows) f32.
pub fn token_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    row_losses(&logits.detach(), targets)
}

fn row_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    candle_nn::ops::log_softmax(&logits.to_dtype(DType::F32)?, D::Minus1)?
        .gather(&targets.unsqueeze(1)?, 1)?
        .squeeze(1)?
        .neg()
}
