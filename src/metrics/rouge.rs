//! ROUGE (Lin 2004) as the rouge_score package defines it, with its stemmer on: lower case, anything but a–z and 0–9
//! separates tokens, words longer than three letters are stemmed, F-measure of the overlap.

use std::cell::RefCell;
use std::collections::HashMap;

use super::stemmer::stem;
use crate::control::Control;
use crate::error::Result;

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
        .map(|word| if word.len() > 3 { remembered_stem(word) } else { word.to_string() })
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
///
/// # Errors
/// Where the user wants to stop: long texts take a time that grows with the product of their lengths.
pub fn score(gold: &str, predicted: &str, unit: Unit, control: &Control) -> Result<f64> {
    let (gold, predicted) = (tokens(gold), tokens(predicted));
    let (common, gold_units, predicted_units) = match unit {
        Unit::Gram(n) => {
            let n = n.max(1);
            let count = |tokens: &[String]| (tokens.len() + 1).saturating_sub(n);
            (common_grams(&gold, &predicted, n), count(&gold), count(&predicted))
        }
        Unit::Sequence => {
            (common_sequence(&gold, &predicted, control)?, gold.len(), predicted.len())
        }
    };
    if common == 0 {
        return Ok(0.0);
    }
    let precision = common as f64 / predicted_units as f64;
    let recall = common as f64 / gold_units as f64;
    Ok(2.0 * precision * recall / (precision + recall))
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

/// Length of the longest common subsequence, 64 places at a time (Hyyrö 2004, "Bit-parallel LCS-length computation
/// revisited"): a place's bit is cleared where the row of lengths goes up.
fn common_sequence(gold: &[String], predicted: &[String], control: &Control) -> Result<usize> {
    let mut places: HashMap<&str, Vec<(usize, u64)>> = HashMap::new();
    for (place, token) in predicted.iter().enumerate() {
        let (word, bit) = (place / 64, 1u64 << (place % 64));
        let masks = places.entry(token).or_default();
        match masks.last_mut() {
            Some((last, mask)) if *last == word => *mask |= bit,
            _ => masks.push((word, bit)),
        }
    }
    let mut row = vec![u64::MAX; predicted.len().div_ceil(64)];
    for (count, token) in gold.iter().enumerate() {
        if count % 64 == 0 {
            control.check()?;
        }
        if let Some(masks) = places.get(token.as_str()) {
            advance(&mut row, masks);
        }
    }
    Ok(row.iter().map(|word| word.count_zeros() as usize).sum())
}

/// The next row: `(v + (v & m)) | (v & !m)`, where only words with matches and those that a sum carries into change.
fn advance(row: &mut [u64], masks: &[(usize, u64)]) {
    let mut masks = masks.iter().peekable();
    let mut carry = false;
    let mut place = masks.peek().map_or(0, |(word, _)| *word);
    while let Some(value) = row.get_mut(place) {
        let mask = masks.next_if(|(word, _)| *word == place);
        let mask = mask.map_or(0, |(_, mask)| *mask);
        let (sum, over) = value.overflowing_add(*value & mask);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        *value = sum | (*value & !mask);
        carry = over || over_again;
        place = match (carry, masks.peek()) {
            (true, _) => place + 1,
            (false, Some((word, _))) => *word,
            (false, None) => return,
        };
    }
}
