//! Files of a repository at a revision, fetched where they are not in the cache yet.

use super::cache::{Repository, is_commit};
use super::client::{Client, Trouble};
use super::fetched::Fetched;
use super::kind::Kind;
use super::listed::Listed;
use super::settings::Settings;
use super::transfer::Transfer;
use crate::control::Control;
use crate::error::{Error, Result};

/// Which repository, at which revision, and how.
pub struct Request<'a> {
    pub kind: Kind,
    /// "org/name".
    pub repository: &'a str,
    /// A branch, a tag or a commit.
    pub revision: &'a str,
    pub settings: &'a Settings,
    pub control: &'a Control,
}

/// What is wanted of a repository, and what of it the cache may give without the Hub.
pub trait Wanted {
    /// The files to fetch, of those that the Hub lists.
    fn choose(&self, listed: &[Listed]) -> Result<Vec<Listed>>;
    /// What the cache has of the revision, where that is all that is wanted.
    fn kept(&self, cache: &Repository, revision: &str) -> Option<(Fetched, Vec<String>)>;
    /// The error where the Hub may not be asked and the cache has not all of it.
    fn absent(&self, cache: &Repository) -> Error;
    /// The error where the Hub cannot be reached and the cache has not all of it.
    fn unreachable(&self, cache: &Repository, told: Error) -> Error;
}

impl Request<'_> {
    /// What is wanted, in the cache, and the names of the files.
    pub fn run(&self, wanted: &impl Wanted) -> Result<(Fetched, Vec<String>)> {
        let name = match self.kind {
            Kind::Model => self.repository.to_string(),
            Kind::Data => format!("hf/{}", self.repository),
        };
        match self.settings.locked.get(&name).filter(|_| !is_commit(self.revision)) {
            Some(commit) => Request { revision: commit, ..*self }.run_as_asked(wanted),
            None => self.run_as_asked(wanted),
        }
    }

    fn run_as_asked(&self, wanted: &impl Wanted) -> Result<(Fetched, Vec<String>)> {
        self.control.check()?;
        self.check_names()?;
        self.settings.check(self.repository)?;
        let Some(root) = &self.settings.cache else {
            let name = self.repository;
            return Err(Error::failed_with_hint(
                format!("{name} cannot be fetched: no folder for the Hub's cache is known"),
                "set HF_HUB_CACHE or HF_HOME",
            ));
        };
        let cache = Repository::new(root, self.kind, self.repository);
        let kept = || wanted.kept(&cache, self.revision);
        if self.settings.offline {
            return kept().ok_or_else(|| wanted.absent(&cache));
        }
        let client = Client::new(self.settings, self.kind, self.repository)?;
        let told = |trouble: Trouble| client.told(trouble, self.revision);
        let commit = match client.commit(self.revision) {
            Ok(commit) => commit,
            Err(trouble @ Trouble::Unreachable(_)) => {
                return kept().ok_or_else(|| wanted.unreachable(&cache, told(trouble)));
            }
            Err(trouble) => return Err(told(trouble)),
        };
        self.control.check()?;
        let listed = client.files(&commit).map_err(told)?;
        let files = wanted.choose(&listed)?;
        self.fill(&client, &cache, &commit, &files)?;
        if self.kind == Kind::Data {
            cache.note_listing(&commit, &listed)?;
        }
        cache.remember(self.revision, &commit)?;
        let names = files.into_iter().map(|file| file.path).collect();
        Ok((Fetched { folder: cache.snapshot(&commit), commit }, names))
    }

    /// Fetches what of these files is not in the cache.
    fn fill(
        &self,
        client: &Client,
        cache: &Repository,
        commit: &str,
        files: &[Listed],
    ) -> Result<()> {
        let missing: Vec<&Listed> =
            files.iter().filter(|file| !cache.has(&cache.pointer(commit, &file.path))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let told = |trouble: Trouble| client.told(trouble, self.revision);
        let total = missing.iter().map(|file| file.size).sum();
        let label = format!("fetching {}", self.repository);
        let mut task = self.control.begin(&label, total, "bytes");
        let (mut done, mut before) = (0, 0);
        for file in missing {
            self.control.check()?;
            let facts = client.facts(commit, &file.path).map_err(told)?;
            if facts.size != file.size {
                return Err(Error::invalid(
                    format!("fetching {} of {}", file.path, self.repository),
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
            let transfer = Transfer {
                client,
                kept: cache,
                commit,
                file: &file.path,
                name: format!("{} of {}", file.path, self.repository),
                facts: &facts,
                control: self.control,
            };
            transfer.run(&mut report, &told)?;
            cache.point(commit, &file.path, &facts.etag)?;
            done += file.size;
        }
        Ok(())
    }

    /// Names become parts of addresses and of paths in the cache.
    fn check_names(&self) -> Result<()> {
        let plain = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
        };
        let parts: Vec<&str> = self.repository.split('/').collect();
        if parts.len() != 2 || !parts.into_iter().all(plain) {
            let operation = format!("fetching a {}", self.kind.noun());
            return Err(Error::invalid(operation, "org/name", self.repository));
        }
        if self.revision.split('/').all(plain) {
            return Ok(());
        }
        Err(Error::invalid(
            format!("fetching {}", self.repository),
            "a revision: a branch, a tag or a commit",
            format!("{:?}", self.revision),
        ))
    }
}
