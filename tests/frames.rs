//! Frames as scripts use them. Expected values are worked by hand.

mod combine;
mod exact;
mod files;
mod footers;
mod hostile;
mod look;
mod parquet;
mod pieces;
mod shown;
mod verbs;

use ebb::script::report::ScriptError;
use serde_json::Value;

pub use crate::support::script as run;
use crate::support::script_in as run_in;

/// The error of a script that must fail.
#[track_caller]
pub fn error(script: &str) -> ScriptError {
    let folder = tempfile::tempdir().unwrap();
    match run_in(folder.path(), script) {
        Ok(value) => panic!("{script} gave {value}"),
        Err(error) => *error,
    }
}

#[track_caller]
pub fn fails_with(script: &str, parts: &[&str]) {
    let error = error(script);
    for part in parts {
        assert!(error.message.contains(part), "{script}: {:?} has no {part:?}", error.message);
    }
}

/// Reads a file of the given bytes: its rows, or the message of the error.
pub fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    run_in(folder.path(), &format!("read({name:?})")).map_err(|error| error.message)
}

#[track_caller]
pub fn read_fails(name: &str, bytes: impl AsRef<[u8]>, parts: &[&str]) {
    let message = match read(name, bytes) {
        Ok(value) => panic!("{name} gave {value}"),
        Err(message) => message,
    };
    for part in parts {
        assert!(message.contains(part), "{message:?} has no {part:?}");
    }
}
