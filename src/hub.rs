//! Model and data files from the Hugging Face Hub, through its standard cache.

use std::path::PathBuf;

/// What the Hub client is told by the door, which alone reads the environment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The cache folder; the Hub's usual one when `None`.
    pub cache: Option<PathBuf>,
    pub token: Option<String>,
    /// Another server than huggingface.co.
    pub endpoint: Option<String>,
    /// Use only what is in the cache.
    pub offline: bool,
}
