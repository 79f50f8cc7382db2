//! What `config.json` says, in transformers' terms, checked before any weight is read.

mod family;
mod fields;
mod read;
pub mod rope;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::ops::Activation;
pub use family::Family;
use rope::Rope;

/// A decoder's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub family: Family,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub head_dim: usize,
    /// The longest text, in tokens.
    pub max_position_embeddings: usize,
    pub norm_eps: f64,
    /// Rotary positions; `None` where positions are learned vectors.
    pub rope: Option<Rope>,
    /// Rotary positions of the layers with a window, where they differ.
    pub local_rope: Option<Rope>,
    /// For each layer, how many of the last tokens it attends to; all of them where `None`.
    pub windows: Vec<Option<usize>>,
    pub activation: Activation,
    /// Whether the projections of queries, keys and values have a bias; those of the output and the MLP.
    pub qkv_bias: bool,
    pub output_bias: bool,
    pub mlp_bias: bool,
    /// Attention and MLP both read the block's input.
    pub parallel_residual: bool,
    /// What scores are multiplied by; 1/√head_dim where `None`.
    pub query_scale: Option<f64>,
    /// Scores of attention, and logits, are held softly below these.
    pub attention_cap: Option<f64>,
    pub logit_cap: Option<f64>,
    pub tie_word_embeddings: bool,
    pub initializer_range: f64,
    pub bos_token_id: Option<u32>,
    pub eos_token_ids: Vec<u32>,
    pub pad_token_id: Option<u32>,
    /// The map as it was read: what is saved again.
    source: Map<String, Value>,
}

impl Config {
    /// The `config.json` that transformers loads this decoder from. `dtype` names how the weights are stored.
    pub fn to_json(&self, dtype: &str) -> Value {
        let mut map = self.source.clone();
        let mut set = |key: &str, value: Value| {
            map.insert(key.to_string(), value);
        };
        set("architectures", json!([self.family.architecture()]));
        set("model_type", json!(self.family.name()));
        set("dtype", json!(dtype));
        set("tie_word_embeddings", json!(self.tie_word_embeddings));
        set("bos_token_id", json!(self.bos_token_id));
        let eos = match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            several => json!(several),
        };
        set("eos_token_id", eos);
        set("pad_token_id", json!(self.pad_token_id));
        if self.family.is_llama_like() {
            // What a map of our own may leave out, and transformers' defaults differ in.
            set("head_dim", json!(self.head_dim));
            set("num_key_value_heads", json!(self.num_key_value_heads));
            set("max_position_embeddings", json!(self.max_position_embeddings));
            set("rms_norm_eps", json!(self.norm_eps));
        }
        map.remove("torch_dtype");
        map.remove("quantization_config");
        Value::Object(map)
    }

    /// The configuration with the end tokens of a `generation_config.json` beside its own: a chat model ends its turns with
    /// other tokens than its texts.
    pub fn ending_with(&self, generation: &Value) -> Result<Self> {
        let mut config = self.clone();
        if let Some(map) = generation.as_object() {
            let more = fields::token_ids(map, "eos_token_id")?;
            let known = config.eos_token_ids.clone();
            let new = more.into_iter().filter(|id| !known.contains(id));
            config.eos_token_ids.extend(new);
        }
        Ok(config)
    }

    /// How a layer of the stack is called in the names of weights, up to its number.
    pub fn block_prefix(&self) -> &'static str {
        match self.family {
            Family::Gpt2 => "transformer.h.",
            Family::GptNeox => "gpt_neox.layers.",
            Family::Opt => "model.decoder.layers.",
            _ => "model.layers.",
        }
    }

    /// The name of the token embedding.
    pub fn embedding_name(&self) -> &'static str {
        match self.family {
            Family::Gpt2 => "transformer.wte.weight",
            Family::GptNeox => "gpt_neox.embed_in.weight",
            Family::Opt => "model.decoder.embed_tokens.weight",
            _ => "model.embed_tokens.weight",
        }
    }

    /// The name of the output head: the embedding's where it is tied to it.
    pub fn head_name(&self) -> &'static str {
        if self.tie_word_embeddings { self.embedding_name() } else { self.untied_head_name() }
    }

    /// The name that the output head has where it is not tied to the embedding.
    pub fn untied_head_name(&self) -> &'static str {
        match self.family {
            Family::GptNeox => "embed_out.weight",
            _ => "lm_head.weight",
        }
    }

    /// Refuses sizes that make no decoder.
    fn check(&self) -> Result<()> {
        let rule = |holds: bool, expected: &str, got: String| {
            if holds { Ok(()) } else { Err(Error::invalid("reading config.json", expected, got)) }
        };
        rule(
            self.num_attention_heads.is_multiple_of(self.num_key_value_heads),
            "num_attention_heads to be a multiple of num_key_value_heads",
            format!("{} and {}", self.num_attention_heads, self.num_key_value_heads),
        )?;
        rule(
            self.head_dim > 0
                && (self.rope.is_none() || self.head_dim.is_multiple_of(2))
                && (self.rope.is_some()
                    || self.head_dim * self.num_attention_heads == self.hidden_size),
            "a width that heads divide, and with rotary positions an even head_dim",
            format!(
                "width {}, {} heads of {}",
                self.hidden_size, self.num_attention_heads, self.head_dim
            ),
        )?;
        rule(
            self.norm_eps.is_finite() && self.norm_eps > 0.0,
            "an epsilon of the norms above 0",
            self.norm_eps.to_string(),
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
