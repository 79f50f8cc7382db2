//! Frames as scripts use them. Expected values are worked by hand.

mod combine;
mod files;
mod hostile;
mod shown;
mod verbs;

use std::path::Path;
use std::rc::Rc;

use ebb::script::display::CellValue;
use ebb::script::engine::Session;
use ebb::script::host::Host;
use ebb::script::report::ScriptError;
use serde_json::Value;

/// The last value of a script that runs in a folder, as JSON: a frame is an array of maps.
pub fn run_in(folder: &Path, script: &str) -> Result<Value, ScriptError> {
    let mut session = Session::new(Rc::new(Host::quiet(folder.to_path_buf())), "test");
    let value = session.evaluate("", script)?;
    Ok(CellValue::from(value).to_json().unwrap())
}

/// The same in a folder of its own.
#[track_caller]
pub fn run(script: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    match run_in(folder.path(), script) {
        Ok(value) => value,
        Err(error) => panic!("{script}: {}", error.message),
    }
}

/// The error of a script that must fail.
#[track_caller]
pub fn error(script: &str) -> ScriptError {
    let folder = tempfile::tempdir().unwrap();
    match run_in(folder.path(), script) {
        Ok(value) => panic!("{script} gave {value}"),
        Err(error) => error,
    }
}

#[track_caller]
pub fn fails_with(script: &str, parts: &[&str]) {
    let error = error(script);
    for part in parts {
        assert!(
            error.message.contains(part),
            "{script}: {:?} has no {part:?}",
            error.message
        );
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
