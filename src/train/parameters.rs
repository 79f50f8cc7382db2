//! Which weights a method trains, as variables, and the model that they make.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Tensor, Var};

use super::options::{Method, Options, Precision};
use crate::error::{Error, Result};
use crate::memory;
use crate::model::adapter::{Adapter, Form, check_targets};
use crate::model::decoder::Decoder;
use crate::model::{Model, Tensors, Weights};

/// The variables of a finetuning beside what stays frozen. Names are in order, so every sum over them is too.
pub struct Parameters {
    /// In f32, whatever the model computes in.
    pub variables: BTreeMap<String, Var>,
    base: Weights,
    adapter: Option<Adapter>,
    /// The base as the decoder computes with it.
    frozen: Weights,
    compute: DType,
}

impl Parameters {
    /// Makes variables of what `method` trains. LoRA on a model that already has an adapter of the same rank, alpha and
    /// modules goes on with it; any other method on such a model folds the adapter in first.
    pub fn new(model: &Model, options: &Options) -> Result<Self> {
        let (method, seed) = (&options.method, options.seed);
        let compute = match options.precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::Model => model.dtype(),
        };
        if let Some((base, adapter)) = with_adapter(model, method, seed)? {
            let mut trained = adapter.weights.clone();
            trained.extend(adapter.trained_in(&base)?);
            return Ok(Self {
                variables: variables(&trained, |_| true)?,
                frozen: cast(base.clone(), compute)?,
                base,
                adapter: Some(adapter),
                compute,
            });
        }
        let base = model.merge()?.weights().clone();
        if !base.packed.is_empty() {
            return Err(Error::failed_with_hint(
                "quantized weights cannot be trained",
                "use method \"lora\", which trains an adapter over them, or load the model without `quantize`",
            ));
        }
        let config = model.config();
        let last =
            format!("{}{}.", config.block_prefix(), config.num_hidden_layers.saturating_sub(1));
        let head = config.head_name();
        let trained = |name: &str| match method {
            Method::LastBlock => name.starts_with(&last),
            Method::Head => name == head,
            Method::Full | Method::Lora { .. } => true,
        };
        Ok(Self {
            variables: variables(&base.dense, trained)?,
            frozen: cast(base.clone(), compute)?,
            base,
            adapter: None,
            compute,
        })
    }

    /// The decoder over the variables as they are now.
    pub fn decoder(&self, model: &Model) -> Result<Decoder> {
        let (mut base, mut adapter) = (self.frozen.clone(), self.adapter.clone());
        for (name, variable) in &self.variables {
            // A cast is part of the graph: the gradient comes back to the variable in f32.
            let tensor = variable.as_tensor().to_dtype(self.compute)?;
            match &mut adapter {
                Some(adapter) => adapter.place(&mut base, name, tensor)?,
                None => drop(base.dense.insert(name.clone(), tensor)),
            }
        }
        model.decoder_over(&base, adapter.as_ref())
    }

    /// The variables' values as tensors of their own.
    pub fn copies(&self) -> Result<Tensors> {
        let copy = |(name, variable): (&String, &Var)| -> Result<(String, Tensor)> {
            Ok((name.clone(), variable.as_tensor().copy()?.detach()))
        };
        self.variables.iter().map(copy).collect()
    }

    /// Takes the values of [`Parameters::copies`].
    pub fn set(&self, values: &Tensors) -> Result<()> {
        for (name, variable) in &self.variables {
            let value = values
                .get(name)
                .ok_or_else(|| Error::failed(format!("the checkpoint lacks `{name}`")))?;
            variable.set(value)?;
        }
        Ok(())
    }

    /// The weights and adapter as they are now, cut loose from the variables; trained weights of the base as `dtype`.
    pub fn detached(&self, dtype: DType) -> Result<(Weights, Option<Adapter>)> {
        let (mut base, mut adapter) = (self.base.clone(), self.adapter.clone());
        for (name, tensor) in self.copies()? {
            match &mut adapter {
                Some(adapter) if adapter.weights.contains_key(&name) => {
                    adapter.weights.insert(name, tensor);
                }
                Some(adapter) => adapter.place(&mut base, &name, tensor.to_dtype(dtype)?)?,
                None => drop(base.dense.insert(name, tensor.to_dtype(dtype)?)),
            }
        }
        Ok((base, adapter))
    }
}

