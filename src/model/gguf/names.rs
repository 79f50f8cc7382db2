//! From llama.cpp's names and layouts of tensors to those of a decoder: some rows stand in another order there, and
//! Gemma's norms have one added.

use candle_core::quantized::GgmlDType;

use crate::model::config::{Config, Family};

/// How a tensor differs from the decoder's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    None,
    /// The decoder's row i is the file's row order[i].
    Rows(Vec<usize>),
    /// One was added to every value.
    MinusOne,
}

/// The file's name of a decoder's weight.
pub fn stored(config: &Config, name: &str) -> Option<String> {
    if name == config.head_name() && !config.tie_word_embeddings {
        return Some("output.weight".to_string());
    }
    if let Some(rest) = name.strip_prefix(config.block_prefix()) {
        let (layer, rest) = rest.split_once('.')?;
        let (module, kind) = rest.rsplit_once('.')?;
        let module = in_block(config.family, module)?;
        return Some(format!("blk.{layer}.{module}.{kind}"));
    }
    let (module, kind) = name.rsplit_once('.')?;
    let module = match module {
        "model.embed_tokens" | "transformer.wte" | "gpt_neox.embed_in" => "token_embd",
        "transformer.wpe" => "position_embd",
        "model.norm" | "transformer.ln_f" | "gpt_neox.final_layer_norm" => "output_norm",
        _ => return None,
    };
    Some(format!("{module}.{kind}"))
}

fn in_block(family: Family, module: &str) -> Option<&'static str> {
    let gemma = family.is_gemma();
    Some(match module {
        "input_layernorm" | "ln_1" => "attn_norm",
        "post_attention_layernorm" if gemma => "post_attention_norm",
        "pre_feedforward_layernorm" => "ffn_norm",
        "post_feedforward_layernorm" => "post_ffw_norm",
        "post_attention_layernorm" | "ln_2" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" | "attn.c_proj" | "attention.dense" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "attn.c_attn" | "attention.query_key_value" => "attn_qkv",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" | "mlp.c_fc" | "mlp.dense_h_to_4h" => "ffn_up",
        "mlp.down_proj" | "mlp.c_proj" | "mlp.dense_4h_to_h" => "ffn_down",
        _ => return None,
    })
}

/// How the file's tensor for a decoder's weight differs from it. `interleaved` says that rotary pairs stand side by side
/// in the file, as they do under the architecture "llama".
pub fn change(config: &Config, name: &str, interleaved: bool) -> Change {
    let is = |module: &str| name.contains(&format!(".{module}."));
    if interleaved && is("q_proj") {
        return Change::Rows(paired(config.num_attention_heads, config.head_dim));
    }
    if interleaved && is("k_proj") {
        return Change::Rows(paired(config.num_key_value_heads, config.head_dim));
    }
    match config.family {
        Family::GptNeox if is("query_key_value") => {
            Change::Rows(by_head(config.num_attention_heads, config.head_dim))
        }
        family if family.is_gemma() && name.contains("norm") => Change::MinusOne,
        _ => Change::None,
    }
}

/// Within each head, the file has rows 0, d/2, 1, d/2 + 1, …
fn paired(heads: usize, dims: usize) -> Vec<usize> {
    let half = dims / 2;
    let row = |head: usize, place: usize| {
        if place < half { head * dims + 2 * place } else { head * dims + 2 * (place - half) + 1 }
    };
    let all = (0..heads).flat_map(|head| (0..dims).map(move |place| (head, place)));
    all.map(|(head, place)| row(head, place)).collect()
}

/// The decoder has query, key and value of head 0, then of head 1, …; the file has all queries, all keys, all values.
fn by_head(heads: usize, dims: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(3 * heads * dims);
    for head in 0..heads {
        for part in 0..3 {
            for place in 0..dims {
                order.push((part * heads + head) * dims + place);
            }
        }
    }
    order
}

/// Where the scales of a block of that kind are, in bytes from its beginning; f16 each.
pub fn scales(kind: GgmlDType) -> &'static [usize] {
    match kind {
        GgmlDType::Q4_0 | GgmlDType::Q5_0 | GgmlDType::Q8_0 => &[0],
        GgmlDType::Q4_1 | GgmlDType::Q5_1 | GgmlDType::Q8_1 => &[0, 2],
        GgmlDType::Q2K => &[80, 82],
        GgmlDType::Q3K => &[108],
        GgmlDType::Q4K | GgmlDType::Q5K => &[0, 2],
        GgmlDType::Q6K => &[208],
        _ => &[],
    }
}
