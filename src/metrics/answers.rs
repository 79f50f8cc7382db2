//! Scores of short answers: exact match after the study's cleaning, token F1 over sets, and SQuAD's own two scores
//! (Rajpurkar et al. 2016), which clean and count in another way.

use std::collections::{BTreeMap, BTreeSet};

use super::python;

/// Marks that the cleaning takes out.
const MARKS: [char; 6] = ['.', '?', '!', ';', ':', ','];

/// What an answer is compared by: the part after `Response:`, its first line that is not empty, in lower case, without
/// `. ? ! ; : ,` and `end_text` (the model's end of text), stripped.
pub fn clean(text: &str, end_text: &str) -> String {
    let after = text.rsplit_once("Response:").map_or(text, |(_, after)| after);
    let lower = after.to_lowercase();
    let line = lower.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let bare = if end_text.is_empty() {
        line.to_string()
    } else {
        line.replace(&end_text.to_lowercase(), "")
    };
    bare.replace(MARKS, "").trim().to_string()
}

/// 1 when the cleaned texts are equal, else 0.
pub fn exact_match(gold: &str, predicted: &str) -> f64 {
    f64::from(u8::from(clean(gold, "</s>") == clean(predicted, "</s>")))
}

/// F1 over the sets of words of the cleaned texts: a word counts once.
pub fn token_f1(gold: &str, predicted: &str) -> f64 {
    let (gold, predicted) = (clean(gold, "</s>"), clean(predicted, "</s>"));
    let gold: BTreeSet<&str> = gold.split_whitespace().collect();
    let predicted: BTreeSet<&str> = predicted.split_whitespace().collect();
    let common = gold.intersection(&predicted).count();
    f1(common, gold.len(), predicted.len())
}

/// SQuAD's normal form, as its evaluation script makes it: lower case, then no ASCII punctuation, then a space for every
/// match of Python's `\b(a|an|the)\b`, then words. Marks that are not ASCII stay, and an article beside one is still one.
fn squad_words(text: &str) -> Vec<String> {
    let bare: Vec<char> =
        text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let mut out = String::new();
    for run in bare.chunk_by(|a, b| python::is_word(*a) == python::is_word(*b)) {
        match run {
            ['a'] | ['a', 'n'] | ['t', 'h', 'e'] => out.push(' '),
            run => out.extend(run),
        }
    }
    let words = out.split(python::is_space);
    words.filter(|word| !word.is_empty()).map(str::to_string).collect()
}

/// 1 when SQuAD's normal forms are equal, else 0.
pub fn squad_em(gold: &str, predicted: &str) -> f64 {
    f64::from(u8::from(squad_words(gold) == squad_words(predicted)))
}

/// SQuAD's F1 over words counted as often as they stand. Where either side is empty, 1 if both are.
pub fn squad_f1(gold: &str, predicted: &str) -> f64 {
    let (gold, predicted) = (squad_words(gold), squad_words(predicted));
    if gold.is_empty() || predicted.is_empty() {
        return f64::from(u8::from(gold == predicted));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in &gold {
        *counts.entry(word).or_default() += 1;
    }
    let mut common = 0;
    for word in &predicted {
        if let Some(left) = counts.get_mut(word.as_str()).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    f1(common, gold.len(), predicted.len())
}

/// The best of SQuAD's exact matches with several gold answers; see [`best`].
pub fn squad_em_of<'a>(gold: impl IntoIterator<Item = &'a str>, predicted: &str) -> f64 {
    best(gold, predicted, squad_em)
}

/// The best of SQuAD's F1 with several gold answers; see [`best`].
pub fn squad_f1_of<'a>(gold: impl IntoIterator<Item = &'a str>, predicted: &str) -> f64 {
    best(gold, predicted, squad_f1)
}

/// The best score over gold answers, as version 2.0 of SQuAD's script takes it: answers of nothing but articles and
/// punctuation do not count, and a question without answers wants the empty text.
fn best<'a>(
    gold: impl IntoIterator<Item = &'a str>,
    predicted: &str,
    score: fn(&str, &str) -> f64,
) -> f64 {
    let said = gold.into_iter().filter(|gold| !squad_words(gold).is_empty());
    said.map(|gold| score(gold, predicted)).reduce(f64::max).unwrap_or_else(|| score("", predicted))
}

fn f1(common: usize, gold: usize, predicted: usize) -> f64 {
    match common {
        0 => 0.0,
        common => 2.0 * common as f64 / (gold + predicted) as f64,
    }
}
