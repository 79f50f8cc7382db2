//! What an encoder is like, from its `config.json` in transformers' terms.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::ops::Activation;

/// A family of encoders: one design, whatever the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Devlin et al. 2018
    Bert,
    /// Liu et al. 2019
    Roberta,
    /// Conneau et al. 2019: RoBERTa over many languages
    XlmRoberta,
    /// Lan et al. 2019: BERT whose layers share their weights
    Albert,
}

impl Family {
    pub const ALL: [Self; 4] = [Self::Bert, Self::Roberta, Self::XlmRoberta, Self::Albert];

    /// `model_type` of config.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::Albert => "albert",
        }
    }

    /// The class that a checkpoint names.
    pub fn class(self) -> &'static str {
        match self {
            Self::Bert => "BertForSequenceClassification",
            Self::Roberta => "RobertaForSequenceClassification",
            Self::XlmRoberta => "XLMRobertaForSequenceClassification",
            Self::Albert => "AlbertForSequenceClassification",
        }
    }

    /// What the names of the encoder's weights begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::Roberta | Self::XlmRoberta => "roberta.",
            Self::Albert => "albert.",
        }
    }

    /// Whether positions are counted from behind the padding token's id on.
    pub fn is_roberta(self) -> bool {
        matches!(self, Self::Roberta | Self::XlmRoberta)
    }

    pub fn of_class(class: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|family| family.class() == class);
        found.ok_or_else(|| Error::unknown("classifier", class, Self::ALL.map(Self::class)))
    }

    fn of_type(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|family| family.name() == name);
        found.ok_or_else(|| Error::unknown("kind of encoder", name, Self::ALL.map(Self::name)))
    }
}

/// An encoder's sizes, named as in transformers.
#[derive(Clone, Debug)]
pub struct EncoderConfig {
    pub family: Family,
    pub vocab_size: usize,
    pub hidden_size: usize,
    /// The width of the embeddings: ALBERT's own, else the hidden size.
    pub embedding_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub pad_token_id: u32,
    pub layer_norm_eps: f64,
    pub hidden_act: Activation,
    /// ALBERT: sets of weights, each of so many layers, that are gone through in order.
    pub num_hidden_groups: usize,
    pub inner_group_num: usize,
}

/// Sizes beyond this are no model that fits a machine; they come from a broken or hostile file.
const LARGEST: usize = 1 << 24;
/// Layers beyond this are none that anybody trained.
const MOST_LAYERS: usize = 1024;

fn wrong(key: &str, expected: impl Into<String>, got: Option<&Value>) -> Error {
    let got = got.map_or("nothing".to_string(), |value| {
        let text = value.to_string();
        if text.chars().count() > 40 { "something else".to_string() } else { text }
    });
    Error::invalid(format!("reading `{key}` of config.json"), expected, got)
}

fn size(map: &Map<String, Value>, key: &str, default: Option<usize>, most: usize) -> Result<usize> {
    let given = map.get(key).filter(|value| !value.is_null());
    let number = match (given, default) {
        (None, Some(default)) => Some(default),
        (given, _) => given.and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()),
    };
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| wrong(key, format!("a whole number from 1 to {most}"), given))
}

fn activation(map: &Map<String, Value>, default: &str) -> Result<Activation> {
    let given = map.get("hidden_act").filter(|value| !value.is_null());
    match given.map_or(Some(default), Value::as_str) {
        Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some("relu") => Ok(Activation::Relu),
        Some("silu" | "swish") => Ok(Activation::Silu),
        _ => Err(wrong("hidden_act", "gelu, gelu_new, relu or silu", given)),
    }
}

/// Refuses settings that change what is computed and that are not computed here.
fn refuse_other_forms(map: &Map<String, Value>) -> Result<()> {
    for (key, usual) in
        [("position_embedding_type", "absolute"), ("problem_type", "multi_label_classification")]
    {
        match map.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text == usual => {}
            other => {
                return Err(wrong(
                    key,
                    format!("{usual:?}, the only form that is computed"),
                    other,
                ));
            }
        }
    }
    for key in ["is_decoder", "add_cross_attention"] {
        if map.get(key).is_some_and(|value| *value == Value::Bool(true)) {
            return Err(wrong(key, "false: a classifier reads both ways", map.get(key)));
        }
    }
    let is_pruned =
        map.get("pruned_heads").and_then(Value::as_object).is_some_and(|map| !map.is_empty());
    if is_pruned {
        return Err(wrong("pruned_heads", "none", map.get("pruned_heads")));
    }
    Ok(())
}

