//! Low-rank adapters (Hu et al. 2021), named and shaped as PEFT has them.

use std::collections::BTreeSet;

use candle_core::{DType, Device, Tensor};

use super::weights::{Entry, Tensors, Weights};
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
    pub weights: Tensors,
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
            weights: Tensors::new(),
        };
        let device = base.device();
        for entry in base.entries() {
            let (Some(module), &[out, width]) = (linear_module(&entry), entry.shape.as_slice())
            else {
                continue;
            };
            if adapter.covers(module) {
                let bound = 1.0 / (width as f64).sqrt();
                let stream = Stream::new(seed, &format!("lora {module}"));
                let values: Vec<f32> = (0..(rank * width) as u64)
                    .map(|i| ((2.0 * stream.uniform(i) - 1.0) * bound) as f32)
                    .collect();
                let down = Tensor::from_vec(values, (rank, width), &device)?;
                let up = Tensor::zeros((out, rank), DType::F32, &device)?;
                let name = |side: &str| format!("{module}.lora_{side}.weight");
                adapter.weights.insert(name("A"), down);
                adapter.weights.insert(name("B"), up);
            }
        }
        Ok(adapter)
    }

    /// Whether the adapter stands beside this module (`model.layers.0.self_attn.q_proj`): where a target is its name or
    /// the end of it, as in PEFT.
    pub fn covers(&self, module: &str) -> bool {
        self.targets.iter().any(|target| {
            let rest = module.strip_suffix(target.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// What the low-rank path is multiplied by: alpha / rank.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// The base with the adapter folded in: W + scale · B · A. A packed matrix becomes dense.
    pub fn folded_into(&self, base: &Weights) -> Result<Weights> {
        let mut merged = base.clone();
        for entry in base.entries() {
            let name = entry.name;
            let module = name.strip_suffix(".weight").unwrap_or(name);
            let part = |side: &str| self.weights.get(&format!("{module}.lora_{side}.weight"));
            let (Some(down), Some(up)) = (part("A"), part("B")) else {
                continue;
            };
            if let Some(weight) = base.unpacked(name)? {
                let change = (up.matmul(down)? * self.scale())?;
                let weight = (&weight + change.to_dtype(weight.dtype())?)?;
                merged.packed.remove(name);
                merged.dense.insert(name.to_string(), weight);
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
fn linear_module<'a>(entry: &Entry<'a>) -> Option<&'a str> {
    let module = entry.name.strip_suffix(".weight")?;
    let in_block = module.contains(".layers.") || module.contains(".h.");
    (in_block && entry.shape.len() == 2).then_some(module)
}

/// The names of a base's linear modules that `targets` may hold: the last part of each ("q_proj"), and longer ends of
/// those that stand in a group ("mlp.c_proj").
pub fn modules(base: &Weights) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in base.entries() {
        let Some(module) = linear_module(&entry) else {
            continue;
        };
        let parts: Vec<&str> = module.split('.').collect();
        for count in 1..=2.min(parts.len()) {
            let end = parts[parts.len() - count..].join(".");
            names.insert(end);
        }
    }
    names
}

/// Every linear module of the blocks by its last name: what "all-linear" stands for.
pub fn all_linear(base: &Weights) -> Vec<String> {
    let names = modules(base).into_iter();
    names.filter(|name| !name.contains('.')).collect()
}
