//! Texts to the tokens of an encoder, cut to its window as transformers cuts them (`truncation=True`).

use serde_json::{Value, json};
use tokenizers::utils::truncation::{TruncationDirection, TruncationParams};
use tokenizers::{Encoding, Tokenizer};

use super::config::{EncoderConfig, Family};
use super::encoder::TokenizedText;
use crate::aside;
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::model::growth::Growth;
use crate::model::load::source::Files;

/// An encoder's tokenizer.
#[derive(Clone)]
pub struct EncoderTokenizer {
    tokenizer: Tokenizer,
    /// tokenizer_config.json.
    settings: Value,
    growth: Growth,
    /// Whether the encoder knows segments.
    has_types: bool,
    /// Tokens that a text is cut to, those around it included.
    pub window: usize,
}

/// Texts as tokens, and how many of them were cut.
pub struct Tokenized {
    pub texts: Vec<TokenizedText>,
    pub cut: usize,
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::failed(format!("tokenizer.json cannot be read: {why}"))
}

impl EncoderTokenizer {
    /// Reads the tokenizer of a folder that `config` is the encoder of.
    pub fn read(files: &Files, config: &EncoderConfig) -> Result<Self> {
        let settings = match files.read("tokenizer_config.json")? {
            None => Value::Null,
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Error::failed(format!(
                    "tokenizer_config.json of {} cannot be read: {error}",
                    files.source
                ))
            })?,
        };
        let file = match files.read("tokenizer.json")? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(broken)?,
            None => built(files, config.family)?,
        };
        Self::of(file, settings, config, &files.source)
    }

    /// The tokenizer of a `tokenizer.json` and a `tokenizer_config.json`; `source` names them in errors.
    pub fn of(
        mut file: Value,
        settings: Value,
        config: &EncoderConfig,
        source: &str,
    ) -> Result<Self> {
        follow_settings(&mut file, &settings);
        let growth = Growth::of_file(&file)?;
        let bytes = serde_json::to_vec(&file).map_err(broken)?;
        let mut tokenizer = guarded(|| Tokenizer::from_bytes(&bytes))
            .ok_or_else(|| broken("the tokenizers library fails over one of its parts"))?
            .map_err(broken)?;
        let largest = tokenizer.get_vocab(true).values().max().copied().unwrap_or(0);
        if largest as usize >= config.vocab_size {
            return Err(Error::invalid(
                format!("reading the tokenizer of {source}"),
                format!("ids below the vocabulary size {} of config.json", config.vocab_size),
                largest.to_string(),
            )
            .with_hint("is this the tokenizer of these weights?"));
        }
        let window = window(&settings, config)?;
        tokenizer.with_padding(None);
        let has_types = !config.family.is_roberta();
        let made = Self { tokenizer, settings, growth, has_types, window }.cut_to(window)?;
        if made.encoded("")?.get_ids().is_empty() {
            return Err(Error::failed_with_hint(
                format!(
                    "the tokenizer of {source} puts no token around a text, and the classifier looks at the one in front"
                ),
                "take the tokenizer that the classifier was trained with",
            ));
        }
        Ok(made)
    }

    /// The same tokenizer, cutting texts to at most `tokens` tokens.
    pub fn cut_to(&self, tokens: usize) -> Result<Self> {
        let mut made = self.clone();
        made.window = self.window.min(tokens);
        let cut = TruncationParams {
            max_length: made.window,
            direction: direction(&self.settings)?,
            ..TruncationParams::default()
        };
        made.tokenizer.with_truncation(Some(cut)).map_err(broken)?;
        Ok(made)
    }

    /// `tokenizer.json` and `tokenizer_config.json`, from which transformers makes the same tokenizer.
    pub fn content(&self) -> Result<(Value, Value)> {
        let mut whole = self.tokenizer.clone();
        whole.with_truncation(None).map_err(broken)?;
        let file = serde_json::to_value(&whole).map_err(broken)?;
        let mut settings = match &self.settings {
            Value::Object(map) => map.clone(),
            _ => serde_json::Map::new(),
        };
        settings.insert("model_max_length".to_string(), self.window.into());
        Ok((file, Value::Object(settings)))
    }

    fn encoded(&self, text: &str) -> Result<Encoding> {
        self.growth.check_text(text)?;
        match guarded(|| self.tokenizer.encode(text, true)) {
            Some(Ok(encoding)) => Ok(encoding),
            Some(Err(error)) => {
                Err(Error::failed(format!("the text cannot be tokenized: {error}")))
            }
            None => Err(Error::failed("the text cannot be tokenized: tokenizer.json is broken")),
        }
    }

    /// The tokens of texts; between them it listens whether the user wants to stop.
    pub fn tokenize(&self, texts: &[String]) -> Result<Tokenized> {
        let mut made = Tokenized { texts: Vec::with_capacity(texts.len()), cut: 0 };
        for text in texts {
            aside::check()?;
            let encoding = self.encoded(text)?;
            made.cut += usize::from(!encoding.get_overflowing().is_empty());
            let ids = encoding.get_ids().to_vec();
            let types =
                if self.has_types { encoding.get_type_ids().to_vec() } else { vec![0; ids.len()] };
            made.texts.push(TokenizedText { ids, types });
        }
        Ok(made)
    }
}

