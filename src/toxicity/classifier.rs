//! A classifier, and texts scored by it: sorted by length, in passes of so many tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::encoder::{Encoder, TokenizedText};
use super::tokenizer::EncoderTokenizer;
use crate::aside::{aside, under};
use crate::control::Control;
use crate::error::Result;
use crate::model::lineage::{Lineage, StepRecord};

/// A classifier of texts.
pub struct Classifier {
    pub(super) encoder: Encoder,
    pub(super) tokenizer: Arc<EncoderTokenizer>,
    pub(super) labels: Vec<String>,
    pub(super) parameters: u64,
    pub(super) source: String,
    pub(super) sha256: String,
    pub(super) unused: BTreeSet<String>,
    /// How it came to be.
    pub(super) lineage: Lineage,
    /// What its training wrote down, step by step.
    pub(super) log: Vec<StepRecord>,
}

/// The scores of texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// A row a text in the order of the texts, a number from 0 to 1 a label.
    pub rows: Vec<Vec<f32>>,
    /// Texts that were longer than the window.
    pub cut: usize,
}

/// Tokens of one pass: a pass is over within a second, and layers ask in between whether to stop.
const TOKENS: usize = 2048;

impl Classifier {
    /// What the outputs are called, in their order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// What it was loaded from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// SHA-256 of the files of its weights.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the files of its weights hold besides.
    pub fn unused(&self) -> &BTreeSet<String> {
        &self.unused
    }

    /// How it came to be: its source, and each training since.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The training that made it, step by step; nothing where it was loaded.
    pub fn log(&self) -> &[StepRecord] {
        &self.log
    }

    /// Tokens that a text is cut to.
    pub fn window(&self) -> usize {
        self.tokenizer.window
    }

    /// One line about it.
    pub fn summary(&self) -> String {
        let config = self.encoder.config();
        let trained = match self.lineage.stages.len() {
            0 => String::new(),
            1 => ", trained once".to_string(),
            times => format!(", trained {times} times"),
        };
        format!(
            "{} from {}{trained}: {} parameters, {} layers of width {}, {} labels, window of {} tokens",
            config.family.name(),
            self.source,
            self.parameters,
            config.num_hidden_layers,
            config.hidden_size,
            self.labels.len(),
            self.window(),
        )
    }

    /// Scores texts, at most `batch_size` in a pass. A text's scores are the same in any company and on any number of
    /// threads.
    pub fn score(
        self: &Arc<Self>,
        texts: Vec<String>,
        batch_size: usize,
        control: &Control,
    ) -> Result<Scores> {
        let tokenizer = self.tokenizer.clone();
        let tokenized = under(control, || aside(move || tokenizer.tokenize(&texts)))?;
        let texts = &tokenized.texts;
        let length = |row: &usize| texts.get(*row).map_or(0, |text| text.ids.len());
        let mut order: Vec<usize> = (0..texts.len()).collect();
        // The longest first: what is left gets faster, never slower, and too little memory shows at once.
        order.sort_by_key(|row| std::cmp::Reverse(length(row)));
        let mut rows = vec![Vec::new(); texts.len()];
        let mut task = control.begin("scoring", texts.len() as u64, "texts");
        let (mut rest, mut done) = (order.as_slice(), 0);
        while let Some(longest) = rest.first() {
            control.check()?;
            let fitting = (TOKENS / length(longest).max(1)).clamp(1, batch_size.max(1));
            let (batch, later) = rest.split_at(fitting.min(rest.len()));
            let chosen: Vec<&TokenizedText> =
                batch.iter().filter_map(|row| texts.get(*row)).collect();
            let logits = self.encoder.logits(&chosen, control)?;
            for (row, logits) in batch.iter().zip(logits) {
                if let Some(slot) = rows.get_mut(*row) {
                    *slot = logits.into_iter().map(sigmoid).collect();
                }
            }
            done += batch.len() as u64;
            task.update(done, "");
            rest = later;
        }
        Ok(Scores { rows, cut: tokenized.cut })
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
