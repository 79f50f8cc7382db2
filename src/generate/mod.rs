//! Batched decoding with a cache: each row stops on its own, and its text does not depend on the rows beside it.
//!
//! Rows of like length share a batch, padded on the left; the attention kernel sees each row's own tokens only. Rows that
//! are finished make room for those that wait.

mod batch;
mod completion;
pub mod draft;
pub mod options;
pub mod sampling;

use candle_core::Tensor;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::memory;
use crate::model::Model;
use crate::model::decoder::Pass;
use batch::{Batch, Row, Waiting};

pub use completion::Completion;
pub use options::Options;

/// Rows are taken in once a quarter of the batch is free: running a prompt and moving the cache costs as much as some steps.
const REFILL: usize = 4;

/// Completions in the order of the prompts, and how many prompts were cut at their front to leave room in the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub completions: Vec<Completion>,
    pub cut: usize,
}

/// Writes on after each prompt (token ids, begin token included where the model wants one).
///
/// `drafts` are what the prompts are expected to be followed by: one each, or none at all. A draft changes no token. As far as
/// it is right its tokens cost one pass together, where each would cost a pass of its own.
pub fn generate(
    model: &Model,
    prompts: &[Vec<u32>],
    drafts: &[Vec<u32>],
    options: &Options,
    control: &Control,
) -> Result<Outcome> {
    options.check()?;
    let (prompts, cut) = fit(model, prompts, options)?;
    let draft = |row: usize| drafts.get(row).map_or(&[] as &[u32], Vec::as_slice);
    let together = |row: usize| {
        let draft = draft(row).len().min(options.max_new_tokens);
        prompts.get(row).map_or(0, Vec::len) + draft
    };
    let longest = (0..prompts.len()).map(together).max().unwrap_or(0);
    let needed = require_room(model, &prompts, longest, options)?;
    let decoder = model.decoder_for_steps(needed)?;
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|row| together(*row));
    let mut waiting = order.into_iter().peekable();
    let mut completions = vec![None; prompts.len()];
    let mut done = 0;
    let mut keep = |rows: Vec<Row>| {
        done += rows.len();
        for row in rows {
            if let Some(slot) = completions.get_mut(row.index) {
                *slot = Some(row.finish());
            }
        }
        done as u64
    };
    let mut batch = Batch::new(model, &decoder, options);
    let mut task = control.begin("generating", prompts.len() as u64, "rows");
    while !batch.is_empty() || waiting.peek().is_some() {
        control.check()?;
        let free = options.batch_size.saturating_sub(batch.len());
        if waiting.peek().is_some() && (batch.is_empty() || free * REFILL >= options.batch_size) {
            let next = waiting.by_ref().take(free);
            let next = next.filter_map(|index| {
                Some(Waiting { index, prompt: prompts.get(index)?, draft: draft(index) })
            });
            let next: Vec<Waiting> = next.collect();
            task.update(keep(batch.admit(&next)?), "");
        } else {
            task.update(keep(batch.step()?), "");
        }
        if prompts.len() == 1
            && let Some(text) = batch.text()?
        {
            task.text(&text);
        }
    }
    let completions: Option<Vec<Completion>> = completions.into_iter().collect();
    match completions {
        Some(completions) => Ok(Outcome { completions, cut }),
        None => Err(Error::failed("a row was lost while generating")),
    }
}

/// Refuses a batch whose cache, or whose widest step of `widest` tokens a row, has no room; the bytes that it needs.
fn require_room(
    model: &Model,
    prompts: &[Vec<u32>],
    widest: usize,
    options: &Options,
) -> Result<u64> {
    let config = model.config();
    let size = |sizes: &[usize]| -> u64 {
        let sizes = sizes.iter().map(|size| *size as u64);
        sizes.fold(4, u64::saturating_mul)
    };
    let rows = options.batch_size.min(prompts.len());
    let prompt = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let left = config.max_position_embeddings.saturating_add(1).saturating_sub(prompt);
    let most = prompt.saturating_add(options.max_new_tokens.min(left));
    let heads = config.num_key_value_heads.saturating_mul(config.head_dim);
    // Rows that are taken in are put beside those under way in a new cache, while the old one is still there.
    let cache = size(&[4, config.num_hidden_layers, heads, rows, most]);
    let step = size(&[2, config.intermediate_size, rows, widest]);
    let logits = size(&[2, config.vocab_size, rows.max(batch::PIECE)]);
    let needed = cache.saturating_add(step.max(logits));
    memory::require(
        needed,
        &model.device(),
        &format!("generating {rows} rows of up to {most} tokens at once"),
        "take a smaller batch_size or max_new_tokens",
    )?;
    Ok(needed)
}

/// Keeps the end of prompts that would not leave room for the new tokens, behind the begin token that they had, and refuses
/// empty ones.
fn fit(model: &Model, prompts: &[Vec<u32>], options: &Options) -> Result<(Vec<Vec<u32>>, usize)> {
    let context = model.config().max_position_embeddings;
    let room = context.saturating_sub(options.max_new_tokens.min(context / 2)).max(1);
    let vocabulary = model.config().vocab_size as u32;
    let mut begins = model.tokenizer().begin_ids()?;
    if begins.is_empty() {
        // A chat template may write a begin token that the tokenizer does not add by itself.
        begins.extend(model.config().bos_token_id);
    }
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
        fitted.push(shortened(prompt, room, &begins));
    }
    Ok((fitted, cut))
}

/// The last `room` tokens of a prompt, of which the first are those that begin a text where the prompt began with them.
fn shortened(prompt: &[u32], room: usize, begins: &[u32]) -> Vec<u32> {
    let kept = if prompt.len() > room && begins.len() < room && prompt.starts_with(begins) {
        begins
    } else {
        &[]
    };
    let start = prompt.len().saturating_sub(room - kept.len());
    let rest = prompt.get(start..).unwrap_or_default();
    [kept, rest].concat()
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

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_prompt_keeps_its_end_behind_the_begin_tokens_it_had() {
        let prompt: Vec<u32> = (0..10).collect();
        assert_eq!(shortened(&prompt, 10, &[0]), prompt);
        assert_eq!(shortened(&prompt, 4, &[0]), [0, 7, 8, 9]);
        assert_eq!(shortened(&prompt, 4, &[0, 1]), [0, 1, 8, 9]);
        assert_eq!(shortened(&prompt, 4, &[5]), [6, 7, 8, 9]);
        assert_eq!(shortened(&prompt, 4, &[]), [6, 7, 8, 9]);
        assert_eq!(shortened(&prompt, 1, &[0]), [9]);
    }
}
