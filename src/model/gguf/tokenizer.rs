//! The tokenizer inside a GGUF file, as the `tokenizer.json` and `tokenizer_config.json` it was made from.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::container::{Container, Value as Meta};
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::text::TextTokenizer;

/// What LLaMA 3 cuts texts by before it merges.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen's: the same with single digits.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The mark that SentencePiece has for a space.
const SPACE: &str = "▁";

/// Reads the tokenizer, its special tokens and the chat template.
pub fn read(file: &Container, config: &Config) -> Result<TextTokenizer> {
    let tokens = Tokens::read(file)?;
    let model = file.text("tokenizer.ggml.model").unwrap_or("none");
    let json = match model {
        "gpt2" => byte_level(file, &tokens)?,
        "llama" => sentence_piece(file, &tokens)?,
        other => {
            return Err(Error::unknown(
                "tokenizer of a GGUF file",
                other,
                ["gpt2", "llama"],
            ));
        }
    };
    let settings = settings(file, &tokens);
    let mut config = config.clone();
    if let Some(turn) = file
        .integer("tokenizer.ggml.eot_token_id")
        .and_then(|id| u32::try_from(id).ok())
        && !config.eos_token_ids.contains(&turn)
    {
        config.eos_token_ids.push(turn);
    }
    let bytes = |value: &Value| serde_json::to_vec(value).unwrap_or_default();
    TextTokenizer::from_bytes(&bytes(&json), Some(&bytes(&settings)), &config)
}

/// The vocabulary, by id.
struct Tokens<'a> {
    texts: Vec<&'a str>,
    kinds: Vec<i64>,
    ids: HashMap<&'a str, usize>,
}

/// A token's kind in the file.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

impl<'a> Tokens<'a> {
    fn read(file: &'a Container) -> Result<Self> {
        let list = |key: &str| {
            file.list(key)
                .ok_or_else(|| Error::failed(format!("the GGUF file has no list under `{key}`")))
        };
        let mut texts = Vec::new();
        for token in list("tokenizer.ggml.tokens")? {
            texts.push(text(token, "tokenizer.ggml.tokens")?);
        }
        let mut ids = HashMap::with_capacity(texts.len());
        for (id, token) in texts.iter().enumerate() {
            if ids.insert(*token, id).is_some() {
                return Err(Error::failed(format!(
                    "the GGUF file has the token {token:?} twice"
                )));
            }
        }
        let kinds = match file.list("tokenizer.ggml.token_type") {
            None => vec![1; texts.len()],
            Some(kinds) => kinds
                .iter()
                .map(|kind| match kind {
                    Meta::Integer(kind) => *kind,
                    _ => 1,
                })
                .collect(),
        };
        match kinds.len() == texts.len() {
            true => Ok(Self { texts, kinds, ids }),
            false => Err(Error::invalid(
                "reading the tokenizer of the GGUF file",
                format!("{} kinds of tokens, one a token", texts.len()),
                kinds.len().to_string(),
            )),
        }
    }

    fn vocabulary(&self) -> Value {
        let entries = self.texts.iter().enumerate();
        Value::Object(
            entries
                .map(|(id, token)| ((*token).to_string(), json!(id)))
                .collect(),
        )
    }

    /// Tokens that are never cut: control tokens, which are no text, and the user's.
    fn added(&self) -> Value {
        let entries = self.texts.iter().zip(&self.kinds).enumerate();
        let added =
            entries.filter(|(_, (_, kind))| [UNKNOWN, CONTROL, USER_DEFINED].contains(kind));
        let entry = |(id, (token, kind)): (usize, (&&str, &i64))| {
            json!({
                "id": id, "content": token, "special": *kind != USER_DEFINED,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })
        };
        added.map(entry).collect()
    }

    /// The text of the token that a key of the metadata names.
    fn named(&self, file: &Container, key: &str) -> Option<&'a str> {
        let id = usize::try_from(file.integer(key)?).ok()?;
        self.texts.get(id).copied()
    }
}

fn text<'a>(value: &'a Meta, key: &str) -> Result<&'a str> {
    match value {
        Meta::Text(text) => Ok(text),
        _ => Err(Error::failed(format!(
            "the GGUF file has something else than texts under `{key}`"
        ))),
    }
}

/// GPT-2's kind: bytes as letters, cut by a pattern, merged in the order of a list.
fn byte_level(file: &Container, tokens: &Tokens) -> Result<Value> {
    let mut merges = Vec::new();
    for merge in file.list("tokenizer.ggml.merges").unwrap_or_default() {
        let pair = text(merge, "tokenizer.ggml.merges")?;
        let halves = pair
            .split_once(' ')
            .filter(|(_, right)| !right.contains(' '));
        let known = |half: &str| tokens.ids.contains_key(half);
        let (left, right) = halves
            .filter(|(left, right)| known(left) && known(right) && known(&format!("{left}{right}")))
            .ok_or_else(|| {
                Error::failed(format!(
                    "the GGUF file has the merge {pair:?}, which makes no token of two"
                ))
            })?;
        merges.push(json!([left, right]));
    }
    let name = file.text("tokenizer.ggml.pre").unwrap_or("default");
    let bytes = |cut: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": cut });
    let by = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let sequence = |first: Value, cut: bool| json!({ "type": "Sequence", "pretokenizers": [first, bytes(cut)] });
    let cut = match name {
        "gpt-2" | "gpt2" | "default" | "olmo" => bytes(true),
        "smollm" => sequence(json!({ "type": "Digits", "individual_digits": true }), true),
        "llama-bpe" | "llama3" | "llama-v3" => sequence(by(LLAMA3), false),
        "qwen2" => sequence(by(QWEN2), false),
        other => {
            return Err(Error::unknown(
                "pre-tokenizer of a GGUF file",
                other,
                ["gpt-2", "smollm", "llama-bpe", "qwen2"],
            ));
        }
    };
    let normalizer = match name {
        "qwen2" => json!({ "type": "NFC" }),
        _ => Value::Null,
    };
    let llama3 = name.starts_with("llama");
    Ok(json!({
        "version": "1.0",
        "added_tokens": tokens.added(),
        "normalizer": normalizer,
        "pre_tokenizer": cut,
        "post_processor": ends(file, tokens, llama3),
        "decoder": bytes(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": llama3,
            "vocab": tokens.vocabulary(), "merges": merges,
        },
    }))
}

