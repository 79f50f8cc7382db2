//! Models from folders, bundled names and the Hub: save_pretrained layout, checked before it is trusted.

mod archive;
mod cursor;
mod fresh;
mod head;
mod legacy;
pub(crate) mod names;
mod pickle;
mod place;
pub(crate) mod source;
pub(crate) mod tensors;
mod tokenizer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;
use include_dir::{Dir, include_dir};
use serde_json::Value;

pub use self::fresh::random;
pub use self::names::shortened;
pub use self::place::device_of;
pub(super) use self::place::dtype_of;
use self::place::require_memory;
use self::source::Files;
use self::tensors::TensorFile;
use super::config::Config;
use super::lineage::Lineage;
use super::text::TextTokenizer;
use super::weights::Tensors;
use super::{Model, Weights, decoder, gguf, peft};
use crate::control::Control;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::hub;

static BUNDLED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/data");

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

/// Loads from a bundled name (`ebb/tiny`), a folder, or a Hub repository (`org/name` or `org/name@revision`), and puts
/// the adapter of `options` over it.
pub fn open(
    source: &str,
    folder: Option<&Path>,
    options: &LoadOptions,
    settings: &hub::Settings,
) -> Result<Model> {
    // A revision is that of what was asked for; an adapter says its base's itself.
    let of_base = LoadOptions { revision: None, ..options.clone() };
    let base = |name: &str| hub_model(name, &of_base, settings, &no_base);
    let model = match (source.strip_prefix("ebb/"), folder) {
        (Some(name), _) => bundled(name, options)?,
        (None, Some(folder)) => {
            of_files(&Files::of_folder(folder, &options.roots), folder, options, &base)?
        }
        (None, None) => hub_model(source, options, settings, &base)?,
    };
    match &options.adapter {
        Some(adapter) => peft::over(model, &Files::of_folder(adapter, &options.roots)),
        None => Ok(model),
    }
}

/// A repository on the Hub; `base` loads the base of one that is an adapter.
fn hub_model(
    source: &str,
    options: &LoadOptions,
    settings: &hub::Settings,
    base: &dyn Fn(&str) -> Result<Model>,
) -> Result<Model> {
    let (repository, revision) = match source.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision.to_string())),
        None => (source, options.revision.clone()),
    };
    let parts = repository.split('/').filter(|part| !part.is_empty());
    if parts.count() != 2 || repository.starts_with(['.', '/', '~']) {
        return Err(Error::failed_with_hint(
            format!("there is no model `{source}`"),
            format!(
                "give a folder in save_pretrained layout, org/name@revision on the Hub, or one of {}",
                bundled_names().join(", ")
            ),
        ));
    }
    let fetched = hub::fetch_model(repository, revision.as_deref(), settings, &options.control)?;
    let mut files = Files::of_folder(&fetched.folder, &fetched.roots());
    // The commit, not the branch: a branch moves on.
    files.source = format!("{repository}@{}", fetched.commit);
    of_files(&files, &fetched.folder, options, base)
}

/// An adapter's base that would have to be fetched, where nothing is.
fn no_base(name: &str) -> Result<Model> {
    Err(Error::failed_with_hint(
        format!("the adapter's base model `{name}` is not at hand"),
        "load the base and give the adapter's folder with the option `adapter`, or set base_model_name_or_path to a folder",
    ))
}

/// Loads a model from a folder in save_pretrained layout, a GGUF file, or a PEFT adapter folder over its base.
pub fn from_folder(folder: &Path, options: &LoadOptions) -> Result<Model> {
    of_files(&Files::of_folder(folder, &options.roots), folder, options, &no_base)
}

/// The base of an adapter, in a folder or a `.gguf` file.
pub(super) fn base_at(path: &Path, options: &LoadOptions) -> Result<Model> {
    match gguf_file(path, &options.roots) {
        Some((files, name)) => gguf::load(&files, &name, options),
        None => whole(&Files::of_folder(path, &options.roots), options),
    }
}

/// The folder and the name of a `.gguf` file.
fn gguf_file(path: &Path, roots: &Roots) -> Option<(Files, String)> {
    let name = path.file_name()?.to_str()?;
    let is_file = || roots.find(path).is_ok_and(|found| !found.is_folder());
    if name.ends_with(".gguf") && is_file() {
        return Some((Files::of_folder(path.parent()?, roots), name.to_string()));
    }
    None
}

/// A model that is no adapter: in save_pretrained layout, or the one GGUF file of a folder.
fn whole(files: &Files, options: &LoadOptions) -> Result<Model> {
    let layout = ["config.json", "model.safetensors", "model.safetensors.index.json"];
    for name in layout {
        if files.open(name)?.is_some() {
            return assemble(files, options);
        }
    }
    match files.with_ending(".gguf")?.as_slice() {
        [] => assemble(files, options),
        [one] => gguf::load(files, one, options),
        several => Err(Error::failed_with_hint(
            format!("{} has several GGUF files: {}", files.source, several.join(", ")),
            "give the path of one of them",
        )),
    }
}

fn of_files(
    files: &Files,
    folder: &Path,
    options: &LoadOptions,
    base: &dyn Fn(&str) -> Result<Model>,
) -> Result<Model> {
    if let Some((files, name)) = gguf_file(folder, &options.roots) {
        return gguf::load(&files, &name, options);
    }
    match files.read("adapter_config.json")? {
        Some(settings) => peft::load(files, &settings, options, base),
        None => whole(files, options),
    }
}

