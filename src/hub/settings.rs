//! What the door tells the Hub client.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// What the Hub client is told by the door, which alone reads the environment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The cache folder; without one nothing can be fetched.
    pub cache: Option<PathBuf>,
    pub token: Option<String>,
    /// Another server than huggingface.co.
    pub endpoint: Option<String>,
    /// Use only what is in the cache.
    pub offline: bool,
    /// The repositories that may be asked for and taken from the cache, `org/name` or `org/*`; any where nothing is said.
    pub only: Option<Vec<String>>,
    /// Where torch.hub keeps the checkpoints that it fetched from other places.
    pub checkpoints: Option<PathBuf>,
    /// Commits that repositories are asked for instead of branches and tags: `org/name`, of data sets `hf/org/name`.
    pub locked: BTreeMap<String, String>,
}

impl Settings {
    /// Refuses a repository that the run may not take. The cache is no way around: what it holds may be another's secret.
    pub fn check(&self, repository: &str) -> Result<()> {
        let Some(only) = &self.only else {
            return Ok(());
        };
        let is_meant = |allowed: &String| match allowed.strip_suffix("/*") {
            Some(organisation) => {
                repository.split_once('/').is_some_and(|(of, _)| of == organisation)
            }
            None => allowed == repository,
        };
        if only.iter().any(is_meant) {
            return Ok(());
        }
        Err(Error::failed_with_hint(
            format!("{repository} may not be taken from the Hub, only {}", only.join(", ")),
            format!("--allow-hub {repository} allows it"),
        ))
    }
}
