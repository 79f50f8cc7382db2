//! The keys of each family's `config.json`, read into one shape.

use serde_json::{Map, Value};

use super::fields::{flag, kind_of, number, require, size, token_ids};
use super::rope::Rope;
use super::{Config, Family};
use crate::error::{Error, Result};
use crate::ops::Activation;

impl Config {
    /// Reads the map of a `config.json`. Refuses unknown families, what the decoder here does not compute, and sizes that
    /// make no decoder. A map without `model_type` is taken for LLaMA.
    pub fn from_json(value: &Value) -> Result<Self> {
        let Some(map) = value.as_object() else {
            return Err(Error::invalid("reading config.json", "a map", kind_of(value)));
        };
        let name = map.get("model_type").and_then(Value::as_str);
        let name = name.unwrap_or("llama");
        let Some(family) = Family::from_name(name) else {
            let known = Family::ALL.map(Family::name);
            return Err(Error::unknown("model family", name, known));
        };
        let config = read(family, map)?;
        config.check()?;
        Ok(config)
    }
}

/// A `config.json` of a known family.
fn read(family: Family, map: &Map<String, Value>) -> Result<Config> {
    match family {
        Family::Gpt2 => gpt2(map),
        Family::GptNeox => gpt_neox(map),
        Family::Opt => opt(map),
        Family::Gemma2 | Family::Gemma3 => gemma(family, map),
        _ => llama_like(family, map),
    }
}

/// What every family has, under the names given; the rest is as in LLaMA.
fn common(family: Family, map: &Map<String, Value>, names: &Names) -> Result<Config> {
    let hidden_size = size(map, names.width, None)?;
    let heads = size(map, names.heads, None)?;
    let layers = size(map, names.layers, None)?;
    let intermediate_size = match names.inner {
        "n_inner" => size(map, "n_inner", Some(4 * hidden_size))?,
        key => size(map, key, None)?,
    };
    Ok(Config {
        family,
        vocab_size: size(map, "vocab_size", None)?,
        hidden_size,
        intermediate_size,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: heads,
        head_dim: hidden_size / heads,
        max_position_embeddings: size(map, names.context, Some(2048))?,
        norm_eps: number(map, names.epsilon, 1e-5)?,
        rope: None,
        local_rope: None,
        windows: vec![None; layers.min(1 << 12)],
        activation: Activation::Silu,
        qkv_bias: false,
        output_bias: false,
        mlp_bias: false,
        parallel_residual: false,
        query_scale: None,
        attention_cap: None,
        logit_cap: None,
        tie_word_embeddings: flag(map, "tie_word_embeddings", names.tied)?,
        initializer_range: number(map, "initializer_range", 0.02)?,
        bos_token_id: token_ids(map, "bos_token_id")?.first().copied(),
        eos_token_ids: token_ids(map, "eos_token_id")?,
        pad_token_id: token_ids(map, "pad_token_id")?.first().copied(),
        source: map.clone(),
    })
}

struct Names {
    width: &'static str,
    heads: &'static str,
    layers: &'static str,
    inner: &'static str,
    context: &'static str,
    epsilon: &'static str,
    /// Whether the head is tied where the file does not say.
    tied: bool,
}

const LLAMA: Names = Names {
    width: "hidden_size",
    heads: "num_attention_heads",
    layers: "num_hidden_layers",
    inner: "intermediate_size",
    context: "max_position_embeddings",
    epsilon: "rms_norm_eps",
    tied: false,
};

fn llama_like(family: Family, map: &Map<String, Value>) -> Result<Config> {
    let mut config = common(family, map, &LLAMA)?;
    let heads = config.num_attention_heads;
    config.norm_eps = number(map, "rms_norm_eps", 1e-6)?;
    config.num_key_value_heads = size(map, "num_key_value_heads", Some(heads))?;
    let usual = match family {
        Family::Qwen3 => 128,
        _ => config.head_dim,
    };
    config.head_dim = size(map, "head_dim", Some(usual))?;
    config.rope =
        Some(Rope::from_json(map, config.head_dim, config.max_position_embeddings, None)?);
    config.activation = activation(map, "hidden_act", "silu")?;
    require(config.activation == Activation::Silu, "hidden_act", "silu", "another")?;
    let bias = flag(map, "attention_bias", false)?;
    (config.qkv_bias, config.output_bias) = match family {
        Family::Qwen2 => (true, false),
        Family::Mistral => (false, false),
        _ => (bias, bias),
    };
    config.mlp_bias = family == Family::Llama && flag(map, "mlp_bias", false)?;
    config.windows = windows(family, map, config.windows.len())?;
    Ok(config)
}