/// Loads a model that the program ships: "tiny".
pub fn bundled(name: &str, options: &LoadOptions) -> Result<Model> {
    if BUNDLED.get_file(format!("{name}/config.json")).is_none() {
        return Err(Error::unknown("bundled model", format!("ebb/{name}"), bundled_names()));
    }
    match BUNDLED.get_dir(name) {
        Some(folder) => assemble(&Files::bundled(name, folder), options),
        None => Err(Error::failed(format!("the bundled model {name} has no files"))),
    }
}

/// The bundled models' names.
pub fn bundled_names() -> Vec<String> {
    let is_model = |folder: &&Dir| folder.get_file(folder.path().join("config.json")).is_some();
    BUNDLED
        .dirs()
        .filter(is_model)
        .map(|folder| format!("ebb/{}", folder.path().display()))
        .collect()
}

fn assemble(files: &Files, options: &LoadOptions) -> Result<Model> {
    let config = files.required("config.json")?;
    let stored: Value = serde_json::from_slice(&config).map_err(|error| {
        Error::failed(format!("config.json of {} cannot be read: {error}", files.source))
    })?;
    let config = Config::from_json(&stored)?;
    let generation = match files.read("generation_config.json")? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            Error::failed(format!(
                "generation_config.json of {} cannot be read: {error}",
                files.source
            ))
        })?,
        None => Value::Null,
    };
    let mut tokenizer = tokenizer::read(files, &stored, &config.ending_with(&generation)?)?;
    if let Some(template) = files.read("chat_template.jinja")? {
        let template = String::from_utf8(template);
        let template = template.map_err(|_| {
            Error::failed(format!("chat_template.jinja of {} is not UTF-8", files.source))
        })?;
        tokenizer.set_chat_template(template);
    }
    let device = device_of(&options.device)?;
    require_memory(&config, dtype_of(options)?, &device)?;
    let (config, weights, lineage) = read_weights(files, config, options, &device)?;
    finish(config, tokenizer, weights, lineage, options)
}

/// A model out of its parts, quantized if asked.
pub(super) fn finish(
    config: Config,
    tokenizer: TextTokenizer,
    weights: Weights,
    lineage: Lineage,
    options: &LoadOptions,
) -> Result<Model> {
    weights.check(&config)?;
    weights.refuse_not_finite()?;
    let weights = match &options.quantize {
        Some(kind) => weights.quantized(&config, kind)?,
        None => weights,
    };
    Model::new(config, Arc::new(tokenizer), weights, None, lineage)
}

/// The weights that the configuration calls for, from one file or from the shards an index names; the configuration, its
/// head untied where the file holds another one; and the lineage, with the files' hash and the tensors that were left alone.
fn read_weights(
    files: &Files,
    config: Config,
    options: &LoadOptions,
    device: &Device,
) -> Result<(Config, Weights, Lineage)> {
    let dtype = dtype_of(options)?;
    let (mut opened, mut hashes, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for name in tensors::weight_files(files)? {
        let file = TensorFile::open(files, &name)?;
        let bytes = files.open(&name)?;
        if let (Some(file), Some(bytes)) = (file, bytes) {
            stored.extend(file.names());
            hashes.push(bytes.sha256()?);
            opened.push(file);
        }
    }
    refuse_doubles(&stored)?;
    let (config, names) = head::names(config, &opened, &stored)?;
    let config = &config;
    let needed = decoder::shapes(config);
    let mut weights = Tensors::new();
    let mut task = options.control.begin("loading", needed.len() as u64, "weights");
    for (done, (name, expected)) in needed.into_iter().enumerate() {
        options.control.check()?;
        task.update(done as u64, "");
        let Some(stored) = names.found.get(&name) else {
            continue;
        };
        let transposed = decoder::is_stored_transposed(config, &name);
        let holder = opened.iter().find_map(|file| Some((file, file.shape(stored)?)));
        let Some((file, mut shape)) = holder else {
            continue;
        };
        if transposed {
            shape.reverse();
        }
        if shape != expected {
            return Err(Error::invalid(
                format!("loading `{name}` of {}", files.source),
                format!("shape {expected:?}, as config.json says"),
                format!("{shape:?}"),
            ));
        }
        let tensor = file.read(stored, dtype)?;
        let tensor = if transposed { tensor.t()?.contiguous()? } else { tensor };
        weights.insert(name, tensor.to_device(device)?);
    }
    let sha256 = match hashes.as_slice() {
        [one] => one.clone(),
        several => crate::files::sha256(several.join(" ").as_bytes()),
    };
    let mut lineage = match files.read("ebb.json")? {
        // A model of ours remembers how it was made; a note that cannot be read is no reason to refuse the weights.
        Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        None => Lineage::default(),
    };
    lineage.source = files.source.clone();
    lineage.sha256 = Some(sha256);
    lineage.unused = names.unused;
    Ok((config.clone(), Weights::dense(weights), lineage))
}

/// Refuses a name that two parts of the weights have.
fn refuse_doubles(stored: &[String]) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    match stored.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(Error::failed_with_hint(
            format!("two of the weight files hold `{name}`"),
            "the index and its parts do not belong together: copy or download them again",
        )),
        None => Ok(()),
    }
}
