//! Low-rank adapters (Hu et al. 2021), named and shaped as PEFT has them.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Device, Tensor};

use super::targets::{Targets, first_fitting};
use super::weights::{Entry, Tensors, Weights};
use crate::error::{Error, Result};
use crate::random::Stream;

/// What an adapter takes out of the base's matrices when it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Nothing.
    #[default]
    Plain,
    /// The principal singular values and vectors (PiSSA).
    Pissa,
    /// The first columns of the orthogonal factor (OLoRA).
    Olora,
}

/// An adapter's form.
#[derive(Clone, Debug)]
pub struct Form {
    pub rank: usize,
    pub alpha: f64,
    pub dropout: f64,
    pub targets: Targets,
    /// Ranks and alphas of modules that have others, by regular expressions over the ends of their names.
    pub ranks: Vec<(String, usize)>,
    pub alphas: Vec<(String, f64)>,
    /// Scaled by alpha / √rank (rsLoRA).
    pub rank_stabilized: bool,
    pub start: Start,
}

impl Form {
    /// One rank and alpha for every module of these names.
    pub fn plain(rank: usize, alpha: f64, dropout: f64, targets: Vec<String>) -> Self {
        Self {
            rank,
            alpha,
            dropout,
            targets: Targets::named(targets),
            ranks: Vec::new(),
            alphas: Vec::new(),
            rank_stabilized: false,
            start: Start::Plain,
        }
    }

    pub fn rank_of(&self, module: &str) -> Result<usize> {
        Ok(*first_fitting(&self.ranks, module)?.unwrap_or(&self.rank))
    }

    /// What the low-rank path of a module is multiplied by: alpha / rank.
    fn scale_of(&self, module: &str) -> Result<f64> {
        let alpha = *first_fitting(&self.alphas, module)?.unwrap_or(&self.alpha);
        let rank = self.rank_of(module)? as f64;
        Ok(match self.rank_stabilized {
            true => alpha / rank.sqrt(),
            false => alpha / rank,
        })
    }
}

/// An adapter over a base. `weights` are `{module}.lora_A.weight` (rank, in) and `{module}.lora_B.weight` (out, rank), where
/// `{module}` is the base weight's name without `.weight`.
#[derive(Clone)]
pub struct Adapter {
    pub form: Form,
    pub weights: Tensors,
    /// Weights of the base that came with the adapter, in place of the base's own.
    pub brought: BTreeSet<String>,
    scales: BTreeMap<String, f64>,
}

impl Adapter {
    /// A fresh adapter: A uniform in ±1/√in (PEFT's kaiming_uniform with a = √5), B zero, so that it starts as no change.
    pub fn new(form: Form, base: &Weights, seed: u64) -> Result<Self> {
        let mut adapter = Self {
            weights: Tensors::new(),
            brought: BTreeSet::new(),
            scales: BTreeMap::new(),
            form,
        };
        let device = base.device();
        for (module, [out, width]) in adapter.form.modules_of(base)? {
            let rank = adapter.form.rank_of(module)?;
            let bound = 1.0 / (width as f64).sqrt();
            let stream = Stream::new(seed, &format!("lora {module}"));
            let values: Vec<f32> = (0..(rank * width) as u64)
                .map(|i| ((2.0 * stream.uniform(i) - 1.0) * bound) as f32)
                .collect();
            let down = Tensor::from_vec(values, (rank, width), &device)?;
            let up = Tensor::zeros((out, rank), DType::F32, &device)?;
            adapter.insert(module, down, up)?;
        }
        Ok(adapter)
    }

    /// An adapter without matrices yet.
    pub fn empty(form: Form) -> Self {
        Self {
            form,
            weights: Tensors::new(),
            brought: BTreeSet::new(),
            scales: BTreeMap::new(),
        }
    }

    /// Puts the two matrices beside a module.
    pub fn insert(&mut self, module: &str, down: Tensor, up: Tensor) -> Result<()> {
        let scale = self.form.scale_of(module)?;
        self.scales.insert(module.to_string(), scale);
        self.weights.insert(format!("{module}.lora_A.weight"), down);
        self.weights.insert(format!("{module}.lora_B.weight"), up);
        Ok(())
    }

    /// What the low-rank path beside this module is multiplied by; `None` where there is none.
    pub fn scale(&self, module: &str) -> Option<f64> {
        self.scales.get(module).copied()
    }

    /// The modules that it stands beside.
    pub fn modules(&self) -> BTreeSet<&str> {
        self.scales.keys().map(String::as_str).collect()
    }

    /// The base with the adapter folded in: W + scale · B · A. A packed matrix becomes dense.
    pub fn folded_into(&self, base: &Weights) -> Result<Weights> {
        let mut merged = base.clone();
        for (module, scale) in &self.scales {
            let part = |side: &str| self.weights.get(&format!("{module}.lora_{side}.weight"));
            let (Some(down), Some(up)) = (part("A"), part("B")) else {
                continue;
            };
            let name = format!("{module}.weight");
            if let Some(weight) = base.unpacked(&name)? {
                let change = (up.matmul(down)? * *scale)?;
                let weight = (&weight + change.to_dtype(weight.dtype())?)?;
                merged.packed.remove(&name);
                merged.dense.insert(name, weight);
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

impl Form {
    /// The modules of a base that the targets hold, each with its sizes (out, in).
    pub fn modules_of<'a>(&self, base: &'a Weights) -> Result<Vec<(&'a str, [usize; 2])>> {
        let mut held = Vec::new();
        for entry in base.entries() {
            let name = entry.name.strip_suffix(".weight");
            let (Some(module), &[out, width]) = (name, entry.shape.as_slice()) else {
                continue;
            };
            if !self.targets.hold(module)? {
                continue;
            }
            if linear_module(&entry).is_none() && !is_head(module) {
                return Err(Error::failed_with_hint(
                    format!(
                        "target_modules holds `{module}`, and LoRA matrices beside an embedding are not computed"
                    ),
                    "merge the adapter with peft's merge_and_unload, and load the merged model",
                ));
            }
            held.push((module, [out, width]));
        }
        Ok(held)
    }
}

fn is_head(module: &str) -> bool {
    ["lm_head", "embed_out"].contains(&module)
}

/// `model.layers.0.self_attn.q_proj` for the weight of a linear layer within a block, else nothing.
fn linear_module<'a>(entry: &Entry<'a>) -> Option<&'a str> {
    let module = entry.name.strip_suffix(".weight")?;
    let in_block = module.contains(".layers.") || module.contains(".h.");
    (in_block && entry.shape.len() == 2).then_some(module)
}

/// Refuses targets that are no linear modules of a base's blocks.
pub fn check_targets(targets: &[String], base: &Weights) -> Result<()> {
    let known = modules(base);
    match targets.iter().find(|target| !known.contains(*target)) {
        Some(unknown) => Err(Error::unknown("adapter target", unknown.as_str(), known)),
        None => Ok(()),
    }
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
