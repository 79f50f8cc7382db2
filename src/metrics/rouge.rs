//! ROUGE (Lin 2004) as the rouge_score package defines it, with its stemmer on: lower case, anything but a–z and 0–9
//! separates tokens, words longer than three letters are stemmed, F-measure of the overlap.

use std::cell::RefCell;
use std::collections::HashMap;

use super::stemmer::stem;

/// Which units overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Runs of n tokens.
    Gram(usize),
    /// The longest common subsequence of tokens.
    Sequence,
}

thread_local! {
    /// Stems met so far: the same words come again and again.
    static STEMS: RefCell<HashMap<String, String>> = RefCell::default();
}

/// Words kept per thread before the memory of stems is emptied.
const MOST_STEMS: usize = 1 << 18;

/// The tokens of a text.
pub fn tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()));
    words
        .filter(|word| !word.is_empty())
        .map(|word| match word.len() > 3 {
            true => remembered_stem(word),
            false => word.to_string(),
        })
        .collect()
}

fn remembered_stem(word: &str) -> String {
    STEMS.with_borrow_mut(|stems| {
        if let Some(known) = stems.get(word) {
            return known.clone();
        }
        if stems.len() >= MOST_STEMS {
            stems.clear();
        }
        let stemmed = stem(word);
        stems.insert(word.to_string(), stemmed.clone());
        stemmed
    })
}

/// The F-measure of a prediction against the gold text, 0 to 1; 0 where either has no unit.
pub fn score(gold: &str, predicted: &str, unit: Unit) -> f64 {
    let (gold, predicted) = (tokens(gold), tokens(predicted));
    let (common, gold_units, predicted_units) = match unit {
        Unit::Gram(n) => {
            let n = n.max(1);
            let count = |tokens: &[String]| (tokens.len() + 1).saturating_sub(n);
            (
                common_grams(&gold, &predicted, n),
                count(&gold),
                count(&predicted),
            )
        }
        Unit::Sequence => (
            common_sequence(&gold, &predicted),
            gold.len(),
            predicted.len(),
        ),
    };
    if common == 0 {
        return 0.0;
    }
    let precision = common as f64 / predicted_units as f64;
    let recall = common as f64 / gold_units as f64;
    2.0 * precision * recall / (precision + recall)
}

/// How many n-grams the texts share, each as often as it stands in both.
fn common_grams(gold: &[String], predicted: &[String], n: usize) -> usize {
    let mut counts: HashMap<&[String], usize> = HashMap::new();
    for gram in gold.windows(n) {
        *counts.entry(gram).or_default() += 1;
    }
    let mut common = 0;
    for gram in predicted.windows(n) {
        if let Some(left) = counts.get_mut(gram).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    common
}

/// Length of the longest common subsequence.
fn common_sequence(gold: &[String], predicted: &[String]) -> usize {
    let mut row = vec![0usize; predicted.len() + 1];
    for token in gold {
        let mut diagonal = 0;
        for (place, other) in predicted.iter().enumerate() {
            let above = row[place + 1];
            row[place + 1] = match token == other {
                true => diagonal + 1,
                false => above.max(row[place]),
            };
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or(0)
}
