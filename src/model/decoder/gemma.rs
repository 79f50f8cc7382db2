//! Gemma 2 (Gemma Team 2024) and the text decoder of Gemma 3 (2025): norms before and after attention and MLP, a gated MLP
//! with GELU, embeddings scaled by √width. Gemma 2 caps scores and logits, and every second layer has a window; Gemma 3 has
//! norms of queries and keys instead, and most of its layers a window and rotary angles of their own. Norms store their
//! weight as the difference from one. Names are transformers'.

use candle_core::Tensor;

use super::attention::{Attention, Projections, Shape};
use super::linear::{Linear, Norm, Parts};
use super::pass::Step;
use super::stack::{Shapes, Stack, module};
use crate::error::Result;
use crate::model::config::{Config, Family};
use crate::ops::{self, Activation};

pub fn shapes(config: &Config) -> Shapes {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let queries = config.num_attention_heads * config.head_dim;
    let keys = config.num_key_value_heads * config.head_dim;
    let mut shapes =
        vec![("model.embed_tokens.weight".to_string(), vec![config.vocab_size, width])];
    for layer in 0..config.num_hidden_layers {
        let mut add = |name: &str, shape: Vec<usize>, bias: bool| {
            module(&mut shapes, format!("model.layers.{layer}.{name}"), shape, bias);
        };
        add("input_layernorm", vec![width], false);
        add("self_attn.q_proj", vec![queries, width], config.qkv_bias);
        add("self_attn.k_proj", vec![keys, width], config.qkv_bias);
        add("self_attn.v_proj", vec![keys, width], config.qkv_bias);
        if config.family == Family::Gemma3 {
            add("self_attn.q_norm", vec![config.head_dim], false);
            add("self_attn.k_norm", vec![config.head_dim], false);
        }
        add("self_attn.o_proj", vec![width, queries], config.output_bias);
        add("post_attention_layernorm", vec![width], false);
        add("pre_feedforward_layernorm", vec![width], false);
        add("mlp.gate_proj", vec![inner, width], false);
        add("mlp.up_proj", vec![inner, width], false);
        add("mlp.down_proj", vec![width, inner], false);
        add("post_feedforward_layernorm", vec![width], false);
    }
    shapes.push(("model.norm.weight".to_string(), vec![width]));
    shapes
}

pub struct Gemma {
    embedding: Tensor,
    scale: f64,
    blocks: Vec<Block>,
    norm: Norm,
}

struct Block {
    input_norm: Norm,
    attention: Attention,
    after_attention: Norm,
    before_mlp: Norm,
    gate: Linear,
    up: Linear,
    down: Linear,
    after_mlp: Norm,
    activation: Activation,
}

impl Gemma {
    pub fn new(config: &Config, parts: Parts) -> Result<Self> {
        Ok(Self {
            embedding: parts.tensor("model.embed_tokens.weight")?,
            // transformers rounds the scale to the weights' type; f32 keeps it whole.
            scale: f64::from((config.hidden_size as f32).sqrt()),
            blocks: (0..config.num_hidden_layers)
                .map(|layer| Block::new(config, parts, layer))
                .collect::<Result<_>>()?,
            norm: parts.rms_norm_from_one("model.norm", config.norm_eps)?,
        })
    }
}

impl Stack for Gemma {
    fn embed(&self, ids: &Tensor, _: &Step) -> Result<Tensor> {
        Ok((ops::embedding(ids, &self.embedding)? * self.scale)?)
    }

    fn block(&self, layer: usize, x: &Tensor, step: &mut Step) -> Result<Tensor> {
        self.blocks[layer].forward(layer, x, step)
    }

    fn norm(&self) -> &Norm {
        &self.norm
    }
}

impl Block {
    fn new(config: &Config, parts: Parts, layer: usize) -> Result<Self> {
        let module = |name: &str| format!("model.layers.{layer}.{name}");
        let linear = |name: &str, bias: bool| parts.linear(&module(name), bias);
        let norm = |name: &str| parts.rms_norm_from_one(&module(name), config.norm_eps);
        Ok(Self {
            input_norm: norm("input_layernorm")?,
            attention: Attention {
                projections: Projections::Apart {
                    q: linear("self_attn.q_proj", config.qkv_bias)?,
                    k: linear("self_attn.k_proj", config.qkv_bias)?,
                    v: linear("self_attn.v_proj", config.qkv_bias)?,
                },
                output: linear("self_attn.o_proj", config.output_bias)?,
                head_norms: match config.family {
                    Family::Gemma3 => Some((norm("self_attn.q_norm")?, norm("self_attn.k_norm")?)),
                    _ => None,
                },
                shape: Shape::of(config, layer),
            },
            after_attention: norm("post_attention_layernorm")?,
            before_mlp: norm("pre_feedforward_layernorm")?,
            gate: linear("mlp.gate_proj", false)?,
            up: linear("mlp.up_proj", false)?,
            down: linear("mlp.down_proj", false)?,
            after_mlp: norm("post_feedforward_layernorm")?,
            activation: config.activation,
        })
    }

    fn forward(&self, layer: usize, x: &Tensor, step: &mut Step) -> Result<Tensor> {
        let dropout = step.dropout.map(|stream| stream.child(layer as u64));
        let part = |index: u64| dropout.map(|stream| stream.child(index));
        let normed = self.input_norm.forward(x)?;
        let mixed = self.attention.forward(&normed, step, layer, dropout)?;
        let x = (x + self.after_attention.forward(&mixed)?)?;
        let normed = self.before_mlp.forward(&x)?;
        let gate = ops::activation(&self.gate.forward(&normed, part(4))?, self.activation)?;
        let inner = (gate * self.up.forward(&normed, part(5))?)?;
        let out = self.down.forward(&inner, part(6))?;
        Ok((x + self.after_mlp.forward(&out)?)?)
    }
}
