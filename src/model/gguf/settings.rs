//! A container's metadata as the `config.json` that transformers would have for the same model.

use serde_json::{Map, Value, json};

use super::container::Container;
use crate::error::{Error, Result};
use crate::model::config::rope::Scaling;

/// The architectures that are read, and transformers' names for them.
const ARCHITECTURES: [(&str, &str); 7] = [
    ("llama", "llama"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("gemma2", "gemma2"),
    ("gemma3", "gemma3_text"),
    ("gpt2", "gpt2"),
    ("gptneox", "gpt_neox"),
];

/// The architecture by llama.cpp's name.
pub fn architecture(file: &Container) -> Result<&str> {
    let name = file.text("general.architecture").ok_or_else(|| {
        Error::failed("the GGUF file names no general.architecture: it holds no language model")
    })?;
    if ARCHITECTURES.iter().any(|(known, _)| *known == name) {
        Ok(name)
    } else {
        Err(Error::unknown("GGUF architecture", name, ARCHITECTURES.map(|(name, _)| name)))
    }
}

/// The map of a `config.json`.
pub fn config(file: &Container) -> Result<Value> {
    let name = architecture(file)?;
    let keys = Keys { file, name };
    let mut map = Map::new();
    let family = ARCHITECTURES.iter().find(|(known, _)| *known == name);
    map.insert("model_type".to_string(), json!(family.map(|(_, family)| family)));
    let embedding = file.tensors.get("token_embd.weight").ok_or_else(|| {
        Error::failed("the GGUF file has no tensor token_embd.weight: it holds no language model")
    })?;
    map.insert("vocab_size".to_string(), json!(embedding.shape.first()));
    let tied = !file.tensors.contains_key("output.weight");
    map.insert("tie_word_embeddings".to_string(), json!(tied));
    for (key, token) in [
        ("bos_token_id", "tokenizer.ggml.bos_token_id"),
        ("eos_token_id", "tokenizer.ggml.eos_token_id"),
        ("pad_token_id", "tokenizer.ggml.padding_token_id"),
    ] {
        if let Some(id) = file.integer(token) {
            map.insert(key.to_string(), json!(id));
        }
    }
    match name {
        "gpt2" => gpt2(&keys, &mut map)?,
        "gptneox" => gpt_neox(&keys, &mut map)?,
        _ => llama_like(&keys, &mut map)?,
    }
    Ok(Value::Object(map))
}

/// The metadata of one architecture.
struct Keys<'a> {
    file: &'a Container,
    name: &'a str,
}

impl Keys<'_> {
    fn full(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    fn size(&self, key: &str) -> Result<i64> {
        let key = self.full(key);
        self.file.integer(&key).ok_or_else(|| {
            Error::failed(format!("the GGUF file has no whole number under `{key}`"))
        })
    }

    fn size_or(&self, key: &str, usual: i64) -> i64 {
        self.file.integer(&self.full(key)).unwrap_or(usual)
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.file.number(&self.full(key))
    }

    fn has(&self, tensor: &str) -> bool {
        self.file.tensors.contains_key(tensor)
    }

    /// Elements of a head.
    fn head_dim(&self) -> Result<i64> {
        let heads = self.size("attention.head_count")?.max(1);
        Ok(self.size_or("attention.key_length", self.size("embedding_length")? / heads))
    }
}

fn set(map: &mut Map<String, Value>, entries: &[(&str, Value)]) {
    for (key, value) in entries {
        map.insert((*key).to_string(), value.clone());
    }
}

fn llama_like(keys: &Keys, map: &mut Map<String, Value>) -> Result<()> {
    let heads = keys.size("attention.head_count")?;
    let head_dim = keys.head_dim()?;
    set(
        map,
        &[
            ("hidden_size", json!(keys.size("embedding_length")?)),
            ("intermediate_size", json!(keys.size("feed_forward_length")?)),
            ("num_hidden_layers", json!(keys.size("block_count")?)),
            ("num_attention_heads", json!(heads)),
            ("num_key_value_heads", json!(keys.size_or("attention.head_count_kv", heads))),
            ("head_dim", json!(head_dim)),
            ("max_position_embeddings", json!(keys.size("context_length")?)),
            (
                "rms_norm_eps",
                json!(keys.number("attention.layer_norm_rms_epsilon").unwrap_or(1e-5)),
            ),
            ("attention_bias", json!(keys.has("blk.0.attn_output.bias"))),
            ("mlp_bias", json!(keys.has("blk.0.ffn_gate.bias"))),
        ],
    );
    let turned = keys.size_or("rope.dimension_count", head_dim);
    if turned != head_dim {
        let part = turned as f64 / head_dim as f64;
        map.insert("partial_rotary_factor".to_string(), json!(part));
    }
    let usual = if keys.name == "gemma3" { 1e6 } else { 1e4 };
    let theta = keys.number("rope.freq_base").unwrap_or(usual);
    map.insert("rope_theta".to_string(), json!(theta));
    if let Some(scaling) = scaling(keys, theta, turned)? {
        map.insert("rope_scaling".to_string(), scaling);
    }
    match keys.name {
        "gemma2" => gemma2(keys, map, heads, head_dim),
        "gemma3" => gemma3(keys, map, heads, head_dim),
        _ => Ok(()),
    }
}

