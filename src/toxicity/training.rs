//! Training a classifier: binary cross-entropy of each label by itself (Devlin et al. 2018 for the encoder; the loss as
//! torch's BCEWithLogitsLoss has it, with `pos_weight`), AdamW, and a schedule as in finetuning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use candle_core::{Tensor, Var};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::batches::Order;
use super::classifier::Classifier;
use super::config::EncoderConfig;
use super::encoder::{Dropped, Encoder, TokenizedText};
use super::labels;
use super::start::{Begun, Start, begin};
use super::tokenizer::EncoderTokenizer;
use crate::aside::{aside, under};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::Tensors;
use crate::model::lineage::{Stage, StepRecord};
use crate::ops;
use crate::random::Stream;
use crate::train::optimiser::{Gradients, Optimiser, clip_scale, norm};
use crate::train::options::Options;
use crate::{files, memory};

/// Texts and what is known of them.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub texts: Vec<String>,
    /// A row a text and a number from 0 to 1 a label; nothing where it is not known.
    pub targets: Vec<Vec<Option<f32>>>,
}

/// The settings of a training.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// Names of the outputs.
    pub labels: Vec<String>,
    /// What the loss of a label's positives is multiplied by.
    pub positive_weights: Vec<f64>,
    pub dropout: f64,
    /// Length, batches, optimiser, schedule and validation, under the same names as in finetuning.
    pub plain: Options,
}

/// A trained classifier, and the number of texts that lost their end.
pub struct Trained {
    pub classifier: Classifier,
    pub cut: usize,
}

/// Trains a new classifier on `rows`; what it starts from stays as it is. Draws come from the streams "init", "order" and
/// "dropout" under the seed, so the result is a function of the start, the rows and the settings.
pub fn train(
    start: &Start,
    rows: Rows,
    validation: Rows,
    settings: &Settings,
    control: &Control,
) -> Result<Trained> {
    settings.plain.check_for("train_classifier")?;
    let named = labels::named(settings.labels.clone(), "the option `labels`")?;
    if rows.texts.is_empty() {
        return Err(Error::failed_with_hint(
            "there are no rows to train a classifier on",
            "look at the frame before you train: a filter may have dropped everything",
        ));
    }
    if validation.texts.is_empty() && settings.plain.needs_validation() {
        return Err(Error::failed_with_hint(
            "validate_every needs rows to validate on",
            "give them with the option `validation`",
        ));
    }
    let texts = Arc::new(rows.texts);
    let begun = begin(start, &texts, &named, settings.plain.seed, control)?;
    let tokenizer = Arc::new(match settings.plain.max_length {
        Some(limit) => begun.tokenizer.cut_to(limit)?,
        None => (*begun.tokenizer).clone(),
    });
    let (data, cut) = tokenized(&tokenizer, texts, rows.targets, control)?;
    let held = Arc::new(validation.texts);
    let (held, _) = tokenized(&tokenizer, held, validation.targets, control)?;
    let mut run = Run::new(&begun, data, held, settings)?;
    run.train(control)?;
    Ok(Trained { classifier: run.into_classifier(begun, named)?, cut })
}

/// A text and what is known of it.
struct Example {
    text: TokenizedText,
    targets: Vec<Option<f32>>,
}

fn tokenized(
    tokenizer: &Arc<EncoderTokenizer>,
    texts: Arc<Vec<String>>,
    targets: Vec<Vec<Option<f32>>>,
    control: &Control,
) -> Result<(Vec<Example>, usize)> {
    let shared = tokenizer.clone();
    let made = under(control, || aside(move || shared.tokenize(&texts)))?;
    let rows = made.texts.into_iter().zip(targets);
    Ok((rows.map(|(text, targets)| Example { text, targets }).collect(), made.cut))
}

/// SHA-256 over all ids and targets: what was trained on, whatever file it came from.
fn hash(examples: &[Example]) -> String {
    let mut hasher = Sha256::new();
    for example in examples {
        hasher.update((example.text.ids.len() as u64).to_le_bytes());
        example.text.ids.iter().for_each(|id| hasher.update(id.to_le_bytes()));
        for target in &example.targets {
            hasher.update(target.unwrap_or(f32::NAN).to_le_bytes());
        }
    }
    files::hex(&hasher.finalize())
}

