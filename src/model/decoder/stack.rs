//! What every family gives: the shapes of its weights, and a stack of blocks.

use candle_core::Tensor;

use super::linear::Norm;
use super::pass::Step;
use crate::error::Result;

/// Names and shapes of weights, in the order of the forward pass.
pub type Shapes = Vec<(String, Vec<usize>)>;

/// What a family computes. A decoder embeds tokens, runs them through the blocks in order, and normalises the result.
pub trait Stack: Send + Sync {
    /// ids (batch, time) u32 → (batch, time, width)
    fn embed(&self, ids: &Tensor, step: &Step) -> Result<Tensor>;
    /// One block: (batch, time, width) → the same.
    fn block(&self, layer: usize, x: &Tensor, step: &mut Step) -> Result<Tensor>;
    /// The norm before the head.
    fn norm(&self) -> &Norm;
}

/// The LayerNorm or linear module `{module}` of that many outputs (and inputs), with a bias if so.
pub fn module(shapes: &mut Shapes, module: String, weight: Vec<usize>, bias: bool) {
    if let (true, Some(outputs)) = (bias, weight.first()) {
        shapes.push((format!("{module}.bias"), vec![*outputs]));
    }
    shapes.push((format!("{module}.weight"), weight));
}
