//! The training loop.

use std::time::Instant;

use serde_json::{Value, json};

use super::batches::{Order, collate};
use super::checkpoint::{Checkpoint, Keeping, Progress};
use super::evaluate;
use super::examples::{self, Example, IGNORED};
use super::gradients::add_gradients;
use super::optimiser::{Gradients, Optimiser, clip_scale, norm};
use super::options::{LossAverage, Options};
use super::outputs::{Logs, Outputs};
use super::parameters::Parameters;
use crate::control::{Control, Saving};
use crate::error::{Error, Result};
use crate::memory;
use crate::model::lineage::{Stage, StepRecord};
use crate::model::{Model, Tensors};
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
    finetune_with(model, data, validation, options, &Outputs::default(), control)
}

/// [`finetune`] that also writes checkpoints and logs. Stopped by the user, it writes a checkpoint first.
pub fn finetune_with(
    model: &Model,
    data: &[Example],
    validation: &[Example],
    options: &Options,
    outputs: &Outputs,
    control: &Control,
) -> Result<Model> {
    options.check()?;
    if data.is_empty() {
        return Err(Error::failed_with_hint(
            "there are no rows to finetune on",
            "look at the frame before you train: a filter may have dropped everything",
        ));
    }
    if validation.is_empty() && options.needs_validation() {
        return Err(Error::failed_with_hint(
            "validate_every needs rows to validate on",
            "give them with the option `validation`",
        ));
    }
    for rows in [data, validation] {
        examples::check(rows, model.config().vocab_size)?;
    }
    let mut run = Run::new(model, data, validation, options)?;
    let identity = run.identity();
    let mut held = None;
    if let Some(keeping) = &outputs.checkpoints {
        held = Some(keeping.prepare()?);
        if keeping.resume
            && let Some(saved) = keeping.latest(&identity, &model.device())?
        {
            run.restore(saved)?;
        }
    }
    let mut logs = Logs::open(outputs, &run.log)?;
    let saving = outputs.checkpoints.as_ref().map(|_| Saving::begin());
    let ended = run.train(&identity, outputs.checkpoints.as_ref(), &mut logs, control);
    if let Err(error) = ended {
        let is_asked = matches!(error, Error::Interrupted) || control.is_late_by().is_some();
        if let (true, Some(keeping)) = (is_asked, &outputs.checkpoints)
            && run.is_between_steps()
        {
            keeping.save(&identity, &run.checkpoint()?)?;
        }
        return Err(error);
    }
    drop(saving);
    logs.finish(&run.log, &run.progress, run.steps)?;
    drop(held);
    run.into_model()
}

/// Refuses a batch whose logits have no room: with the loss, their gradient stands beside them.
fn require_room(model: &Model, data: &[Example], options: &Options) -> Result<()> {
    let trained = |row: &Example| row.labels.iter().filter(|label| **label != IGNORED).count();
    let mut counts: Vec<usize> = data.iter().map(trained).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let most: usize = counts.iter().take(options.batch_size).sum();
    let vocabulary = model.config().vocab_size as u64;
    memory::require(
        (most as u64).saturating_mul(vocabulary).saturating_mul(4 * 2),
        &model.device(),
        &format!("a batch of {most} trained tokens over a vocabulary of {vocabulary}"),
        "take a smaller batch_size with gradient_accumulation, or cut the texts with max_length",
    )
}

/// A finetuning under way.
struct Run<'a> {
    model: &'a Model,
    data: &'a [Example],
    validation: &'a [Example],
    options: &'a Options,
    steps: usize,
    parameters: Parameters,
    optimiser: Optimiser,
    order: Order,
    dropout: Stream,
    progress: Progress,
    /// The weights whose validation loss was the lowest, where they are wanted.
    best: Option<Tensors>,
    log: Vec<StepRecord>,
}

impl<'a> Run<'a> {
    fn new(
        model: &'a Model,
        data: &'a [Example],
        validation: &'a [Example],
        options: &'a Options,
    ) -> Result<Self> {
        let parameters = Parameters::new(model, options)?;
        require_room(model, data, options)?;
        Ok(Self {
            optimiser: Optimiser::new(&parameters.variables)?,
            parameters,
            model,
            data,
            validation,
            options,
            steps: options.steps(data.len()),
            order: Order::new(data.len(), options),
            dropout: Stream::new(options.seed, "dropout"),
            progress: Progress::default(),
            best: None,
            log: Vec::new(),
        })
    }

    /// What must be the same for a finetuning to be the same: model, data, options.
    fn identity(&self) -> Value {
        // A run that stops on the way is the same run.
        let options = Options { stop_after: None, ..self.options.clone() };
        json!({
            "model": self.model.lineage(),
            "config": self.model.config().to_json("float32"),
            "data_sha256": examples::hash(self.data),
            "validation_sha256": examples::hash(self.validation),
            "steps": self.steps,
            "options": options,
        })
    }

