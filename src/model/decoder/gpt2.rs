//! GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks with LayerNorm, one projection for queries, keys and values,
//! GELU, a tied head. Files store its matrices as (in, out); here they are (out, in). Names are transformers'.

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
    let mut shapes = vec![
        ("transformer.wte.weight".to_string(), vec![config.vocab_size, width]),
        ("transformer.wpe.weight".to_string(), vec![config.max_position_embeddings, width]),
    ];
    for layer in 0..config.num_hidden_layers {
        let mut add = |name: &str, shape: Vec<usize>| {
            module(&mut shapes, format!("transformer.h.{layer}.{name}"), shape, true);
        };
        add("ln_1", vec![width]);
        add("attn.c_attn", vec![3 * width, width]);
        add("attn.c_proj", vec![width, width]);
        add("ln_2", vec![width]);
        add("mlp.c_fc", vec![inner, width]);
        add("mlp.c_proj", vec![width, inner]);
    }
    module(&mut shapes, "transformer.ln_f".to_string(), vec![width], true);
    shapes
}

/// Whether files store this weight as (in, out).
pub fn is_conv1d(name: &str) -> bool {
    ["c_attn.weight", "c_proj.weight", "c_fc.weight"].iter().any(|end| name.ends_with(end))
}

pub struct Gpt2 {
    embedding: Tensor,
    positions: Tensor,
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
}

impl Gpt2 {
    pub fn new(config: &Config, parts: Parts) -> Result<Self> {
        Ok(Self {
            embedding: parts.tensor("transformer.wte.weight")?,
            positions: parts.tensor("transformer.wpe.weight")?,
            blocks: (0..config.num_hidden_layers)
                .map(|layer| Block::new(config, parts, layer))
                .collect::<Result<_>>()?,
            norm: parts.layer_norm("transformer.ln_f", config.norm_eps)?,
        })
    }
}

impl Stack for Gpt2 {
    fn embed(&self, ids: &Tensor, step: &Step) -> Result<Tensor> {
        let tokens = ops::embedding(ids, &self.embedding)?;
        Ok((tokens + ops::embedding(&step.positions, &self.positions)?)?)
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
        let module = |name: &str| format!("transformer.h.{layer}.{name}");
        let linear = |name: &str| parts.linear(&module(name), true);
        let norm = |name: &str| parts.layer_norm(&module(name), config.norm_eps);
        Ok(Self {
            attention_norm: norm("ln_1")?,
            attention: Attention {
                projections: Projections::Joined(linear("attn.c_attn")?),
                output: linear("attn.c_proj")?,
                head_norms: None,
                shape: Shape::of(config, layer),
            },
            mlp_norm: norm("ln_2")?,
            up: linear("mlp.c_fc")?,
            down: linear("mlp.c_proj")?,
            activation: config.activation,
        })
    }

    fn forward(&self, layer: usize, x: &Tensor, step: &mut Step) -> Result<Tensor> {
        let dropout = step.dropout.map(|stream| stream.child(layer as u64));
        let part = |index: u64| dropout.map(|stream| stream.child(index));
        let normed = self.attention_norm.forward(x)?;
        let x = (x + self.attention.forward(&normed, step, layer, dropout)?)?;
        let inner = self.up.forward(&self.mlp_norm.forward(&x)?, part(4))?;
        let inner = ops::activation(&inner, self.activation)?;
        Ok((x + self.down.forward(&inner, part(5))?)?)
    }
}
