//! What kinds of repositories the Hub has for us, models and data sets, and the connection to one of either kind.

use std::ops::Range;

use hf_hub::repository::{RepoTreeEntry, RepoTypeDataset, RepoTypeModel};
use hf_hub::{HFClientSync, HFError, HFRepositorySync};

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Model,
    Data,
}

impl Kind {
    /// What it is called in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Data => "data set",
        }
    }

    /// What stands before `org/name` in the Hub's addresses.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Data => "datasets/",
        }
    }

    /// What the folders of the cache begin with.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Data => "datasets",
        }
    }
}

/// hf-hub's connection to a repository. It has a type for each kind, whose requests are alike.
pub enum Connection {
    Model(HFRepositorySync<RepoTypeModel>),
    Data(HFRepositorySync<RepoTypeDataset>),
}

impl Connection {
    pub fn new(client: &HFClientSync, kind: Kind, owner: &str, name: &str) -> Self {
        match kind {
            Kind::Model => Self::Model(client.model(owner, name)),
            Kind::Data => Self::Data(client.dataset(owner, name)),
        }
    }

    /// The commit that a revision stands for, as far as the Hub tells it.
    pub fn commit(&self, revision: &str) -> Result<Option<String>, HFError> {
        match self {
            Self::Model(at) => at.info().revision(revision).send().map(|info| info.sha),
            Self::Data(at) => at.info().revision(revision).send().map(|info| info.sha),
        }
    }

    /// What a commit holds: of a data set in all folders, of a model at the top.
    pub fn entries(&self, commit: &str) -> Result<Vec<RepoTreeEntry>, HFError> {
        match self {
            Self::Model(at) => at.list_tree().revision(commit).send(),
            Self::Data(at) => at.list_tree().revision(commit).recursive(true).send(),
        }
    }

    /// A part of a file's bytes.
    pub fn bytes(&self, commit: &str, name: &str, range: Range<u64>) -> Result<Vec<u8>, HFError> {
        let bytes = match self {
            Self::Model(at) => {
                let request = at.download_file_to_bytes();
                request.filename(name).revision(commit).range(range).send()?
            }
            Self::Data(at) => {
                let request = at.download_file_to_bytes();
                request.filename(name).revision(commit).range(range).send()?
            }
        };
        Ok(bytes.to_vec())
    }
}
