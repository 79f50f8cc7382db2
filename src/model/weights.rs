//! The weights of a model by name: dense tensors, and matrices in GGUF blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device, Tensor};

use super::config::Config;
use crate::error::{Error, Result};
use crate::ops::Packed;

/// Tensors by the names transformers gives them.
pub type Tensors = BTreeMap<String, Tensor>;

/// Packed matrices by the same names.
pub type Matrices = BTreeMap<String, Arc<Packed>>;

/// All weights of a model; a name is in one of the two.
#[derive(Clone, Default)]
pub struct Weights {
    pub dense: Tensors,
    /// Matrices that stay packed: never trained, unpacked while they are multiplied.
    pub packed: Matrices,
}

/// One weight as a person wants to see it.
pub struct Entry<'a> {
    pub name: &'a str,
    pub shape: Vec<usize>,
    /// "f32", or a kind of blocks ("q4_1").
    pub dtype: String,
    pub values: usize,
}

impl Weights {
    pub fn dense(dense: Tensors) -> Self {
        Self { dense, packed: Matrices::new() }
    }

    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match (self.dense.get(name), self.packed.get(name)) {
            (Some(weight), _) => Some(weight.dims().to_vec()),
            (None, Some(weight)) => Some(weight.dims().to_vec()),
            (None, None) => None,
        }
    }

    /// Every weight, in the order of the names.
    pub fn entries(&self) -> Vec<Entry<'_>> {
        let dense = self.dense.iter().map(|(name, weight)| Entry {
            name,
            shape: weight.dims().to_vec(),
            dtype: weight.dtype().as_str().to_string(),
            values: weight.elem_count(),
        });
        let packed = self.packed.iter().map(|(name, weight)| Entry {
            name,
            shape: weight.dims().to_vec(),
            dtype: weight.kind(),
            values: weight.dims().iter().product(),
        });
        let mut all: Vec<Entry> = dense.chain(packed).collect();
        all.sort_by_key(|entry| entry.name);
        all
    }

    /// The weight as a dense tensor, unpacked where it is packed.
    pub fn unpacked(&self, name: &str) -> Result<Option<Tensor>> {
        match (self.dense.get(name), self.packed.get(name)) {
            (Some(weight), _) => Ok(Some(weight.clone())),
            (None, Some(weight)) => Ok(Some(weight.unpack()?)),
            (None, None) => Ok(None),
        }
    }

    /// All weights dense.
    pub fn all_unpacked(&self) -> Result<Tensors> {
        let mut all = self.dense.clone();
        for (name, weight) in &self.packed {
            all.insert(name.clone(), weight.unpack()?);
        }
        Ok(all)
    }

    pub fn device(&self) -> Device {
        match (self.dense.values().next(), self.packed.values().next()) {
            (Some(weight), _) => weight.device().clone(),
            (None, Some(weight)) => weight.device(),
            (None, None) => Device::Cpu,
        }
    }

    /// Values in all.
    pub fn count(&self) -> usize {
        let dense = self.dense.values().map(Tensor::elem_count);
        let packed = self.packed.values().map(|weight| weight.dims().iter().product());
        dense.chain(packed).sum()
    }

    /// Refuses values that are not finite numbers: a model with one writes nothing sensible, and training spreads it.
    pub fn refuse_not_finite(&self) -> Result<()> {
        for (name, weight) in &self.dense {
            let sum = weight.to_dtype(DType::F32)?.abs()?.sum_all()?;
            if !sum.to_scalar::<f32>()?.is_finite() && !all_finite(weight)? {
                return Err(Error::failed_with_hint(
                    format!("the weight `{name}` holds values that are not finite numbers"),
                    "the file is broken, or a finetuning diverged before it was saved",
                ));
            }
        }
        Ok(())
    }

    /// The weights with the matrices of the blocks packed, and the embedding, norms and biases left as they are.
    pub fn quantized(mut self, config: &Config, kind: &str) -> Result<Self> {
        let dtype = block_kind(kind)?;
        let head = config.head_name();
        let names: Vec<String> = self.dense.keys().cloned().collect();
        for name in names {
            let in_block = name.starts_with(config.block_prefix());
            let is_head = !config.tie_word_embeddings && name == head;
            let matrix = self.dense.get(&name).filter(|weight| weight.rank() == 2);
            let Some(matrix) = matrix.filter(|_| in_block || is_head) else {
                continue;
            };
            let width = matrix.dim(1)?;
            if !width.is_multiple_of(dtype.block_size()) {
                return Err(Error::invalid(
                    format!("quantizing `{name}` to {kind}"),
                    format!("rows of a multiple of {} values", dtype.block_size()),
                    width.to_string(),
                )
                .with_hint("q8_0 and q4_0 have blocks of 32, the kinds with _k of 256"));
            }
            let packed = Packed::quantize(&matrix.to_dtype(DType::F32)?, dtype)?;
            self.dense.remove(&name);
            self.packed.insert(name, Arc::new(packed));
        }
        Ok(self)
    }
}

fn all_finite(weight: &Tensor) -> Result<bool> {
    let values = weight.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.iter().all(|value| value.is_finite()))
}

/// A kind of GGUF blocks by its name.
fn block_kind(name: &str) -> Result<GgmlDType> {
    let known = [
        ("q4_0", GgmlDType::Q4_0),
        ("q4_1", GgmlDType::Q4_1),
        ("q5_0", GgmlDType::Q5_0),
        ("q5_1", GgmlDType::Q5_1),
        ("q8_0", GgmlDType::Q8_0),
        ("q4_k", GgmlDType::Q4K),
        ("q5_k", GgmlDType::Q5K),
        ("q6_k", GgmlDType::Q6K),
    ];
    match known.iter().find(|(known, _)| *known == name) {
        Some((_, dtype)) => Ok(*dtype),
        None => Err(Error::unknown("kind of quantized blocks", name, known.map(|(name, _)| name))),
    }
}
