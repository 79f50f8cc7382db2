//! How likely texts are under a model, token by token: of whole sentences, and of long texts in windows.

use std::collections::HashMap;

use super::evaluate::token_losses;
use super::examples::{Example, IGNORED};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::Model;

/// The log-probability (nats) of every token of texts, which are given by their own tokens, without special ones. The tokens that
/// the model's texts begin with stand in front; where there are none, the first token is that of a text which begins after the
/// end-of-text token (the way in which StereoSet scores GPT-2).
pub fn log_probs(model: &Model, texts: &[Vec<u32>], control: &Control) -> Result<Vec<Vec<f64>>> {
    let begin = model.tokenizer().begin_ids()?;
    if let Some(before) = begin.len().checked_sub(1) {
        let whole = |text: &Vec<u32>| Example::whole([begin.as_slice(), text].concat());
        let examples: Vec<Example> = texts.iter().map(whole).collect();
        let losses = token_losses(model, &examples, control)?;
        return Ok(losses
            .into_iter()
            .map(|losses| losses.into_iter().skip(before).map(|loss| -loss).collect())
            .collect());
    }
    let end = model.tokenizer().end_ids().first().copied();
    let end =
        end.ok_or_else(|| Error::failed("the model names no token that a text may follow"))?;
    let mut examples = Vec::new();
    let mut added = |ids: Vec<u32>| {
        examples.push(Example::whole(ids));
        examples.len() - 1
    };
    let mut firsts: HashMap<u32, usize> = HashMap::new();
    let mut parts = Vec::with_capacity(texts.len());
    for text in texts {
        let first = text.first();
        let first = first.map(|id| *firsts.entry(*id).or_insert_with(|| added(vec![end, *id])));
        let rest = (text.len() > 1).then(|| added(text.clone()));
        parts.push([first, rest]);
    }
    let losses = token_losses(model, &examples, control)?;
    let of = |place: usize| losses.get(place).into_iter().flatten().map(|loss| -loss);
    let one =
        |parts: &[Option<usize>; 2]| parts.iter().flatten().flat_map(|part| of(*part)).collect();
    Ok(parts.iter().map(one).collect())
}

/// How a text is cut into windows.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Tokens that a window has at most.
    pub max_length: usize,
    /// How many tokens further the next one begins.
    pub stride: usize,
    /// Whether windows are averaged as transformers' page on fixed-length models does it (each weighs as many tokens as it scores,
    /// less one), and not every token alike.
    pub by_window: bool,
}

/// The mean loss of each text, of which every window scores what no window before it has scored.
pub fn strided_losses(
    model: &Model,
    texts: &[Vec<u32>],
    windows: Windows,
    control: &Control,
) -> Result<Vec<f64>> {
    let cut: Vec<Vec<(Example, f64)>> = texts.iter().map(|text| windows.of(text)).collect();
    let examples: Vec<Example> = cut.iter().flatten().map(|(example, _)| example.clone()).collect();
    let mut losses = token_losses(model, &examples, control)?.into_iter();
    let one = |windows: &Vec<(Example, f64)>| {
        let (mut sum, mut weights) = (0.0, 0.0);
        for ((_, weight), losses) in windows.iter().zip(losses.by_ref()) {
            if !losses.is_empty() {
                sum += losses.iter().sum::<f64>() / losses.len() as f64 * weight;
                weights += weight;
            }
        }
        sum / weights
    };
    Ok(cut.iter().map(one).collect())
}

impl Windows {
    /// The windows of a text, and the weight of each.
    fn of(&self, text: &[u32]) -> Vec<(Example, f64)> {
        let mut made = Vec::new();
        let mut before = 0_usize;
        for begin in (0..text.len()).step_by(self.stride.max(1)) {
            let end = text.len().min(begin + self.max_length);
            let mut example = Example::whole(text.get(begin..end).unwrap_or_default().to_vec());
            let known = before.saturating_sub(begin);
            example.labels.iter_mut().take(known).for_each(|label| *label = IGNORED);
            let scored = example.trained_tokens();
            let weight = if self.by_window { end - begin - known - 1 } else { scored };
            if scored > 0 {
                made.push((example, weight as f64));
            }
            before = end;
            if end == text.len() {
                break;
            }
        }
        made
    }
}