/// Which layers attend to the last so many tokens only.
fn windows(family: Family, map: &Map<String, Value>, layers: usize) -> Result<Vec<Option<usize>>> {
    let window = match map.get("sliding_window") {
        None | Some(Value::Null) => None,
        Some(_) => Some(size(map, "sliding_window", None)?),
    };
    let used = match family {
        Family::Llama => false,
        Family::Qwen2 | Family::Qwen3 => flag(map, "use_sliding_window", false)?,
        _ => true,
    };
    let Some(window) = window.filter(|_| used) else {
        return Ok(vec![None; layers]);
    };
    if let Some(Value::Array(kinds)) = map.get("layer_types") {
        if kinds.len() != layers {
            return Err(Error::invalid(
                "reading `layer_types` of config.json",
                format!("{layers} kinds, one a layer"),
                kinds.len().to_string(),
            ));
        }
        let sliding = |kind: &Value| (kind.as_str() == Some("sliding_attention")).then_some(window);
        return Ok(kinds.iter().map(sliding).collect());
    }
    let sliding = |layer: usize| -> Result<bool> {
        Ok(match family {
            // transformers' Qwen: the layers from max_window_layers on.
            Family::Qwen2 | Family::Qwen3 => {
                layer as f64 >= number(map, "max_window_layers", 28.0)?
            }
            // Every second layer sees everything.
            Family::Gemma2 => layer.is_multiple_of(2),
            // Every so-manieth layer sees everything.
            Family::Gemma3 => {
                !(layer + 1).is_multiple_of(size(map, "sliding_window_pattern", Some(6))?)
            }
            _ => true,
        })
    };
    (0..layers).map(|layer| Ok(sliding(layer)?.then_some(window))).collect()
}

fn gemma(family: Family, map: &Map<String, Value>) -> Result<Config> {
    let names = Names { tied: true, ..LLAMA };
    let mut config = common(family, map, &names)?;
    let heads = config.num_attention_heads;
    config.norm_eps = number(map, "rms_norm_eps", 1e-6)?;
    config.num_key_value_heads = size(map, "num_key_value_heads", Some(heads))?;
    config.head_dim = size(map, "head_dim", Some(256))?;
    let scalar = number(map, "query_pre_attn_scalar", 256.0)?;
    require(
        scalar.is_finite() && scalar > 0.0,
        "query_pre_attn_scalar",
        "above 0",
        scalar.to_string(),
    )?;
    config.query_scale = Some(1.0 / scalar.sqrt());
    config.activation = activation(map, "hidden_activation", "gelu_pytorch_tanh")?;
    let bias = flag(map, "attention_bias", false)?;
    (config.qkv_bias, config.output_bias) = (bias, bias);
    let usual = |cap: f64| (family == Family::Gemma2).then_some(cap);
    config.attention_cap = cap(map, "attn_logit_softcapping", usual(50.0))?;
    config.logit_cap = cap(map, "final_logit_softcapping", usual(30.0))?;
    let bidirectional = flag(map, "use_bidirectional_attention", false)?;
    require(!bidirectional, "use_bidirectional_attention", "false", "true")?;
    config.windows = windows(family, map, config.windows.len())?;
    let (context, dims) = (config.max_position_embeddings, config.head_dim);
    if family == Family::Gemma2 {
        config.rope = Some(Rope::from_json(map, dims, context, None)?);
        return Ok(config);
    }
    let mut rope = Rope::from_json(map, dims, context, Some("full_attention"))?;
    let mut local = Rope::from_json(map, dims, context, Some("sliding_attention"))?;
    if !map.contains_key("rope_parameters") {
        rope.theta = number(map, "rope_theta", 1_000_000.0)?;
        local.theta = number(map, "rope_local_base_freq", 10_000.0)?;
        local.scaling = super::rope::Scaling::None;
    }
    (config.rope, config.local_rope) = (Some(rope), Some(local));
    Ok(config)
}

