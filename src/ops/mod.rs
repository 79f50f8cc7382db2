//! The building blocks of a decoder step, under plain names, forward and backward together.
//!
//! Decoders and the trainer call these and never candle's own fused functions, several of which drop gradients without
//! an error. Shapes are written (batch, time, width). On a CPU the costly ones are kernels of ours; on any other device
//! they are plain candle.

mod activation;
mod adamw;
mod attention;
mod binary;
mod cpu;
mod dropout;
mod embedding;
mod fixed;
mod head;
mod linear;
mod loss;
mod norm;
mod packed;
mod products;
mod rope;
mod soft_cap;
mod swiglu;
#[cfg(test)]
mod tests;
mod vector;

pub use activation::{Activation, activation};
pub use adamw::{AdamW, adamw_step, sum_of_squares};
pub use attention::{AttentionSpan, Scores, attention};
pub use binary::binary_cross_entropy_sum;
pub use dropout::dropout;
pub use embedding::embedding;
pub use fixed::{FixedWeight, fixed_linear};
pub use head::head_loss;
pub use linear::linear;
pub use loss::{cross_entropy_sum, token_losses};
pub use norm::{layer_norm, rms_norm};
pub use packed::{Blocks, Packed, packed_linear};
pub use rope::rope;
pub use soft_cap::soft_cap;
pub use swiglu::swiglu;
pub use vector::widest as vectors;
