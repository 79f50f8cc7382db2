//! Models from folders and bundled names: save_pretrained layout, checked before it is trusted.

use crate::error::Result;

use super::Model;

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// "f32", "bf16" or "f16"; as the device does best when `None`.
    pub dtype: Option<String>,
    /// "auto", "cpu" or "cuda:0".
    pub device: String,
}

/// Loads a model from a folder in save_pretrained layout.
pub fn from_folder(folder: &std::path::Path, options: &LoadOptions) -> Result<Model> {
    let _ = (folder, options);
    unimplemented!()
}

/// Loads a model that the program ships: "ebb/tiny".
pub fn bundled(name: &str, options: &LoadOptions) -> Result<Model> {
    let _ = (name, options);
    unimplemented!()
}

/// A model with random weights (normal, standard deviation `initializer_range`).
pub fn random(
    config: super::config::Config,
    tokenizer: std::sync::Arc<super::text::TextTokenizer>,
    seed: u64,
    options: &LoadOptions,
) -> Result<Model> {
    let _ = (config, tokenizer, seed, options);
    unimplemented!()
}
