//! The LLaMA family (Touvron et al. 2023): pre-norm blocks of grouped-query attention with rotary positions and a SwiGLU
//! MLP, and a tied or untied head. Names and layouts are transformers' `LlamaForCausalLM`.

use candle_core::{DType, Device, Tensor};

use super::Weights;
use super::adapter::Adapter;
use super::config::Config;
use super::decoder::{Cache, Pass};
use super::layer::{Linear, take};
use crate::error::{Context, Result};
use crate::ops::{self, AttentionSpan};
use crate::random::Stream;

/// The names and shapes of every weight that a configuration calls for, in the order of the forward pass.
pub fn shapes(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let queries = config.num_attention_heads * config.head_dim;
    let keys = config.num_key_value_heads * config.head_dim;
    let mut shapes = vec![(
        "model.embed_tokens.weight".to_string(),
        vec![config.vocab_size, width],
    )];
    for layer in 0..config.num_hidden_layers {
        let mut add = |name: &str, shape: Vec<usize>| {
            shapes.push((format!("model.layers.{layer}.{name}.weight"), shape));
        };
        add("input_layernorm", vec![width]);
        add("self_attn.q_proj", vec![queries, width]);
        add("self_attn.k_proj", vec![keys, width]);
        add("self_attn.v_proj", vec![keys, width]);
        add("self_attn.o_proj", vec![width, queries]);
        add("post_attention_layernorm", vec![width]);
        add("mlp.gate_proj", vec![inner, width]);
        add("mlp.up_proj", vec![inner, width]);
        add("mlp.down_proj", vec![width, inner]);
    }
    shapes.push(("model.norm.weight".to_string(), vec![width]));
    if !config.tie_word_embeddings {
        shapes.push(("lm_head.weight".to_string(), vec![config.vocab_size, width]));
    }
    shapes
}

/// A LLaMA over given tensors.
pub struct Llama {
    embedding: Tensor,
    blocks: Vec<Block>,
    norm: Tensor,
    head: Tensor,
    epsilon: f64,
    cos: Tensor,
    sin: Tensor,
}

struct Block {
    input_norm: Tensor,
    attention: Attention,
    post_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Llama {
    pub fn new(config: &Config, weights: &Weights, adapter: Option<&Adapter>) -> Result<Self> {
        let embedding = take(weights, "model.embed_tokens.weight")?;
        let head = match config.tie_word_embeddings {
            true => embedding.clone(),
            false => take(weights, "lm_head.weight")?,
        };
        let (cos, sin) = rotary_tables(config, embedding.device())?;
        Ok(Self {
            blocks: (0..config.num_hidden_layers)
                .map(|layer| Block::new(config, weights, adapter, layer))
                .collect::<Result<_>>()?,
            norm: take(weights, "model.norm.weight")?,
            embedding,
            head,
            epsilon: config.rms_norm_eps,
            cos,
            sin,
        })
    }

    /// ids (batch, time) u32 → normed hidden states (batch, time, width).
    pub fn hidden(&self, ids: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let (batch, time) = ids.dims2()?;
        let past = pass.cache.as_ref().map_or(0, |cache| cache.len());
        let positions = positions(batch, time, past, &pass.starts, ids.device())?;
        let span = AttentionSpan {
            starts: pass.starts.clone(),
            window: None,
        };
        let mut x = ops::embedding(ids, &self.embedding)?;
        for (index, block) in self.blocks.iter().enumerate() {
            let dropout = pass.dropout.map(|stream| stream.child(index as u64));
            let rotary = (&self.cos, &self.sin, &positions);
            let cache = pass.cache.as_deref_mut().map(|cache| (cache, index));
            x = block.forward(&x, rotary, &span, cache, dropout, self.epsilon)?;
        }
        if let Some(cache) = pass.cache.as_deref_mut() {
            cache.advance(time);
        }
        ops::rms_norm(&x, &self.norm, self.epsilon).during("the final norm")
    }

    /// hidden (…, width) → logits (…, vocabulary) in f32.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let logits = ops::linear(hidden, &self.head, None)?;
        logits.to_dtype(DType::F32).during("the logits")
    }
}