/// A training under way.
struct Run<'a> {
    config: EncoderConfig,
    data: Vec<Example>,
    validation: Vec<Example>,
    settings: &'a Settings,
    variables: BTreeMap<String, Var>,
    optimiser: Optimiser,
    order: Order,
    dropout: Stream,
    steps: usize,
    log: Vec<StepRecord>,
    /// The lowest validation loss, and the weights that had it where they are wanted.
    best: Option<(f64, Option<Tensors>)>,
    /// Validations since then.
    stale: usize,
}

impl<'a> Run<'a> {
    fn new(
        begun: &Begun,
        data: Vec<Example>,
        validation: Vec<Example>,
        settings: &'a Settings,
    ) -> Result<Self> {
        let plain = &settings.plain;
        let values: usize = begun.weights.values().map(Tensor::elem_count).sum();
        if let Some(weight) = begun.weights.values().next() {
            // The variable, its gradient and two moments.
            memory::require(
                values as u64 * 4 * 4,
                weight.device(),
                &format!("training a classifier of {values} parameters"),
                "take a smaller one",
            )?;
        }
        let variable = |(name, weight): (&String, &Tensor)| -> Result<(String, Var)> {
            Ok((name.clone(), Var::from_tensor(&weight.copy()?)?))
        };
        let variables = begun.weights.iter().map(variable).collect::<Result<BTreeMap<_, _>>>()?;
        let texts = data.iter().map(|example| &example.text);
        Ok(Self {
            config: begun.config.clone(),
            optimiser: Optimiser::new(&variables)?,
            order: Order::new(texts, plain.batch_size, plain.shuffle, plain.seed),
            dropout: Stream::new(plain.seed, "dropout"),
            steps: plain.steps(data.len()),
            data,
            validation,
            settings,
            variables,
            log: Vec::new(),
            best: None,
            stale: 0,
        })
    }

    fn train(&mut self, control: &Control) -> Result<()> {
        let plain = &self.settings.plain;
        let mut task = control.begin("training", self.steps as u64, "steps");
        for step in 1..=self.steps {
            control.check()?;
            let mut record = self.step(step, control)?;
            let due = plain.validates_after(step) || step == self.steps;
            if due && !self.validation.is_empty() {
                record.validation_loss = Some(self.validate(control)?);
            }
            task.update(step as u64, &format!("loss {:.4}", record.loss));
            self.log.push(record);
            if plain.patience.is_some_and(|patience| self.stale >= patience) {
                break;
            }
        }
        Ok(())
    }

    fn encoder(&self) -> Result<Encoder> {
        let weights = self.variables.iter();
        let weights = weights.map(|(name, variable)| (name.clone(), variable.as_tensor().clone()));
        Encoder::new(self.config.clone(), weights.collect())
    }