    fn train(
        &mut self,
        identity: &Value,
        keeping: Option<&Keeping>,
        logs: &mut Logs,
        control: &Control,
    ) -> Result<()> {
        let end = self.end();
        if self.progress.step > end {
            return Err(Error::failed_with_hint(
                format!(
                    "finetune is to stop after step {end}, and the checkpoint it goes on from is of step {}",
                    self.progress.step
                ),
                "ask for the steps in rising order, or give another dir",
            ));
        }
        let mut task = control.begin("finetuning", end as u64, "steps");
        task.resumed(self.progress.step as u64);
        while self.progress.step < end && !self.progress.stopped {
            control.check()?;
            let mut record = self.step(self.progress.step + 1, control)?;
            self.progress.step += 1;
            let last = self.progress.step == end;
            if !self.validation.is_empty()
                && (self.options.validates_after(record.step) || record.step == self.steps)
            {
                record.validation_loss = Some(self.validate(record.step, control)?);
            }
            task.update(self.progress.step as u64, &remark(&record));
            logs.step(&record)?;
            self.log.push(record);
            if let Some(keeping) = keeping
                && (keeping.is_due(self.progress.step) || last || self.progress.stopped)
            {
                keeping.save(identity, &self.checkpoint()?)?;
            }
        }
        Ok(())
    }

    /// The last update of this run: all of them, or those that are asked for.
    fn end(&self) -> usize {
        self.options.stop_after.map_or(self.steps, |stop| stop.min(self.steps))
    }

    /// One update.
    fn step(&mut self, step: usize, control: &Control) -> Result<StepRecord> {
        let started = Instant::now();
        let options = self.options;
        let mut batches = Vec::with_capacity(1);
        for (index, rows) in self.order.update(step) {
            let chosen: Vec<&Example> = rows.iter().filter_map(|row| self.data.get(*row)).collect();
            let pad = self.model.tokenizer().pad_id();
            batches.push((index, collate(&chosen, pad, &self.model.device())?));
        }
        let trained: usize = batches.iter().map(|(_, batch)| batch.trained).sum();
        let decoder = self.parameters.decoder(self.model)?;
        let mut gradients = Gradients::new();
        let mut loss = 0.0;
        for (index, batch) in &batches {
            control.check()?;
            let weight = match options.loss_average {
                LossAverage::Token => 1.0 / trained.max(1) as f64,
                LossAverage::Batch => 1.0 / (batch.trained.max(1) * batches.len()) as f64,
            };
            loss += add_gradients(
                &mut gradients,
                &self.parameters.variables,
                &decoder,
                batch,
                weight,
                self.dropout.child(*index),
                options.recompute,
            )?;
        }
        let grad_norm = norm(&gradients)?;
        self.refuse_divergence(step, loss, grad_norm)?;
        let settings = options.update_at(step, self.steps);
        let scale = clip_scale(grad_norm, options.clip);
        self.optimiser.step(&self.parameters.variables, &gradients, scale, &settings)?;
        let tokens: usize = batches.iter().map(|(_, batch)| batch.tokens).sum();
        let rate = tokens as f64 / started.elapsed().as_secs_f64().max(1e-9);
        Ok(StepRecord {
            step,
            epoch: self.order.epochs_after(step),
            loss,
            learning_rate: settings.learning_rate,
            grad_norm,
            tokens,
            tokens_per_second: Some(rate),
            validation_loss: None,
        })
    }

    /// The validation loss, with what follows from it: the best weights kept, early stopping.
    fn validate(&mut self, step: usize, control: &Control) -> Result<f64> {
        let decoder = self.parameters.decoder(self.model)?;
        let loss = evaluate::mean_loss(self.model, &decoder, self.validation, control)?;
        let better = self.progress.best.is_none_or(|(_, best)| loss < best);
        if better {
            self.progress.best = Some((step, loss));
            self.progress.stale = 0;
            if self.options.best {
                self.best = Some(self.parameters.copies()?);
            }
        } else {
            self.progress.stale += 1;
        }
        let patience = self.options.patience;
        self.progress.stopped = patience.is_some_and(|patience| self.progress.stale >= patience);
        Ok(loss)
    }

    /// Whether every update so far has its line in the log: not so while its validation is under way.
    fn is_between_steps(&self) -> bool {
        self.progress.step == self.log.len()
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        Ok(Checkpoint {
            rows: self.data.len(),
            progress: self.progress.clone(),
            variables: self.parameters.copies()?,
            moments: self.optimiser.copies()?,
            best: self.best.clone(),
            log: self.log.clone(),
        })
    }

    fn restore(&mut self, saved: Checkpoint) -> Result<()> {
        self.parameters.set(&saved.variables)?;
        self.optimiser.set(&saved.moments)?;
        self.progress = saved.progress;
        self.best = saved.best;
        self.log = saved.log;
        Ok(())
    }

    fn into_model(self) -> Result<Model> {
        if let Some(best) = &self.best {
            self.parameters.set(best)?;
        }
        let (weights, adapter) = self.parameters.detached(self.model.dtype())?;
        // Stopped at its end, it is the whole run.
        let stop_after = self.options.stop_after.filter(|stop| *stop < self.steps);
        let options = Options { stop_after, ..self.options.clone() };
        let stage = Stage {
            data_sha256: examples::hash(self.data),
            rows: self.data.len(),
            seed: self.options.seed,
            options: serde_json::to_value(options).unwrap_or_default(),
        };
        Ok(self.model.descendant(weights, adapter, stage, self.log))
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

/// What the progress line says of a step.
fn remark(record: &StepRecord) -> String {
    let mut text = format!("loss {:.3}", record.loss);
    if let Some(rate) = record.tokens_per_second {
        text += &format!(" · {rate:.0} tokens/s");
    }
    if let Some(bytes) = memory::resident() {
        text += &format!(" · {}", memory::shown(bytes));
    }
    text
}
