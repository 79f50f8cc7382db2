//! Batched decoding with a cache: each row stops on its own, and its text does not depend on the rows beside it.
//!
//! Rows of like length share a batch, padded on the left; the attention kernel sees each row's own tokens only.

pub mod options;
pub mod sampling;

use candle_core::{D, Tensor};

use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::decoder::{Cache, Decoder, Pass};
use crate::model::text::TextTokenizer;
use crate::random::Stream;

pub use options::Options;

/// What the model wrote after a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// New tokens, without the end token.
    pub ids: Vec<u32>,
    /// Their text, cut before the stop string.
    pub text: String,
}

/// Completions in the order of the prompts, and how many prompts were cut at their front to leave room in the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub completions: Vec<Completion>,
    pub cut: usize,
}

/// Writes on after each prompt (token ids, begin token included where the model wants one).
pub fn generate(
    model: &Model,
    prompts: &[Vec<u32>],
    options: &Options,
    control: &Control,
) -> Result<Outcome> {
    options.check()?;
    let (prompts, cut) = fit(model, prompts, options)?;
    let decoder = model.decoder()?;
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|row| prompts.get(*row).map_or(0, Vec::len));
    let mut completions = vec![None; prompts.len()];
    let mut task = control.begin("generating", prompts.len() as u64, "rows");
    let mut done = 0;
    for rows in order.chunks(options.batch_size) {
        let mut batch = Running::new(model, &decoder, &prompts, rows, options)?;
        while !batch.rows.is_empty() {
            control.check()?;
            for row in batch.step()? {
                done += 1;
                if let Some(slot) = completions.get_mut(row.index) {
                    *slot = Some(row.finish());
                }
            }
            task.update(done, "");
        }
    }
    let completions: Option<Vec<Completion>> = completions.into_iter().collect();
    match completions {
        Some(completions) => Ok(Outcome { completions, cut }),
        None => Err(Error::failed("a row was lost while generating")),
    }
}

/// Keeps the end of prompts that would not leave room for one new token at least, and refuses empty ones.
fn fit(model: &Model, prompts: &[Vec<u32>], options: &Options) -> Result<(Vec<Vec<u32>>, usize)> {
    let context = model.config().max_position_embeddings;
    let room = context
        .saturating_sub(options.max_new_tokens.min(context / 2))
        .max(1);
    let vocabulary = model.config().vocab_size as u32;
    let mut cut = 0;
    let mut fitted = Vec::with_capacity(prompts.len());
    for (row, prompt) in prompts.iter().enumerate() {
        if prompt.is_empty() {
            return Err(Error::failed_with_hint(
                format!("prompt {row} is empty: there is nothing to write on from"),
                "give at least one token",
            ));
        }
        if let Some(id) = prompt.iter().find(|id| **id >= vocabulary) {
            return Err(Error::invalid(
                format!("generating from prompt {row}"),
                format!("token ids below {vocabulary}"),
                id.to_string(),
            ));
        }
        cut += usize::from(prompt.len() > room);
        let start = prompt.len().saturating_sub(room);
        fitted.push(prompt.get(start..).unwrap_or_default().to_vec());
    }
    Ok((fitted, cut))
}

/// A row under way.
struct Row<'a> {
    /// Its place among the prompts.
    index: usize,
    prompt: &'a [u32],
    start: usize,
    /// New tokens it may have: those asked for, or those left in the context. Its own, so that the rows beside it do
    /// not matter.
    limit: usize,
    new: Vec<u32>,
    tokenizer: &'a TextTokenizer,
    stop: &'a [String],
    text: String,
    stopped: bool,
}

impl Row<'_> {
    /// Takes the next token; true when the row is finished.
    fn push(&mut self, id: u32) -> Result<bool> {
        if self.tokenizer.end_ids().contains(&id) {
            self.text = self.tokenizer.decode_continuation(self.prompt, &self.new)?;
            return Ok(true);
        }
        self.new.push(id);
        let full = self.new.len() >= self.limit;
        if full || !self.stop.is_empty() {
            self.text = self.tokenizer.decode_continuation(self.prompt, &self.new)?;
            let first = self
                .stop
                .iter()
                .filter_map(|stop| self.text.find(stop.as_str()))
                .min();
            if let Some(place) = first {
                self.text.truncate(place);
                self.stopped = true;
            }
        }
        Ok(full || self.stopped)
    }

    fn finish(self) -> Completion {
        Completion {
            ids: self.new,
            text: self.text,
        }
    }
}

