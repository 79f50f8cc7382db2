//! What `config.json` says, in transformers' terms, checked before any weight is read.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// Families whose decoders are in this folder.
pub const FAMILIES: [&str; 1] = ["llama"];

/// Sizes beyond these are no model that fits a machine; they come from a broken or hostile file.
const LARGEST: usize = 1 << 24;

/// A decoder's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub model_type: String,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub head_dim: usize,
    /// The longest text, in tokens.
    pub max_position_embeddings: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    pub tie_word_embeddings: bool,
    pub initializer_range: f64,
    pub bos_token_id: Option<u32>,
    pub eos_token_ids: Vec<u32>,
    pub pad_token_id: Option<u32>,
}

impl Config {
    /// Reads the map of a `config.json`. Refuses unknown families and sizes that make no decoder.
    pub fn from_json(value: &Value) -> Result<Self> {
        let Some(map) = value.as_object() else {
            return Err(Error::invalid(
                "reading config.json",
                "a map",
                kind_of(value),
            ));
        };
        let model_type = match map.get("model_type").and_then(Value::as_str) {
            Some(name) => name.to_string(),
            None => "llama".to_string(),
        };
        if !FAMILIES.contains(&model_type.as_str()) {
            return Err(Error::unknown("model family", model_type, FAMILIES));
        }
        let hidden_size = size(map, "hidden_size", None)?;
        let num_attention_heads = size(map, "num_attention_heads", None)?;
        let config = Self {
            model_type,
            vocab_size: size(map, "vocab_size", None)?,
            hidden_size,
            intermediate_size: size(map, "intermediate_size", None)?,
            num_hidden_layers: size(map, "num_hidden_layers", None)?,
            num_attention_heads,
            num_key_value_heads: size(map, "num_key_value_heads", Some(num_attention_heads))?,
            head_dim: size(
                map,
                "head_dim",
                Some(hidden_size / num_attention_heads.max(1)),
            )?,
            max_position_embeddings: size(map, "max_position_embeddings", Some(2048))?,
            rms_norm_eps: number(map, "rms_norm_eps", 1e-6)?,
            rope_theta: rope_theta(map)?,
            tie_word_embeddings: flag(map, "tie_word_embeddings")?,
            initializer_range: number(map, "initializer_range", 0.02)?,
            bos_token_id: token_ids(map, "bos_token_id")?.first().copied(),
            eos_token_ids: token_ids(map, "eos_token_id")?,
            pad_token_id: token_ids(map, "pad_token_id")?.first().copied(),
        };
        config.refuse_unsupported(map)?;
        config.check()?;
        Ok(config)
    }

