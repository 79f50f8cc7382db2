//! The parts of a `tokenizer.json`, for tokenizers that come in files of another kind.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// The mark that SentencePiece has for a space.
pub const SPACE: &str = "▁";

/// Tokens and their ids, of a file that errors name as `what`.
pub struct Vocabulary<'a> {
    what: &'a str,
    ids: HashMap<&'a str, u32>,
}

impl<'a> Vocabulary<'a> {
    pub fn new(what: &'a str, tokens: impl Iterator<Item = (&'a str, u32)>) -> Result<Self> {
        let mut ids = HashMap::new();
        let mut used = HashSet::new();
        for (token, id) in tokens {
            if ids.insert(token, id).is_some() {
                return Err(Error::failed(format!("{what} has the token {token:?} twice")));
            }
            if !used.insert(id) {
                return Err(Error::failed(format!("{what} gives the id {id} to two tokens")));
            }
        }
        Ok(Self { what, ids })
    }

    pub fn count(&self) -> usize {
        self.ids.len()
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    pub fn to_json(&self) -> Value {
        let entries = self.ids.iter();
        let entries = entries.map(|(token, id)| ((*token).to_string(), json!(id)));
        Value::Object(entries.collect())
    }

    /// A merge that a file writes as two tokens with a space between.
    pub fn merge(&self, pair: &str) -> Result<Value> {
        let halves = pair.split_once(' ');
        let known = |half: &str| self.ids.contains_key(half);
        let halves = halves.filter(|(left, right)| {
            known(left) && known(right) && known(&format!("{left}{right}"))
        });
        match halves {
            Some((left, right)) => Ok(json!([left, right])),
            None => Err(Error::failed(format!(
                "{} has the merge {pair:?}, which makes no token of two",
                self.what
            ))),
        }
    }

    /// The pairs of tokens that make a token, the shortest left one first.
    pub fn splits<'t>(&self, token: &'t str) -> Vec<Split<'t>> {
        let places = token.char_indices().skip(1);
        let pairs = places.filter_map(|(place, _)| {
            let (left, right) = token.split_at(place);
            Some(Split { ids: (self.id(left)?, self.id(right)?), halves: (left, right) })
        });
        pairs.collect()
    }
}

/// Two tokens that make a third.
pub struct Split<'t> {
    pub ids: (u32, u32),
    pub halves: (&'t str, &'t str),
}

impl Split<'_> {
    pub fn to_json(&self) -> Value {
        json!([self.halves.0, self.halves.1])
    }
}

/// A BPE model as GPT-2 has it: over bytes as letters, so that nothing is unknown.
pub fn byte_level(vocabulary: &Vocabulary, merges: Vec<Value>, whole_words: bool) -> Value {
    json!({
        "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
        "fuse_unk": false, "byte_fallback": false, "ignore_merges": whole_words,
        "vocab": vocabulary.to_json(), "merges": merges,
    })
}

/// A BPE model as SentencePiece has it: over characters, with bytes for unknown ones.
pub fn pieces(
    vocabulary: &Vocabulary,
    merges: Vec<Value>,
    unknown: Option<&str>,
    bytes: bool,
) -> Value {
    json!({
        "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null, "end_of_word_suffix": null,
        "fuse_unk": true, "byte_fallback": bytes, "ignore_merges": false,
        "vocab": vocabulary.to_json(), "merges": merges,
    })
}

/// Bytes as letters; `cut` also cuts by GPT-2's pattern.
pub fn bytes(add_prefix_space: bool, cut: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": cut })
}

/// Cuts by regular expressions, one after the other, each into its matches and what lies between them.
pub fn cuts(patterns: &[&str], then: Value) -> Value {
    let by = |pattern: &&str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let steps: Vec<Value> = patterns.iter().map(by).chain([then]).collect();
    json!({ "type": "Sequence", "pretokenizers": steps })
}

pub fn replace(from: &str, to: &str) -> Value {
    json!({ "type": "Replace", "pattern": { "String": from }, "content": to })
}

/// From pieces back to text; `strip` takes away the space that was put before the text.
pub fn piece_decoder(bytes: bool, strip: bool) -> Value {
    let mut steps = vec![replace(SPACE, " ")];
    if bytes {
        steps.push(json!({ "type": "ByteFallback" }));
    }
    steps.push(json!({ "type": "Fuse" }));
    if strip {
        steps.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    json!({ "type": "Sequence", "decoders": steps })
}

/// What is put before and behind a text: tokens with their ids.
pub fn ends(begin: Option<(&str, u32)>, end: Option<(&str, u32)>) -> Value {
    let special =
        |(token, _): (&str, u32)| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let around = |name: &str| -> Vec<Value> {
        let text = json!({ "Sequence": { "id": name, "type_id": 0 } });
        let first = begin.into_iter().map(special);
        first.chain([text]).chain(end.into_iter().map(special)).collect()
    };
    let used = begin.into_iter().chain(end).map(|(token, id)| {
        let entry = json!({ "id": token, "ids": [id], "tokens": [token] });
        (token.to_string(), entry)
    });
    let used: Map<String, Value> = used.collect();
    let pair = [around("A"), around("B")].concat();
    json!({
        "type": "TemplateProcessing",
        "single": around("A"),
        "pair": pair,
        "special_tokens": used,
    })
}
