//! The gated activation of LLaMA-like feed-forward layers: SwiGLU (Shazeer 2020, equation 6).

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Tensor, bail};

use super::cpu::{Elements, elements, fill, fill_both, prepared};
use super::vector::{self, Kernel, LANES, Vector};

/// `silu(gate) · up` (Shazeer 2020).
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.dims() != up.dims() {
        bail!(
            "swiglu: expected gate and up of one shape, got {:?} and {:?}",
            gate.dims(),
            up.dims()
        );
    }
    if !gate.device().is_cpu() {
        return gate.silu()?.mul(up);
    }
    prepared(gate)?.apply_op2(&prepared(up)?, SwiGlu)?.to_dtype(gate.dtype())
}

/// Elements that one task computes.
const PIECE: usize = 8192;

/// What an exponential costs, in multiplications.
const EXPONENTIAL: usize = 16;

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (elements(gate, gate_layout)?, elements(up, up_layout)?);
        let mut out = vec![0.0; gate.len()];
        fill(&mut out, PIECE, gate.len() * EXPONENTIAL, |index, out| {
            let (gate, up) = (piece(gate, index), piece(up, index));
            vector::run(Forward { gate, up, out });
        });
        Ok((CpuStorage::F32(out), gate_layout.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (mut to_gate, mut to_up) = (vec![0.0; grad.elem_count()], vec![0.0; grad.elem_count()]);
        {
            let (gate, up, grad) = (Elements::of(gate)?, Elements::of(up)?, Elements::of(&grad)?);
            let work = grad.len() * EXPONENTIAL;
            fill_both(&mut to_gate, &mut to_up, PIECE, work, |index, to_gate, to_up| {
                vector::run(Backward {
                    gate: piece(&gate, index),
                    up: piece(&up, index),
                    grad: piece(&grad, index),
                    to_gate,
                    to_up,
                });
            });
        }
        Ok((
            Some(Tensor::from_vec(to_gate, gate.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(to_up, up.shape(), &Device::Cpu)?),
        ))
    }
}

fn piece(all: &[f32], index: usize) -> &[f32] {
    &all[index * PIECE..all.len().min((index + 1) * PIECE)]
}

#[inline(always)]
fn sigmoid<V: Vector>(x: V) -> V {
    let one = V::splat(1.0);
    one.div(V::splat(0.0).sub(x).exp().add(one))
}

struct Forward<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for start in (0..self.out.len()).step_by(LANES) {
            let gate = V::load_at(self.gate, start);
            let up = V::load_at(self.up, start);
            gate.mul(sigmoid(gate)).mul(up).store_at(self.out, start);
        }
    }
}

struct Backward<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    grad: &'a [f32],
    to_gate: &'a mut [f32],
    to_up: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// With s = sigmoid(gate): `grad · up · s · (1 + gate · (1 − s))` and `grad · gate · s`.
    #[inline(always)]
    fn run<V: Vector>(self) {
        let one = V::splat(1.0);
        for start in (0..self.grad.len()).step_by(LANES) {
            let gate = V::load_at(self.gate, start);
            let up = V::load_at(self.up, start);
            let grad = V::load_at(self.grad, start);
            let s = sigmoid(gate);
            let slope = s.mul(gate.mul_add(one.sub(s), one));
            grad.mul(up).mul(slope).store_at(self.to_gate, start);
            grad.mul(gate).mul(s).store_at(self.to_up, start);
        }
    }
}
