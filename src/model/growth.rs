//! How long a tokenizer's own parts make a text: a chain of replacements can double it again and again, so what a stranger's
//! `tokenizer.json` makes of a text or of its own tokens is bounded before the library does it.
//!
//! The bound is cheap and rarely reached: each step of a chain makes a text at most so many times as long. Where the bound
//! is far above what is usual the steps are taken one by one, each only if its result is within bounds.

use serde_json::Value;
use tokenizers::{DecoderWrapper, NormalizedString, Normalizer, NormalizerWrapper, Tokenizer};

use crate::error::{Error, Result};
use crate::guard::guarded;

/// Bytes that a text may become in any case.
const LARGEST: f64 = (1 << 20) as f64;
/// How many times as long a text may become.
const MOST: f64 = 64.0;
/// How many times the largest a single step may make at most: replacing a long pattern makes far less than its bound.
const STEP: f64 = 8.0;
/// Tokens that a post-processor may put around a text.
const AROUND: usize = 1 << 16;

/// A tokenizer's steps as its file tells them: each with how many times as long it makes a text at most.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    normalizers: Vec<(Value, f64)>,
    decoders: Vec<(Value, f64)>,
}

impl Growth {
    /// Reads the steps of a `tokenizer.json`, and refuses the file where they make too much of its own tokens.
    pub fn of_file(file: &Value) -> Result<Self> {
        let growth = Self {
            normalizers: steps(&file["normalizer"], "normalizers"),
            decoders: steps(&file["decoder"], "decoders"),
        };
        check_around(&file["post_processor"])?;
        let added = file["added_tokens"].as_array();
        for token in added.into_iter().flatten() {
            growth.check_text(token["content"].as_str().unwrap_or_default())?;
        }
        Ok(growth)
    }

    /// Refuses a text of which the normalizer would make too much.
    pub fn check_text(&self, text: &str) -> Result<()> {
        let allowed = allowed(text.len());
        if is_within(&self.normalizers, text.len(), allowed) {
            return Ok(());
        }
        let mut text = NormalizedString::from(text);
        for (step, factor) in &self.normalizers {
            let step = guarded(|| serde_json::from_value::<NormalizerWrapper>(step.clone()).ok());
            if let Some(step) = step.flatten() {
                check_step(text.len(), *factor, allowed)?;
                // The library tells in its own words what it fails over.
                if guarded(|| step.normalize(&mut text).ok()).flatten().is_none() {
                    return Ok(());
                }
            }
        }
        check_step(text.len(), 1.0, allowed)
    }

    /// Refuses ids of which the decoder would make too much.
    pub fn check_ids(&self, ids: &[u32], tokenizer: &Tokenizer) -> Result<()> {
        if self.decoders.iter().all(|(_, factor)| *factor <= 1.0) {
            return Ok(());
        }
        let mut tokens: Vec<String> = Vec::new();
        tokens.extend(ids.iter().filter_map(|id| tokenizer.id_to_token(*id)));
        let length = |tokens: &[String]| tokens.iter().map(String::len).sum();
        let allowed = allowed(length(&tokens));
        if is_within(&self.decoders, length(&tokens), allowed) {
            return Ok(());
        }
        for (step, factor) in &self.decoders {
            let step = guarded(|| serde_json::from_value::<DecoderWrapper>(step.clone()).ok());
            if let Some(step) = step.flatten() {
                check_step(length(&tokens), *factor, allowed)?;
                let decode = || tokenizers::Decoder::decode_chain(&step, tokens).ok();
                match guarded(decode).flatten() {
                    Some(decoded) => tokens = decoded,
                    None => return Ok(()),
                }
            }
        }
        check_step(length(&tokens), 1.0, allowed)
    }
}

fn allowed(length: usize) -> f64 {
    (length as f64 * MOST).max(LARGEST)
}

fn is_within(steps: &[(Value, f64)], length: usize, allowed: f64) -> bool {
    let factor: f64 = steps.iter().map(|(_, factor)| factor).product();
    length as f64 * factor <= allowed
}

/// Whether the next step may be taken. What it makes at most is far above what it makes usually, where it replaces long
/// patterns, so only what no machine should hold is refused before; what came of it is looked at after.
fn check_step(length: usize, factor: f64, allowed: f64) -> Result<()> {
    if length as f64 * factor <= allowed.max(LARGEST * STEP) && length as f64 <= allowed {
        return Ok(());
    }
    Err(Error::failed_with_hint(
        format!(
            "the tokenizer makes more than {} MiB of a text by its own replacements",
            (allowed / f64::from(1 << 20)) as u64
        ),
        "its tokenizer.json is broken or means harm; take another model",
    ))
}

/// The steps of a chain, sequences within it laid out.
fn steps(part: &Value, list: &str) -> Vec<(Value, f64)> {
    let mut found = Vec::new();
    let mut ahead = vec![part];
    while let Some(part) = ahead.pop() {
        match part[list].as_array() {
            Some(parts) => ahead.extend(parts.iter().rev()),
            None if part.is_object() => found.push((part.clone(), factor(part))),
            None => {}
        }
    }
    found
}

/// How many times as long a step makes a text of one byte or more at most.
fn factor(step: &Value) -> f64 {
    let length = |value: &Value| value.as_str().map_or(0, str::len) as f64;
    match step["type"].as_str() {
        Some("Replace") => match length(&step["pattern"]["String"]) {
            // A regular expression may match nothing at all, between any two characters.
            0.0 => 1.0 + length(&step["content"]),
            pattern => (length(&step["content"]) / pattern).max(1.0),
        },
        Some("Prepend") => 1.0 + length(&step["prepend"]),
        Some("WordPiece" | "BPEDecoder" | "CTC") => {
            1.0 + ["prefix", "suffix", "cleanup", "word_delimiter_token"]
                .iter()
                .map(|name| length(&step[*name]))
                .sum::<f64>()
        }
        // The table behind it may hold any text.
        Some("Precompiled") => 4.0,
        _ => 1.0,
    }
}

/// Refuses a post-processor that puts more tokens around a text than any text has.
fn check_around(part: &Value) -> Result<()> {
    let mut ahead = vec![part];
    while let Some(part) = ahead.pop() {
        ahead.extend(part["processors"].as_array().into_iter().flatten());
        let tokens = part["special_tokens"].as_object();
        let each = tokens.into_iter().flat_map(|tokens| tokens.values());
        let each = each.filter_map(|token| token["ids"].as_array()).map(Vec::len);
        let each = each.max().unwrap_or(0);
        let pieces = ["single", "pair"].map(|name| part[name].as_array().map_or(0, Vec::len));
        if each.saturating_mul(pieces.into_iter().max().unwrap_or(0)) > AROUND {
            return Err(Error::failed(format!(
                "tokenizer.json cannot be read: it puts more than {AROUND} tokens around a text"
            )));
        }
    }
    Ok(())
}