impl Block {
    fn new(
        config: &Config,
        weights: &Weights,
        adapter: Option<&Adapter>,
        layer: usize,
    ) -> Result<Self> {
        let module = |name: &str| format!("model.layers.{layer}.{name}");
        let linear = |name: &str| Linear::new(weights, adapter, &module(name));
        let norm = |name: &str| take(weights, &format!("{}.weight", module(name)));
        Ok(Self {
            input_norm: norm("input_layernorm")?,
            attention: Attention {
                q: linear("self_attn.q_proj")?,
                k: linear("self_attn.k_proj")?,
                v: linear("self_attn.v_proj")?,
                o: linear("self_attn.o_proj")?,
                heads: config.num_attention_heads,
                kv_heads: config.num_key_value_heads,
                head_dim: config.head_dim,
            },
            post_norm: norm("post_attention_layernorm")?,
            gate: linear("mlp.gate_proj")?,
            up: linear("mlp.up_proj")?,
            down: linear("mlp.down_proj")?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        rotary: (&Tensor, &Tensor, &Tensor),
        span: &AttentionSpan,
        cache: Option<(&mut Cache, usize)>,
        dropout: Option<Stream>,
        epsilon: f64,
    ) -> Result<Tensor> {
        let normed = ops::rms_norm(x, &self.input_norm, epsilon)?;
        let x = (x + self
            .attention
            .forward(&normed, rotary, span, cache, dropout)?)?;
        let normed = ops::rms_norm(&x, &self.post_norm, epsilon)?;
        let part = |index: u64| dropout.map(|stream| stream.child(index));
        let gate = self.gate.forward(&normed, part(4))?;
        let up = self.up.forward(&normed, part(5))?;
        let inner = ops::swiglu(&gate, &up)?;
        Ok((x + self.down.forward(&inner, part(6))?)?)
    }
}

impl Attention {
    fn forward(
        &self,
        x: &Tensor,
        (cos, sin, positions): (&Tensor, &Tensor, &Tensor),
        span: &AttentionSpan,
        cache: Option<(&mut Cache, usize)>,
        dropout: Option<Stream>,
    ) -> Result<Tensor> {
        let (batch, time, _) = x.dims3()?;
        let part = |index: u64| dropout.map(|stream| stream.child(index));
        let q = (self.q.forward(x, part(0))?).reshape((batch, time, self.heads, self.head_dim))?;
        let k =
            (self.k.forward(x, part(1))?).reshape((batch, time, self.kv_heads, self.head_dim))?;
        let v =
            (self.v.forward(x, part(2))?).reshape((batch, time, self.kv_heads, self.head_dim))?;
        let q = ops::rope(&q, cos, sin, positions)?;
        let k = ops::rope(&k, cos, sin, positions)?;
        let (k, v) = match cache {
            Some((cache, layer)) => cache.append(layer, &k, &v)?,
            None => (k, v),
        };
        let scale = 1.0 / (self.head_dim as f64).sqrt();
        let mixed = ops::attention(&q, &k, &v, scale, span)?;
        let mixed = mixed.reshape((batch, time, self.heads * self.head_dim))?;
        self.o.forward(&mixed, part(3))
    }
}

/// cos and sin of position · θ^(−2i/d): (positions, head_dim / 2) f32 each. The frequencies are rounded to f32 before they
/// are multiplied, as transformers does, so that long positions agree to the last bits.
fn rotary_tables(config: &Config, device: &Device) -> Result<(Tensor, Tensor)> {
    let half = config.head_dim / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|i| {
            let exponent = (2 * i) as f32 / config.head_dim as f32;
            1.0 / (config.rope_theta as f32).powf(exponent)
        })
        .collect();
    let angles: Vec<f32> = (0..config.max_position_embeddings)
        .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f))
        .collect();
    let shape = (config.max_position_embeddings, half);
    let table = |values: Vec<f32>| Tensor::from_vec(values, shape, device);
    let cos = table(angles.iter().map(|angle| angle.cos()).collect())?;
    let sin = table(angles.iter().map(|angle| angle.sin()).collect())?;
    Ok((cos, sin))
}

/// Positions (batch, time) counted from each row's first real token; padding stands at 0.
fn positions(
    batch: usize,
    time: usize,
    past: usize,
    starts: &[usize],
    device: &Device,
) -> Result<Tensor> {
    let values: Vec<u32> = (0..batch)
        .flat_map(|row| {
            let start = starts.get(row).copied().unwrap_or(0);
            (past..past + time).map(move |column| column.saturating_sub(start) as u32)
        })
        .collect();
    Ok(Tensor::from_vec(values, (batch, time), device)?)
}
