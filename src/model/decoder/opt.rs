//! OPT (Zhang et al. 2022): learned positions that begin at 2, pre-norm blocks with LayerNorm and ReLU, a tied head. Names are
//! transformers'. The 350-million size, whose norms come after, is refused by its configuration.

use candle_core::Tensor;

use super::attention::{Attention, Projections, Shape};
use super::linear::{Linear, Norm, Parts};
use super::pass::Step;
use super::stack::{Shapes, Stack, module};
use crate::error::Result;
use crate::model::config::Config;
use crate::ops::{self, Activation};

/// Rows of the position table before position 0.
const OFFSET: usize = 2;

pub fn shapes(config: &Config) -> Shapes {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut shapes = vec![
        ("model.decoder.embed_tokens.weight".to_string(), vec![config.vocab_size, width]),
        (
            "model.decoder.embed_positions.weight".to_string(),
            vec![config.max_position_embeddings + OFFSET, width],
        ),
    ];
    for layer in 0..config.num_hidden_layers {
        let mut add = |name: &str, shape: Vec<usize>| {
            let name = format!("model.decoder.layers.{layer}.{name}");
            module(&mut shapes, name, shape, true);
        };
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            add(&format!("self_attn.{name}"), vec![width, width]);
        }
        add("self_attn_layer_norm", vec![width]);
        add("fc1", vec![inner, width]);
        add("fc2", vec![width, inner]);
        add("final_layer_norm", vec![width]);
    }
    let last = "model.decoder.final_layer_norm".to_string();
    module(&mut shapes, last, vec![width], true);
    shapes
}

pub struct Opt {
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

impl Opt {
    pub fn new(config: &Config, parts: Parts) -> Result<Self> {
        Ok(Self {
            embedding: parts.tensor("model.decoder.embed_tokens.weight")?,
            positions: parts.tensor("model.decoder.embed_positions.weight")?,
            blocks: (0..config.num_hidden_layers)
                .map(|layer| Block::new(config, parts, layer))
                .collect::<Result<_>>()?,
            norm: parts.layer_norm("model.decoder.final_layer_norm", config.norm_eps)?,
        })
    }
}

impl Stack for Opt {
    fn embed(&self, ids: &Tensor, step: &Step) -> Result<Tensor> {
        let tokens = ops::embedding(ids, &self.embedding)?;
        let shift = Tensor::new(OFFSET as u32, ids.device())?;
        let rows = step.positions.broadcast_add(&shift)?;
        Ok((tokens + ops::embedding(&rows, &self.positions)?)?)
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
        let module = |name: &str| format!("model.decoder.layers.{layer}.{name}");
        let linear = |name: &str| parts.linear(&module(name), true);
        let norm = |name: &str| parts.layer_norm(&module(name), config.norm_eps);
        Ok(Self {
            attention_norm: norm("self_attn_layer_norm")?,
            attention: Attention {
                projections: Projections::Apart {
                    q: linear("self_attn.q_proj")?,
                    k: linear("self_attn.k_proj")?,
                    v: linear("self_attn.v_proj")?,
                },
                output: linear("self_attn.out_proj")?,
                head_norms: None,
                shape: Shape::of(config, layer),
            },
            mlp_norm: norm("final_layer_norm")?,
            up: linear("fc1")?,
            down: linear("fc2")?,
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
