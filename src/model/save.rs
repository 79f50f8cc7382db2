//! Models to folders that transformers and peft can load.

use crate::error::Result;

use super::Model;

/// Writes config.json, model.safetensors and the tokenizer's files; the folder appears whole or not at all.
pub fn to_folder(model: &Model, folder: &std::path::Path) -> Result<()> {
    let _ = (model, folder);
    unimplemented!()
}
