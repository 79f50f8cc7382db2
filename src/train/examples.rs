//! From texts to what a trainer reads: token ids, and for each token whether it is trained on.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::text::TextTokenizer;

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
        self.labels
            .iter()
            .skip(1)
            .filter(|label| **label != IGNORED)
            .count()
    }
}

/// A text to train on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The whole text is trained on.
    Text(String),
    /// Only the completion is.
    Pair { prompt: String, completion: String },
}

/// Tokenizes texts and appends the end token, which is trained on, so that a model learns where a text ends. Texts
/// longer than `max_length` tokens lose their end; returns how many did.
pub fn tokenize(
    tokenizer: &TextTokenizer,
    sources: &[Source],
    max_length: usize,
) -> Result<(Vec<Example>, usize)> {
    let end = tokenizer.end_ids().first().copied();
    let mut cut = 0;
    let mut examples = Vec::with_capacity(sources.len());
    for (row, source) in sources.iter().enumerate() {
        let mut example = match source {
            Source::Text(text) => Example::whole(tokenizer.encode(text)?),
            Source::Pair { prompt, completion } => {
                let ids = tokenizer.encode(prompt)?;
                let mut example = Example {
                    labels: vec![IGNORED; ids.len()],
                    ids,
                };
                for id in tokenizer.encode_plain(completion)? {
                    example.ids.push(id);
                    example.labels.push(i64::from(id));
                }
                example
            }
        };
        if let Some(end) = end {
            example.ids.push(end);
            example.labels.push(i64::from(end));
        }
        if example.ids.len() > max_length {
            cut += 1;
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
    Ok((examples, cut))
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
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