    /// The `config.json` that transformers loads this decoder from. `dtype` names how the weights are stored.
    pub fn to_json(&self, dtype: &str) -> Value {
        let eos = match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            several => json!(several),
        };
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": self.model_type,
            "attention_bias": false,
            "attention_dropout": 0.0,
            "bos_token_id": self.bos_token_id,
            "dtype": dtype,
            "eos_token_id": eos,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_position_embeddings,
            "mlp_bias": false,
            "num_attention_heads": self.num_attention_heads,
            "num_hidden_layers": self.num_hidden_layers,
            "num_key_value_heads": self.num_key_value_heads,
            "pad_token_id": self.pad_token_id,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_parameters": { "rope_theta": self.rope_theta, "rope_type": "default" },
            "tie_word_embeddings": self.tie_word_embeddings,
            "use_cache": true,
            "vocab_size": self.vocab_size,
        })
    }

    /// What the decoder here does not compute must not be passed over in silence.
    fn refuse_unsupported(&self, map: &Map<String, Value>) -> Result<()> {
        for key in ["attention_bias", "mlp_bias"] {
            if flag(map, key)? {
                return Err(unsupported(key, "false", "true"));
            }
        }
        if let Some(act) = map.get("hidden_act").and_then(Value::as_str)
            && act != "silu"
        {
            return Err(unsupported("hidden_act", "silu", act));
        }
        let scaling = map
            .get("rope_parameters")
            .or_else(|| map.get("rope_scaling"));
        let kind = scaling
            .and_then(|rope| rope.get("rope_type").or_else(|| rope.get("type")))
            .and_then(Value::as_str)
            .unwrap_or("default");
        match kind {
            "default" => Ok(()),
            other => Err(unsupported("rope_type", "default", other)),
        }
    }

    fn check(&self) -> Result<()> {
        let rule = |holds: bool, expected: &str, got: String| match holds {
            true => Ok(()),
            false => Err(Error::invalid("reading config.json", expected, got)),
        };
        rule(
            self.num_attention_heads
                .is_multiple_of(self.num_key_value_heads),
            "num_attention_heads to be a multiple of num_key_value_heads",
            format!(
                "{} and {}",
                self.num_attention_heads, self.num_key_value_heads
            ),
        )?;
        rule(
            self.head_dim.is_multiple_of(2),
            "an even head_dim",
            self.head_dim.to_string(),
        )?;
        rule(
            self.rope_theta.is_finite() && self.rope_theta > 0.0 && self.rms_norm_eps > 0.0,
            "rope_theta and rms_norm_eps above 0",
            format!("{} and {}", self.rope_theta, self.rms_norm_eps),
        )?;
        rule(
            self.vocab_size.saturating_mul(self.hidden_size) <= 1 << 32
                && self.num_hidden_layers <= 1 << 12
                && self.max_position_embeddings.saturating_mul(self.head_dim) <= 1 << 32,
            "sizes of a model that a machine can hold",
            format!(
                "vocabulary {}, width {}, {} layers, context {}",
                self.vocab_size,
                self.hidden_size,
                self.num_hidden_layers,
                self.max_position_embeddings
            ),
        )
    }
}

fn unsupported(key: &str, supported: &str, got: &str) -> Error {
    Error::invalid(
        "reading config.json",
        format!("{key} to be {supported}, the only form this version computes"),
        got,
    )
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_string(),
        Value::Array(_) => "a list".to_string(),
        Value::Object(_) => "a map".to_string(),
        other => other.to_string(),
    }
}

/// A size from 1 up; absent or null takes the default, or is an error where there is none.
fn size(map: &Map<String, Value>, key: &str, default: Option<usize>) -> Result<usize> {
    let refuse = |got: String| {
        Err(Error::invalid(
            format!("reading `{key}` of config.json"),
            format!("a whole number from 1 to {LARGEST}"),
            got,
        ))
    };
    let number = match map.get(key) {
        None | Some(Value::Null) => match default {
            Some(number) => number,
            None => return refuse("nothing".to_string()),
        },
        Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(number) => number,
            None => return refuse(kind_of(value)),
        },
    };
    match (1..=LARGEST).contains(&number) {
        true => Ok(number),
        false => refuse(number.to_string()),
    }
}

fn number(map: &Map<String, Value>, key: &str, default: f64) -> Result<f64> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value.as_f64().ok_or_else(|| {
            Error::invalid(
                format!("reading `{key}` of config.json"),
                "a number",
                kind_of(value),
            )
        }),
    }
}

fn flag(map: &Map<String, Value>, key: &str) -> Result<bool> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(value) => Err(Error::invalid(
            format!("reading `{key}` of config.json"),
            "true or false",
            kind_of(value),
        )),
    }
}

/// transformers 5 keeps the base under `rope_parameters`, older files at the top.
fn rope_theta(map: &Map<String, Value>) -> Result<f64> {
    match map.get("rope_parameters").and_then(Value::as_object) {
        Some(rope) if rope.contains_key("rope_theta") => number(rope, "rope_theta", 10_000.0),
        _ => number(map, "rope_theta", 10_000.0),
    }
}

/// One id, a list of ids, or none.
fn token_ids(map: &Map<String, Value>, key: &str) -> Result<Vec<u32>> {
    let one = |value: &Value| {
        value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| {
                Error::invalid(
                    format!("reading `{key}` of config.json"),
                    "a token id",
                    kind_of(value),
                )
            })
    };
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(one).collect(),
        Some(value) => Ok(vec![one(value)?]),
    }
}
