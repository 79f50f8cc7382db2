//! Normalisation over the last axis: RMSNorm (Zhang and Sennrich 2019) and LayerNorm (Ba, Kiros and Hinton 2016).

use candle_core::{D, DType, Result, Tensor};

/// `x / √(mean(x²) + epsilon) · weight` over the last axis (Zhang and Sennrich 2019).
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    scaled_to_unit(&wide, epsilon)?
        .to_dtype(x.dtype())?
        .broadcast_mul(weight)
}

/// `(x − mean) / √(variance + epsilon) · weight + bias` over the last axis.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    scaled_to_unit(&centred, epsilon)?
        .to_dtype(x.dtype())?
        .broadcast_mul(weight)?
        .broadcast_add(bias)
}

/// `x / √(mean(x²) + epsilon)` over the last axis.
fn scaled_to_unit(x: &Tensor, epsilon: f64) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + epsilon)?.sqrt()?)
}
