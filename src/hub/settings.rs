//! What the door tells the Hub client.

use std::collections::BTreeMap;
use std::path::PathBuf;

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
    /// Where torch.hub keeps the checkpoints that it fetched from other places.
    pub checkpoints: Option<PathBuf>,
    /// Commits that repositories are asked for instead of branches and tags: `org/name`, of data sets `hf/org/name`.
    pub locked: BTreeMap<String, String>,
}
