//! A file as the Hub lists it.

/// A file of a commit, before its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path in the repository.
    pub path: String,
    pub size: u64,
}
