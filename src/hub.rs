//! Model and data files from the Hugging Face Hub, through its standard cache.
//!
//! The client is hf-hub's: it keeps the cache that the Python libraries share, checks ETags, and resumes. What the
//! environment says (cache folder, token, endpoint, offline) is read by the door and handed in as [`Settings`].

use std::path::PathBuf;

use hf_hub::HFClient;

use crate::control::Control;
use crate::error::{Error, Result};

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

/// The files of a model repository that a decoder is made of; nothing else is fetched, and no code.
const MODEL_FILES: [&str; 6] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "*.safetensors",
    "model.safetensors.index.json",
];

/// The folder in the cache that holds a model repository (`org/name`) at a revision, fetched where it is not there yet.
pub fn fetch_model(
    repository: &str,
    revision: Option<&str>,
    settings: &Settings,
    control: &Control,
) -> Result<PathBuf> {
    let Some((owner, name)) = repository.split_once('/') else {
        return Err(Error::invalid("fetching a model", "org/name", repository));
    };
    control.check()?;
    let _task = control.begin(&format!("fetching {repository}"), 0, "files");
    let fail = |error: hf_hub::HFError| {
        let hint = match settings.offline {
            true => "the run is offline, so only what is in the Hub's cache can be used",
            false => "check the name, the network, and for a gated model HF_TOKEN",
        };
        Error::failed_with_hint(
            format!("cannot fetch {repository} from the Hub: {error}"),
            hint,
        )
    };
    let mut builder = HFClient::builder();
    if let Some(cache) = &settings.cache {
        builder = builder.cache_dir(cache.clone());
    }
    if let Some(token) = &settings.token {
        builder = builder.token(token.clone());
    }
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.endpoint(endpoint.clone());
    }
    let client = builder.build_sync().map_err(fail)?;
    client
        .model(owner, name)
        .snapshot_download()
        .maybe_revision(revision.map(str::to_string))
        .allow_patterns(MODEL_FILES.map(str::to_string).to_vec())
        .local_files_only(settings.offline)
        .send()
        .map_err(fail)
}
