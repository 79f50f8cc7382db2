//! The gated activation of LLaMA-like feed-forward layers: SwiGLU (Shazeer 2020, equation 6).

use candle_core::{Result, Tensor};

/// `silu(gate) · up` (Shazeer 2020).
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.silu()?.mul(up)
}
