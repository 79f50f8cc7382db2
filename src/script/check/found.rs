//! What a check finds: problems, what is worth a word, and what the script reaches for.

use serde::Serialize;

use crate::script::report::ScriptError;

/// What a script reaches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Model,
    Data,
    Module,
    Written,
}

/// One thing that a script reads, writes or imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Use {
    pub role: Role,
    /// The path or name; `None` where only the run can tell.
    pub what: Option<String>,
    /// The parameter that it is, or is made with.
    pub parameter: Option<String>,
    /// The call that reaches for it: "load_model".
    pub call: String,
    /// The text that the line is counted in: the script, or a module beside it.
    pub file: String,
    pub line: usize,
    pub state: State,
    /// What there is to say about its state: the file, the revision.
    pub detail: String,
    /// It is to be fetched from the Hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<Fetch>,
}

/// A repository of the Hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fetch {
    pub repository: String,
    /// `None` is the latest of the main branch.
    pub revision: Option<String>,
    /// The cache holds it, as far as can be told without asking the Hub.
    pub cached: bool,
}

/// Whether what a script reaches for is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is a file or folder that may be read.
    There,
    /// The program brings it.
    Bundled,
    Hub,
    Missing,
    /// The script writes it before.
    Made,
    /// It is written.
    New,
    /// Only the run can tell.
    Open,
}

/// What came of a check.
#[derive(Debug, Default)]
pub struct Found {
    pub problems: Vec<ScriptError>,
    pub warnings: Vec<ScriptError>,
    pub uses: Vec<Use>,
}
