//! What can go wrong, said in sentences: the operation, what was expected, what came, and what to try.

use std::path::{Path, PathBuf};

/// The result of everything in the library.
pub type Result<T> = std::result::Result<T, Error>;

/// An error below the script surface. The `Display` form is a full sentence; [`Error::hint`] says what to try.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that is not one of the known ones: a column, an option, a model, a file format.
    #[error("unknown {what} `{name}`{}", nearest_clause(.name, .known))]
    Unknown { what: &'static str, name: String, known: Vec<String> },
    /// A value that does not fit the operation.
    #[error("{operation}: expected {expected}, got {got}")]
    Invalid { operation: String, expected: String, got: String, hint: Option<String> },
    /// An operation that failed for a reason told in words.
    #[error("{message}")]
    Failed { message: String, hint: Option<String> },
    /// A file that could not be opened, read, written or renamed.
    #[error("cannot {operation} {}: {}", .path.display(), io_reason(.source))]
    Io { operation: &'static str, path: PathBuf, source: std::io::Error },
    /// A file whose contents are malformed, with the line where that is known.
    #[error("{}{}: {message}", .path.display(), line_clause(.line))]
    Malformed { path: PathBuf, line: Option<usize>, message: String },
    /// A path that the run is not allowed to touch.
    #[error("{operation} {} is not allowed: a script may {operation} only under the working folder", .path.display())]
    NotAllowed { operation: &'static str, path: PathBuf },
    /// The user asked to stop.
    #[error("stopped")]
    Interrupted,
    /// The tensor library refused; the text says which operation.
    #[error("{operation}: {source}")]
    Tensor { operation: String, source: candle_core::Error },
    /// The frame library refused.
    #[error("{operation}: {}", frame_reason(.source))]
    Frame { operation: String, source: polars::error::PolarsError },
}

impl Error {
    /// An [`Error::Invalid`] without a hint.
    pub fn invalid(
        operation: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            operation: operation.into(),
            expected: expected.into(),
            got: got.into(),
            hint: None,
        }
    }

    /// An [`Error::Failed`] without a hint.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: None }
    }

    /// An [`Error::Failed`] that says what to try.
    pub fn failed_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: Some(hint.into()) }
    }

    /// An [`Error::Unknown`]; the nearest of `known` becomes the hint.
    pub fn unknown<S: Into<String>>(
        what: &'static str,
        name: impl Into<String>,
        known: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::Unknown {
            what,
            name: name.into(),
            known: known.into_iter().map(Into::into).collect(),
        }
    }

    /// An [`Error::Io`] about `path`; `operation` is a verb such as "read".
    pub fn io(operation: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { operation, path: path.as_ref().to_path_buf(), source }
    }

    /// An [`Error::Malformed`] about `path`, at a one-based line where it is known.
    pub fn malformed(
        path: impl AsRef<Path>,
        line: Option<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self::Malformed { path: path.as_ref().to_path_buf(), line, message: message.into() }
    }

    /// Adds or replaces the hint, where the kind of error carries one.
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Invalid { hint, .. } | Self::Failed { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// Whether it says that there is no such file, where that may be known.
    pub fn is_missing(&self) -> bool {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), NotFound | NotADirectory))
    }

    /// The same error about the path as the script wrote it.
    pub fn about(mut self, name: &str) -> Self {
        if let Self::Io { path, .. } | Self::NotAllowed { path, .. } = &mut self {
            *path = PathBuf::from(name);
        }
        self
    }

    /// What to try, if there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Invalid { hint, .. } | Self::Failed { hint, .. } => hint.clone(),
            Self::Unknown { what, known, .. } if !known.is_empty() => {
                let mut names = known.clone();
                names.sort();
                names.dedup();
                // Options are few enough to be read, and one that is left out may be the one that is sought.
                let most = if *what == "option" { names.len() } else { 24 };
                let shown = names.iter().take(most).cloned().collect::<Vec<_>>();
                let more = names.len().saturating_sub(shown.len());
                let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
                Some(format!("known {what}s: {}{tail}", shown.join(", ")))
            }
            Self::NotAllowed { operation, path } => {
                let of_system =
                    ["/proc", "/sys", "/dev"].iter().any(|folder| path.starts_with(folder));
                let never =
                    "; nothing allows what the system shows of itself in /proc, /sys and /dev";
                let never = if of_system { never } else { "" };
                Some(format!(
                    "give the path as a parameter's value on the command line, or add --allow-{operation} PATH{never}"
                ))
            }
            _ => None,
        }
    }
}

