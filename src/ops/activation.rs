//! Activations of feed-forward layers, element by element: SiLU (Elfwing et al. 2018), GELU and its tanh approximation
//! (Hendrycks and Gimpel 2016), ReLU.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::cpu::{Elements, elements, fill, prepared};
use super::vector::{self, Kernel, LANES, Vector};

/// Which activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · σ(x)
    Silu,
    /// x · Φ(x), by the error function
    Gelu,
    /// x · ½ (1 + tanh(√(2/π) (x + 0.044715 x³)))
    GeluTanh,
    /// max(x, 0)
    Relu,
}

/// The activation of every element.
pub fn activation(x: &Tensor, kind: Activation) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return match kind {
            Activation::Silu => x.silu(),
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
            Activation::Relu => x.relu(),
        };
    }
    prepared(x)?.apply_op1(Elementwise(kind))?.to_dtype(x.dtype())
}

/// Elements that one task computes.
const PIECE: usize = 4096;

/// What one element costs, in multiplications.
const COST: usize = 24;

/// √(2/π), and the factor of the cube, in the tanh approximation.
const ROOT_2_OVER_PI: f32 = 0.797_884_6;
const TANH_CUBE: f32 = 0.044_715;

struct Elementwise(Activation);

impl CustomOp1 for Elementwise {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = elements(x, layout)?;
        let mut out = vec![0.0; x.len()];
        fill(&mut out, PIECE, x.len() * COST, |index, out| {
            forward(self.0, piece(x, index), out);
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let mut out = vec![0.0; x.elem_count()];
        {
            let (values, grad) = (Elements::of(x)?, Elements::of(&grad)?);
            fill(&mut out, PIECE, values.len() * COST, |index, out| {
                backward(self.0, piece(&values, index), piece(&grad, index), out);
            });
        }
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

fn piece(all: &[f32], index: usize) -> &[f32] {
    &all[index * PIECE..all.len().min((index + 1) * PIECE)]
}

fn forward(kind: Activation, x: &[f32], out: &mut [f32]) {
    match kind {
        Activation::Silu | Activation::GeluTanh => vector::run(Forward { kind, x, out }),
        Activation::Gelu => vector::run(Gelu { x, out }),
        Activation::Relu => {
            for (out, x) in out.iter_mut().zip(x) {
                *out = x.max(0.0);
            }
        }
    }
}

fn backward(kind: Activation, x: &[f32], grad: &[f32], out: &mut [f32]) {
    match kind {
        Activation::Silu | Activation::GeluTanh => vector::run(Backward { kind, x, grad, out }),
        Activation::Gelu => {
            for ((out, x), grad) in out.iter_mut().zip(x).zip(grad) {
                // d/dx x Φ(x) = Φ(x) + x φ(x)
                let density = (-0.5 * x * x).exp() * (0.5 * ROOT_2_OVER_PI);
                *out = grad * (normal_below(*x) + x * density);
            }
        }
        Activation::Relu => {
            for ((out, x), grad) in out.iter_mut().zip(x).zip(grad) {
                *out = if *x > 0.0 { *grad } else { 0.0 };
            }
        }
    }
}

/// Φ(x), the probability of a standard normal below x.
fn normal_below(x: f32) -> f32 {
    0.5 * (1.0 + candle_core::cpu::erf::erf_f32(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[inline(always)]
fn sigmoid<V: Vector>(x: V) -> V {
    let one = V::splat(1.0);
    one.div(V::splat(0.0).sub(x).exp().add(one))
}

/// The argument of the sigmoid and its slope: both activations are x · σ(argument), since ½ (1 + tanh u) = σ(2u).
#[inline(always)]
fn argument<V: Vector>(kind: Activation, x: V) -> (V, V) {
    match kind {
        Activation::GeluTanh => {
            let square = x.mul(x);
            let scale = V::splat(2.0 * ROOT_2_OVER_PI);
            let value = V::splat(TANH_CUBE).mul(square).add(V::splat(1.0)).mul(x).mul(scale);
            let slope = V::splat(3.0 * TANH_CUBE).mul(square).add(V::splat(1.0)).mul(scale);
            (value, slope)
        }
        _ => (x, V::splat(1.0)),
    }
}

struct Forward<'a> {
    kind: Activation,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for start in (0..self.out.len()).step_by(LANES) {
            let x = V::load_at(self.x, start);
            let (value, _) = argument(self.kind, x);
            x.mul(sigmoid(value)).store_at(self.out, start);
        }
    }
}

/// x · Φ(x) as max(x, 0) − |x| · Φ(−|x|), with Φ(−|x|) by the error function of Abramowitz and Stegun 7.1.26, which is
/// within 1.5e-7 of the true one.
struct Gelu<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        const SLOPE: f32 = 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2;
        const POLYNOMIAL: [f32; 5] =
            [1.061_405_4, -1.453_152_1, 1.421_413_8, -0.284_496_74, 0.254_829_6];
        let (zero, one) = (V::splat(0.0), V::splat(1.0));
        for start in (0..self.out.len()).step_by(LANES) {
            let x = V::load_at(self.x, start);
            let size = x.max(zero.sub(x));
            let t = one.div(size.mul_add(V::splat(SLOPE), one));
            let mut sum = zero;
            for coefficient in POLYNOMIAL {
                sum = sum.mul_add(t, V::splat(coefficient));
            }
            let bell = size.mul(size).mul(V::splat(-0.5)).exp();
            let below = sum.mul(t).mul(bell).mul(V::splat(0.5));
            x.max(zero).sub(size.mul(below)).store_at(self.out, start);
        }
    }
}

struct Backward<'a> {
    kind: Activation,
    x: &'a [f32],
    grad: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// With s = σ(a(x)): `grad · s · (1 + x · (1 − s) · a′(x))`.
    #[inline(always)]
    fn run<V: Vector>(self) {
        let one = V::splat(1.0);
        for start in (0..self.out.len()).step_by(LANES) {
            let x = V::load_at(self.x, start);
            let grad = V::load_at(self.grad, start);
            let (value, slope) = argument(self.kind, x);
            let s = sigmoid(value);
            let change = x.mul(slope).mul_add(one.sub(s), one);
            grad.mul(s).mul(change).store_at(self.out, start);
        }
    }
}
