//! Rotary position embedding (Su et al. 2021) in the half-split layout of transformers: element i of a head is paired
//! with element i + rotary_dim / 2.

use candle_core::{D, DType, Result, Tensor};

/// Rotary position embedding, half-split layout (as transformers has it): x (batch, time, heads, head_dim), `cos` and
/// `sin` (positions, rotary_dim / 2), `positions` (batch, time) u32. Only the first rotary_dim of each head turn.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor, positions: &Tensor) -> Result<Tensor> {
    let (batch, time, _, head_dim) = x.dims4()?;
    let half = cos.dim(D::Minus1)?;
    let positions = positions.flatten_all()?;
    let angles = |table: &Tensor| {
        table
            .index_select(&positions, 0)?
            .to_dtype(DType::F32)?
            .reshape((batch, time, 1, half))
    };
    let (cos, sin) = (angles(cos)?, angles(sin)?);
    let wide = x.to_dtype(DType::F32)?;
    let first = wide.narrow(D::Minus1, 0, half)?;
    let second = wide.narrow(D::Minus1, half, half)?;
    let mut parts = vec![
        (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?,
        (second.broadcast_mul(&cos)? + first.broadcast_mul(&sin)?)?,
    ];
    if head_dim > 2 * half {
        parts.push(wide.narrow(D::Minus1, 2 * half, head_dim - 2 * half)?);
    }
    Tensor::cat(&parts, D::Minus1)?.to_dtype(x.dtype())
}