/// The known name nearest to `name`, if one is near enough to be what was meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| {
            let length = name.chars().count();
            *distance < length && *distance <= (length / 3).max(1)
        })
        .map(|(_, candidate)| candidate)
}

fn nearest_clause(name: &str, known: &[String]) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(candidate) => format!(", did you mean `{candidate}`?"),
        None => String::new(),
    }
}

fn line_clause(line: &Option<usize>) -> String {
    line.map(|number| format!(", line {number}")).unwrap_or_default()
}

fn io_reason(source: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::NotFound => "there is no such file or folder".to_string(),
        ErrorKind::PermissionDenied => "permission denied".to_string(),
        ErrorKind::StorageFull => "the disk is full".to_string(),
        _ => source.to_string(),
    }
}

/// What polars says in its first sentence: below it come plans and traces of polars' own.
fn frame_reason(error: &polars::error::PolarsError) -> String {
    use polars::error::PolarsError::{Context, ExprContext};
    if let Context { error, .. } | ExprContext { error, .. } = error {
        return frame_reason(error);
    }
    let text = error.to_string();
    let is_trace = |line: &&str| {
        let line = line.trim_start();
        ["This error occurred", "Resolved plan", "while evaluating", "--->", "Hint: "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| !is_trace(line))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        "polars refused without a reason".to_string()
    } else {
        in_words(&lines.join(" ").replace("dyn int", "int").replace("dyn float", "float"))
    }
}

/// polars' names of types in the words of scripts.
fn in_words(text: &str) -> String {
    const TYPES: &[(&str, &str)] = &[
        ("dtype", "type"),
        ("dtypes", "types"),
        ("datatypes", "types"),
        ("i64", "whole numbers"),
        ("f64", "numbers"),
        ("str", "texts"),
        ("bool", "booleans"),
        ("String", "texts"),
        ("Int64", "whole numbers"),
        ("Float64", "numbers"),
        ("Boolean", "booleans"),
    ];
    let mut out = String::new();
    let mut word = String::new();
    for character in text.chars().chain([' ']) {
        if character.is_alphanumeric() || character == '_' {
            word.push(character);
            continue;
        }
        let known = TYPES.iter().find(|(name, _)| *name == word);
        out.push_str(known.map_or(&*word, |(_, said)| *said));
        word.clear();
        out.push(character);
    }
    out.trim_end().to_string()
}

/// Turns errors of the libraries below into ours, naming the operation.
pub trait Context<T> {
    /// Names the operation in progress, for the sentence the user reads.
    fn during(self, operation: impl Into<String>) -> Result<T>;
}

impl<T> Context<T> for candle_core::Result<T> {
    fn during(self, operation: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Tensor { operation: operation.into(), source })
    }
}

impl<T> Context<T> for polars::error::PolarsResult<T> {
    fn during(self, operation: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Frame { operation: operation.into(), source })
    }
}

impl From<candle_core::Error> for Error {
    fn from(source: candle_core::Error) -> Self {
        Self::Tensor { operation: "computing with tensors".to_string(), source }
    }
}

impl From<polars::error::PolarsError> for Error {
    fn from(source: polars::error::PolarsError) -> Self {
        Self::Frame { operation: "computing with a frame".to_string(), source }
    }
}
