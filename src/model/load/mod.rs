//! The door to models in folders, by bundled names and on the Hub: it sees which layout they have, and the loader of that
//! layout checks before it trusts.

mod archive;
mod cursor;
mod finish;
mod fresh;
mod head;
mod legacy;
pub(crate) mod names;
mod options;
mod pickle;
mod place;
mod pretrained;
pub(crate) mod source;
mod state_dict;
pub(crate) mod tensors;
mod tokenizer;

use std::path::Path;

use include_dir::{Dir, include_dir};

pub(super) use self::finish::finish;
pub use self::fresh::random;
pub use self::names::shortened;
pub use self::options::LoadOptions;
pub use self::place::device_of;
pub(super) use self::place::dtype_of;
use self::pretrained::{assemble, assemble_with};
use self::source::Files;
use super::peft::Base;
use super::weights::Matrices;
use super::{Model, gguf, peft};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::hub;

static BUNDLED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/data");

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

/// A model in save_pretrained layout whose packed matrices were kept elsewhere.
pub(super) fn with_packed(packed: Matrices, folder: &Path, options: &LoadOptions) -> Result<Model> {
    assemble_with(packed, &Files::of_folder(folder, &options.roots), options)
}

/// The base of an adapter, in a folder or a `.gguf` file.
fn base_at(path: &Path, options: &LoadOptions) -> Result<Model> {
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
    if files.open("variables.safetensors")?.is_some() && files.open("config.json")?.is_none() {
        return Err(Error::failed_with_hint(
            format!(
                "{} is a checkpoint of a finetuning: what is trained, and no whole model",
                files.source
            ),
            "the same finetune with resume: true goes on from it and gives the model, with no more steps than it has done if you like",
        ));
    }
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
        Some(settings) => peft::load(files, &settings, options, &|named| match named {
            Base::Bundled(name) => bundled(name, options),
            Base::At(path) => base_at(&path, options),
            Base::Named(name) => base(&name),
        }),
        None => whole(files, options),
    }
}

/// Loads a model that the program ships: "tiny".
pub fn bundled(name: &str, options: &LoadOptions) -> Result<Model> {
    let whole = format!("ebb/{name}");
    if bundled_classifiers().contains(&whole) {
        return Err(Error::failed_with_hint(
            format!("{whole} is a classifier of texts, not a language model"),
            format!("load it with load_detoxify(\"{whole}\")"),
        ));
    }
    match bundled_files(name) {
        Some(files) => assemble(&files, options),
        None => Err(Error::unknown("bundled model", whole, bundled_names())),
    }
}

/// The files of a model or a classifier that the program ships.
pub fn bundled_files(name: &str) -> Option<Files> {
    BUNDLED.get_file(format!("{name}/config.json"))?;
    BUNDLED.get_dir(name).map(|folder| Files::bundled(name, folder))
}

/// The bundled models' names.
pub fn bundled_names() -> Vec<String> {
    bundled_with(|config| !config.contains(CLASSIFIER))
}

/// The bundled classifiers' names.
pub fn bundled_classifiers() -> Vec<String> {
    bundled_with(|config| config.contains(CLASSIFIER))
}

/// What the name of a classifier's class in its config.json ends with.
const CLASSIFIER: &str = "ForSequenceClassification";

/// The names of the bundled folders whose config.json is as wanted.
fn bundled_with(is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let config = |folder: &&Dir| {
        let file = folder.get_file(folder.path().join("config.json"));
        file.and_then(|file| file.contents_utf8()).is_some_and(&is_wanted)
    };
    let found = BUNDLED.dirs().filter(config);
    found.map(|folder| format!("ebb/{}", folder.path().display())).collect()
}
