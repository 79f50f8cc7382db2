//! Models from folders, bundled names and the Hub: save_pretrained layout, checked before it is trusted.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use include_dir::{Dir, include_dir};
use safetensors::SafeTensors;
use serde_json::Value;

use super::config::Config;
use super::lineage::Lineage;
use super::text::TextTokenizer;
use super::{Model, Weights, llama, peft};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::hub;
use crate::random::Stream;

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
}

/// Reads one of a model's files by name; `None` where there is no such file.
pub(super) type ReadFile = Box<dyn Fn(&str) -> Result<Option<Vec<u8>>>>;

/// A model's files, wherever they came from.
pub(super) struct Files {
    /// What to call the model in its lineage.
    pub source: String,
    pub read: ReadFile,
}

impl Files {
    pub fn of_folder(folder: &Path) -> Self {
        let root = folder.to_path_buf();
        Self {
            source: folder.display().to_string(),
            read: Box::new(move |name| {
                let path = root.join(name);
                match std::fs::read(&path) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(Error::io("read", path, error)),
                }
            }),
        }
    }

    pub fn required(&self, name: &str) -> Result<Vec<u8>> {
        (self.read)(name)?.ok_or_else(|| {
            Error::failed_with_hint(
                format!("the model {} has no {name}", self.source),
                "a model is a folder with config.json, tokenizer.json and model.safetensors",
            )
        })
    }
}

/// Loads from a bundled name (`ebb/tiny`), a folder, or a Hub repository (`org/name` or `org/name@revision`).
pub fn open(
    source: &str,
    folder: Option<&Path>,
    options: &LoadOptions,
    settings: &hub::Settings,
    control: &Control,
) -> Result<Model> {
    if let Some(name) = source.strip_prefix("ebb/") {
        return bundled(name, options);
    }
    if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
        return from_folder(folder, options);
    }
    let (repository, revision) = match source.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision.to_string())),
        None => (source, options.revision.clone()),
    };
    let looks_like_repository = repository
        .split('/')
        .filter(|part| !part.is_empty())
        .count()
        == 2
        && !repository.starts_with(['.', '/', '~']);
    if !looks_like_repository {
        return Err(Error::failed_with_hint(
            format!("there is no model `{source}`"),
            format!(
                "give a folder in save_pretrained layout, org/name@revision on the Hub, or one of {}",
                bundled_names().join(", ")
            ),
        ));
    }
    let folder = hub::fetch_model(repository, revision.as_deref(), settings, control)?;
    let mut files = Files::of_folder(&folder);
    files.source = match revision {
        Some(revision) => format!("{repository}@{revision}"),
        None => repository.to_string(),
    };
    assemble(&files, options)
}

/// Loads a model from a folder in save_pretrained layout, or a PEFT adapter folder over its base.
pub fn from_folder(folder: &Path, options: &LoadOptions) -> Result<Model> {
    let files = Files::of_folder(folder);
    match (files.read)("adapter_config.json")? {
        Some(settings) => peft::load(&files, folder, &settings, options),
        None => assemble(&files, options),
    }
}

