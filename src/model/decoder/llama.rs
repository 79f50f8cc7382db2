//! The LLaMA family (Touvron et al. 2023) and its kin Mistral, Qwen2 and Qwen3: pre-norm blocks of grouped-query attention
//! with rotary positions and a SwiGLU MLP. They differ in biases, norms of queries and keys (Qwen3), and windows
//! (Mistral). Names are transformers'.

use candle_core::Tensor;

use super::attention::{Attention, Projections, Shape};
use super::linear::{Linear, Norm, Parts};
use super::pass::Step;
use super::stack::{Shapes, Stack, module};
use crate::error::Result;
use crate::model::config::{Config, Family};
use crate::ops;

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
        if config.family == Family::Qwen3 {
            add("self_attn.q_norm", vec![config.head_dim], false);
            add("self_attn.k_norm", vec![config.head_dim], false);
        }
        add("self_attn.o_proj", vec![width, queries], config.output_bias);
        add("post_attention_layernorm", vec![width], false);
        add("mlp.gate_proj", vec![inner, width], config.mlp_bias);
        add("mlp.up_proj", vec![inner, width], config.mlp_bias);
        add("mlp.down_proj", vec![width, inner], config.mlp_bias);
    }
    shapes.push(("model.norm.weight".to_string(), vec![width]));
    shapes
}

pub struct Llama {
    embedding: Tensor,
    blocks: Vec<Block>,
    norm: Norm,
}

struct Block {
    input_norm: Norm,
    attention: Attention,
    post_norm: Norm,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Llama {
    pub fn new(config: &Config, parts: Parts) -> Result<Self> {
        Ok(Self {
            embedding: parts.tensor("model.embed_tokens.weight")?,
            blocks: (0..config.num_hidden_layers)
                .map(|layer| Block::new(config, parts, layer))
                .collect::<Result<_>>()?,
            norm: parts.rms_norm("model.norm", config.norm_eps)?,
        })
    }
}

impl Stack for Llama {
    fn embed(&self, ids: &Tensor, _: &Step) -> Result<Tensor> {
        Ok(ops::embedding(ids, &self.embedding)?)
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
        let norm = |name: &str| parts.rms_norm(&module(name), config.norm_eps);
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
                    Family::Qwen3 => Some((norm("self_attn.q_norm")?, norm("self_attn.k_norm")?)),
                    _ => None,
                },
                shape: Shape::of(config, layer),
            },
            post_norm: norm("post_attention_layernorm")?,
            gate: linear("mlp.gate_proj", config.mlp_bias)?,
            up: linear("mlp.up_proj", config.mlp_bias)?,
            down: linear("mlp.down_proj", config.mlp_bias)?,
        })
    }

    fn forward(&self, layer: usize, x: &Tensor, step: &mut Step) -> Result<Tensor> {
        let dropout = step.dropout.map(|stream| stream.child(layer as u64));
        let part = |index: u64| dropout.map(|stream| stream.child(index));
        let normed = self.input_norm.forward(x)?;
        let x = (x + self.attention.forward(&normed, step, layer, dropout)?)?;
        let normed = self.post_norm.forward(&x)?;
        let gate = self.gate.forward(&normed, part(4))?;
        let up = self.up.forward(&normed, part(5))?;
        let inner = ops::swiglu(&gate, &up)?;
        Ok((x + self.down.forward(&inner, part(6))?)?)
    }
}