/// SentencePiece's kind: spaces as marks, unknown letters as bytes, merged in the order of the tokens' scores.
fn sentence_piece(file: &Container, tokens: &Tokens) -> Result<Value> {
    let scores = file.list("tokenizer.ggml.scores").unwrap_or_default();
    if scores.len() != tokens.texts.len() {
        return Err(Error::invalid(
            "reading the tokenizer of the GGUF file",
            format!("{} scores, one a token", tokens.texts.len()),
            scores.len().to_string(),
        ));
    }
    let mut normalizers =
        vec![json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE })];
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if file.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true) {
        normalizers.insert(0, json!({ "type": "Prepend", "prepend": SPACE }));
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    let unknown = tokens.named(file, "tokenizer.ggml.unknown_token_id");
    let unknown = unknown.or_else(|| {
        let place = tokens.kinds.iter().position(|kind| *kind == UNKNOWN)?;
        tokens.texts.get(place).copied()
    });
    Ok(json!({
        "version": "1.0",
        "added_tokens": tokens.added(),
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null,
        "post_processor": ends(file, tokens, true),
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": tokens.vocabulary(), "merges": merges_by_score(tokens, scores),
        },
    }))
}

/// The pairs that make each token, in the order in which SentencePiece would take them: the best score first; of one
/// score, the earlier token first.
fn merges_by_score(tokens: &Tokens, scores: &[Meta]) -> Vec<Value> {
    let mut merges = Vec::new();
    for (token, score) in tokens.texts.iter().zip(scores) {
        let score = match score {
            Meta::Float(score) => *score,
            Meta::Integer(score) => *score as f64,
            _ => continue,
        };
        let mut pairs: Vec<(usize, usize, &str, &str)> = Vec::new();
        for (place, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(place);
            if let (Some(one), Some(other)) = (tokens.ids.get(left), tokens.ids.get(right)) {
                pairs.push((*one, *other, left, right));
            }
        }
        pairs.sort_unstable();
        merges.extend(
            pairs
                .into_iter()
                .map(|(_, _, left, right)| (score, left, right)),
        );
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0));
    merges
        .into_iter()
        .map(|(_, left, right)| json!([left, right]))
        .collect()
}

/// What is put before and behind a text.
fn ends(file: &Container, tokens: &Tokens, begins: bool) -> Value {
    let wanted = |key: &str, usual: bool| file.flag(key).unwrap_or(usual);
    let token = |key: &str| tokens.named(file, key);
    let begin = token("tokenizer.ggml.bos_token_id")
        .filter(|_| wanted("tokenizer.ggml.add_bos_token", begins));
    let end = token("tokenizer.ggml.eos_token_id")
        .filter(|_| wanted("tokenizer.ggml.add_eos_token", false));
    let special = |token: &&str| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let around = |name: &str| -> Vec<Value> {
        let text = json!({ "Sequence": { "id": name, "type_id": 0 } });
        begin
            .iter()
            .map(special)
            .chain([text])
            .chain(end.iter().map(special))
            .collect()
    };
    let used = begin.iter().chain(&end).map(|token| {
        let id = tokens.ids.get(token).copied().unwrap_or(0);
        (
            (*token).to_string(),
            json!({ "id": token, "ids": [id], "tokens": [token] }),
        )
    });
    let pair: Vec<Value> = [around("A"), around("B")].concat();
    json!({
        "type": "TemplateProcessing",
        "single": around("A"),
        "pair": pair,
        "special_tokens": Value::Object(used.collect()),
    })
}

fn settings(file: &Container, tokens: &Tokens) -> Value {
    let mut map = Map::new();
    for (key, token) in [
        ("bos_token", "tokenizer.ggml.bos_token_id"),
        ("eos_token", "tokenizer.ggml.eos_token_id"),
        ("unk_token", "tokenizer.ggml.unknown_token_id"),
        ("pad_token", "tokenizer.ggml.padding_token_id"),
    ] {
        if let Some(text) = tokens.named(file, token) {
            map.insert(key.to_string(), json!(text));
        }
    }
    if let Some(template) = file.text("tokenizer.chat_template") {
        map.insert("chat_template".to_string(), json!(template));
    }
    map.insert(
        "tokenizer_class".to_string(),
        json!("PreTrainedTokenizerFast"),
    );
    Value::Object(map)
}
