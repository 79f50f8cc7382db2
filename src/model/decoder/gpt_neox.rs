//! GPT-NeoX (Black et al. 2022), the family of Pythia: LayerNorm, one projection for queries, keys and values that goes head by
//! head, rotary positions on a part of each head, and attention and MLP that both read the block's input. Names are
//! transformers'.

use candle_core::Tensor;

use super::attention::{Attention, Projections, Shape};
use super::linear::{Linear, Norm, Parts};
use super::pass::Step;
use super::stack::{Shapes, Stack, module};
use crate::error::Result;
use crate::model::config::Config;
use crate::ops::{self, Activation};

pub fn shapes(config: &Config) -> Shapes {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut shapes = vec![("gpt_neox.embed_in.weight".to_string(), vec![config.vocab_size, width])];
    for layer in 0..config.num_hidden_layers {
        let mut add = |name: &str, shape: Vec<usize>, bias: bool| {
            module(&mut shapes, format!("gpt_neox.layers.{layer}.{name}"), shape, bias);
        };
        let joined = vec![3 * width, width];
        add("input_layernorm", vec![width], true);
        add("post_attention_layernorm", vec![width], true);
        add("attention.query_key_value", joined, config.qkv_bias);
        add("attention.dense", vec![width, width], config.output_bias);
        add("mlp.dense_h_to_4h", vec![inner, width], true);
        add("mlp.dense_4h_to_h", vec![width, inner], true);
    }
    let last = "gpt_neox.final_layer_norm".to_string();
    module(&mut shapes, last, vec![width], true);
    shapes
}

pub struct GptNeox {
    embedding: Tensor,
    blocks: Vec<Block>,
    norm: Norm,
}

struct Block {
    attention_norm: Norm,
    attention: Attention,
    mlp_norm: Norm,
    up: Linear,
    down: Linear,
    activation: Activation,
    parallel: bool,
}

impl GptNeox {
    pub fn new(config: &Config, parts: Parts) -> Result<Self> {
        Ok(Self {
            embedding: parts.tensor("gpt_neox.embed_in.weight")?,
            blocks: (0..config.num_hidden_layers)
                .map(|layer| Block::new(config, parts, layer))
                .collect::<Result<_>>()?,
            norm: parts.layer_norm("gpt_neox.final_layer_norm", config.norm_eps)?,
        })
    }
}

impl Stack for GptNeox {
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
        let module = |name: &str| format!("gpt_neox.layers.{layer}.{name}");
        let linear = |name: &str, bias: bool| parts.linear(&module(name), bias);
        let norm = |name: &str| parts.layer_norm(&module(name), config.norm_eps);
        Ok(Self {
            attention_norm: norm("input_layernorm")?,
            attention: Attention {
                projections: Projections::ByHead(linear(
                    "attention.query_key_value",
                    config.qkv_bias,
                )?),
                output: linear("attention.dense", config.output_bias)?,
                head_norms: None,
                shape: Shape::of(config, layer),
            },
            mlp_norm: norm("post_attention_layernorm")?,
            up: linear("mlp.dense_h_to_4h", true)?,
            down: linear("mlp.dense_4h_to_h", true)?,
            activation: config.activation,
            parallel: config.parallel_residual,
        })
    }

    fn forward(&self, layer: usize, x: &Tensor, step: &mut Step) -> Result<Tensor> {
        let dropout = step.dropout.map(|stream| stream.child(layer as u64));
        let part = |index: u64| dropout.map(|stream| stream.child(index));
        let normed = self.attention_norm.forward(x)?;
        let attended = (x + self.attention.forward(&normed, step, layer, dropout)?)?;
        let read = if self.parallel { x } else { &attended };
        let inner = self.up.forward(&self.mlp_norm.forward(read)?, part(4))?;
        let inner = ops::activation(&inner, self.activation)?;
        Ok((attended + self.down.forward(&inner, part(5))?)?)
    }
}
