//! Classifiers with random weights and a tokenizer of their own, to train from nothing.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use serde_json::{Map, Value, json};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::{NormalizedString, Normalizer};

use super::config::{EncoderConfig, Family};
use super::tokenizer::EncoderTokenizer;
use super::weights;
use crate::error::{Error, Result};
use crate::model::bpe;
use crate::random::Stream;

/// What a map may say, beside what every configuration of transformers has.
const KEYS: [&str; 15] = [
    "model_type",
    "vocab_size",
    "hidden_size",
    "embedding_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_hidden_groups",
    "inner_group_num",
    "num_attention_heads",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "hidden_act",
    "initializer_range",
    "lowercase",
];

/// Of a text's own tokens the first ids; the padding has 0, as config.json says by default.
const SPECIALS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// What a new classifier is like.
#[derive(Clone)]
pub struct Fresh {
    config: Map<String, Value>,
    vocab_size: usize,
    lowercase: bool,
    /// Standard deviation of the first weights.
    spread: f64,
}

impl Fresh {
    /// Reads a map in transformers' terms; what it leaves out is small.
    pub fn of(given: &Value) -> Result<Self> {
        let mut config = given.as_object().cloned().unwrap_or_default();
        if let Some(key) = config.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Error::unknown("key of a classifier's configuration", key, KEYS));
        }
        let kind = config.entry("model_type").or_insert("bert".into());
        if ![Family::Bert, Family::Albert].iter().any(|family| *kind == family.name()) {
            return Err(Error::invalid(
                "train_classifier, `model_type` of its configuration",
                "\"bert\" or \"albert\"",
                kind.to_string(),
            ));
        }
        let is_albert = *kind == Family::Albert.name();
        let wrong = |key: &str, expected: &str, got: &Value| {
            let what = format!("train_classifier, `{key}` of its configuration");
            Error::invalid(what, expected, got.to_string())
        };
        let lowercase = match config.remove("lowercase") {
            None => true,
            Some(Value::Bool(lowercase)) => lowercase,
            Some(other) => return Err(wrong("lowercase", "true or false", &other)),
        };
        let spread = config.remove("initializer_range").unwrap_or(json!(0.02));
        let Some(spread) = spread.as_f64().filter(|spread| (0.0..=10.0).contains(spread)) else {
            return Err(wrong("initializer_range", "a number from 0 to 10", &spread));
        };
        let size = config.remove("vocab_size").unwrap_or(json!(8192));
        let Some(vocab_size) = size.as_u64().filter(|size| *size <= 1 << 24) else {
            return Err(wrong("vocab_size", "a whole number", &size));
        };
        let mut usual = |key: &str, value: Value| {
            config.entry(key).or_insert(value);
        };
        usual("hidden_size", json!(128));
        usual("num_hidden_layers", json!(2));
        usual("num_attention_heads", json!(4));
        usual("max_position_embeddings", json!(128));
        if is_albert {
            usual("embedding_size", json!(64));
        }
        let hidden = config.get("hidden_size").and_then(Value::as_u64).unwrap_or(0);
        config.entry("intermediate_size").or_insert(json!(hidden.saturating_mul(4)));
        Ok(Self { config, vocab_size: vocab_size as usize, lowercase, spread })
    }

    /// The configuration and the tokenizer, trained on `texts`.
    pub fn trained_on(&self, texts: &[String]) -> Result<(EncoderConfig, EncoderTokenizer)> {
        let file = tokenizer(texts, self.vocab_size, self.lowercase)?;
        let size = file.pointer("/model/vocab").and_then(Value::as_object).map_or(0, Map::len);
        let mut config = self.config.clone();
        // Texts may have fewer tokens in them than were asked for.
        config.insert("vocab_size".to_string(), json!(size));
        let config = EncoderConfig::from_json(&Value::Object(config))?;
        let settings = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]",
            "sep_token": "[SEP]", "mask_token": "[MASK]",
        });
        let tokenizer = EncoderTokenizer::of(file, settings, &config, "the new classifier")?;
        Ok((config, tokenizer))
    }

    /// Standard deviation of the first weights.
    pub fn spread(&self) -> f64 {
        self.spread
    }
}

/// First weights as BERT has them: matrices normal with standard deviation `spread`, norms one, biases zero.
pub fn weights(
    config: &EncoderConfig,
    labels: usize,
    spread: f64,
    seed: u64,
    device: &Device,
) -> Result<BTreeMap<String, Tensor>> {
    let shapes = weights::shapes(config, labels).into_iter();
    shapes
        .map(|(name, shape)| Ok((name.clone(), first(&name, shape, spread, seed, device)?)))
        .collect()
}

/// The first values of one weight.
pub fn first(
    name: &str,
    shape: Vec<usize>,
    spread: f64,
    seed: u64,
    device: &Device,
) -> Result<Tensor> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = if name.ends_with(".bias") {
        vec![0.0; count]
    } else if shape.len() == 1 {
        vec![1.0; count]
    } else {
        let stream = Stream::new(seed, &format!("init {name}"));
        (0..count as u64).map(|place| (stream.normal(place) * spread) as f32).collect()
    };
    Ok(Tensor::from_vec(values, shape, device)?)
}

/// A `tokenizer.json`: byte-level BPE over cleaned texts, with a token in front of a text and one behind it. Words have the
/// same tokens at a text's beginning as within it.
fn tokenizer(texts: &[String], size: usize, lowercase: bool) -> Result<Value> {
    let fail = |error: String| Error::failed(format!("the tokenizer cannot be trained: {error}"));
    let cleaner = BertNormalizer::new(true, false, Some(lowercase), lowercase);
    let clean = |text: &String| {
        let mut text = NormalizedString::from(text.as_str());
        cleaner.normalize(&mut text).map_err(|error| fail(error.to_string()))?;
        Ok(format!(" {}", text.get()))
    };
    let texts = texts.iter().map(clean).collect::<Result<Vec<String>>>()?;
    let specials = SPECIALS.map(str::to_string);
    let text = bpe::train(&texts, size, &specials, false)?;
    let mut file: Value = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    let around = json!([
        { "SpecialToken": { "id": "[CLS]", "type_id": 0 } },
        { "Sequence": { "id": "A", "type_id": 0 } },
        { "SpecialToken": { "id": "[SEP]", "type_id": 0 } },
    ]);
    file["normalizer"] = json!({
        "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": false,
        "strip_accents": lowercase, "lowercase": lowercase,
    });
    file["pre_tokenizer"] = json!({
        "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
    });
    file["post_processor"] = json!({
        "type": "TemplateProcessing", "single": around, "pair": around,
        "special_tokens": {
            "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] },
            "[SEP]": { "id": "[SEP]", "ids": [3], "tokens": ["[SEP]"] },
        },
    });
    Ok(file)
}
