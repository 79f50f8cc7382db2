//! Data sets of the Hub, by their ids: `org/name`, with `@revision` and `:file` where these are meant.

use std::path::{Path, PathBuf};

use super::cache::Repository;
use super::client::ENDPOINT;
use super::data_files::{chosen, is_pattern, is_plain};
use super::fetch::{Request, Wanted};
use super::fetched::Fetched;
use super::kind::Kind;
use super::listed::Listed;
use super::settings::Settings;
use crate::control::Control;
use crate::error::{Error, Result};

/// What `org/name@revision:file` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataName {
    pub repository: String,
    pub revision: Option<String>,
    pub file: Option<String>,
}

impl DataName {
    pub fn of(name: &str) -> Self {
        let (name, file) = match name.split_once(':') {
            Some((name, file)) => (name, Some(file.to_string())),
            None => (name, None),
        };
        let (repository, revision) = match name.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision.to_string())),
            None => (name, None),
        };
        // An address pasted as it stands.
        let repository = repository.strip_prefix("datasets/").unwrap_or(repository);
        Self { repository: repository.to_string(), revision, file }
    }
}

/// The files of a data set, in the cache.
pub struct FetchedData {
    pub fetched: Fetched,
    /// Their paths in the repository, in order.
    pub names: Vec<String>,
    /// They are parts of one table, and not several that a folder's name or a pattern stands for.
    pub is_one_table: bool,
}

impl FetchedData {
    /// Where a file lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.fetched.folder.join(name)
    }
}

/// Whether the cache has something of a data set's revision, as far as can be told without asking the Hub.
pub fn has_data(name: &DataName, settings: &Settings) -> bool {
    settings.cache.as_deref().is_some_and(|root| {
        let cached = Repository::new(root, Kind::Data, &name.repository);
        let commit = cached.commit(name.revision.as_deref().unwrap_or("main"));
        commit.is_some_and(|commit| cached.listing(&commit).is_some())
    })
}

/// The files of a data set that are meant, fetched where they are not in the cache yet: the named one, those of a folder or a
/// pattern, or, where none is named, the one table that the data set holds. `is_data` says of a path whether it is a
/// table's.
///
/// Where the Hub cannot be reached, what the cache knows of the revision is used.
pub fn fetch_data(
    name: &DataName,
    is_data: fn(&str) -> bool,
    settings: &Settings,
    control: &Control,
) -> Result<FetchedData> {
    let revision = name.revision.as_deref().unwrap_or("main");
    let named = name.file.as_deref();
    if let Some(file) = named.filter(|file| !is_plain(file.trim_end_matches('/'))) {
        return Err(Error::invalid(
            format!("fetching a file of {}", name.repository),
            "a path in the repository, such as data/train.parquet",
            format!("{file:?}"),
        ));
    }
    let repository = &name.repository;
    let request = Request { kind: Kind::Data, repository, revision, settings, control };
    let wanted = Files { repository, revision, named, is_data, settings };
    let (fetched, names) = request.run(&wanted)?;
    let is_one_table = named.is_none() || names.iter().any(|name| Some(name.as_str()) == named);
    Ok(FetchedData { fetched, names, is_one_table })
}

struct Files<'a> {
    repository: &'a str,
    revision: &'a str,
    named: Option<&'a str>,
    is_data: fn(&str) -> bool,
    settings: &'a Settings,
}

impl Files<'_> {
    /// What the cache would have to have, where it can tell.
    fn names_in(&self, cache: &Repository, commit: &str) -> Option<Vec<String>> {
        let names = |files: Vec<Listed>| files.into_iter().map(|file| file.path).collect();
        match (cache.listing(commit), self.named) {
            (Some(listed), _) => self.choose(&listed).ok().map(names),
            // Another program filled the cache: whether a file is the only one nobody can tell, but a named one is known.
            (None, Some(name)) if !is_pattern(name) => Some(vec![name.to_string()]),
            (None, _) => None,
        }
    }

    /// Which file is to be fetched, and where it is to be put.
    fn way(&self, cache: &Repository) -> String {
        let endpoint = self.settings.endpoint.as_deref().unwrap_or(ENDPOINT).trim_end_matches('/');
        let page = format!("{endpoint}/datasets/{}", self.repository);
        let commit = cache.commit(self.revision);
        let names = commit.as_ref().and_then(|commit| self.names_in(cache, commit));
        let exact = self.named.filter(|name| !is_pattern(name)).map(str::to_string);
        let missing = names.and_then(|names| {
            let commit = commit.as_deref().unwrap_or_default();
            names.into_iter().find(|name| !cache.has(&cache.pointer(commit, name)))
        });
        let Some(file) = missing.or(exact) else {
            return format!(
                "choose a file at {page}/tree/{}, fetch it, put it into the working folder, and give its path to read",
                self.revision
            );
        };
        let address = format!("{page}/resolve/{}/{file}", self.revision);
        let name = file.rsplit('/').next().unwrap_or(&file);
        let path = format!("put it into the working folder and use read({name:?})");
        match commit {
            Some(commit) => {
                let place = cache.pointer(&commit, &file);
                format!("fetch {address} and put it at {}, or {path}", place.display())
            }
            None => format!("fetch {address}, then {path}"),
        }
    }

    /// The data set as a script names it.
    fn title(&self) -> String {
        let file = self.named.map_or(String::new(), |name| format!(":{name}"));
        format!("{}@{}{file}", self.repository, self.revision)
    }
}

impl Wanted for Files<'_> {
    fn choose(&self, listed: &[Listed]) -> Result<Vec<Listed>> {
        chosen(listed, self.named, self.repository, self.is_data)
    }

    fn kept(&self, cache: &Repository, revision: &str) -> Option<(Fetched, Vec<String>)> {
        let commit = cache.commit(revision)?;
        let names = self.names_in(cache, &commit)?;
        let whole = names.iter().all(|name| cache.has(&cache.pointer(&commit, name)));
        whole.then(|| (Fetched { folder: cache.snapshot(&commit), commit }, names))
    }

    fn absent(&self, cache: &Repository) -> Error {
        let listed = cache.commit(self.revision).and_then(|commit| cache.listing(&commit));
        if let Some(Err(error)) = listed.map(|listed| self.choose(&listed)) {
            return error;
        }
        let root = self.settings.cache.as_deref().unwrap_or(Path::new(""));
        Error::failed_with_hint(
            format!(
                "the data set {} is not in the Hub's cache ({}), and the run is offline",
                self.title(),
                root.display()
            ),
            self.way(cache),
        )
    }

    fn unreachable(&self, cache: &Repository, told: Error) -> Error {
        told.with_hint(format!(
            "check the network and HF_ENDPOINT; without them, {}",
            self.way(cache)
        ))
    }
}
