//! The affine map of every projection: `y = x · wᵀ + b`.

use candle_core::{D, Result, Tensor};

/// `x · wᵀ + bias`: x (…, in), weight (out, in), bias (out) → (…, out).
/// The gradient of a weight that is not part of a trained graph is never computed.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    let mut shape = x.dims().to_vec();
    shape.pop();
    shape.push(outputs);
    let rows = x.elem_count() / x.dim(D::Minus1)?.max(1);
    let flat = x.reshape((rows, inputs))?;
    let y = composed(&flat, weight)?.reshape(shape)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

fn composed(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)
}
