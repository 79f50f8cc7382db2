//! Adapter folders as PEFT writes them: adapter_config.json and adapter_model.safetensors over a base.

mod settings;
mod tensors;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::lineage::{Lineage, Stage};
use super::load::LoadOptions;
use super::load::source::Files;
use super::load::tensors::TensorFile;
use super::{BaseSource, Model, Weights};
use crate::doorway::Found;
use crate::error::{Error, Result};

/// The base that an adapter names.
pub(super) enum Base<'a> {
    /// A model that the program ships, by its name.
    Bundled(&'a str),
    /// A folder, or a `.gguf` file.
    At(PathBuf),
    /// A repository on the Hub, with its revision.
    Named(String),
}

/// A PEFT folder over the base that it names, which `open` loads.
pub(super) fn load(
    files: &Files,
    settings: &[u8],
    options: &LoadOptions,
    open: &dyn Fn(Base) -> Result<Model>,
) -> Result<Model> {
    let settings = parse(files, settings)?;
    let named = settings.get("base_model_name_or_path").and_then(Value::as_str);
    let named = named.filter(|name| !name.is_empty()).ok_or_else(|| {
        Error::failed_with_hint(
            format!("the adapter {} names no base model", files.source),
            "load the base and give the adapter's folder with the option `adapter`",
        )
    })?;
    let base = match named.strip_prefix("ebb/") {
        Some(name) => open(Base::Bundled(name))?,
        None => match base_folder(files, named, options)? {
            Some(path) => open(Base::At(path))?,
            None => open(Base::Named(at_revision(named, &settings)))?,
        },
    };
    put_over(base, files, &settings)
}

/// The name of a base on the Hub, at the revision that the settings ask for.
fn at_revision(named: &str, settings: &Value) -> String {
    let revision = settings.get("revision").and_then(Value::as_str);
    let revision = revision.filter(|name| !name.is_empty() && !named.contains('@'));
    match revision {
        Some(revision) => format!("{named}@{revision}"),
        None => named.to_string(),
    }
}

/// The adapter of a PEFT folder over a base at hand, whatever base the folder names.
pub(super) fn over(base: Model, files: &Files) -> Result<Model> {
    let settings = files.read("adapter_config.json")?.ok_or_else(|| {
        Error::failed_with_hint(
            format!("{} has no adapter_config.json", files.source),
            "an adapter folder holds adapter_config.json and adapter_model.safetensors",
        )
    })?;
    put_over(base, files, &parse(files, &settings)?)
}

fn parse(files: &Files, settings: &[u8]) -> Result<Value> {
    serde_json::from_slice(settings).map_err(|error| {
        Error::failed(format!("adapter_config.json of {} cannot be read: {error}", files.source))
    })
}

/// The folder or `.gguf` file that an adapter names as its base, from the working folder or from its own; `None` where there
/// is none. An adapter comes from a stranger: a path to what may not be read is refused, whether something is there or not.
fn base_folder(files: &Files, named: &str, options: &LoadOptions) -> Result<Option<PathBuf>> {
    let path = Path::new(named);
    let from_here = options.roots.find(path);
    let from_adapter = files.find(path);
    let mut outside = false;
    for found in std::iter::once(from_here).chain(from_adapter) {
        match found {
            Ok(Found::Folder(folder)) => return Ok(Some(folder)),
            Ok(Found::File(file)) if file.extension().is_some_and(|end| end == "gguf") => {
                return Ok(Some(file));
            }
            Err(Error::NotAllowed { .. }) => outside = true,
            _ => {}
        }
    }
    // A name such as "org/name" may be one on the Hub; a path is none.
    let is_path = path.is_absolute() || named.starts_with('.') || named.contains("..");
    if outside && is_path {
        return Err(Error::failed_with_hint(
            format!(
                "the adapter {} names the base model {named:?}: reading outside of what the run may read is not allowed",
                files.source
            ),
            "load the base and give the adapter's folder with the option `adapter`, or add --allow-read PATH",
        ));
    }
    Ok(None)
}

fn put_over(base: Model, files: &Files, settings: &Value) -> Result<Model> {
    if base.adapter().is_some() {
        return Err(Error::failed_with_hint(
            "the model has an adapter already",
            "merge it first: m.merge().save(folder)",
        ));
    }
    let text = |key: &str| settings.get(key).and_then(Value::as_str);
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
    let settings = settings::read(settings, base.weights())?;
    let (file, sha256) = adapter_file(files)?;
    let adapted = tensors::put(&base, settings, &file)?;
    let mut lineage = base.lineage().clone();
    let base_source =
        BaseSource { name: std::mem::take(&mut lineage.source), sha256: lineage.sha256.take() };
    lineage.stages = stages(files, lineage.stages)?;
    lineage.source = format!("{} over {}", files.source, base_source.name);
    lineage.sha256 = Some(sha256);
    Weights::dense(adapted.adapter.weights.clone()).refuse_not_finite()?;
    let (tokenizer, adapter) = (base.tokenizer().clone(), Some(adapted.adapter));
    let model = Model::new(adapted.config, tokenizer, adapted.weights, adapter, lineage)?;
    model.weights().refuse_not_finite()?;
    Ok(model.over(base_source))
}

/// The stages of the base, then those of the adapter's own: its ebb.json holds both where it is ours, as they were when it
/// was saved. A note that cannot be read is no reason to refuse the weights.
fn stages(files: &Files, of_base: Vec<Stage>) -> Result<Vec<Stage>> {
    let Some(bytes) = files.read("ebb.json")? else {
        return Ok(of_base);
    };
    let noted: Lineage = serde_json::from_slice(&bytes).unwrap_or_default();
    let shared = of_base.iter().zip(&noted.stages);
    let shared = shared.take_while(|(one, other)| one == other).count();
    let own = noted.stages.into_iter().skip(shared);
    Ok(of_base.into_iter().chain(own).collect())
}

/// The adapter's tensors, and the hash of their file.
fn adapter_file(files: &Files) -> Result<(TensorFile, String)> {
    for name in ["adapter_model.safetensors", "adapter_model.bin"] {
        if let (Some(tensors), Some(bytes)) = (TensorFile::open(files, name)?, files.open(name)?) {
            return Ok((tensors, bytes.sha256()?));
        }
    }
    Err(Error::failed_with_hint(
        format!("the adapter {} has no adapter_model.safetensors", files.source),
        "an adapter folder holds adapter_config.json and adapter_model.safetensors",
    ))
}
