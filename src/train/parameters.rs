//! Which weights a method trains, as variables, and the model that they make.

use std::collections::BTreeMap;

use candle_core::Var;

use super::options::Method;
use crate::error::{Error, Result};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::{Model, Tensors, Weights};

/// The variables of a finetuning beside what stays frozen. Names are in order, so every sum over them is too.
pub struct Parameters {
    pub variables: BTreeMap<String, Var>,
    base: Weights,
    adapter: Option<Adapter>,
}

impl Parameters {
    /// Makes variables of what `method` trains. LoRA on a model that already has an adapter of the same rank and targets
    /// goes on with it; any other method on such a model folds the adapter in first.
    pub fn new(model: &Model, method: &Method, seed: u64) -> Result<Self> {
        if let Method::Lora {
            rank,
            alpha,
            dropout,
            targets,
        } = method
        {
            let (base, adapter) = match model.adapter() {
                Some(old)
                    if old.rank == *rank && old.targets == *targets && old.alpha == *alpha =>
                {
                    let adapter = Adapter {
                        dropout: *dropout,
                        ..old.clone()
                    };
                    (model.weights().clone(), adapter)
                }
                _ => {
                    let base = model.merge()?.weights().clone();
                    let adapter =
                        Adapter::new(*rank, *alpha, *dropout, targets.clone(), &base, seed)?;
                    (base, adapter)
                }
            };
            return Ok(Self {
                variables: variables(&adapter.weights, |_| true)?,
                base,
                adapter: Some(adapter),
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
        let last = format!(
            "{}{}.",
            config.block_prefix(),
            config.num_hidden_layers.saturating_sub(1)
        );
        let head = config.head_name();
        let trained = |name: &str| match method {
            Method::LastBlock => name.starts_with(&last),
            Method::Head => name == head,
            Method::Full | Method::Lora { .. } => true,
        };
        Ok(Self {
            variables: variables(&base.dense, trained)?,
            base,
            adapter: None,
        })
    }

    /// The decoder over the variables: it sees every update of theirs.
    pub fn decoder(&self, model: &Model) -> Result<Decoder> {
        let (base, adapter) = self.with(|variable| variable.as_tensor().clone());
        model.decoder_over(&base, adapter.as_ref())
    }

    /// The weights and adapter as they are now, cut loose from the variables.
    pub fn detached(&self) -> Result<(Weights, Option<Adapter>)> {
        let mut copies = BTreeMap::new();
        for (name, variable) in &self.variables {
            copies.insert(name.clone(), variable.as_tensor().copy()?.detach());
        }
        let (mut base, mut adapter) = (self.base.clone(), self.adapter.clone());
        let into = match &mut adapter {
            Some(adapter) => &mut adapter.weights,
            None => &mut base.dense,
        };
        into.extend(copies);
        Ok((base, adapter))
    }

    fn with(&self, tensor: impl Fn(&Var) -> candle_core::Tensor) -> (Weights, Option<Adapter>) {
        let (mut base, mut adapter) = (self.base.clone(), self.adapter.clone());
        let into = match &mut adapter {
            Some(adapter) => &mut adapter.weights,
            None => &mut base.dense,
        };
        into.extend(
            self.variables
                .iter()
                .map(|(name, variable)| (name.clone(), tensor(variable))),
        );
        (base, adapter)
    }
}

/// Variables hold copies: the tensors of the model that is finetuned stay as they are.
fn variables(weights: &Tensors, trained: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Var>> {
    let chosen = weights.iter().filter(|(name, _)| trained(name));
    chosen
        .map(|(name, weight)| Ok((name.clone(), Var::from_tensor(&weight.copy()?)?)))
        .collect()
}
