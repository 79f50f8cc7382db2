//! From the products of queries and keys to attention weights, a row of scores at a time, and back.

use crate::ops::soft_cap;
use crate::ops::vector::{self, Kernel, LANES, Vector};

/// How the products of queries and keys become scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// What products are multiplied by.
    pub scale: f64,
    /// Scores s become cap · tanh(s / cap), as in Gemma 2.
    pub cap: Option<f64>,
}

impl From<f64> for Scores {
    fn from(scale: f64) -> Self {
        Self { scale, cap: None }
    }
}

impl Scores {
    /// Turns a row of products into attention weights.
    pub fn weigh(&self, row: &mut [f32]) {
        let scale = self.scale as f32;
        match self.cap {
            None => vector::run(Softmax { row, scale }),
            Some(cap) => {
                soft_cap::in_place(row, scale, cap as f32);
                vector::run(Softmax { row, scale: 1.0 });
            }
        }
    }

    /// Turns a row of attention weights into the gradient of the products. `products` are needed where scores are
    /// capped.
    pub fn unweigh(&self, weights: &mut [f32], to_weights: &[f32], products: Option<&[f32]>) {
        let scale = self.scale as f32;
        match (self.cap, products) {
            (Some(cap), Some(products)) => {
                vector::run(SoftmaxGradient { weights, to_weights, scale: 1.0 });
                soft_cap::times_slope(weights, products, scale, cap as f32);
            }
            _ => vector::run(SoftmaxGradient { weights, to_weights, scale }),
        }
    }
}

/// `row = softmax(row · scale)` in place.
struct Softmax<'a> {
    row: &'a mut [f32],
    scale: f32,
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let maximum = vector::largest::<V>(self.row);
        let (maximum, scale) = (V::splat(maximum), V::splat(self.scale));
        let mut sum = V::splat(0.0);
        for start in (0..self.row.len()).step_by(LANES) {
            let score = V::load_at(self.row, start);
            score.sub(maximum).mul(scale).exp().store_at(self.row, start);
            // Loaded again: lanes past the end count as zero.
            sum = sum.add(V::load_at(self.row, start));
        }
        let share = V::splat(1.0 / sum.sum());
        for start in (0..self.row.len()).step_by(LANES) {
            V::load_at(self.row, start).mul(share).store_at(self.row, start);
        }
    }
}

/// `weights = weights · (to_weights − Σ weights · to_weights) · scale` in place.
struct SoftmaxGradient<'a> {
    weights: &'a mut [f32],
    to_weights: &'a [f32],
    scale: f32,
}

impl Kernel for SoftmaxGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let mut mean = V::splat(0.0);
        for start in (0..self.weights.len()).step_by(LANES) {
            mean =
                V::load_at(self.weights, start).mul_add(V::load_at(self.to_weights, start), mean);
        }
        let (mean, scale) = (V::splat(mean.sum()), V::splat(self.scale));
        for start in (0..self.weights.len()).step_by(LANES) {
            let difference = V::load_at(self.to_weights, start).sub(mean);
            V::load_at(self.weights, start)
                .mul(difference)
                .mul(scale)
                .store_at(self.weights, start);
        }
    }
}