/// A soft cap: absent takes the usual one, null none.
fn cap(map: &Map<String, Value>, key: &str, usual: Option<f64>) -> Result<Option<f64>> {
    let cap = match map.get(key) {
        None => usual,
        Some(Value::Null) => None,
        Some(_) => Some(number(map, key, 0.0)?),
    };
    let sound = cap.is_none_or(|cap| cap.is_finite() && cap > 0.0);
    require(sound, key, "above 0", kind_of(map.get(key).unwrap_or(&Value::Null)))?;
    Ok(cap)
}

fn gpt2(map: &Map<String, Value>) -> Result<Config> {
    let names = Names {
        width: "n_embd",
        heads: "n_head",
        layers: "n_layer",
        inner: "n_inner",
        context: "n_positions",
        epsilon: "layer_norm_epsilon",
        tied: true,
    };
    let mut config = common(Family::Gpt2, map, &names)?;
    config.activation = activation(map, "activation_function", "gelu_new")?;
    (config.qkv_bias, config.output_bias, config.mlp_bias) = (true, true, true);
    let scaled = flag(map, "scale_attn_weights", true)?;
    require(scaled, "scale_attn_weights", "true", "false")?;
    let by_layer = flag(map, "scale_attn_by_inverse_layer_idx", false)?;
    require(!by_layer, "scale_attn_by_inverse_layer_idx", "false", "true")?;
    let crossed = flag(map, "add_cross_attention", false)?;
    require(!crossed, "add_cross_attention", "false", "true")?;
    Ok(config)
}

fn gpt_neox(map: &Map<String, Value>) -> Result<Config> {
    let names = Names { epsilon: "layer_norm_eps", ..LLAMA };
    let mut map = map.clone();
    // What the rotary settings say themselves goes before it.
    if !map.contains_key("rotary_pct") && !map.contains_key("partial_rotary_factor") {
        map.insert("partial_rotary_factor".to_string(), Value::from(0.25));
    }
    let mut config = common(Family::GptNeox, &map, &names)?;
    config.activation = activation(&map, "hidden_act", "gelu")?;
    config.rope =
        Some(Rope::from_json(&map, config.head_dim, config.max_position_embeddings, None)?);
    let bias = flag(&map, "attention_bias", true)?;
    (config.qkv_bias, config.output_bias, config.mlp_bias) = (bias, bias, true);
    config.parallel_residual = flag(&map, "use_parallel_residual", true)?;
    Ok(config)
}

fn opt(map: &Map<String, Value>) -> Result<Config> {
    let names = Names { inner: "ffn_dim", tied: true, ..LLAMA };
    let mut config = common(Family::Opt, map, &names)?;
    config.norm_eps = 1e-5;
    config.activation = activation(map, "activation_function", "relu")?;
    (config.qkv_bias, config.output_bias, config.mlp_bias) = (true, true, true);
    let before = flag(map, "do_layer_norm_before", true)?;
    require(before, "do_layer_norm_before", "true", "false")?;
    for (key, usual) in [
        ("enable_bias", true),
        ("layer_norm_elementwise_affine", true),
        ("_remove_final_layer_norm", false),
    ] {
        let given = flag(map, key, usual)?;
        require(given == usual, key, &usual.to_string(), given.to_string())?;
    }
    let projected = size(map, "word_embed_proj_dim", Some(config.hidden_size))?;
    require(
        projected == config.hidden_size,
        "word_embed_proj_dim",
        "hidden_size",
        projected.to_string(),
    )?;
    Ok(config)
}

fn activation(map: &Map<String, Value>, key: &str, usual: &str) -> Result<Activation> {
    let name = match map.get(key) {
        None | Some(Value::Null) => usual,
        Some(value) => value.as_str().unwrap_or("something that is no name"),
    };
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
        "relu" => Ok(Activation::Relu),
        other => Err(Error::unknown(
            "activation",
            other,
            ["silu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu"],
        )),
    }
}
