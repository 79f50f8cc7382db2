//! Low-rank adapters (Hu et al. 2021), named and shaped as PEFT has them.

use std::collections::BTreeSet;

use candle_core::{DType, Device, Tensor};

use super::Weights;
use crate::error::{Error, Result};
use crate::random::Stream;

/// An adapter over a base. `weights` are `{module}.lora_A.weight` (rank, in) and `{module}.lora_B.weight` (out, rank), where
/// `{module}` is the base weight's name without `.weight`.
#[derive(Clone)]
pub struct Adapter {
    pub rank: usize,
    pub alpha: f64,
    pub dropout: f64,
    /// Module names as PEFT takes them: "q_proj".
    pub targets: Vec<String>,
    pub weights: Weights,
}

impl Adapter {
    /// A fresh adapter: A uniform in ±1/√in (PEFT's kaiming_uniform with a = √5), B zero, so that it starts as no change.
    pub fn new(
        rank: usize,
        alpha: f64,
        dropout: f64,
        targets: Vec<String>,
        base: &Weights,
        seed: u64,
    ) -> Result<Self> {
        let known = modules(base);
        if let Some(unknown) = targets.iter().find(|target| !known.contains(*target)) {
            return Err(Error::unknown("adapter target", unknown.as_str(), known));
        }
        let mut adapter = Self {
            rank,
            alpha,
            dropout,
            targets,
            weights: Weights::new(),
        };
        for (name, weight) in base {
            let Some(module) = linear_module(name, weight) else {
                continue;
            };
            if adapter.covers(module) {
                let (out, width) = weight.dims2()?;
                let bound = 1.0 / (width as f64).sqrt();
                let stream = Stream::new(seed, &format!("lora {module}"));
                let values: Vec<f32> = (0..(rank * width) as u64)
                    .map(|i| ((2.0 * stream.uniform(i) - 1.0) * bound) as f32)
                    .collect();
                let device = weight.device();
                let down = Tensor::from_vec(values, (rank, width), device)?;
                let up = Tensor::zeros((out, rank), DType::F32, device)?;
                adapter
                    .weights
                    .insert(format!("{module}.lora_A.weight"), down);
                adapter
                    .weights
                    .insert(format!("{module}.lora_B.weight"), up);
            }
        }
        Ok(adapter)
    }

    /// Whether the adapter stands beside this module (`model.layers.0.self_attn.q_proj`).
    pub fn covers(&self, module: &str) -> bool {
        let last = module.rsplit('.').next().unwrap_or(module);
        self.targets.iter().any(|target| target == last)
    }

    /// What the low-rank path is multiplied by: alpha / rank.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// The base with the adapter folded in: W + scale · B · A.
    pub fn folded_into(&self, base: &Weights) -> Result<Weights> {
        let mut merged = base.clone();
        for (name, weight) in merged.iter_mut() {
            let module = name.strip_suffix(".weight").unwrap_or(name);
            let part = |side: &str| self.weights.get(&format!("{module}.lora_{side}.weight"));
            if let (Some(down), Some(up)) = (part("A"), part("B")) {
                let change = (up.matmul(down)? * self.scale())?;
                *weight = (&*weight + change.to_dtype(weight.dtype())?)?;
            }
        }
        Ok(merged)
    }

    /// The same adapter on another device.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let mut moved = self.clone();
        for weight in moved.weights.values_mut() {
            *weight = weight.to_device(device)?;
        }
        Ok(moved)
    }
}

/// `model.layers.0.self_attn.q_proj` for the weight of a linear layer within a block, else nothing.
fn linear_module<'a>(name: &'a str, weight: &Tensor) -> Option<&'a str> {
    let module = name.strip_suffix(".weight")?;
    (module.contains(".layers.") && weight.rank() == 2).then_some(module)
}

/// The last names of a base's linear modules: what `targets` may hold.
pub fn modules(base: &Weights) -> BTreeSet<String> {
    base.iter()
        .filter_map(|(name, weight)| linear_module(name, weight))
        .filter_map(|module| module.rsplit('.').next())
        .map(str::to_string)
        .collect()
}
