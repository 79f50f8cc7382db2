//! How a model is loaded.

use std::path::PathBuf;

use crate::control::Control;
use crate::doorway::Roots;

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// "f32", "bf16" or "f16"; f32 when `None`.
    pub dtype: Option<String>,
    /// "auto", "cpu" or "cuda:0"; empty is "auto".
    pub device: String,
    /// A revision of a Hub repository.
    pub revision: Option<String>,
    /// Keep the matrices of the blocks in GGUF blocks of this kind ("q8_0", "q4_0", …).
    pub quantize: Option<String>,
    /// A PEFT folder whose adapter comes over the model.
    pub adapter: Option<PathBuf>,
    /// Told how far loading is, and asked whether to stop.
    pub control: Control,
    /// Where the model's files may really lie, and where an adapter's base may be.
    pub roots: Roots,
}
