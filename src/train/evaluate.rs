//! Losses of texts under a model, without training it.

use super::batches::collate;
use super::examples::{Example, IGNORED};
use super::gradients::summed_loss;
use crate::control::Control;
use crate::error::Result;
use crate::model::Model;
use crate::model::decoder::{Decoder, Pass};
use crate::ops;

/// Rows of one forward pass.
const BATCH: usize = 16;

/// Mean loss per trained token over all examples together, in nats.
pub(super) fn mean_loss(
    model: &Model,
    decoder: &Decoder,
    examples: &[Example],
    control: &Control,
) -> Result<f64> {
    let (mut sum, mut trained) = (0.0, 0);
    for rows in examples.chunks(BATCH) {
        control.check()?;
        let rows: Vec<&Example> = rows.iter().collect();
        let batch = collate(&rows, model.tokenizer().pad_id(), &model.device())?;
        let hidden = decoder.hidden(&batch.ids, &mut Pass::default())?;
        let loss = summed_loss(decoder, &hidden.detach(), &batch, None)?;
        sum += f64::from(loss.to_scalar::<f32>()?);
        trained += batch.trained;
    }
    Ok(sum / trained.max(1) as f64)
}

/// The loss of each trained token of each example (−log p, nats), in order.
pub fn token_losses(
    model: &Model,
    examples: &[Example],
    control: &Control,
) -> Result<Vec<Vec<f64>>> {
    let decoder = model.decoder()?;
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|row| examples.get(*row).map_or(0, |example| example.ids.len()));
    let mut losses = vec![Vec::new(); examples.len()];
    let mut task = control.begin("scoring", examples.len() as u64, "texts");
    let mut done = 0;
    for rows in order.chunks(BATCH) {
        control.check()?;
        let chosen: Vec<&Example> = rows.iter().filter_map(|row| examples.get(*row)).collect();
        let batch = collate(&chosen, model.tokenizer().pad_id(), &model.device())?;
        let hidden = decoder.hidden(&batch.ids, &mut Pass::default())?;
        let flat = hidden.reshape(((), hidden.dim(2)?))?;
        let logits = decoder.logits(&flat.index_select(&batch.positions, 0)?)?;
        let values = ops::token_losses(&logits, &batch.targets)?.to_vec1::<f32>()?;
        let mut values = values.into_iter().map(f64::from);
        for (row, example) in rows.iter().zip(&chosen) {
            let count = example.labels.iter().skip(1).filter(|label| **label != IGNORED).count();
            if let Some(slot) = losses.get_mut(*row) {
                *slot = values.by_ref().take(count).collect();
            }
        }
        done += rows.len() as u64;
        task.update(done, "");
    }
    Ok(losses)
}
