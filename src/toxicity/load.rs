//! Classifiers from the checkpoints of the detoxify package (`{"config", "state_dict"}` by torch.save) and from folders
//! that transformers saved.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::classifier::Classifier;
use super::config::{EncoderConfig, Family};
use super::encoder::Encoder;
use super::tokenizer::EncoderTokenizer;
use super::{labels, published, weights};
use crate::control::Control;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::hub;
use crate::memory;
use crate::model::lineage::Lineage;
use crate::model::load::source::Files;
use crate::model::load::tensors::{self, TensorFile};
use crate::model::load::{bundled_classifiers, bundled_files, device_of};

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// "auto", "cpu" or "cuda:0"; empty is "auto".
    pub device: String,
    /// A folder with the tokenizer and config.json of a checkpoint.
    pub tokenizer: Option<PathBuf>,
    /// What the outputs are called, where the files do not say or say it otherwise.
    pub labels: Option<Vec<String>>,
    /// Told how far loading is, and asked whether to stop.
    pub control: Control,
    /// Where the files may really lie.
    pub roots: Roots,
}

/// Loads one that the program ships (`ebb/toxicity-tiny`), a published checkpoint by its name ("original"), what is at `place` (a folder, or a file of a checkpoint), or a
/// repository on the Hub that transformers saved (`org/name` or `org/name@revision`).
pub fn open(
    source: &str,
    place: Option<&Path>,
    options: &LoadOptions,
    settings: &hub::Settings,
) -> Result<Classifier> {
    if let Some(name) = source.strip_prefix("ebb/") {
        return match bundled_files(name) {
            Some(files) => of_folder(&files, options),
            None => Err(Error::unknown("bundled classifier", source, bundled_classifiers())),
        };
    }
    match (place, published::find(source)) {
        (Some(place), _) if is_folder(place, options) => {
            of_folder(&Files::of_folder(place, &options.roots), options)
        }
        (Some(place), _) => {
            let files = files_beside(place, &options.roots);
            of_checkpoint(&files, place, options, settings)
        }
        (None, Some(published)) => of_published(published, options, settings),
        (None, None) if source.split('/').filter(|part| !part.is_empty()).count() == 2 => {
            of_hub(source, options, settings)
        }
        (None, None) => {
            let names = published::ALL.iter().map(|published| published.name);
            Err(Error::failed_with_hint(
                format!("there is no classifier `{source}`"),
                format!(
                    "give one of {}, a .ckpt file, a folder that transformers saved, or org/name on the Hub",
                    names.collect::<Vec<_>>().join(", ")
                ),
            ))
        }
    }
}

fn is_folder(place: &Path, options: &LoadOptions) -> bool {
    options.roots.find(place).is_ok_and(|found| found.is_folder())
}

fn files_beside(file: &Path, roots: &Roots) -> Files {
    Files::of_folder(file.parent().unwrap_or(Path::new(".")), roots)
}

fn of_published(
    published: &published::Published,
    options: &LoadOptions,
    settings: &hub::Settings,
) -> Result<Classifier> {
    let folder = settings.checkpoints.as_deref();
    let Some(folder) = folder else {
        return Err(published.missing(None));
    };
    let (place, roots) = (folder.join(published.file), Roots::below(folder));
    if roots.find(&place).is_err() {
        return Err(published.missing(Some(folder)));
    }
    let mut made = of_checkpoint(&files_beside(&place, &roots), &place, options, settings)?;
    published.check_hash(&made.sha256)?;
    made.source = published.name.to_string();
    Ok(made)
}

fn of_hub(source: &str, options: &LoadOptions, settings: &hub::Settings) -> Result<Classifier> {
    let (repository, revision) = match source.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision)),
        None => (source, None),
    };
    let fetched = hub::fetch_model(repository, revision, settings, &options.control)?;
    let mut files = Files::of_folder(&fetched.folder, &fetched.roots());
    // The commit, not the branch: a branch moves on.
    files.source = format!("{repository}@{}", fetched.commit);
    of_folder(&files, options)
}

/// A folder with config.json, weights and a tokenizer.
pub(super) fn of_folder(files: &Files, options: &LoadOptions) -> Result<Classifier> {
    let stored = config_of(files)?;
    let labels = match &options.labels {
        Some(labels) => labels::named(labels.clone(), "the option `labels`")?,
        None => labels::of_config(&stored, &files.source)?,
    };
    let (mut opened, mut hashes) = (Vec::new(), Vec::new());
    for name in tensors::weight_files(files)? {
        opened.extend(TensorFile::open(files, &name)?);
        hashes.extend(files.open(&name)?.map(|bytes| bytes.sha256()).transpose()?);
    }
    let sha256 = match hashes.as_slice() {
        [one] => one.clone(),
        several => crate::files::sha256(several.join(" ").as_bytes()),
    };
    let parts = Parts { stored, labels, opened, sha256, source: files.source.clone() };
    parts.classifier(files, options)
}

/// config.json of a folder.
fn config_of(files: &Files) -> Result<Value> {
    let bytes = files.read("config.json")?.ok_or_else(|| {
        Error::failed_with_hint(
            format!("{} has no config.json", files.source),
            "a classifier is a folder with config.json, tokenizer.json and model.safetensors, or a .ckpt file",
        )
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::failed(format!("config.json of {} cannot be read: {error}", files.source))
    })
}

