//! What each fuzz target does with its bytes: hand them to the reader of a format, as a stranger's file would be, or to the script
//! sandbox, as a stranger's script. A reader answers with a value or a sentence; a panic, a file outside, a process or work
//! without an end is a fault.
//!
//! cargo-fuzz builds them one by one (`fuzz_targets/`); `cargo test fuzz` runs each over its seeds and changes of them.

use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ebb::notebook::{cells, import};
use ebb::script::engine::Session;
use ebb::script::host::Host;
use ebb::script::parameters::{self, Code};

/// A target's name and what it does.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 12] = [
    ("bundle", bundle),
    ("cells", cells_and_parameters),
    ("config", config),
    ("gguf", gguf),
    ("notebook", notebook),
    ("parquet", parquet),
    ("pickle", pickle),
    ("safetensors", safetensors),
    ("script", script),
    ("tables", tables),
    ("template", template),
    ("tokenizer", tokenizer),
];

/// How long one input may take until it is asked to stop, and until it must have.
const ASKED: Duration = Duration::from_secs(2);
const ENDED: Duration = Duration::from_secs(30);
/// What stands outside of the folder that a script may read.
const CANARY: &str = "ebb-canary-b1946ac92492d234";

/// A folder with another one in it that scripts work in; the canary is beside that.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(place.work()).expect("a folder");
        std::fs::write(place.0.path().join("canary.txt"), CANARY).expect("a file");
        std::fs::write(
            place.0.path().join("canary.rhai"),
            format!("export const A = \"{CANARY}\";"),
        )
        .expect("a file");
        place
    }

    fn work(&self) -> std::path::PathBuf {
        self.0.path().join("work")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// A model's folder of the fixtures with one file in place of another.
    fn model(&self, name: &str, bytes: &[u8], left_out: &[&str]) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"));
        let from =
            [from.join("tests/fixtures/tiny-llama"), from.join("../tests/fixtures/tiny-llama")];
        let from = from.iter().find(|folder| folder.exists()).expect("the fixtures");
        for entry in std::fs::read_dir(from).expect("the fixtures").flatten() {
            let file = entry.file_name().to_string_lossy().to_string();
            if !left_out.contains(&file.as_str()) {
                self.write(
                    &format!("model/{file}"),
                    &std::fs::read(entry.path()).expect("a fixture"),
                );
            }
        }
        self.write(&format!("model/{name}"), bytes);
    }

    /// Evaluates a script here and holds it to the rules.
    fn evaluate(&self, text: &str) {
        let host = Host::quiet(self.work());
        let stop = host.control.stop_flag().clone();
        let begun = Instant::now();
        let (done, waited) = std::sync::mpsc::channel::<()>();
        let timer = std::thread::spawn(move || {
            if waited.recv_timeout(ASKED).is_err() {
                stop.store(true, Ordering::Relaxed);
            }
        });
        let told = match Session::new(Rc::new(host), "fuzz.rhai").evaluate("", text) {
            Ok(value) => value.to_string(),
            Err(error) => format!("{} {:?}", error.message, error.hint),
        };
        done.send(()).ok();
        timer.join().expect("the timer");
        assert!(begun.elapsed() < ENDED, "it took {:?}", begun.elapsed());
        assert!(!told.contains("ebb itself failed"), "{told}");
        assert!(!told.contains(CANARY), "a file outside was read: {told}");
        let outside = std::fs::read_dir(self.0.path()).expect("the folder").flatten();
        let mut names: Vec<String> =
            outside.map(|entry| entry.file_name().to_string_lossy().to_string()).collect();
        names.sort();
        assert_eq!(names, ["canary.rhai", "canary.txt", "work"], "something was written outside");
        let canary = std::fs::read_to_string(self.0.path().join("canary.txt"));
        assert_eq!(canary.expect("the canary"), CANARY, "a file outside was changed");
    }
}

fn bundle(bytes: &[u8]) {
    if let Ok(bundle) = ebb::bundle::Bundle::of(bytes) {
        let place = Place::new();
        // What is whole is unpacked below its folder.
        let _ = bundle.unpack(&place.work().join("unpacked"));
        place.evaluate("1");
    }
}

fn cells_and_parameters(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let cells = cells::split(&text);
    let code: Vec<Code> = cells
        .iter()
        .filter_map(|cell| Some(Code { lines_before: cell.lines_before, text: cell.code()? }))
        .collect();
    let _ = parameters::find("fuzz.rhai", &text, &code);
    let _ = cells::introduction(&cells);
}

fn config(bytes: &[u8]) {
    let place = Place::new();
    place.model("config.json", bytes, &[]);
    place.evaluate(r#"load_model("model").config()"#);
}

fn gguf(bytes: &[u8]) {
    let place = Place::new();
    place.write("m.gguf", bytes);
    place.evaluate(r#"load_model("m.gguf").loss("the kettle sings")"#);
}

fn notebook(bytes: &[u8]) {
    let _ = import::import("fuzz.ipynb", &String::from_utf8_lossy(bytes));
}

fn parquet(bytes: &[u8]) {
    let place = Place::new();
    place.write("x.parquet", bytes);
    place.evaluate(r#"read("x.parquet").head(3).rows()"#);
}

fn pickle(bytes: &[u8]) {
    let place = Place::new();
    place.model("pytorch_model.bin", bytes, &["model.safetensors"]);
    place.evaluate(r#"load_model("model").loss("the kettle sings")"#);
}

fn safetensors(bytes: &[u8]) {
    let place = Place::new();
    place.model("model.safetensors", bytes, &[]);
    place.evaluate(r#"load_model("model").loss("the kettle sings")"#);
}

fn script(bytes: &[u8]) {
    Place::new().evaluate(&String::from_utf8_lossy(bytes));
}

fn tables(bytes: &[u8]) {
    let place = Place::new();
    for name in ["x.csv", "x.tsv", "x.json", "x.jsonl", "x.csv.gz"] {
        place.write(name, bytes);
        place.evaluate(&format!("read({name:?}).head(3).rows()"));
    }
}

fn template(bytes: &[u8]) {
    let place = Place::new();
    place.model("chat_template.jinja", bytes, &[]);
    place.evaluate(r#"load_model("model").chat_prompt([#{ role: "user", content: "Hi" }, #{ role: "assistant", content: "Ho" }])"#);
}

fn tokenizer(bytes: &[u8]) {
    let place = Place::new();
    place.model("tokenizer.json", bytes, &[]);
    place.evaluate(r#"load_model("model").tokenize("the kettle sings")"#);
}

/// Runs a target by its name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    (target.expect("a target of that name").1)(bytes);
}
