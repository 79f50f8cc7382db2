//! Models from the Hugging Face Hub, through the cache that its Python libraries share.
//!
//! hf-hub asks the Hub. A file is fetched in pieces that can be continued, and enters the cache only after its size and, where
//! the Hub tells it, its SHA-256 were checked. What the environment says (cache folder, token, endpoint, offline) is read by the door and
//! handed in as [`Settings`].

mod cache;
mod choice;
mod client;
mod fetched;
mod settings;
mod transfer;

use crate::control::Control;
use crate::error::{Error, Result};
use cache::Repository;
use client::{Client, Listed, Trouble};

pub use fetched::Fetched;
pub use settings::Settings;

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
    let root = settings.cache.as_deref();
    match root.and_then(|root| Repository::new(root, old).find("main")) {
        Some(kept) => Ok(kept),
        None => fetch(new, None, settings, control, choice::tokenizer_files),
    }
}

fn fetch(
    repository: &str,
    revision: Option<&str>,
    settings: &Settings,
    control: &Control,
    choose: fn(&[Listed]) -> Vec<&Listed>,
) -> Result<Fetched> {
    control.check()?;
    check_names(repository, revision)?;
    let revision = revision.unwrap_or("main");
    let Some(root) = &settings.cache else {
        return Err(Error::failed_with_hint(
            format!("{repository} cannot be fetched: no folder for the Hub's cache is known"),
            "set HF_HUB_CACHE or HF_HOME",
        ));
    };
    let kept = Repository::new(root, repository);
    if settings.offline {
        return kept.find(revision).ok_or_else(|| {
            Error::failed_with_hint(
                format!(
                    "{repository} at {revision} is not in the Hub's cache ({}), and the run is offline",
                    root.display()
                ),
                "fetch it once without --offline and without HF_HUB_OFFLINE, or give a folder",
            )
        });
    }
    let client = Client::new(settings, repository)?;
    let told = |trouble: Trouble| client.told(trouble, revision);
    let commit = match client.commit(revision) {
        Ok(commit) => commit,
        Err(trouble @ Trouble::Unreachable(_)) => {
            return kept.find(revision).ok_or_else(|| told(trouble));
        }
        Err(trouble) => return Err(told(trouble)),
    };
    control.check()?;
    let listed = client.files(&commit).map_err(told)?;
    let wanted = choose(&listed);
    if wanted.is_empty() {
        return Err(Error::failed_with_hint(
            format!("{repository} at {revision} has no file that a model is made of"),
            "a model has config.json, tokenizer.json and weights (model.safetensors)",
        ));
    }
    let missing: Vec<&Listed> =
        wanted.into_iter().filter(|file| !kept.has(&kept.pointer(&commit, &file.path))).collect();
    if !missing.is_empty() {
        let total = missing.iter().map(|file| file.size).sum();
        let mut task = control.begin(&format!("fetching {repository}"), total, "bytes");
        let (mut done, mut before) = (0, 0);
        for file in missing {
            control.check()?;
            let facts = client.facts(&commit, &file.path).map_err(told)?;
            if facts.size != file.size {
                return Err(Error::invalid(
                    format!("fetching {} of {repository}", file.path),
                    format!("{} bytes, as the Hub lists it", file.size),
                    format!("{} announced", facts.size),
                )
                .with_hint("try again later: the Hub contradicts itself"));
            }
            let mut begun = false;
            let mut report = |bytes: u64| {
                // What of the file is here at first was fetched by an earlier run.
                if !begun {
                    begun = true;
                    before += bytes;
                    task.resumed(before);
                }
                task.update(done + bytes, &file.path);
            };
            let transfer = transfer::Transfer {
                client: &client,
                kept: &kept,
                commit: &commit,
                file: &file.path,
                name: format!("{} of {repository}", file.path),
                facts: &facts,
                control,
            };
            transfer.run(&mut report, &told)?;
            kept.point(&commit, &file.path, &facts.etag)?;
            done += file.size;
        }
    }
    kept.remember(revision, &commit)?;
    Ok(Fetched { folder: kept.snapshot(&commit), commit })
}

/// Names become parts of addresses and of paths in the cache.
fn check_names(repository: &str, revision: Option<&str>) -> Result<()> {
    let plain = |part: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
    };
    let parts: Vec<&str> = repository.split('/').collect();
    if parts.len() != 2 || !parts.into_iter().all(plain) {
        return Err(Error::invalid("fetching a model", "org/name", repository));
    }
    match revision {
        Some(text) if !text.split('/').all(plain) => Err(Error::invalid(
            format!("fetching {repository}"),
            "a revision: a branch, a tag or a commit",
            format!("{text:?}"),
        )),
        _ => Ok(()),
    }
}
