//! The tokenizer inside a GGUF file, as the `tokenizer.json` and `tokenizer_config.json` it was made from.

use serde_json::{Map, Value, json};

use super::container::{Container, Value as Meta};
use super::pre_tokenizers;
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::text::TextTokenizer;
use crate::model::text::parts::{self, SPACE, Vocabulary};

/// Reads the tokenizer, its special tokens and the chat template.
pub fn read(file: &Container, config: &Config) -> Result<TextTokenizer> {
    let tokens = Tokens::read(file)?;
    let model = file.text("tokenizer.ggml.model").unwrap_or("none");
    let json = match model {
        "gpt2" => byte_level(file, &tokens)?,
        "llama" => sentence_piece(file, &tokens)?,
        other => {
            return Err(Error::unknown("tokenizer of a GGUF file", other, ["gpt2", "llama"]));
        }
    };
    let settings = settings(file, &tokens);
    let mut config = config.clone();
    if let Some(turn) =
        file.integer("tokenizer.ggml.eot_token_id").and_then(|id| u32::try_from(id).ok())
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
    vocabulary: Vocabulary<'a>,
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
        let ids = texts.iter().copied().zip(0..);
        let vocabulary = Vocabulary::new("the GGUF file", ids)?;
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
        if kinds.len() == texts.len() {
            Ok(Self { texts, kinds, vocabulary })
        } else {
            Err(Error::invalid(
                "reading the tokenizer of the GGUF file",
                format!("{} kinds of tokens, one a token", texts.len()),
                kinds.len().to_string(),
            ))
        }
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
        Some(self.placed(file, key)?.0)
    }

    /// The same with its id.
    fn placed(&self, file: &Container, key: &str) -> Option<(&'a str, u32)> {
        let id = u32::try_from(file.integer(key)?).ok()?;
        Some((self.texts.get(id as usize).copied()?, id))
    }
}

fn text<'a>(value: &'a Meta, key: &str) -> Result<&'a str> {
    match value {
        Meta::Text(text) => Ok(text),
        _ => {
            Err(Error::failed(format!("the GGUF file has something else than texts under `{key}`")))
        }
    }
}

/// GPT-2's kind: bytes as letters, cut by a pattern, merged in the order of a list.
fn byte_level(file: &Container, tokens: &Tokens) -> Result<Value> {
    let mut merges = Vec::new();
    for merge in file.list("tokenizer.ggml.merges").unwrap_or_default() {
        let pair = text(merge, "tokenizer.ggml.merges")?;
        merges.push(tokens.vocabulary.merge(pair)?);
    }
    let name = file.text("tokenizer.ggml.pre");
    let cut = pre_tokenizers::named(name)?;
    let normalizer = match name {
        Some("qwen2") => json!({ "type": "NFC" }),
        _ => Value::Null,
    };
    Ok(json!({
        "version": "1.0",
        "added_tokens": tokens.added(),
        "normalizer": normalizer,
        "pre_tokenizer": parts::cuts(cut.patterns, parts::bytes(false, false)),
        "post_processor": ends(file, tokens, cut.begins),
        "decoder": parts::bytes(false, true),
        "model": parts::byte_level(&tokens.vocabulary, merges, cut.whole_words),
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
    let prefix = file.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let mut normalizers = vec![parts::replace(" ", SPACE)];
    if prefix {
        normalizers.insert(0, json!({ "type": "Prepend", "prepend": SPACE }));
    }
    let unknown = tokens.named(file, "tokenizer.ggml.unknown_token_id");
    let unknown = unknown.or_else(|| {
        let place = tokens.kinds.iter().position(|kind| *kind == UNKNOWN)?;
        tokens.texts.get(place).copied()
    });
    let merges = merges_by_score(tokens, scores);
    Ok(json!({
        "version": "1.0",
        "added_tokens": tokens.added(),
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null,
        "post_processor": ends(file, tokens, true),
        "decoder": parts::piece_decoder(true, prefix),
        "model": parts::pieces(&tokens.vocabulary, merges, unknown, true),
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
        let mut splits = tokens.vocabulary.splits(token);
        splits.sort_unstable_by_key(|split| split.ids);
        merges.extend(splits.into_iter().map(|split| (score, split)));
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0));
    merges.iter().map(|(_, split)| split.to_json()).collect()
}

/// What is put before and behind a text.
fn ends(file: &Container, tokens: &Tokens, begins: bool) -> Value {
    let wanted = |key: &str, usual: bool| file.flag(key).unwrap_or(usual);
    let begin = tokens.placed(file, "tokenizer.ggml.bos_token_id");
    let begin = begin.filter(|_| wanted("tokenizer.ggml.add_bos_token", begins));
    let end = tokens.placed(file, "tokenizer.ggml.eos_token_id");
    let end = end.filter(|_| wanted("tokenizer.ggml.add_eos_token", false));
    parts::ends(begin, end)
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
    map.insert("tokenizer_class".to_string(), json!("PreTrainedTokenizerFast"));
    Value::Object(map)
}
