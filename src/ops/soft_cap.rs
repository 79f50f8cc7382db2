//! Soft-capping (Bello et al. 2016; Gemma 2): numbers held between −cap and cap by a hyperbolic tangent.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::cpu::{Elements, elements, fill, prepared};
use super::vector::{self, Kernel, LANES, Vector};

/// cap · tanh(x / cap) of every element.
pub fn soft_cap(x: &Tensor, cap: f64) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed(x, cap);
    }
    prepared(x)?.apply_op1(SoftCap(cap as f32))?.to_dtype(x.dtype())
}

/// As [`soft_cap`], out of candle's own operations.
pub fn composed(x: &Tensor, cap: f64) -> Result<Tensor> {
    (x / cap)?.tanh()? * cap
}

/// Elements that one task computes.
const PIECE: usize = 4096;

/// What one element costs, in multiplications.
const COST: usize = 24;

struct SoftCap(f32);

impl CustomOp1 for SoftCap {
    fn name(&self) -> &'static str {
        "soft cap"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = elements(x, layout)?.to_vec();
        let work = out.len() * COST;
        fill(&mut out, PIECE, work, |_, piece| in_place(piece, 1.0, self.0));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let mut out = Elements::of(&grad)?.to_vec();
        {
            let x = Elements::of(x)?;
            fill(&mut out, PIECE, x.len() * COST, |index, piece| {
                let x = &x[index * PIECE..][..piece.len()];
                times_slope(piece, x, 1.0, self.0);
            });
        }
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// `x = cap · tanh(x · scale / cap)` in place.
pub fn in_place(x: &mut [f32], scale: f32, cap: f32) {
    vector::run(Forward { x, scale, cap });
}

/// `grad = grad · d/dx cap · tanh(x · scale / cap)` in place.
pub fn times_slope(grad: &mut [f32], x: &[f32], scale: f32, cap: f32) {
    vector::run(Backward { grad, x, scale, cap });
}

/// tanh u = 1 − 2 / (1 + e^(2u)), within 2e-7 of it.
#[inline(always)]
fn tanh<V: Vector>(u: V) -> V {
    let one = V::splat(1.0);
    let two = V::splat(2.0);
    one.sub(two.div(u.mul(two).exp().add(one)))
}

struct Forward<'a> {
    x: &'a mut [f32],
    scale: f32,
    cap: f32,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (inner, cap) = (V::splat(self.scale / self.cap), V::splat(self.cap));
        for start in (0..self.x.len()).step_by(LANES) {
            let u = V::load_at(self.x, start).mul(inner);
            tanh(u).mul(cap).store_at(self.x, start);
        }
    }
}

struct Backward<'a> {
    grad: &'a mut [f32],
    x: &'a [f32],
    scale: f32,
    cap: f32,
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// The slope is scale · (1 − tanh²).
    #[inline(always)]
    fn run<V: Vector>(self) {
        let (inner, one) = (V::splat(self.scale / self.cap), V::splat(1.0));
        for start in (0..self.grad.len()).step_by(LANES) {
            let t = tanh(V::load_at(self.x, start).mul(inner));
            let slope = one.sub(t.mul(t)).mul(V::splat(self.scale));
            V::load_at(self.grad, start).mul(slope).store_at(self.grad, start);
        }
    }
}
