//! AdamW, Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), in torch's order of operations.

use candle_core::{CpuStorage, DType, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;

use super::cpu::{Elements, elements, elements_mut, fill, prepared};

/// One AdamW update in place (Loshchilov and Hutter 2019, in torch's order of operations): `step` counts from 1.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub step: u64,
}

/// Updates `parameter` and its moments `first` and `second` (all f32, same shape) by `gradient · gradient_scale`.
pub fn adamw_step(
    parameter: &Var,
    first: &Var,
    second: &Var,
    gradient: &Tensor,
    gradient_scale: f64,
    settings: &AdamW,
) -> Result<()> {
    for other in [first.as_tensor(), second.as_tensor(), gradient] {
        if other.dims() != parameter.dims() {
            bail!(
                "adamw: expected moments and a gradient of shape {:?}, got {:?}",
                parameter.dims(),
                other.dims()
            );
        }
    }
    let gradient = gradient.detach();
    if !parameter.device().is_cpu() {
        return composed(parameter, first, second, &gradient, gradient_scale, settings);
    }
    let gradient = prepared(&gradient)?;
    let moment = |second_moment: bool| Moment {
        second_moment,
        beta: if second_moment { settings.beta2 } else { settings.beta1 },
        gradient_scale: gradient_scale as f32,
    };
    first.inplace_op2(&gradient, &moment(false))?;
    second.inplace_op2(&gradient, &moment(true))?;
    parameter.inplace_op3(first, second, settings)
}

impl AdamW {
    /// 1 − learning_rate · weight_decay.
    fn decay(&self) -> f64 {
        1.0 - self.learning_rate * self.weight_decay
    }

    /// 1 − beta1^step and √(1 − beta2^step).
    fn corrections(&self) -> (f64, f64) {
        let step = self.step as f64;
        (1.0 - self.beta1.powf(step), (1.0 - self.beta2.powf(step)).sqrt())
    }
}

pub(super) fn composed(
    parameter: &Var,
    first: &Var,
    second: &Var,
    gradient: &Tensor,
    gradient_scale: f64,
    settings: &AdamW,
) -> Result<()> {
    let gradient = (gradient.to_dtype(DType::F32)? * gradient_scale)?;
    let decayed = (parameter.as_detached_tensor() * settings.decay())?;
    let m = first.as_detached_tensor();
    let m = (&m + ((&gradient - &m)? * (1.0 - settings.beta1))?)?;
    let v = ((second.as_detached_tensor() * settings.beta2)?
        + (gradient.sqr()? * (1.0 - settings.beta2))?)?;
    let (correction1, correction2) = settings.corrections();
    let denominator = ((v.sqrt()? / correction2)? + settings.epsilon)?;
    let change = ((&m / denominator)? * (settings.learning_rate / correction1))?;
    parameter.set(&(decayed - change)?)?;
    first.set(&m)?;
    second.set(&v)
}

/// Elements that one task updates.
const PIECE: usize = 16_384;

/// `m += (g − m) · (1 − beta)`, or `v = beta · v + (1 − beta) · g²`.
struct Moment {
    second_moment: bool,
    beta: f64,
    gradient_scale: f32,
}

impl InplaceOp2 for Moment {
    fn name(&self) -> &'static str {
        "adamw moment"
    }

    fn cpu_fwd(
        &self,
        moment: &mut CpuStorage,
        moment_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let gradient = elements(gradient, gradient_layout)?;
        let moment = elements_mut(moment, moment_layout)?;
        let (scale, beta, rest) = (self.gradient_scale, self.beta as f32, (1.0 - self.beta) as f32);
        let work = moment.len() * 2;
        fill(moment, PIECE, work, |piece, moment| {
            let pairs = moment.iter_mut().zip(&gradient[piece * PIECE..]);
            if self.second_moment {
                for (v, g) in pairs {
                    let g = g * scale;
                    *v = *v * beta + rest * g * g;
                }
            } else {
                for (m, g) in pairs {
                    *m += (g * scale - *m) * rest;
                }
            }
        });
        Ok(())
    }
}

impl InplaceOp3 for AdamW {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
    ) -> Result<()> {
        let first = elements(first, first_layout)?;
        let second = elements(second, second_layout)?;
        let parameter = elements_mut(parameter, parameter_layout)?;
        let (correction1, correction2) = self.corrections();
        let rate = (self.learning_rate / correction1) as f32;
        let (decay, correction2) = (self.decay() as f32, correction2 as f32);
        let epsilon = self.epsilon as f32;
        let work = parameter.len() * 4;
        fill(parameter, PIECE, work, |piece, parameter| {
            let moments = first[piece * PIECE..].iter().zip(&second[piece * PIECE..]);
            for (p, (m, v)) in parameter.iter_mut().zip(moments) {
                let denominator = v.sqrt() / correction2 + epsilon;
                *p = *p * decay - rate * (m / denominator);
            }
        });
        Ok(())
    }
}

/// Sum of squares of all elements, accumulated in f64 in a fixed order.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    let x = if x.device().is_cpu() {
        prepared(&x.detach())?
    } else {
        prepared(&x.detach().to_device(&candle_core::Device::Cpu)?)?
    };
    let elements = Elements::of(&x)?;
    let partial: Vec<f64> = elements
        .par_chunks(PIECE)
        .map(|piece| piece.iter().map(|value| f64::from(*value).powi(2)).sum())
        .collect();
    Ok(partial.iter().sum())
}