    /// One update.
    fn step(&mut self, step: usize, control: &Control) -> Result<StepRecord> {
        let (started, plain) = (Instant::now(), &self.settings.plain);
        let rows = self.order.update(step);
        let rows: Vec<&Example> = rows.iter().filter_map(|row| self.data.get(*row)).collect();
        let dropout = Dropped::new(self.settings.dropout, self.dropout.child(step as u64));
        let (sum, known) = self.summed_loss(&self.encoder()?, &rows, Some(dropout), control)?;
        // Where nothing is known of any of its texts there is nothing to learn, and the mean of nothing is 0.
        let loss = (sum / known.max(1) as f64)?;
        let mut store = loss.backward()?;
        let mut gradients = Gradients::new();
        for (name, variable) in &self.variables {
            // A variable without a gradient would never be trained, and nothing else would tell.
            let gradient = store.remove(variable.as_tensor()).ok_or_else(|| {
                Error::failed(format!("the parameter `{name}` received no gradient"))
            })?;
            gradients.insert(name.clone(), gradient);
        }
        let (loss, grad_norm) = (f64::from(loss.to_scalar::<f32>()?), norm(&gradients)?);
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(Error::failed_with_hint(
                format!(
                    "training diverged at step {step} (loss {loss}, gradient norm {grad_norm})"
                ),
                format!(
                    "lower learning_rate (it was {}), lower clip, or add warmup_steps",
                    plain.learning_rate
                ),
            ));
        }
        let settings = plain.update_at(step, self.steps);
        let scale = clip_scale(grad_norm, plain.clip);
        self.optimiser.step(&self.variables, &gradients, scale, &settings)?;
        let tokens: usize = rows.iter().map(|row| row.text.ids.len()).sum();
        Ok(StepRecord {
            step,
            epoch: self.order.epochs_after(step),
            loss,
            learning_rate: settings.learning_rate,
            grad_norm,
            tokens,
            tokens_per_second: Some(tokens as f64 / started.elapsed().as_secs_f64().max(1e-9)),
            validation_loss: None,
        })
    }

    /// The summed loss over what is known of the rows, and how many numbers that are.
    fn summed_loss(
        &self,
        encoder: &Encoder,
        rows: &[&Example],
        dropout: Option<Dropped>,
        control: &Control,
    ) -> Result<(Tensor, usize)> {
        let texts: Vec<&TokenizedText> = rows.iter().map(|row| &row.text).collect();
        let logits = encoder.trained_logits(&texts, dropout, control)?;
        let (mut positive, mut negative, mut known) = (Vec::new(), Vec::new(), 0);
        for row in rows {
            for (target, weight) in row.targets.iter().zip(&self.settings.positive_weights) {
                known += usize::from(target.is_some());
                positive.push(target.map_or(0.0, |target| target * *weight as f32));
                negative.push(target.map_or(0.0, |target| 1.0 - target));
            }
        }
        let as_tensor =
            |values: Vec<f32>| Tensor::from_vec(values, logits.shape(), logits.device());
        let (positive, negative) = (as_tensor(positive)?, as_tensor(negative)?);
        Ok((ops::binary_cross_entropy_sum(&logits, &positive, &negative)?, known))
    }

    /// The mean loss on the rows to validate on, with what follows from it.
    fn validate(&mut self, control: &Control) -> Result<f64> {
        let mut order: Vec<&Example> = self.validation.iter().collect();
        order.sort_by_key(|example| example.text.ids.len());
        let weights = self.copies()?;
        let encoder = Encoder::new(self.config.clone(), weights.clone())?;
        let (mut sum, mut known) = (0.0, 0);
        for rows in order.chunks(64) {
            control.check()?;
            let (loss, count) = self.summed_loss(&encoder, rows, None, control)?;
            sum += f64::from(loss.to_scalar::<f32>()?);
            known += count;
        }
        let loss = sum / known.max(1) as f64;
        if self.best.as_ref().is_none_or(|(best, _)| loss < *best) {
            self.best = Some((loss, self.settings.plain.best.then_some(weights)));
            self.stale = 0;
        } else {
            self.stale += 1;
        }
        Ok(loss)
    }

    /// The variables' values as tensors of their own.
    fn copies(&self) -> Result<Tensors> {
        let copy = |(name, variable): (&String, &Var)| -> Result<(String, Tensor)> {
            Ok((name.clone(), variable.as_tensor().copy()?.detach()))
        };
        self.variables.iter().map(copy).collect()
    }

    fn into_classifier(self, begun: Begun, labels: Vec<String>) -> Result<Classifier> {
        let weights = match self.best {
            Some((_, Some(ref best))) => best.clone(),
            _ => self.copies()?,
        };
        let mut lineage = begun.lineage;
        lineage.stages.push(Stage {
            data_sha256: hash(&self.data),
            rows: self.data.len(),
            seed: self.settings.plain.seed,
            options: serde_json::to_value(self.settings).unwrap_or_default(),
        });
        let parameters = weights.values().map(|weight| weight.elem_count() as u64).sum();
        Ok(Classifier {
            sha256: hash_of(&weights)?,
            encoder: Encoder::new(begun.config, weights)?,
            tokenizer: begun.tokenizer,
            labels,
            parameters,
            source: begun.source,
            unused: BTreeSet::new(),
            lineage,
            log: self.log,
        })
    }
}

/// SHA-256 over all weights.
fn hash_of(weights: &Tensors) -> Result<String> {
    let mut hasher = Sha256::new();
    for (name, weight) in weights {
        hasher.update(name.as_bytes());
        for value in weight.flatten_all()?.to_vec1::<f32>()? {
            hasher.update(value.to_le_bytes());
        }
    }
    Ok(files::hex(&hasher.finalize()))
}