/// The tokens that a text is cut to: what the tokenizer says, and what the encoder has positions for at most.
fn window(settings: &Value, config: &EncoderConfig) -> Result<usize> {
    let own = config.window();
    // A number beyond all measure stands for none.
    let said = settings.get("model_max_length").and_then(Value::as_f64);
    match said.filter(|length| *length < own as f64) {
        None => Ok(own),
        Some(length) if length >= 3.0 => Ok(length as usize),
        Some(length) => Err(Error::invalid(
            "reading `model_max_length` of tokenizer_config.json",
            "room for a token between the two that stand around a text",
            length.to_string(),
        )),
    }
}

fn direction(settings: &Value) -> Result<TruncationDirection> {
    match settings.get("truncation_side").and_then(Value::as_str) {
        None | Some("right") => Ok(TruncationDirection::Right),
        Some("left") => Ok(TruncationDirection::Left),
        Some(other) => Err(Error::unknown("truncation_side", other, ["left", "right"])),
    }
}

/// What tokenizer_config.json says of BERT's normalizer goes before tokenizer.json, as in transformers.
fn follow_settings(file: &mut Value, settings: &Value) {
    let Some(normalizer) = file.get_mut("normalizer").and_then(Value::as_object_mut) else {
        return;
    };
    if normalizer.get("type").and_then(Value::as_str) != Some("BertNormalizer") {
        return;
    }
    let keys = [
        ("do_lower_case", "lowercase"),
        ("strip_accents", "strip_accents"),
        ("tokenize_chinese_chars", "handle_chinese_chars"),
    ];
    for (setting, key) in keys {
        if let Some(value) = settings.get(setting) {
            normalizer.insert(key.to_string(), value.clone());
        }
    }
}

/// The `tokenizer.json` of a folder that lacks it, out of the vocabulary that older ones have.
fn built(files: &Files, family: Family) -> Result<Value> {
    match family {
        Family::Bert => match files.read("vocab.txt")? {
            Some(bytes) => word_pieces(&bytes),
            None => Err(lacking(files, "tokenizer.json or vocab.txt")),
        },
        Family::Roberta => match files.read("vocab.json")?.zip(files.read("merges.txt")?) {
            Some((vocabulary, merges)) => byte_pairs(&vocabulary, &merges),
            None => Err(lacking(files, "tokenizer.json, nor vocab.json with merges.txt")),
        },
        Family::XlmRoberta | Family::Albert => Err(lacking(files, "tokenizer.json")),
    }
}

fn lacking(files: &Files, wanted: &str) -> Error {
    Error::failed_with_hint(
        format!("the tokenizer folder {} has no {wanted}", files.source),
        "save the tokenizer with save_pretrained of transformers, or copy tokenizer.json from the Hub",
    )
}

/// BERT's: words are cut into the longest pieces that the vocabulary has.
fn word_pieces(vocabulary: &[u8]) -> Result<Value> {
    let text =
        std::str::from_utf8(vocabulary).map_err(|_| Error::failed("vocab.txt is not UTF-8"))?;
    let tokens: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    let id = |token: &str| {
        let found = tokens.iter().position(|known| *known == token);
        found.ok_or_else(|| Error::failed(format!("vocab.txt has no {token}")))
    };
    let specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let added = specials.iter().map(|token| Ok(special(id(token)?, token, false)));
    let added = added.collect::<Result<Vec<Value>>>()?;
    let around = json!([
        { "SpecialToken": { "id": "[CLS]", "type_id": 0 } },
        { "Sequence": { "id": "A", "type_id": 0 } },
        { "SpecialToken": { "id": "[SEP]", "type_id": 0 } },
    ]);
    let named = |token: &str| {
        Ok::<_, Error>(json!({ "id": token, "ids": [id(token)?], "tokens": [token] }))
    };
    let map: serde_json::Map<String, Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_string(), Value::from(id)))
        .collect();
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true,
        },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": {
            "type": "TemplateProcessing", "single": around, "pair": around,
            "special_tokens": { "[CLS]": named("[CLS]")?, "[SEP]": named("[SEP]")? },
        },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": map,
        },
    }))
}

/// RoBERTa's: GPT-2's pairs of bytes, with a token on either side of a text.
fn byte_pairs(vocabulary: &[u8], merges: &[u8]) -> Result<Value> {
    let map: Value = serde_json::from_slice(vocabulary)
        .map_err(|error| Error::failed(format!("vocab.json cannot be read: {error}")))?;
    let text = std::str::from_utf8(merges).map_err(|_| Error::failed("merges.txt is not UTF-8"))?;
    let merges: Vec<&str> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with("#version")).collect();
    let id = |token: &str| {
        let id = map.get(token).and_then(Value::as_u64);
        id.map(|id| id as usize).ok_or_else(|| Error::failed(format!("vocab.json has no {token}")))
    };
    let specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];
    // The mask takes the space in front of it.
    let added = specials.iter().map(|token| Ok(special(id(token)?, token, *token == "<mask>")));
    let added = added.collect::<Result<Vec<Value>>>()?;
    let (begin, end) = (id("<s>")?, id("</s>")?);
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": {
            "type": "RobertaProcessing", "sep": ["</s>", end], "cls": ["<s>", begin],
            "trim_offsets": true, "add_prefix_space": false,
        },
        "model": {
            "type": "BPE", "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": map, "merges": merges,
        },
    }))
}

fn special(id: usize, content: &str, lstrip: bool) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": lstrip, "rstrip": false,
        "normalized": false, "special": true,
    })
}
