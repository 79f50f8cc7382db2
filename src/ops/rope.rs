//! Rotary position embedding (Su et al. 2021) in the half-split layout of transformers: element i of a head is paired
//! with element i + rotary_dim / 2.

use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor, bail};

use super::cpu::{elements, fill, prepared};

/// Rotary position embedding, half-split layout (as transformers has it): x (batch, time, heads, head_dim), `cos` and
/// `sin` (positions, rotary_dim / 2), `positions` (batch, time) u32. Only the first rotary_dim of each head turn.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor, positions: &Tensor) -> Result<Tensor> {
    let (batch, time, _, head_dim) = x.dims4()?;
    let half = cos.dim(D::Minus1)?;
    if head_dim == 0
        || cos.dims() != sin.dims()
        || 2 * half > head_dim
        || positions.elem_count() != batch * time
    {
        bail!(
            "rope: expected a position for each of {batch} × {time} tokens and tables of at most {} columns, got \
             {:?}, {:?} and {:?}",
            head_dim / 2,
            positions.dims(),
            cos.dims(),
            sin.dims()
        );
    }
    let (cos, sin) =
        (angles(cos, positions, (batch, time))?, angles(sin, positions, (batch, time))?);
    if !x.device().is_cpu() {
        return composed(x, &cos, &sin);
    }
    let rotation =
        Rotation { cos: cos.flatten_all()?.to_vec1()?, sin: sin.flatten_all()?.to_vec1()?, half };
    prepared(x)?.apply_op1(rotation)?.to_dtype(x.dtype())
}

/// The rows of a table for each token, (batch, time, 1, half).
pub(super) fn angles(
    table: &Tensor,
    positions: &Tensor,
    (batch, time): (usize, usize),
) -> Result<Tensor> {
    table.index_select(&positions.flatten_all()?, 0)?.to_dtype(DType::F32)?.reshape((
        batch,
        time,
        1,
        table.dim(D::Minus1)?,
    ))
}

pub(super) fn composed(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let (head_dim, half) = (x.dim(D::Minus1)?, cos.dim(D::Minus1)?);
    let wide = x.to_dtype(DType::F32)?;
    let first = wide.narrow(D::Minus1, 0, half)?;
    let second = wide.narrow(D::Minus1, half, half)?;
    let mut parts = vec![
        (first.broadcast_mul(cos)? - second.broadcast_mul(sin)?)?,
        (second.broadcast_mul(cos)? + first.broadcast_mul(sin)?)?,
    ];
    if head_dim > 2 * half {
        parts.push(wide.narrow(D::Minus1, 2 * half, head_dim - 2 * half)?);
    }
    Tensor::cat(&parts, D::Minus1)?.to_dtype(x.dtype())
}

/// The rotation of each token's heads: `half` angles a token.
#[derive(Clone)]
struct Rotation {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl Rotation {
    fn turn_token(&self, token: usize, head_dim: usize, heads: &mut [f32]) {
        let angles = token * self.half..(token + 1) * self.half;
        let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
        for head in heads.chunks_exact_mut(head_dim) {
            let (first, rest) = head.split_at_mut(self.half);
            let pairs = first.iter_mut().zip(&mut rest[..self.half]);
            for ((a, b), (cos, sin)) in pairs.zip(cos.iter().zip(sin)) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}

impl CustomOp1 for Rotation {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, _, heads, head_dim) = layout.shape().dims4()?;
        let mut out = elements(x, layout)?.to_vec();
        let work = out.len();
        fill(&mut out, heads * head_dim, work, |token, heads| {
            self.turn_token(token, head_dim, heads)
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// A rotation's gradient is turned back by the same angle.
    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut back = self.clone();
        back.sin.iter_mut().for_each(|sin| *sin = -*sin);
        grad.contiguous()?.apply_op1_no_bwd(&back).map(Some)
    }
}
