//! Walls around work that may panic: libraries over what strangers' files hold, and, as the last resort, a whole cell.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// What the last panic said and where, kept by the hook that a door installs.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// What `work` gives; `None` where it panicked. `work` must own what it changes, or throw it away.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// What `work` gives; where it panicked, a sentence that says so. For what should never happen: a fault of the program.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    forget();
    guarded(work).ok_or_else(fault)
}

/// The error that tells of the last panic.
pub fn fault() -> Error {
    let said = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(feature) = said.as_deref().and_then(left_out) {
        return Error::failed_with_hint(
            format!("the tables of this program are built without what this asks for ({feature})"),
            "say it with other functions; items of a list can be laid out with `explode`, worked on, and gathered again",
        );
    }
    Error::failed_with_hint(
        format!("ebb itself failed: {}", said.unwrap_or_else(|| "no reason is known".to_string())),
        "this is a fault of the program, not of the script: please report it with the script that shows it",
    )
}

/// What polars panics with where an operation was not compiled in: "activate 'list_arithmetic' feature".
fn left_out(said: &str) -> Option<&str> {
    let (feature, _) = said.strip_prefix("activate '")?.split_once('\'')?;
    Some(feature.trim_end_matches([',', ' ']))
}

fn forget() {
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Makes every panic be noted instead of printed: whoever catches it tells it in a sentence.
pub fn note_panics() {
    std::panic::set_hook(Box::new(|info| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(noted(info));
    }));
}

fn noted(info: &PanicHookInfo) -> String {
    let payload = info.payload();
    let said = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_string(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a panic without words".to_string(),
    };
    let first = said.lines().next().unwrap_or_default();
    match info.location() {
        Some(place) => format!("{first} ({}, line {})", source(place.file()), place.line()),
        None => first.to_string(),
    }
}

/// A source file by its crate, without the folders of the machine that built the program.
fn source(file: &str) -> &str {
    let crates = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    crates.map_or(file, |(_, inside)| inside)
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_sentence_of_its_caller() {
        let error = caught(|| -> () { panic!("told") }).unwrap_err();
        assert!(error.to_string().starts_with("ebb itself failed: "), "{error}");
        assert!(error.hint().unwrap().contains("report it"));
        assert_eq!(guarded(|| 7), Some(7));
    }

    #[test]
    fn sources_are_told_without_the_folders_they_were_built_in() {
        let built = "/home/x/.cargo/registry/src/index.crates.io-1949/polars-core-0.55.2/src/a.rs";
        assert_eq!(source(built), "polars-core-0.55.2/src/a.rs");
        assert_eq!(source("src/guard.rs"), "src/guard.rs");
        assert_eq!(left_out("activate 'list_arithmetic, ' feature"), Some("list_arithmetic"));
    }
}
