//! The training loop.

use std::time::Instant;

use candle_core::Tensor;

use super::batches::{Batch, Order, collate};
use super::evaluate;
use super::examples::{self, Example};
use super::optimiser::{Gradients, Optimiser, accumulate, clip_scale, norm};
use super::options::{LossAverage, Options};
use super::parameters::Parameters;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::decoder::{Decoder, Pass};
use crate::model::lineage::{Stage, StepRecord};
use crate::ops::{self, AdamW};
use crate::random::Stream;

/// Finetunes `model` on `data` and returns the new model; `model` stays as it is and shares what is not trained.
///
/// The loss is the mean over the trained tokens of an update. Draws come from the streams "order" and "dropout" under the
/// seed, so the result is a function of the model, the data and the options.
pub fn finetune(
    model: &Model,
    data: &[Example],
    validation: &[Example],
    options: &Options,
    control: &Control,
) -> Result<Model> {
    options.check()?;
    if data.is_empty() {
        return Err(Error::failed_with_hint(
            "there are no rows to finetune on",
            "look at the frame before you train: a filter may have dropped everything",
        ));
    }
    for rows in [data, validation] {
        examples::check(rows, model.config().vocab_size)?;
    }
    let mut run = Run::new(model, data, options)?;
    let mut task = control.begin("finetuning", run.steps as u64, "steps");
    let mut log = Vec::new();
    for step in 1..=run.steps {
        control.check()?;
        let mut record = run.step(step, control)?;
        let due = options
            .validate_every
            .is_some_and(|every| step % every.max(1) == 0);
        if !validation.is_empty() && (due || step == run.steps) {
            record.validation_loss = Some(evaluate::mean_loss(
                model,
                &run.decoder,
                validation,
                control,
            )?);
        }
        task.update(
            step as u64,
            &format!(
                "loss {:.3} · {:.0} tokens/s",
                record.loss, record.tokens_per_second
            ),
        );
        log.push(record);
    }
    let (weights, adapter) = run.parameters.detached()?;
    let stage = Stage {
        data_sha256: examples::hash(data),
        rows: data.len(),
        seed: options.seed,
        options: serde_json::to_value(options).unwrap_or_default(),
    };
    Ok(model.descendant(weights, adapter, stage, log))
}

/// A finetuning under way.
struct Run<'a> {
    model: &'a Model,
    data: &'a [Example],
    options: &'a Options,
    steps: usize,
    parameters: Parameters,
    decoder: Decoder,
    optimiser: Optimiser,
    order: Order,
    dropout: Stream,
}

impl<'a> Run<'a> {
    fn new(model: &'a Model, data: &'a [Example], options: &'a Options) -> Result<Self> {
        let parameters = Parameters::new(model, &options.method, options.seed)?;
        Ok(Self {
            decoder: parameters.decoder(model)?,
            optimiser: Optimiser::new(&parameters.variables)?,
            parameters,
            model,
            data,
            options,
            steps: options.steps(data.len()),
            order: Order::new(data.len(), options.shuffle, options.seed),
            dropout: Stream::new(options.seed, "dropout"),
        })
    }

    fn step(&mut self, step: usize, control: &Control) -> Result<StepRecord> {
        let started = Instant::now();
        let options = self.options;
        let accumulation = options.gradient_accumulation;
        let mut batches = Vec::new();
        for part in 0..accumulation {
            let index = (step - 1) * accumulation + part;
            let rows = self.order.batch(index, options.batch_size);
            let chosen: Vec<&Example> = rows.iter().filter_map(|row| self.data.get(*row)).collect();
            let pad = self.model.tokenizer().pad_id();
            batches.push((index, collate(&chosen, pad, &self.model.device())?));
        }
        let trained: usize = batches.iter().map(|(_, batch)| batch.trained).sum();
        let mut gradients = Gradients::new();
        let mut loss = 0.0;
        for (index, batch) in &batches {
            control.check()?;
            let weight = match options.loss_average {
                LossAverage::Token => 1.0 / trained.max(1) as f64,
                LossAverage::Batch => 1.0 / (batch.trained.max(1) * accumulation) as f64,
            };
            let part = (self.loss(batch, *index)? * weight)?;
            loss += f64::from(part.to_scalar::<f32>()?);
            accumulate(&mut gradients, &self.parameters.variables, part.backward()?)?;
        }
        let grad_norm = norm(&gradients)?;
        self.refuse_divergence(step, loss, grad_norm)?;
        let learning_rate = options.learning_rate_at(step, self.steps);
        let settings = AdamW {
            learning_rate,
            beta1: options.beta1,
            beta2: options.beta2,
            epsilon: options.epsilon,
            weight_decay: options.weight_decay,
            step: step as u64,
        };
        let scale = clip_scale(grad_norm, options.clip);
        self.optimiser
            .step(&self.parameters.variables, &gradients, scale, &settings)?;
        let tokens: usize = batches.iter().map(|(_, batch)| batch.tokens).sum();
        let rows = (step * accumulation * options.batch_size) as f64;
        Ok(StepRecord {
            step,
            epoch: rows / self.data.len() as f64,
            loss,
            learning_rate,
            grad_norm,
            tokens,
            tokens_per_second: tokens as f64 / started.elapsed().as_secs_f64().max(1e-9),
            validation_loss: None,
        })
    }

    /// The summed loss of a batch; `index` numbers batches through the run and names the dropout draws.
    fn loss(&self, batch: &Batch, index: usize) -> Result<Tensor> {
        let mut pass = Pass {
            dropout: Some(self.dropout.child(index as u64)),
            ..Pass::default()
        };
        let hidden = self.decoder.hidden(&batch.ids, &mut pass)?;
        summed_loss(&self.decoder, &hidden, batch)
    }

    fn refuse_divergence(&self, step: usize, loss: f64, grad_norm: f64) -> Result<()> {
        if loss.is_finite() && grad_norm.is_finite() {
            return Ok(());
        }
        let what = if loss.is_finite() { "gradient" } else { "loss" };
        Err(Error::failed_with_hint(
            format!(
                "the {what} is not a finite number at step {step} (loss {loss}, gradient norm {grad_norm})"
            ),
            format!(
                "lower learning_rate (it was {}), lower clip, or add warmup_steps",
                self.options.learning_rate
            ),
        ))
    }
}

/// The summed token loss of a batch, given its hidden states (batch, time, width).
pub(super) fn summed_loss(decoder: &Decoder, hidden: &Tensor, batch: &Batch) -> Result<Tensor> {
    let width = hidden.dim(2)?;
    let flat = hidden.reshape(((), width))?;
    let chosen = flat.index_select(&batch.positions, 0)?;
    Ok(ops::cross_entropy_sum(
        &decoder.logits(&chosen)?,
        &batch.targets,
    )?)
}