impl EncoderConfig {
    pub fn from_json(config: &Value) -> Result<Self> {
        let Some(map) = config.as_object() else {
            return Err(Error::failed("config.json is not a map"));
        };
        let Some(kind) = map.get("model_type").and_then(Value::as_str) else {
            return Err(wrong(
                "model_type",
                "the name of a kind of encoder",
                map.get("model_type"),
            ));
        };
        let family = Family::of_type(kind)?;
        refuse_other_forms(map)?;
        let is_albert = family == Family::Albert;
        let hidden_size = size(map, "hidden_size", None, LARGEST)?;
        let pad = if family.is_roberta() { 1 } else { 0 };
        let pad_token_id = match map.get("pad_token_id").filter(|value| !value.is_null()) {
            None => pad,
            Some(value) => value
                .as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or_else(|| wrong("pad_token_id", "a token id", Some(value)))?,
        };
        let epsilon = map.get("layer_norm_eps").filter(|value| !value.is_null());
        let layer_norm_eps = match epsilon.map(|value| (value, value.as_f64())) {
            None => 1e-12,
            Some((_, Some(number))) if number >= 0.0 => number,
            Some((value, _)) => return Err(wrong("layer_norm_eps", "a small number", Some(value))),
        };
        let own = |key: &str, usual: usize, most: usize| {
            if is_albert { size(map, key, Some(usual), most) } else { Ok(1) }
        };
        let made = Self {
            family,
            vocab_size: size(map, "vocab_size", None, LARGEST)?,
            hidden_size,
            embedding_size: if is_albert {
                size(map, "embedding_size", Some(128), LARGEST)?
            } else {
                hidden_size
            },
            intermediate_size: size(map, "intermediate_size", None, LARGEST)?,
            num_hidden_layers: size(map, "num_hidden_layers", None, MOST_LAYERS)?,
            num_attention_heads: size(map, "num_attention_heads", None, LARGEST)?,
            max_position_embeddings: size(map, "max_position_embeddings", Some(512), LARGEST)?,
            type_vocab_size: size(map, "type_vocab_size", Some(2), LARGEST)?,
            pad_token_id,
            layer_norm_eps,
            hidden_act: activation(map, if is_albert { "gelu_new" } else { "gelu" })?,
            num_hidden_groups: own("num_hidden_groups", 1, MOST_LAYERS)?,
            inner_group_num: own("inner_group_num", 1, MOST_LAYERS)?,
        };
        made.check()?;
        Ok(made)
    }

    /// `config.json` as transformers reads it, with what the outputs are called and how the weights are stored ("float32").
    pub fn to_json(&self, labels: &[String], dtype: &str) -> Value {
        let by_id: Map<String, Value> =
            labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect();
        let by_label: Map<String, Value> =
            labels.iter().enumerate().map(|(id, label)| (label.clone(), json!(id))).collect();
        let mut config = json!({
            "architectures": [self.family.class()],
            "model_type": self.family.name(),
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "max_position_embeddings": self.max_position_embeddings,
            "type_vocab_size": self.type_vocab_size,
            "pad_token_id": self.pad_token_id,
            "layer_norm_eps": self.layer_norm_eps,
            "hidden_act": match self.hidden_act {
                Activation::Gelu => "gelu",
                Activation::GeluTanh => "gelu_new",
                Activation::Relu => "relu",
                Activation::Silu => "silu",
            },
            "problem_type": "multi_label_classification",
            "id2label": by_id,
            "label2id": by_label,
            "torch_dtype": dtype,
        });
        if let (Family::Albert, Some(map)) = (self.family, config.as_object_mut()) {
            map.insert("embedding_size".to_string(), self.embedding_size.into());
            map.insert("num_hidden_groups".to_string(), self.num_hidden_groups.into());
            map.insert("inner_group_num".to_string(), self.inner_group_num.into());
        }
        config
    }

    fn check(&self) -> Result<()> {
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(Error::invalid(
                "reading `num_attention_heads` of config.json",
                format!("a divisor of the hidden size {}", self.hidden_size),
                self.num_attention_heads.to_string(),
            ));
        }
        if self.num_hidden_groups > self.num_hidden_layers {
            return Err(Error::invalid(
                "reading `num_hidden_groups` of config.json",
                format!("at most the {} layers", self.num_hidden_layers),
                self.num_hidden_groups.to_string(),
            ));
        }
        if self.window() < 3 {
            return Err(Error::invalid(
                "reading `max_position_embeddings` of config.json",
                "room for a token between the two that stand around a text",
                self.max_position_embeddings.to_string(),
            ));
        }
        Ok(())
    }

    /// The position of a text's first token.
    pub fn first_position(&self) -> usize {
        if self.family.is_roberta() { self.pad_token_id as usize + 1 } else { 0 }
    }

    /// Tokens that the encoder has positions for.
    pub fn window(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.first_position())
    }

    /// The layers in the order of computation, each by the beginning of its weights' names.
    pub fn layers(&self) -> Vec<String> {
        let prefix = self.family.prefix();
        if self.family != Family::Albert {
            return (0..self.num_hidden_layers)
                .map(|layer| format!("{prefix}encoder.layer.{layer}."))
                .collect();
        }
        let group = |layer: usize| layer * self.num_hidden_groups / self.num_hidden_layers;
        let of_group = |group: usize| {
            (0..self.inner_group_num).map(move |layer| {
                format!("{prefix}encoder.albert_layer_groups.{group}.albert_layers.{layer}.")
            })
        };
        (0..self.num_hidden_layers).flat_map(|layer| of_group(group(layer))).collect()
    }
}