/// What the files leave out is what llama.cpp takes for granted; so it is with Gemma 3.
fn gemma2(keys: &Keys, map: &mut Map<String, Value>, heads: i64, head_dim: i64) -> Result<()> {
    // The largest Gemma 2, of 46 layers, scales by its width; the others by their heads.
    let scalar = match keys.size("block_count")? {
        46 => keys.size("embedding_length")? / heads.max(1),
        _ => head_dim,
    };
    let window = keys.size_or("attention.sliding_window", 4096);
    let capped = |key: &str, usual: f64| json!(keys.number(key).unwrap_or(usual));
    set(
        map,
        &[
            ("query_pre_attn_scalar", json!(scalar)),
            ("sliding_window", json!(window)),
            ("attn_logit_softcapping", capped("attn_logit_softcapping", 50.0)),
            ("final_logit_softcapping", capped("final_logit_softcapping", 30.0)),
            ("hidden_activation", json!("gelu_pytorch_tanh")),
        ],
    );
    Ok(())
}

fn gemma3(keys: &Keys, map: &mut Map<String, Value>, heads: i64, head_dim: i64) -> Result<()> {
    // The largest Gemma 3, of 62 layers, scales by its width; the others by their heads.
    let scalar = match keys.size("block_count")? {
        62 => keys.size("embedding_length")? / heads.max(1),
        _ => head_dim,
    };
    let window = keys.size_or("attention.sliding_window", 1024);
    let local = keys.number("rope.freq_base_swa").unwrap_or(1e4);
    set(
        map,
        &[
            ("query_pre_attn_scalar", json!(scalar)),
            ("sliding_window", json!(window)),
            ("sliding_window_pattern", json!(6)),
            ("rope_local_base_freq", json!(local)),
            ("hidden_activation", json!("gelu_pytorch_tanh")),
        ],
    );
    Ok(())
}

/// Scaled rotary frequencies: by the metadata, or by a tensor of factors as LLaMA 3.1 has it.
fn scaling(keys: &Keys, theta: f64, dims: i64) -> Result<Option<Value>> {
    let factor = keys.number("rope.scaling.factor").or(keys.number("rope.scale_linear"));
    let kind = keys.file.text(&keys.full("rope.scaling.type"));
    match (kind, factor) {
        (Some("yarn"), Some(factor)) => {
            let original = keys.size("rope.scaling.original_context_length")?;
            return Ok(Some(json!({
                "rope_type": "yarn",
                "factor": factor,
                "original_max_position_embeddings": original,
            })));
        }
        (Some("linear") | None, Some(factor)) if factor != 1.0 => {
            return Ok(Some(json!({ "rope_type": "linear", "factor": factor })));
        }
        _ => {}
    }
    let Some(info) = keys.file.tensors.get("rope_freqs.weight") else {
        return Ok(None);
    };
    let given = super::values::tensor_values(keys.file, info)?;
    let largest = given.iter().copied().fold(1.0, f32::max);
    // The file has the outcome alone; these are the settings that every LLaMA 3.1 and 3.2 was published with.
    let known = Scaling::Llama3 { factor: f64::from(largest), low: 1.0, high: 4.0, original: 8192 };
    let dims = usize::try_from(dims).unwrap_or(0);
    let plain = Scaling::None.frequencies(theta, dims);
    let scaled = known.frequencies(theta, dims);
    let same = given.len() == plain.len()
        && given
            .iter()
            .zip(plain.iter().zip(&scaled))
            .all(|(factor, (plain, scaled))| (plain / scaled - factor).abs() <= 1e-3 * factor);
    if same {
        Ok(Some(json!({
            "rope_type": "llama3",
            "factor": largest,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        })))
    } else {
        Err(Error::failed_with_hint(
            "the GGUF file scales its rotary frequencies (rope_freqs.weight) in a way that is not LLaMA 3.1's",
            "load the model from its safetensors instead",
        ))
    }
}

fn gpt2(keys: &Keys, map: &mut Map<String, Value>) -> Result<()> {
    set(
        map,
        &[
            ("n_embd", json!(keys.size("embedding_length")?)),
            ("n_inner", json!(keys.size("feed_forward_length")?)),
            ("n_layer", json!(keys.size("block_count")?)),
            ("n_head", json!(keys.size("attention.head_count")?)),
            ("n_positions", json!(keys.size("context_length")?)),
            (
                "layer_norm_epsilon",
                json!(keys.number("attention.layer_norm_epsilon").unwrap_or(1e-5)),
            ),
        ],
    );
    Ok(())
}

fn gpt_neox(keys: &Keys, map: &mut Map<String, Value>) -> Result<()> {
    let head_dim = keys.head_dim()?.max(1);
    let turned = keys.size_or("rope.dimension_count", head_dim);
    let parallel = keys.file.flag(&keys.full("use_parallel_residual"));
    set(
        map,
        &[
            ("hidden_size", json!(keys.size("embedding_length")?)),
            ("intermediate_size", json!(keys.size("feed_forward_length")?)),
            ("num_hidden_layers", json!(keys.size("block_count")?)),
            ("num_attention_heads", json!(keys.size("attention.head_count")?)),
            ("max_position_embeddings", json!(keys.size("context_length")?)),
            ("layer_norm_eps", json!(keys.number("attention.layer_norm_epsilon").unwrap_or(1e-5))),
            ("rotary_pct", json!(turned as f64 / head_dim as f64)),
            ("rope_theta", json!(keys.number("rope.freq_base").unwrap_or(1e4))),
            ("use_parallel_residual", json!(parallel.unwrap_or(true))),
            ("attention_bias", json!(keys.has("blk.0.attn_qkv.bias"))),
        ],
    );
    Ok(())
}
