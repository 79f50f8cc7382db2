//! Adapter folders as PEFT writes them: adapter_config.json and adapter_model.safetensors over a base.

use std::path::{Path, PathBuf};

use candle_core::DType;
use serde_json::Value;

use super::adapter::Adapter;
use super::load::source::Files;
use super::load::tensors::TensorFile;
use super::load::{LoadOptions, assemble, bundled};
use super::{BaseSource, Model};
use crate::error::{Error, Result};

/// A PEFT folder: the base it names, which must be a folder or bundled, and the adapter's tensors.
pub(super) fn load(
    files: &Files,
    folder: &Path,
    settings: &[u8],
    options: &LoadOptions,
) -> Result<Model> {
    let settings: Value = serde_json::from_slice(settings).map_err(|error| {
        Error::failed(format!(
            "adapter_config.json of {} cannot be read: {error}",
            files.source
        ))
    })?;
    let text = |key: &str| settings.get(key).and_then(Value::as_str);
    let base = text("base_model_name_or_path").unwrap_or_default();
    let base_folder = [PathBuf::from(base), folder.join(base)]
        .into_iter()
        .find(|path| path.is_dir());
    let base = match (base.strip_prefix("ebb/"), base_folder) {
        (Some(name), _) => bundled(name, options)?,
        (None, Some(path)) => assemble(&Files::of_folder(&path), options)?,
        (None, None) => {
            return Err(Error::failed_with_hint(
                format!("the adapter's base model `{base}` is not at hand"),
                "put the base beside the adapter, or set base_model_name_or_path to its folder",
            ));
        }
    };
    let made_for = text("ebb_base_sha256");
    let at_hand = base.lineage().sha256.as_deref();
    if let (Some(made_for), Some(at_hand)) = (made_for, at_hand)
        && made_for != at_hand
    {
        return Err(Error::failed_with_hint(
            format!(
                "the adapter {} was made for other weights than those of {}",
                files.source,
                base.lineage().source
            ),
            "give it the base it was trained on: the hash of the weights differs",
        ));
    }
    let rank = settings.get("r").and_then(Value::as_u64).unwrap_or(0) as usize;
    let targets: Vec<String> = match settings.get("target_modules") {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_string)
            .collect(),
        _ => Vec::new(),
    };
    let number =
        |key: &str, default: f64| settings.get(key).and_then(Value::as_f64).unwrap_or(default);
    if rank == 0 || targets.is_empty() {
        return Err(Error::invalid(
            "reading adapter_config.json",
            "r above 0 and target_modules",
            "none",
        ));
    }
    let alpha = number("lora_alpha", rank as f64);
    let mut adapter = Adapter::new(
        rank,
        alpha,
        number("lora_dropout", 0.0),
        targets,
        base.weights(),
        0,
    )?;
    let (tensors, sha256) = adapter_file(files)?;
    for (name, weight) in adapter.weights.iter_mut() {
        let stored = format!("base_model.model.{name}");
        let Some(shape) = tensors.shape(&stored) else {
            return Err(Error::failed_with_hint(
                format!("the adapter lacks `{stored}`"),
                "is it an adapter for this base?",
            ));
        };
        if shape != weight.dims() {
            return Err(Error::invalid(
                format!("loading `{stored}`"),
                format!("shape {:?}, as the base and r call for", weight.dims()),
                format!("{shape:?}"),
            )
            .with_hint("is it an adapter for this base?"));
        }
        *weight = tensors
            .read(&stored, DType::F32)?
            .to_device(&base.device())?;
    }
    let mut lineage = base.lineage().clone();
    let base_source = BaseSource {
        name: std::mem::take(&mut lineage.source),
        sha256: lineage.sha256.take(),
    };
    lineage.source = format!("{} over {}", files.source, base_source.name);
    lineage.sha256 = Some(sha256);
    let (config, tokenizer) = (base.config().clone(), base.tokenizer().clone());
    let weights = base.weights().clone();
    let model = Model::new(config, tokenizer, weights, Some(adapter), lineage)?;
    Ok(model.over(base_source))
}

/// The adapter's tensors, and the hash of their file.
fn adapter_file(files: &Files) -> Result<(TensorFile, String)> {
    for name in ["adapter_model.safetensors", "adapter_model.bin"] {
        if let (Some(tensors), Some(bytes)) = (TensorFile::open(files, name)?, files.open(name)?) {
            return Ok((tensors, bytes.sha256()?));
        }
    }
    Err(Error::failed_with_hint(
        format!(
            "the adapter {} has no adapter_model.safetensors",
            files.source
        ),
        "an adapter folder holds adapter_config.json and adapter_model.safetensors",
    ))
}
