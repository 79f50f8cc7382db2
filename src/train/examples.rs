//! From texts to what a trainer reads: token ids, and for each token whether it is trained on.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::text::{TextTokenizer, Tokens};

/// The label of a token that is not trained on.
pub const IGNORED: i64 = -100;

/// One row to train on. `labels[i]` is `ids[i]`, or [`IGNORED`]; the shift by one happens in the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub ids: Vec<u32>,
    pub labels: Vec<i64>,
}

impl Example {
    /// Ids that are all trained on.
    pub fn whole(ids: Vec<u32>) -> Self {
        let labels = ids.iter().map(|id| i64::from(*id)).collect();
        Self { ids, labels }
    }

    /// Tokens that give a loss: those with a label, the first token aside (nothing predicts it).
    pub fn trained_tokens(&self) -> usize {
        self.labels.iter().skip(1).filter(|label| **label != IGNORED).count()
    }
}

/// A text to train on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The whole text is trained on.
    Text(String),
    /// Only the completion is. Their tokens are those of the joined text.
    Pair { prompt: String, completion: String },
    /// The same with a prompt that a chat template wrote, special tokens included.
    RenderedPair { prompt: String, completion: String },
    /// What a chat template wrote, which is taken as it stands: no token is put around it.
    Rendered {
        text: String,
        /// The bytes that are trained on; all of them where there is nothing.
        trained: Option<Vec<Range<usize>>>,
    },
}

/// What there is to say of tokenized texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Texts longer than allowed, which lost their end.
    pub cut: usize,
    /// Pairs whose prompt has other tokens by itself than in the joined text.
    pub across: usize,
    /// Texts that begin with the begin token themselves, and got no second one.
    pub began_themselves: usize,
}

/// One text as a row, before anything is cut; and whether it counts under `across` and `began_themselves`.
///
/// The end token, which is trained on so that a model learns where a text ends, is appended where the text does not end
/// with one already, and never to what a chat template wrote to its end. A token that holds the prompt's last characters
/// and the completion's first ones is trained on.
pub fn example(tokenizer: &TextTokenizer, source: &Source) -> Result<(Example, bool, bool)> {
    let (tokens, from, across): (Tokens, usize, bool) = match source {
        Source::Text(text) => (tokenizer.tokens(text, true)?, 0, false),
        Source::Pair { prompt, completion } => {
            let tokens = tokenizer.tokens(&format!("{prompt}{completion}"), true)?;
            joined(tokens, prompt, &tokenizer.encode_prompt(prompt)?)
        }
        Source::RenderedPair { prompt, completion } => {
            let tokens = tokenizer.tokens(&format!("{prompt}{completion}"), false)?;
            joined(tokens, prompt, &tokenizer.encode_plain(prompt)?)
        }
        Source::Rendered { text, trained } => {
            let tokens = tokenizer.tokens(text, false)?;
            let example = match trained {
                None => Example::whole(tokens.ids),
                Some(ranges) => within(tokens, ranges),
            };
            return Ok((example, false, false));
        }
    };
    let began_itself = tokens.began_itself;
    let mut example = Example::whole(tokens.ids);
    example.labels.iter_mut().take(from).for_each(|label| *label = IGNORED);
    let ends = tokenizer.end_ids();
    if let Some(end) = ends.first()
        && !example.ids.last().is_some_and(|last| ends.contains(last))
    {
        example.ids.push(*end);
        example.labels.push(i64::from(*end));
    }
    Ok((example, across, began_itself))
}

/// The tokens of a joined text, where its completion begins, and whether the prompt's own are no beginning of them.
fn joined(tokens: Tokens, prompt: &str, own: &[u32]) -> (Tokens, usize, bool) {
    let from = tokens.first_behind(prompt.len());
    let across = tokens.ids.get(..from) != Some(own);
    (tokens, from, across)
}

/// A row in which the tokens that touch the ranges are trained on.
fn within(tokens: Tokens, ranges: &[Range<usize>]) -> Example {
    let mut labels = vec![IGNORED; tokens.ids.len()];
    for range in ranges.iter().filter(|range| !range.is_empty()) {
        let inside = tokens.first_behind(range.start)..tokens.first_from(range.end);
        for index in inside {
            if let (Some(label), Some(id)) = (labels.get_mut(index), tokens.ids.get(index)) {
                *label = i64::from(*id);
            }
        }
    }
    Example { ids: tokens.ids, labels }
}

/// Tokenizes texts as [`example`] does. Those longer than `max_length` tokens lose their end.
pub fn tokenize(
    tokenizer: &TextTokenizer,
    sources: &[Source],
    max_length: usize,
) -> Result<(Vec<Example>, Noted)> {
    let mut noted = Noted::default();
    let mut examples = Vec::with_capacity(sources.len());
    for (row, source) in sources.iter().enumerate() {
        let (mut example, across, began_itself) = example(tokenizer, source)?;
        noted.across += usize::from(across);
        noted.began_themselves += usize::from(began_itself);
        if example.ids.len() > max_length {
            noted.cut += 1;
            example.ids.truncate(max_length);
            example.labels.truncate(max_length);
        }
        if example.trained_tokens() == 0 {
            return Err(Error::failed_with_hint(
                format!("row {row} has no token to train on within {max_length} tokens"),
                "raise max_length, shorten the prompt, or filter such rows out",
            ));
        }
        examples.push(example);
    }
    Ok((examples, noted))
}

/// Refuses rows that a model with a vocabulary of `vocabulary` tokens cannot be trained on.
pub fn check(examples: &[Example], vocabulary: usize) -> Result<()> {
    let known = |label: i64| (0..vocabulary as i64).contains(&label);
    for (row, example) in examples.iter().enumerate() {
        if example.labels.len() != example.ids.len() {
            return Err(Error::invalid(
                format!("row {row}"),
                format!("{} labels, one a token", example.ids.len()),
                example.labels.len().to_string(),
            ));
        }
        let ids = example.ids.iter().map(|id| i64::from(*id));
        let labels = example.labels.iter().filter(|label| **label != IGNORED);
        let mut all = ids.chain(labels.copied());
        if let Some(unknown) = all.find(|label| !known(*label)) {
            return Err(Error::invalid(
                format!("row {row}"),
                format!(
                    "token ids and labels from 0 to below {vocabulary}, or the label {IGNORED}"
                ),
                unknown.to_string(),
            ));
        }
    }
    Ok(())
}

/// SHA-256 over all ids and labels: what was trained on, whatever file it came from.
pub fn hash(examples: &[Example]) -> String {
    let mut hasher = Sha256::new();
    for example in examples {
        hasher.update((example.ids.len() as u64).to_le_bytes());
        for id in &example.ids {
            hasher.update(id.to_le_bytes());
        }
        for label in &example.labels {
            hasher.update(label.to_le_bytes());
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
