//! Classifiers to folders that transformers loads, and so does [`super::open`].

use std::path::{Path, PathBuf};

use candle_core::DType;

use super::classifier::Classifier;
use crate::error::Result;
use crate::folders::Aside;
use crate::model::save::{put_within, write_json, write_tensors};

/// Writes a folder: config.json, model.safetensors and the tokenizer's files, whole or not at all, strictly inside one of
/// `roots` and in place of none of `kept`, under the rules of [`crate::model::save::to_folder_within`]. `dtype` is how the
/// weights are stored.
pub fn to_folder_within(
    classifier: &Classifier,
    folder: &Path,
    dtype: DType,
    roots: &[PathBuf],
    kept: &[PathBuf],
) -> Result<()> {
    put_within(folder, roots, kept, classifier.lineage(), |aside| write(classifier, aside, dtype))
}

fn write(classifier: &Classifier, aside: &Aside, dtype: DType) -> Result<()> {
    let name = match dtype {
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        _ => "float32",
    };
    let config = classifier.encoder.config().to_json(classifier.labels(), name);
    write_json(aside, "config.json", &config)?;
    let (tokenizer, settings) = classifier.tokenizer.content()?;
    write_json(aside, "tokenizer.json", &tokenizer)?;
    write_json(aside, "tokenizer_config.json", &settings)?;
    let weights = classifier.encoder.weights()?;
    write_tensors(aside, "model.safetensors", &weights, "", dtype)
}