/// The base and the adapter that LoRA trains: the model's own where it goes on with it, else a fresh one.
fn with_adapter(model: &Model, method: &Method, seed: u64) -> Result<Option<(Weights, Adapter)>> {
    let Method::Lora { rank, alpha, dropout, targets } = method else {
        return Ok(None);
    };
    if let Some(old) = kept(model, method)? {
        let mut adapter = old.clone();
        adapter.form.dropout = *dropout;
        return Ok(Some((model.weights().clone(), adapter)));
    }
    let base = model.merge()?.weights().clone();
    check_targets(targets, &base)?;
    let form = Form::plain(*rank, *alpha, *dropout, targets.clone());
    let adapter = Adapter::new(form, &base, seed)?;
    Ok(Some((base, adapter)))
}

/// The model's adapter where a method goes on with it: one of the same rank and alpha beside the same modules, in whatever
/// order and by whatever pattern they are named.
pub fn kept<'a>(model: &'a Model, method: &Method) -> Result<Option<&'a Adapter>> {
    let (Some(old), Method::Lora { rank, alpha, targets, .. }) = (model.adapter(), method) else {
        return Ok(None);
    };
    let form = Form::plain(*rank, *alpha, 0.0, targets.clone());
    let same = old.form.rank == *rank && old.form.alpha == *alpha;
    // Targets that no adapter can have are told where a fresh one would be made.
    let (true, Ok(asked)) = (same, form.modules_of(model.weights())) else {
        return Ok(None);
    };
    let asked: BTreeSet<&str> = asked.into_iter().map(|(module, _)| module).collect();
    Ok((asked == old.modules()).then_some(old))
}

/// What a finetuning does with the model's adapter where it does not simply go on with it.
pub fn told_of_adapter(model: &Model, method: &Method) -> Result<Option<String>> {
    let Some(old) = model.adapter() else {
        return Ok(None);
    };
    let form = &old.form;
    if kept(model, method)?.is_some() {
        let brought = old.brought.iter().filter(|name| !old.trains(name));
        let still: Vec<&str> = brought.map(String::as_str).collect();
        return Ok((!still.is_empty()).then(|| {
            format!(
                "finetune: goes on with the model's adapter; weights that came with it and that peft would not train either stay as they are: {}",
                still.join(", ")
            )
        }));
    }
    Ok(Some(format!(
        "finetune: the model's adapter (rank {}, alpha {}, on {}) is folded into the weights, and the training starts from there; to go on with it, ask for method \"lora\" with its rank, alpha and targets",
        form.rank,
        form.alpha,
        form.targets.text()
    )))
}

/// The dense weights as `dtype`.
fn cast(mut weights: Weights, dtype: DType) -> Result<Weights> {
    for weight in weights.dense.values_mut() {
        if weight.dtype() != dtype {
            *weight = weight.to_dtype(dtype)?;
        }
    }
    Ok(weights)
}

/// Variables hold copies: the tensors of the model that is finetuned stay as they are.
fn variables(weights: &Tensors, trained: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Var>> {
    let chosen = weights.iter().filter(|(name, _)| trained(name));
    let values: usize = chosen.clone().map(|(_, weight)| weight.elem_count()).sum();
    if let Some(weight) = weights.values().next() {
        // The variable, its gradient and two moments, in f32.
        memory::require(
            values as u64 * 4 * 4,
            weight.device(),
            &format!("training {values} values"),
            "train fewer: method \"lora\" or \"last_block\"",
        )?;
    }
    chosen
        .map(|(name, weight)| {
            Ok((name.clone(), Var::from_tensor(&weight.to_dtype(DType::F32)?.copy()?)?))
        })
        .collect()
}
