//! Dropout (Srivastava et al. 2014), scaled while training so that nothing changes when it is off.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::cpu::{elements, fill, prepared};
use crate::random::Stream;

/// Zeroes elements with probability `p` and scales the others by 1 / (1 − p). Element i is decided by position i of
/// `stream`, so the mask depends on neither threads nor device.
pub fn dropout(x: &Tensor, p: f64, stream: &Stream) -> Result<Tensor> {
    if !(0.0..1.0).contains(&p) {
        bail!("dropout: expected a probability of at least 0 and below 1, got {p}");
    }
    if p == 0.0 {
        return Ok(x.clone());
    }
    let mask = Dropout { p, stream: *stream };
    if x.device().is_cpu() {
        return prepared(x)?.apply_op1(mask)?.to_dtype(x.dtype());
    }
    let mut factors = vec![1.0; x.elem_count()];
    mask.apply(&mut factors);
    x.mul(&Tensor::from_vec(factors, x.shape(), x.device())?.to_dtype(x.dtype())?)
}

/// Elements that one task decides.
const PIECE: usize = 4096;

/// What a draw costs, in multiplications.
const DRAW: usize = 40;

struct Dropout {
    p: f64,
    stream: Stream,
}

impl Dropout {
    fn apply(&self, values: &mut [f32]) {
        let kept = (1.0 / (1.0 - self.p)) as f32;
        let work = values.len() * DRAW;
        fill(values, PIECE, work, |piece, values| {
            for (i, value) in values.iter_mut().enumerate() {
                *value *= if self.stream.uniform((piece * PIECE + i) as u64) < self.p {
                    0.0
                } else {
                    kept
                };
            }
        });
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = elements(x, layout)?.to_vec();
        self.apply(&mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// The same mask, drawn again.
    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        grad.contiguous()?.apply_op1_no_bwd(self).map(Some)
    }
}