/// Loads a model that the program ships: "tiny".
pub fn bundled(name: &str, options: &LoadOptions) -> Result<Model> {
    if BUNDLED.get_file(format!("{name}/config.json")).is_none() {
        return Err(Error::unknown(
            "bundled model",
            format!("ebb/{name}"),
            bundled_names(),
        ));
    }
    let root = name.to_string();
    let files = Files {
        source: format!("ebb/{name}"),
        read: Box::new(move |file| {
            let found = BUNDLED.get_file(format!("{root}/{file}"));
            Ok(found.map(|file| file.contents().to_vec()))
        }),
    };
    assemble(&files, options)
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

/// A model with random weights: matrices normal with standard deviation `initializer_range`, norms one.
pub fn random(
    config: Config,
    tokenizer: Arc<TextTokenizer>,
    seed: u64,
    options: &LoadOptions,
) -> Result<Model> {
    let device = device_of(&options.device)?;
    let mut weights = Weights::new();
    for (name, shape) in llama::shapes(&config) {
        let weight = match shape.len() {
            1 => Tensor::ones(shape, DType::F32, &device)?,
            _ => {
                let stream = Stream::new(seed, &format!("init {name}"));
                let count: usize = shape.iter().product();
                let values: Vec<f32> = (0..count as u64)
                    .map(|i| (stream.normal(i) * config.initializer_range) as f32)
                    .collect();
                Tensor::from_vec(values, shape, &device)?
            }
        };
        weights.insert(name, weight.to_dtype(dtype_of(options)?)?);
    }
    let lineage = Lineage {
        source: format!("new, seed {seed}"),
        ..Lineage::default()
    };
    Model::new(config, tokenizer, weights, None, lineage)
}

pub(super) fn assemble(files: &Files, options: &LoadOptions) -> Result<Model> {
    let config = files.required("config.json")?;
    let config: Value = serde_json::from_slice(&config).map_err(|error| {
        Error::failed(format!(
            "config.json of {} cannot be read: {error}",
            files.source
        ))
    })?;
    let config = Config::from_json(&config)?;
    let settings = (files.read)("tokenizer_config.json")?;
    let tokenizer = TextTokenizer::from_bytes(
        &files.required("tokenizer.json")?,
        settings.as_deref(),
        &config,
    )?;
    let device = device_of(&options.device)?;
    let (weights, sha256) = read_weights(files, &config, dtype_of(options)?, &device)?;
    let mut lineage = match (files.read)("ebb.json")? {
        // A model of ours remembers how it was made; a note that cannot be read is no reason to refuse the weights.
        Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        None => Lineage::default(),
    };
    lineage.source = files.source.clone();
    lineage.sha256 = Some(sha256);
    Model::new(config, Arc::new(tokenizer), weights, None, lineage)
}

/// The weights that the configuration calls for, from one file or from the shards an index names, and their hash.
fn read_weights(
    files: &Files,
    config: &Config,
    dtype: DType,
    device: &Device,
) -> Result<(Weights, String)> {
    let parts = match (files.read)("model.safetensors")? {
        Some(bytes) => vec![("model.safetensors".to_string(), bytes)],
        None => shards(files)?,
    };
    let mut weights = Weights::new();
    let mut hashes = Vec::new();
    for (name, bytes) in &parts {
        hashes.push(crate::files::sha256(bytes));
        let tensors = parse(name, bytes, &files.source)?;
        for (name, shape) in llama::shapes(config) {
            if let Ok(view) = tensors.tensor(&name) {
                if view.shape() != shape {
                    return Err(Error::invalid(
                        format!("loading `{name}` of {}", files.source),
                        format!("shape {shape:?}, as config.json says"),
                        format!("{:?}", view.shape()),
                    ));
                }
                weights.insert(name.clone(), tensor_of(&name, &view, dtype, device)?);
            }
        }
    }
    let sha256 = match hashes.as_slice() {
        [one] => one.clone(),
        several => crate::files::sha256(several.join(" ").as_bytes()),
    };
    Ok((weights, sha256))
}

fn shards(files: &Files) -> Result<Vec<(String, Vec<u8>)>> {
    let index = match (files.read)("model.safetensors.index.json")? {
        Some(index) => index,
        None => return files.required("model.safetensors").map(|_| Vec::new()),
    };
    let broken = || Error::failed("model.safetensors.index.json has no readable weight_map");
    let index: Value = serde_json::from_slice(&index).map_err(|_| broken())?;
    let map = index
        .get("weight_map")
        .and_then(Value::as_object)
        .ok_or_else(broken)?;
    let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let plain = |name: &&str| !name.contains(['/', '\\']) && name.ends_with(".safetensors");
    match names.iter().find(|name| !plain(name)) {
        Some(name) => Err(Error::failed(format!(
            "the weight index names {name:?}, which is no file beside it"
        ))),
        None => names
            .into_iter()
            .map(|name| Ok((name.to_string(), files.required(name)?)))
            .collect(),
    }
}

pub(super) fn parse<'a>(name: &str, bytes: &'a [u8], source: &str) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes).map_err(|error| {
        Error::failed_with_hint(
            format!("{name} of {source} is not a whole safetensors file: {error}"),
            "copy or download it again: it may have been cut short",
        )
    })
}

pub(super) fn tensor_of(
    name: &str,
    view: &safetensors::tensor::TensorView,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    use safetensors::Dtype;
    let stored = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F64 => DType::F64,
        other => {
            return Err(Error::invalid(
                format!("loading `{name}`"),
                "f32, f16, bf16 or f64 values",
                format!("{other:?}"),
            ));
        }
    };
    let tensor = Tensor::from_raw_buffer(view.data(), stored, view.shape(), &Device::Cpu)?;
    Ok(tensor.to_dtype(dtype)?.to_device(device)?)
}

/// The device by its name: "auto" is the first GPU of a build that has the feature, else the CPU.
pub fn device_of(name: &str) -> Result<Device> {
    match name {
        "" | "auto" => Ok(Device::cuda_if_available(0).unwrap_or(Device::Cpu)),
        "cpu" => Ok(Device::Cpu),
        other => {
            let index = other
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok());
            let Some(index) = index else {
                return Err(Error::unknown("device", other, ["auto", "cpu", "cuda:0"]));
            };
            Device::new_cuda(index).map_err(|error| {
                Error::failed_with_hint(
                    format!("the device {other} cannot be used: {error}"),
                    "build with --features cuda on a machine with an NVIDIA GPU, or use device \"cpu\"",
                )
            })
        }
    }
}

fn dtype_of(options: &LoadOptions) -> Result<DType> {
    match options.dtype.as_deref() {
        None | Some("f32") => Ok(DType::F32),
        Some("bf16") => Ok(DType::BF16),
        Some("f16") => Ok(DType::F16),
        Some(other) => Err(Error::unknown("dtype", other, ["f32", "bf16", "f16"])),
    }
}
