//! Low-rank adapters (Hu et al. 2021), named and shaped as PEFT has them.

use super::Weights;

/// An adapter over a base. `weights` are `{module}.lora_A.weight` (rank, in) and `{module}.lora_B.weight` (out, rank), where
/// `{module}` is the base weight's name without `.weight`.
#[derive(Clone)]
pub struct Adapter {
    pub rank: usize,
    pub alpha: f64,
    pub dropout: f64,
    /// Module names as PEFT takes them: "q_proj".
    pub targets: Vec<String>,
    pub weights: Weights,
}