/// A batch under way. Finished rows leave it, so that the others go on faster.
struct Running<'a> {
    rows: Vec<Row<'a>>,
    decoder: &'a Decoder,
    cache: Cache,
    /// The next ids to run, (rows, time).
    next: Tensor,
    options: &'a Options,
}

impl<'a> Running<'a> {
    fn new(
        model: &'a Model,
        decoder: &'a Decoder,
        prompts: &'a [Vec<u32>],
        indices: &[usize],
        options: &'a Options,
    ) -> Result<Self> {
        let tokenizer = model.tokenizer();
        let chosen: Vec<(usize, &Vec<u32>)> = indices
            .iter()
            .filter_map(|index| Some((*index, prompts.get(*index)?)))
            .collect();
        let longest = chosen
            .iter()
            .map(|(_, prompt)| prompt.len())
            .max()
            .unwrap_or(0);
        let context = model.config().max_position_embeddings;
        let mut capacity = longest;
        let mut ids = Vec::with_capacity(chosen.len() * longest);
        let mut rows = Vec::with_capacity(chosen.len());
        for (index, prompt) in chosen {
            let start = longest - prompt.len();
            ids.extend(std::iter::repeat_n(tokenizer.pad_id(), start));
            ids.extend_from_slice(prompt);
            // The last token is chosen and never run, so it needs no place in the context.
            let left = (context + 1).saturating_sub(prompt.len());
            let limit = left.min(options.max_new_tokens);
            capacity = capacity.max(longest + limit);
            rows.push(Row {
                index,
                prompt,
                start,
                limit,
                new: Vec::new(),
                tokenizer,
                stop: &options.stop,
                text: String::new(),
                stopped: false,
            });
        }
        Ok(Self {
            cache: decoder.cache(rows.len(), capacity)?,
            next: Tensor::from_vec(ids, (rows.len(), longest), &model.device())?,
            rows,
            decoder,
            options,
        })
    }

    /// One token for every row; returns the rows that are finished with it.
    fn step(&mut self) -> Result<Vec<Row<'a>>> {
        let mut pass = Pass {
            starts: self.rows.iter().map(|row| row.start).collect(),
            cache: Some(&mut self.cache),
            dropout: None,
        };
        let hidden = self.decoder.hidden(&self.next, &mut pass)?;
        let last = hidden.narrow(1, hidden.dim(1)? - 1, 1)?.squeeze(1)?;
        let logits = self.decoder.logits(&last.contiguous()?)?;
        let ids = self.choose(&logits)?;
        let (mut kept, mut going, mut finished) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (mut row, id)) in self.rows.drain(..).zip(&ids).enumerate() {
            match row.push(*id)? {
                true => finished.push(row),
                false => {
                    kept.push(place);
                    going.push((row, *id));
                }
            }
        }
        if !finished.is_empty() && !kept.is_empty() {
            self.cache.keep_rows(&kept)?;
        }
        let (rows, ids): (Vec<_>, Vec<u32>) = going.into_iter().unzip();
        self.rows = rows;
        if !self.rows.is_empty() {
            self.next = Tensor::from_vec(ids, (self.rows.len(), 1), logits.device())?;
        }
        Ok(finished)
    }

    /// The next token of each row: the likeliest, or a draw from the row's own stream.
    fn choose(&self, logits: &Tensor) -> Result<Vec<u32>> {
        if self.options.is_greedy() {
            return Ok(logits.argmax(D::Minus1)?.to_vec1()?);
        }
        let logits = logits.to_vec2::<f32>()?;
        let stream = Stream::new(self.options.seed, "sample");
        let choices = self.rows.iter().zip(logits).map(|(row, logits)| {
            let seen = row.prompt.iter().chain(&row.new);
            let draw = stream.child(row.index as u64).uniform(row.new.len() as u64);
            sampling::choose(logits, seen, self.options, draw)
        });
        Ok(choices.collect())
    }
}

/// The logits of the token that would come after `ids`.
pub fn last_logits(model: &Model, ids: &[u32]) -> Result<Vec<f32>> {
    if ids.is_empty() {
        return Err(Error::failed("an empty text has no next token"));
    }
    let decoder = model.decoder()?;
    let input = Tensor::from_vec(ids.to_vec(), (1, ids.len()), &model.device())?;
    let hidden = decoder.hidden(&input, &mut Pass::default())?;
    let last = hidden.narrow(1, ids.len() - 1, 1)?.contiguous()?;
    Ok(decoder.logits(&last)?.flatten_all()?.to_vec1()?)
}
