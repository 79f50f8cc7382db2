//! The loss of a batch and its gradients: in one backward pass, or block by block with each block run again (gradient
//! checkpointing, Chen et al. 2016), which keeps only the blocks' inputs in memory.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::batches::Batch;
use super::optimiser::Gradients;
use crate::error::{Error, Result};
use crate::model::decoder::{Decoder, Pass};
use crate::random::Stream;

/// Adds the gradients of `weight` times the summed token loss of a batch to those of the update, and returns that loss.
/// `dropout` is where the batch's dropout draws from.
pub fn add_gradients(
    into: &mut Gradients,
    variables: &BTreeMap<String, Var>,
    decoder: &Decoder,
    batch: &Batch,
    weight: f64,
    dropout: Stream,
    recompute: bool,
) -> Result<f64> {
    let mut gradients = Gradients::new();
    let loss = if recompute {
        in_pieces(&mut gradients, variables, decoder, batch, weight, dropout)?
    } else {
        let mut pass = Pass { dropout: Some(dropout), ..Pass::default() };
        let hidden = decoder.hidden(&batch.ids, &mut pass)?;
        let loss = (summed_loss(decoder, &hidden, batch, Some(weight))? * weight)?;
        collect(&mut gradients, variables, &mut loss.backward()?)?;
        loss
    };
    for name in variables.keys() {
        // A variable without a gradient would never be trained, and nothing else would tell.
        let Some(gradient) = gradients.remove(name) else {
            return Err(Error::failed(format!("the parameter `{name}` received no gradient")));
        };
        add(into, name, gradient)?;
    }
    Ok(f64::from(loss.to_scalar::<f32>()?))
}

/// Runs forward without a graph, then backward one block at a time: each block is run again from its kept input.
/// Dropout draws are functions of their place, so they come out the same.
fn in_pieces(
    gradients: &mut Gradients,
    variables: &BTreeMap<String, Var>,
    decoder: &Decoder,
    batch: &Batch,
    weight: f64,
    dropout: Stream,
) -> Result<Tensor> {
    let mut pass = Pass { dropout: Some(dropout), ..Pass::default() };
    let mut step = decoder.begin(&batch.ids, &mut pass)?;
    let embedded = decoder.embed(&batch.ids, &step)?;
    let mut inputs = vec![Var::from_tensor(&embedded.detach())?];
    for layer in 0..decoder.layers() {
        let Some(x) = inputs.last() else { break };
        let out = decoder.block(layer, &x.as_tensor().detach(), &mut step)?;
        inputs.push(Var::from_tensor(&out.detach())?);
    }
    let missing = || Error::failed("a block's input received no gradient");
    let last = inputs.pop().ok_or_else(missing)?;
    let hidden = decoder.norm(last.as_tensor())?;
    let loss = (summed_loss(decoder, &hidden, batch, Some(weight))? * weight)?;
    let mut store = loss.backward()?;
    collect(gradients, variables, &mut store)?;
    let mut gradient = store.remove(last.as_tensor()).ok_or_else(missing)?;
    for layer in (0..decoder.layers()).rev() {
        let x = inputs.pop().ok_or_else(missing)?;
        let out = decoder.block(layer, x.as_tensor(), &mut step)?;
        let mut store = (out * &gradient)?.sum_all()?.backward()?;
        collect(gradients, variables, &mut store)?;
        gradient = store.remove(x.as_tensor()).ok_or_else(missing)?;
    }
    let mut store = (embedded * &gradient)?.sum_all()?.backward()?;
    collect(gradients, variables, &mut store)?;
    Ok(loss.detach())
}

/// Takes what a backward pass gives the variables.
fn collect(
    into: &mut Gradients,
    variables: &BTreeMap<String, Var>,
    store: &mut GradStore,
) -> Result<()> {
    for (name, variable) in variables {
        if let Some(gradient) = store.remove(variable.as_tensor()) {
            add(into, name, gradient)?;
        }
    }
    Ok(())
}

fn add(into: &mut Gradients, name: &str, gradient: Tensor) -> Result<()> {
    let sum = match into.remove(name) {
        Some(sum) => (sum + gradient)?,
        None => gradient,
    };
    into.insert(name.to_string(), sum);
    Ok(())
}

/// The summed token loss of a batch, given its hidden states (batch, time, width); `factor` is what it will be
/// multiplied by before a backward pass, if there is to be one.
pub(super) fn summed_loss(
    decoder: &Decoder,
    hidden: &Tensor,
    batch: &Batch,
    factor: Option<f64>,
) -> Result<Tensor> {
    let width = hidden.dim(2)?;
    let flat = hidden.reshape(((), width))?;
    let chosen = flat.index_select(&batch.positions, 0)?;
    decoder.summed_loss(&chosen, &batch.targets, factor)
}
