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
    pub biases: Biases,
}

/// Which biases of the base come with an adapter and are trained with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Biases {
    #[default]
    None,
    All,
    /// Those of the modules that the adapter stands beside.
    Adapted,
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
            biases: Biases::None,
        }
    }

    pub fn rank_of(&self, module: &str) -> Result<usize> {
        Ok(*first_fitting(&self.ranks, module)?.unwrap_or(&self.rank))
    }

    /// What the low-rank path of a module is multiplied by: alpha / rank.
    fn scale_of(&self, module: &str) -> Result<f64> {
        let alpha = *first_fitting(&self.alphas, module)?.unwrap_or(&self.alpha);
        let rank = self.rank_of(module)? as f64;
        Ok(if self.rank_stabilized { alpha / rank.sqrt() } else { alpha / rank })
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
    /// Tokens whose rows came with the adapter, by the name of the embedding or head that they stand in.
    pub rows: BTreeMap<String, Vec<u32>>,
    scales: BTreeMap<String, f64>,
}

impl Adapter {
    /// A fresh adapter: A uniform in ±1/√in (PEFT's kaiming_uniform with a = √5), B zero, so that it starts as no change.
    pub fn new(form: Form, base: &Weights, seed: u64) -> Result<Self> {
        let mut adapter = Self {
            weights: Tensors::new(),
            brought: BTreeSet::new(),
            rows: BTreeMap::new(),
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
            rows: BTreeMap::new(),
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

    /// Whether a weight that came with the adapter is trained with its matrices, as PEFT does it.
    pub fn trains(&self, name: &str) -> bool {
        let is_bias = name.ends_with(".bias") && self.form.biases != Biases::None;
        self.brought.contains(name) && (is_bias || self.form.targets.save_whole(module_of(name)))
    }

    /// What is trained beside the low-rank matrices, out of the base: weights stored whole, and rows of embeddings.
    pub fn trained_in(&self, base: &Weights) -> Result<Tensors> {
        let mut trained = Tensors::new();
        for name in self.brought.iter().filter(|name| self.trains(name)) {
            if let Some(weight) = base.unpacked(name)? {
                trained.insert(name.clone(), weight);
            }
        }
        for (name, ids) in &self.rows {
            if let Some(weight) = base.unpacked(name)? {
                let ids = Tensor::new(ids.as_slice(), weight.device())?;
                trained.insert(rows_name(name), weight.index_select(&ids, 0)?);
            }
        }
        Ok(trained)
    }

    /// Puts a trained value where it belongs: one of the adapter's matrices, a weight of the base, or rows of one.
    pub fn place(&mut self, base: &mut Weights, name: &str, value: Tensor) -> Result<()> {
        if let Some(matrix) = self.weights.get_mut(name) {
            *matrix = value;
            return Ok(());
        }
        let mut embeddings = self.rows.iter();
        let Some((embedding, ids)) = embeddings.find(|(weight, _)| rows_name(weight) == name)
        else {
            base.dense.insert(name.to_string(), value);
            return Ok(());
        };
        if let Some(weight) = base.dense.get(embedding) {
            let (count, kind) = (weight.dim(0)?, weight.dtype());
            let mut kept = vec![1f32; count];
            for id in ids {
                if let Some(factor) = kept.get_mut(*id as usize) {
                    *factor = 0.0;
                }
            }
            let kept = Tensor::from_vec(kept, (count, 1), weight.device())?.to_dtype(kind)?;
            let ids = Tensor::new(ids.as_slice(), weight.device())?;
            let others = weight.broadcast_mul(&kept)?;
            let whole = others.index_add(&ids, &value.to_dtype(kind)?, 0)?;
            base.dense.insert(embedding.clone(), whole);
        }
        Ok(())
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

/// `lm_head` for `lm_head.weight`.
pub fn module_of(weight: &str) -> &str {
    weight.rsplit_once('.').map_or(weight, |(module, _)| module)
}

/// What PEFT calls the rows of some tokens in a weight.
pub fn rows_name(weight: &str) -> String {
    format!("{}.token_adapter.trainable_tokens_delta", module_of(weight))
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
