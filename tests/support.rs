//! What several test modules use: the fixtures made with transformers, and the real models and data where they are.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use ebb::control::Control;
use ebb::model::Model;
use ebb::model::load::{self, LoadOptions};
use serde_json::Value;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

pub fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32).collect()
}

pub fn cpu() -> LoadOptions {
    LoadOptions { device: "cpu".to_string(), ..LoadOptions::default() }
}

/// The random LLaMA whose numbers transformers computed.
pub fn tiny() -> Model {
    load::from_folder(&fixture("tiny-llama"), &cpu()).unwrap()
}

/// The same with a random adapter over it.
pub fn tiny_with_adapter() -> Model {
    load::from_folder(&fixture("tiny-llama-lora"), &cpu()).unwrap()
}

/// A path beside the repository, where it is there; says so where it is not.
pub fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("skipped: {} is not here", full.display());
    None
}

pub fn stories() -> Option<Model> {
    shared("models/stories260k").map(|folder| load::from_folder(&folder, &cpu()).unwrap())
}

pub fn quiet() -> Control {
    Control::silent()
}

pub fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    flat.into_iter().map(f64::from).collect()
}

/// The bits of every weight, by name: equal only when every value is.
pub fn bits(model: &Model) -> Vec<(String, Vec<u32>)> {
    let adapter = model.adapter().map(|adapter| adapter.weights.clone()).unwrap_or_default();
    let all = model.weights().dense.clone().into_iter().chain(adapter);
    let bits = |tensor: &Tensor| {
        let flat = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        flat.into_iter().map(f32::to_bits).collect()
    };
    all.map(|(name, tensor)| (name, bits(&tensor))).collect()
}

#[track_caller]
pub fn close(ours: &[f64], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}: lengths");
    for (place, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what}[{place}]: ours {a}, theirs {b}");
    }
}

/// Evaluates a script in a folder and gives its last value as JSON, or its error.
pub fn script_in(
    folder: &Path,
    text: &str,
) -> Result<Value, Box<ebb::script::report::ScriptError>> {
    let mut host = ebb::script::host::Host::quiet(folder.to_path_buf());
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in [repository.join("tests/fixtures"), repository.join("../shared")] {
        host.access.read.extend(path.canonicalize());
    }
    let mut session = ebb::script::engine::Session::new(std::rc::Rc::new(host), "test.rhai");
    let value = session.evaluate("", text)?;
    Ok(ebb::script::convert::to_json(&value).unwrap())
}

/// The same in a folder of its own.
pub fn script(text: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    script_in(folder.path(), text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// The error of a script: its message, and its hint behind it.
pub fn script_error(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    match script_in(folder.path(), text) {
        Ok(value) => panic!("{text} gave {value}"),
        Err(error) => format!("{} ({})", error.message, error.hint.unwrap_or_default()),
    }
}
