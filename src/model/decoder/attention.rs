//! The attention layer that all families share: projections apart or in one, norms of queries and keys, rotary positions,
//! grouped queries, a window.

use candle_core::{D, Tensor};

use super::linear::{Linear, Norm};
use super::pass::{Positions, Step};
use crate::error::Result;
use crate::model::config::Config;
use crate::ops::{self, AttentionSpan, Scores};
use crate::random::Stream;

/// Causal self-attention of one block.
pub struct Attention {
    pub projections: Projections,
    pub output: Linear,
    /// Norms over each head of the queries and of the keys.
    pub head_norms: Option<(Norm, Norm)>,
    pub shape: Shape,
}

/// How queries, keys and values are made.
pub enum Projections {
    Apart {
        q: Linear,
        k: Linear,
        v: Linear,
    },
    /// All queries, then all keys, then all values (GPT-2).
    Joined(Linear),
    /// Query, key and value of the first head, then of the second, … (GPT-NeoX).
    ByHead(Linear),
}

/// The numbers of a layer's attention.
#[derive(Clone, Copy)]
pub struct Shape {
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub scores: Scores,
    /// How many of the last tokens are seen; all where `None`.
    pub window: Option<usize>,
    pub positions: Positions,
}

impl Shape {
    /// The shape of a layer, as the configuration has it.
    pub fn of(config: &Config, layer: usize) -> Self {
        let window = config.windows.get(layer).copied().flatten();
        Self {
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            scores: Scores {
                scale: config.query_scale.unwrap_or(1.0 / (config.head_dim as f64).sqrt()),
                cap: config.attention_cap,
            },
            window,
            positions: match (&config.rope, &config.local_rope, window) {
                (None, ..) => Positions::Learned,
                (_, Some(_), Some(_)) => Positions::Local,
                _ => Positions::Rotary,
            },
        }
    }
}

impl Attention {
    /// x (batch, time, width) → the same shape. The streams of dropout are numbered q, k, v, output.
    pub fn forward(
        &self,
        x: &Tensor,
        step: &mut Step,
        layer: usize,
        dropout: Option<Stream>,
    ) -> Result<Tensor> {
        let (batch, time, _) = x.dims3()?;
        let shape = self.shape;
        let part = |index: u64| dropout.map(|stream| stream.child(index));
        let [q, k, v] = self.project(x, part)?;
        let (q, k) = match &self.head_norms {
            Some((of_q, of_k)) => (of_q.forward(&q)?, of_k.forward(&k)?),
            None => (q, k),
        };
        let (q, k) = match step.angles(shape.positions) {
            Some(angles) => (angles.turn(&q)?, angles.turn(&k)?),
            None => (q, k),
        };
        let (k, v) = match step.cache.as_deref_mut() {
            Some(cache) => cache.append(layer, &k, &v)?,
            None => (k, v),
        };
        let span = AttentionSpan {
            starts: step.starts.to_vec(),
            window: shape.window,
            ..AttentionSpan::default()
        };
        let mixed = ops::attention(&q, &k, &v, shape.scores, &span)?;
        let mixed = mixed.reshape((batch, time, shape.heads * shape.head_dim))?;
        self.output.forward(&mixed, part(3))
    }

    /// Queries, keys and values, (batch, time, heads, head_dim) each.
    fn project(&self, x: &Tensor, part: impl Fn(u64) -> Option<Stream>) -> Result<[Tensor; 3]> {
        let (batch, time, _) = x.dims3()?;
        let Shape { heads, kv_heads, head_dim, .. } = self.shape;
        Ok(match &self.projections {
            Projections::Apart { q, k, v } => [
                q.forward(x, part(0))?.reshape((batch, time, heads, head_dim))?,
                k.forward(x, part(1))?.reshape((batch, time, kv_heads, head_dim))?,
                v.forward(x, part(2))?.reshape((batch, time, kv_heads, head_dim))?,
            ],
            Projections::Joined(all) => {
                let all = all.forward(x, part(0))?;
                let width = heads * head_dim;
                let one = |index: usize| -> Result<Tensor> {
                    let narrowed = all.narrow(D::Minus1, index * width, width)?;
                    Ok(narrowed.contiguous()?.reshape((batch, time, heads, head_dim))?)
                };
                [one(0)?, one(1)?, one(2)?]
            }
            Projections::ByHead(all) => {
                let all = all.forward(x, part(0))?.reshape((batch, time, heads, 3 * head_dim))?;
                let one = |index: usize| -> Result<Tensor> {
                    Ok(all.narrow(D::Minus1, index * head_dim, head_dim)?.contiguous()?)
                };
                [one(0)?, one(1)?, one(2)?]
            }
        })
    }
}
