//! AdamW, Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), in torch's order of operations.

use candle_core::{DType, Result, Tensor, Var};

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
    let gradient = (gradient.detach() * gradient_scale)?;
    let decayed =
        (parameter.as_detached_tensor() * (1.0 - settings.learning_rate * settings.weight_decay))?;
    let m = first.as_detached_tensor();
    let m = (&m + ((&gradient - &m)? * (1.0 - settings.beta1))?)?;
    let v = ((second.as_detached_tensor() * settings.beta2)?
        + (gradient.sqr()? * (1.0 - settings.beta2))?)?;
    let step = settings.step as f64;
    let correction1 = 1.0 - settings.beta1.powf(step);
    let correction2 = 1.0 - settings.beta2.powf(step);
    let denominator = ((v.sqrt()? / correction2.sqrt())? + settings.epsilon)?;
    let change = ((&m / denominator)? * (settings.learning_rate / correction1))?;
    parameter.set(&(decayed - change)?)?;
    first.set(&m)?;
    second.set(&v)
}

/// Sum of squares of all elements, accumulated in f64 in a fixed order.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    let values: Vec<f32> = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(values.iter().map(|value| f64::from(*value).powi(2)).sum())
}
