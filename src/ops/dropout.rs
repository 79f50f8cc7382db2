//! Dropout (Srivastava et al. 2014), scaled while training so that nothing changes when it is off.

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

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
    let kept = (1.0 / (1.0 - p)) as f32;
    let mut mask = vec![0f32; x.elem_count()];
    mask.par_iter_mut()
        .enumerate()
        .for_each(|(position, factor)| {
            if stream.uniform(position as u64) >= p {
                *factor = kept;
            }
        });
    let mask = Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?;
    x.mul(&mask)
}
