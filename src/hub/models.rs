//! Models of the Hub: their files, or those of their tokenizers alone.

use super::cache::Repository;
use super::choice;
use super::fetch::{Request, Wanted};
use super::fetched::Fetched;
use super::kind::Kind;
use super::listed::Listed;
use super::settings::Settings;
use crate::control::Control;
use crate::error::{Error, Result};

/// The files of a model repository (`org/name`) at a revision (a branch, a tag or a commit; `main` when `None`), fetched
/// where they are not in the cache yet. Nothing but what a model is made of is fetched, and no code.
///
/// Where the Hub cannot be reached, what the cache knows of the revision is used.
pub fn fetch_model(
    repository: &str,
    revision: Option<&str>,
    settings: &Settings,
    control: &Control,
) -> Result<Fetched> {
    fetch(repository, revision, settings, control, choice::model_files)
}

/// Whether the cache has a model's revision, as far as can be told without asking the Hub.
pub fn has_model(repository: &str, revision: Option<&str>, settings: &Settings) -> bool {
    settings.cache.as_deref().is_some_and(|root| {
        let cached = Repository::new(root, Kind::Model, repository);
        cached.find(revision.unwrap_or("main")).is_some()
    })
}

/// Repositories that moved since their names were written into checkpoints.
const MOVED: [(&str, &str); 6] = [
    ("albert-base-v1", "albert/albert-base-v1"),
    ("albert-base-v2", "albert/albert-base-v2"),
    ("bert-base-uncased", "google-bert/bert-base-uncased"),
    ("bert-base-multilingual-cased", "google-bert/bert-base-multilingual-cased"),
    ("roberta-base", "FacebookAI/roberta-base"),
    ("xlm-roberta-base", "FacebookAI/xlm-roberta-base"),
];

/// The configuration and the tokenizer of a model repository, without its weights. Names that the Hub had before it knew
/// organisations ("bert-base-uncased") are followed; what other programs keep under the old name serves too.
pub fn fetch_tokenizer(
    repository: &str,
    settings: &Settings,
    control: &Control,
) -> Result<Fetched> {
    let moved = MOVED.iter().find(|(old, _)| *old == repository);
    let Some((old, new)) = moved else {
        return fetch(repository, None, settings, control, choice::tokenizer_files);
    };
    settings.check(new)?;
    let root = settings.cache.as_deref();
    match root.and_then(|root| Repository::new(root, Kind::Model, old).find("main")) {
        Some(kept) => Ok(kept),
        None => fetch(new, None, settings, control, choice::tokenizer_files),
    }
}

/// Those files of a model that `choose` picks.
struct Files<'a> {
    repository: &'a str,
    revision: &'a str,
    settings: &'a Settings,
    choose: fn(&[Listed]) -> Vec<&Listed>,
}

fn fetch(
    repository: &str,
    revision: Option<&str>,
    settings: &Settings,
    control: &Control,
    choose: fn(&[Listed]) -> Vec<&Listed>,
) -> Result<Fetched> {
    let revision = revision.unwrap_or("main");
    let request = Request { kind: Kind::Model, repository, revision, settings, control };
    let wanted = Files { repository, revision, settings, choose };
    request.run(&wanted).map(|(fetched, _)| fetched)
}

impl Wanted for Files<'_> {
    fn choose(&self, listed: &[Listed]) -> Result<Vec<Listed>> {
        let files = (self.choose)(listed);
        if files.is_empty() {
            return Err(Error::failed_with_hint(
                format!(
                    "{} at {} has no file that a model is made of",
                    self.repository, self.revision
                ),
                "a model has config.json, tokenizer.json and weights (model.safetensors)",
            ));
        }
        Ok(files.into_iter().cloned().collect())
    }

    fn kept(&self, cache: &Repository, revision: &str) -> Option<(Fetched, Vec<String>)> {
        cache.find(revision).map(|fetched| (fetched, Vec::new()))
    }

    fn absent(&self, _: &Repository) -> Error {
        let root = self.settings.cache.as_deref().unwrap_or(std::path::Path::new(""));
        Error::failed_with_hint(
            format!(
                "{} at {} is not in the Hub's cache ({}), and the run is offline",
                self.repository,
                self.revision,
                root.display()
            ),
            "fetch it once without --offline and without HF_HUB_OFFLINE, or give a folder",
        )
    }

    fn unreachable(&self, _: &Repository, told: Error) -> Error {
        told
    }
}