fn of_checkpoint(
    files: &Files,
    place: &Path,
    options: &LoadOptions,
    settings: &hub::Settings,
) -> Result<Classifier> {
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let source = place.display().to_string();
    let missing = || Error::failed(format!("there is no file {source}"));
    if name.ends_with(".safetensors") {
        return Err(Error::failed_with_hint(
            format!("{name} holds weights alone"),
            "give the folder that it is in: config.json and the tokenizer belong to it",
        ));
    }
    let opened = TensorFile::open(files, name)?.ok_or_else(missing)?;
    let config = opened.config().cloned().ok_or_else(|| {
        Error::failed_with_hint(
            format!(
                "{source} has no `config` beside its weights, so it is no checkpoint of Detoxify"
            ),
            "weights that transformers saved are loaded by their folder, with its config.json",
        )
    })?;
    let arguments = config.pointer("/arch/args");
    let said = |key: &str| arguments.and_then(|map| map.get(key)?.as_str());
    let (Some(class), Some(kind)) = (said("model_name"), said("model_type")) else {
        return Err(Error::invalid(
            format!("reading {source}"),
            "model_name and model_type under arch.args of its config",
            "none",
        ));
    };
    let family = Family::of_class(class)?;
    let labels = match &options.labels {
        Some(labels) => labels::named(labels.clone(), "the option `labels`")?,
        None => labels::of_checkpoint(&config, &source)?,
    };
    let about = tokenizer_files(place, kind, options, settings)?;
    let stored = config_of(&about)?;
    let says = stored.get("model_type").and_then(Value::as_str);
    if says != Some(family.name()) {
        return Err(Error::invalid(
            format!("loading {source}, a {class}"),
            format!("a config.json of {}", family.name()),
            format!("one of {} in {}", says.unwrap_or("nothing"), about.source),
        ));
    }
    let sha256 = files.open(name)?.ok_or_else(missing)?.sha256()?;
    let parts = Parts { stored, labels, opened: vec![opened], sha256, source };
    parts.classifier(&about, options)
}

/// The folder with the tokenizer and config.json of a checkpoint: what the options say, a folder beside the checkpoint
/// (its own, `tokenizer/`, or one of the tokenizer's name), or the Hub's.
fn tokenizer_files(
    place: &Path,
    kind: &str,
    options: &LoadOptions,
    settings: &hub::Settings,
) -> Result<Files> {
    if let Some(folder) = &options.tokenizer {
        return Ok(Files::of_folder(folder, &options.roots));
    }
    let own = place.parent().unwrap_or(Path::new("."));
    let plain = kind.rsplit('/').next().filter(|name| !name.starts_with('.')).unwrap_or(kind);
    for folder in [own.join(plain), own.join("tokenizer"), own.to_path_buf()] {
        let there = |name: &str| {
            options.roots.find(&folder.join(name)).is_ok_and(|found| !found.is_folder())
        };
        if there("config.json") {
            return Ok(Files::of_folder(&folder, &options.roots));
        }
    }
    let fetched = hub::fetch_tokenizer(kind, settings, &options.control).map_err(|error| {
        if matches!(error, Error::Interrupted) {
            return error;
        }
        Error::failed_with_hint(
            format!(
                "{} was made with the tokenizer `{kind}`, whose tokenizer.json and config.json are not at hand: {error}",
                place.display()
            ),
            format!(
                "put tokenizer.json, tokenizer_config.json and config.json of `{kind}` into {}, or name their folder with the option `tokenizer`",
                own.join(plain).display()
            ),
        )
    })?;
    Ok(Files::of_folder(&fetched.folder, &fetched.roots()))
}

/// What a classifier is made of, before its tokenizer and weights are read.
struct Parts {
    /// config.json as it stands.
    stored: Value,
    labels: Vec<String>,
    opened: Vec<TensorFile>,
    sha256: String,
    source: String,
}

impl Parts {
    /// Puts the classifier together with the tokenizer that is among `files`.
    fn classifier(self, files: &Files, options: &LoadOptions) -> Result<Classifier> {
        let config = EncoderConfig::from_json(&self.stored)?;
        self.check_labels(&config)?;
        let tokenizer = EncoderTokenizer::read(files, &config)?;
        let device = device_of(&options.device)?;
        let shapes = weights::shapes(&config, self.labels.len());
        let values = shapes.values().map(|shape| {
            shape.iter().fold(1u64, |product, size| product.saturating_mul(*size as u64))
        });
        let values = values.fold(0u64, u64::saturating_add);
        memory::require(
            values.saturating_mul(4),
            &device,
            &format!("a classifier of {values} parameters"),
            "take one of the small classifiers: original-small or unbiased-small",
        )?;
        let found = weights::read(
            &config,
            self.labels.len(),
            &self.opened,
            &self.source,
            &device,
            &options.control,
        )?;
        let lineage = Lineage {
            source: self.source.clone(),
            sha256: Some(self.sha256.clone()),
            unused: found.unused.iter().cloned().collect(),
            stages: Vec::new(),
        };
        Ok(Classifier {
            encoder: Encoder::new(config, found.tensors)?,
            tokenizer: Arc::new(tokenizer),
            labels: self.labels,
            parameters: values,
            source: self.source,
            sha256: self.sha256,
            unused: found.unused,
            lineage,
            log: Vec::new(),
        })
    }

    /// Refuses labels of which there are more or fewer than outputs.
    fn check_labels(&self, config: &EncoderConfig) -> Result<()> {
        let [_, classifier] = weights::head_names(config.family);
        let name = format!("{classifier}.weight");
        let shape = self.opened.iter().find_map(|file| file.shape(&name));
        match shape.as_deref() {
            Some([outputs, _]) if *outputs != self.labels.len() => Err(Error::invalid(
                format!("loading {}", self.source),
                format!("a label for each of its {outputs} outputs"),
                format!("{} labels: {}", self.labels.len(), self.labels.join(", ")),
            )),
            _ => Ok(()),
        }
    }
}
