//! Bundles: a run in one archive that runs elsewhere and says whether the results are the same; archives of strangers are
//! refused before anything of them is written.

mod hostile;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A folder in which the program is run.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(files: &[(&str, &str)]) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            desk.write(name, text);
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    fn ebb(&self, words: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_ebb"))
            .args(words)
            .current_dir(self.0.path())
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HF_HUB_CACHE", self.path("hub"))
            .env("HF_HUB_OFFLINE", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    #[track_caller]
    fn done(&self, words: &[&str]) -> String {
        let (code, out, err) = self.ebb(words);
        assert_eq!(code, 0, "{words:?}: {out}{err}");
        out
    }

    /// Names in the folder, sorted.
    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.0.path()).unwrap();
        let names = names.map(|name| name.unwrap().file_name().to_string_lossy().to_string());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Carries a bundle to another folder, which has nothing else.
    fn carried(&self, name: &str) -> Self {
        let other = Self::new(&[]);
        std::fs::copy(self.path(name), other.path(name)).unwrap();
        other
    }
}

const SCRIPT: &str = r##"// %% [markdown]
// # Means of rows
// A study.

// %% data
import "tools/means" as means;
let n = param("n", 2, "how many");
let rows = read(param("rows", "data/rows.jsonl", "rows"));
show(rows);
print(`the run is in ${run_dir()}`);
// %% results
log(#{ mean: means::of(rows), n: n });
frame(#{ draw: random_integers(n, 1000, 1, "draw") })
"##;

const MODULE: &str = "/// The mean.\nfn of(rows) { rows.x.mean() }\n";
const ROWS: &str = "{\"x\": 1.0}\n{\"x\": 0.3}\n";

fn study() -> Desk {
    Desk::new(&[
        ("studies/x.rhai", SCRIPT),
        ("studies/tools/means.rhai", MODULE),
        ("data/rows.jsonl", ROWS),
    ])
}

fn names_in(archive: &Path) -> Vec<String> {
    let file = std::fs::File::open(archive).unwrap();
    // Another reader of zip than the one that is tried.
    let mut zip = zip::ZipArchive::new(file).unwrap();
    (0..zip.len()).map(|place| zip.by_index(place).unwrap().name().unwrap().to_string()).collect()
}

#[test]
fn a_script_is_run_bundled_and_gives_the_same_elsewhere() {
    let desk = study();
    let out = desk.done(&["bundle", "studies/x.rhai", "--n", "5", "-o", "x.ebb", "--seed", "3"]);
    assert!(out.contains("x.ebb: "), "{out}");
    let names = names_in(&desk.path("x.ebb"));
    let expected = [
        "README.md",
        "expected/metrics.jsonl",
        "expected/outputs.jsonl",
        "expected/outputs/table-1.parquet",
        "expected/outputs/table-2.parquet",
        "expected/report.html",
        "expected/run.json",
        "expected/script.rhai",
        "files/data/rows.jsonl",
        "files/studies/tools/means.rhai",
        "files/studies/x.rhai",
        "manifest.json",
    ];
    assert_eq!(names, expected);
    let there = desk.carried("x.ebb");
    let (code, out, err) = there.ebb(&["verify", "x.ebb", "--offline"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "same: 2 cells, 2 tables, 1 text, 1 metrics line\n"),
        "{err}"
    );
    // It is run with the parameters and the seed of the record, or with others.
    let facts = |folder: &str| there.json(&format!("{folder}/run.json"));
    there.done(&["run", "x.ebb", "--offline", "--run-dir", "one"]);
    assert_eq!(facts("one")["parameters"]["n"], 5);
    assert_eq!(facts("one")["first_seed"], 3);
    there.done(&["run", "x.ebb", "--n", "7", "--run-dir", "two"]);
    assert_eq!(facts("two")["parameters"]["n"], 7);
    let (_, _, err) = there.ebb(&["run", "x.ebb"]);
    assert!(err.contains("report: x/files/runs/"), "{err}");
    let (code, out, _) = there.ebb(&["run", "x.ebb", "--help"]);
    assert!(code == 0 && out.contains("how many [default: 5]"), "{out}");
    assert_eq!(there.names(), ["one", "two", "x", "x.ebb"]);
}

#[test]
fn a_run_that_differs_is_told_with_the_input_by_its_name_in_the_bundle() {
    let desk = study();
    desk.done(&["run", "studies/x.rhai", "--run-dir", "record"]);
    desk.done(&["bundle", "record", "-o", "x.ebb"]);
    let there = desk.carried("x.ebb");
    // The same rows under another name, with another number.
    let (code, out, err) = there.ebb(&["verify", "x.ebb"]);
    assert_eq!(code, 0, "{out}{err}");
    there.write("x/files/data/rows.jsonl", ROWS.replace("0.3", "0.4"));
    let (code, _, err) = there.ebb(&["verify", "x.ebb"]);
    assert!(code == 2 && err.contains("rows.jsonl is not what the bundle holds"), "{err}");
    std::fs::remove_dir_all(there.path("x")).unwrap();
    // A result that the bundle expects otherwise.
    let made = std::fs::read(desk.path("x.ebb")).unwrap();
    let changed =
        hostile::changed(&made, "expected/metrics.jsonl", |text| text.replace("0.65", "0.75"));
    there.write("x.ebb", changed);
    let (code, out, err) = there.ebb(&["verify", "x.ebb"]);
    assert!(code == 1 && out.contains("0.75") && out.contains("0.65"), "{out}{err}");
    assert!(!out.contains("was not read before"), "{out}");
    let (code, out, _) = there.ebb(&["verify", "x.ebb", "--within", "0.2"]);
    assert!(code == 0 && out.contains("numbers within 2e-1"), "{out}");
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let desk = study();
    desk.done(&["run", "studies/x.rhai", "--run-dir", "record"]);
    desk.done(&["bundle", "record", "-o", "x.ebb"]);
    desk.done(&["bundle", "record", "-o", "elsewhere/y.ebb"]);
    let bytes = |name: &str| std::fs::read(desk.path(name)).unwrap();
    assert_eq!(bytes("x.ebb"), bytes("elsewhere/y.ebb"));
    // From another folder, too.
    let inner = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(["bundle", "../record", "-o", "../z.ebb"])
        .current_dir(desk.path("studies"))
        .output()
        .unwrap();
    assert!(inner.status.success(), "{inner:?}");
    assert_eq!(bytes("x.ebb"), bytes("z.ebb"));
}

#[test]
fn the_page_inside_can_be_read_without_the_program() {
    let desk = study();
    desk.done(&["bundle", "studies/x.rhai", "-o", "x.ebb", "--largest", "20B"]);
    let file = std::fs::File::open(desk.path("x.ebb")).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let mut page = String::new();
    std::io::Read::read_to_string(&mut zip.by_name("README.md").unwrap(), &mut page).unwrap();
    let hash = ebb::files::sha256(ROWS.as_bytes());
    for told in [
        "# Means of rows",
        "ebb verify x.ebb",
        "ebb run studies/x.rhai --n 2 --rows data/rows.jsonl --seed 0",
        &ebb::files::sha256(SCRIPT.as_bytes()),
        &format!(
            "a file to be put at `files/data/rows.jsonl`: {} bytes, sha256 `{hash}`",
            ROWS.len()
        ),
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
}

#[test]
fn an_input_that_changed_or_is_gone_is_refused_by_its_name() {
    let desk = study();
    desk.done(&["run", "studies/x.rhai", "--run-dir", "record"]);
    desk.write("data/rows.jsonl", "{\"x\": 2.0}\n");
    let (code, _, err) = desk.ebb(&["bundle", "record", "-o", "x.ebb"]);
    assert!(
        code == 1 && err.contains("data/rows.jsonl has changed since the run read it"),
        "{err}"
    );
    std::fs::remove_file(desk.path("data/rows.jsonl")).unwrap();
    let (code, _, err) = desk.ebb(&["bundle", "record", "-o", "x.ebb"]);
    assert!(code == 1 && err.contains("data/rows.jsonl of the run is not there any more"), "{err}");
    assert!(!desk.path("x.ebb").exists());
}

#[test]
fn large_inputs_are_named_with_their_hash_and_asked_for() {
    let desk = study();
    let out = desk.done(&["bundle", "studies/x.rhai", "-o", "x.ebb", "--largest", "20B"]);
    assert!(out.contains("besides it: files/data/rows.jsonl"), "{out}");
    let there = desk.carried("x.ebb");
    let (code, _, err) = there.ebb(&["run", "x.ebb"]);
    assert!(code == 2 && err.contains("too large to be in the bundle"), "{err}");
    assert!(
        err.contains("x/files/data/rows.jsonl")
            && err.contains(&ebb::files::sha256(ROWS.as_bytes())),
        "{err}"
    );
    there.write("x/files/data/rows.jsonl", "{\"x\": 2.0}\n");
    let (code, _, err) = there.ebb(&["run", "x.ebb"]);
    assert!(code == 2 && err.contains("is another file than the script was run with"), "{err}");
    there.write("x/files/data/rows.jsonl", ROWS);
    let (code, out, err) = there.ebb(&["verify", "x.ebb"]);
    assert!(code == 0 && out.starts_with("same"), "{out}{err}");
}

#[test]
fn a_file_outside_that_a_parameter_names_is_inside_and_one_that_the_script_names_is_refused() {
    let outside = Desk::new(&[("far/rows.jsonl", ROWS)]);
    let file = outside.path("far/rows.jsonl").display().to_string();
    let desk = study();
    desk.done(&["bundle", "studies/x.rhai", "--rows", &file, "-o", "x.ebb"]);
    let there = desk.carried("x.ebb");
    drop(outside);
    let (code, out, err) = there.ebb(&["verify", "x.ebb"]);
    assert!(code == 0 && out.starts_with("same"), "{out}{err}");
    assert_eq!(there.json("x/manifest.json")["parameters"]["rows"], "outside/rows/rows.jsonl");
    // A folder and a pattern as well.
    let outside = Desk::new(&[("far/a.jsonl", ROWS), ("far/b.jsonl", ROWS)]);
    let pattern = outside.path("far/*.jsonl").display().to_string();
    desk.done(&["bundle", "studies/x.rhai", "--rows", &pattern, "-o", "p.ebb"]);
    let there = desk.carried("p.ebb");
    drop(outside);
    let (code, out, err) = there.ebb(&["verify", "p.ebb"]);
    assert!(code == 0 && out.starts_with("same"), "{out}{err}");
    let outside = Desk::new(&[("rows.jsonl", ROWS)]);
    let file = outside.path("rows.jsonl").display().to_string();
    desk.write("y.rhai", format!("read({file:?})"));
    let (code, _, err) = desk.ebb(&["bundle", "y.rhai", "-o", "y.ebb", "--allow-read", &file]);
    assert!(code == 1 && err.contains("lies outside the working folder of the run"), "{err}");
}

#[test]
fn modules_that_override_the_standard_library_and_files_asked_for_go_along() {
    let library = Desk::new(&[("mixture.rhai", "/// Ours.\nfn ours() { 41 }\n")]);
    let desk = Desk::new(&[
        ("x.rhai", "import \"std/mixture\" as m;\n[m::ours(), exists(\"notes.txt\")]"),
        ("notes.txt", "x"),
    ]);
    let folder = library.0.path().display().to_string();
    desk.done(&["bundle", "x.rhai", "-o", "x.ebb", "--library", &folder, "--with", "notes.txt"]);
    let there = desk.carried("x.ebb");
    drop(library);
    assert_eq!(there.done(&["run", "x.ebb"]), "[41, true]\n");
    assert!(there.done(&["verify", "x.ebb"]).starts_with("same"));
}

#[test]
fn a_model_of_a_folder_and_one_of_the_program_are_run_elsewhere() {
    let desk = Desk::new(&[(
        "x.rhai",
        "let m = load_model(\"models/tiny\"); let t = load_model(\"ebb/tiny\");\n[m.loss([\"The cat\"]), t.loss([\"The cat\"])]",
    )]);
    let fixture = crate::support::fixture("tiny-llama");
    for entry in std::fs::read_dir(fixture).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().to_string();
        desk.write(&format!("models/tiny/{name}"), std::fs::read(&path).unwrap());
    }
    desk.done(&["bundle", "x.rhai", "-o", "x.ebb"]);
    let there = desk.carried("x.ebb");
    assert!(there.done(&["verify", "x.ebb", "--offline"]).starts_with("same"));
    assert_eq!(there.json("x/manifest.json")["shipped"][0]["name"], "ebb/tiny");
    // Other weights are another model.
    desk.done(&["run", "x.rhai", "--run-dir", "record"]);
    let path = desk.path("models/tiny/model.safetensors");
    let mut weights = std::fs::read(&path).unwrap();
    *weights.last_mut().unwrap() ^= 1;
    std::fs::write(&path, weights).unwrap();
    let (code, _, err) = desk.ebb(&["bundle", "record", "-o", "y.ebb"]);
    assert!(code == 1 && err.contains("the input models/tiny has changed"), "{err}");
}

#[test]
fn a_bundle_permits_nothing_outside_of_its_folder() {
    let desk = Desk::new(&[
        ("x.rhai", "let path = param(\"path\", \"own.jsonl\", \"p\");\nread(path).len()"),
        ("own.jsonl", ROWS),
    ]);
    desk.done(&["bundle", "x.rhai", "-o", "x.ebb", "--path", "own.jsonl"]);
    let there = desk.carried("x.ebb");
    there.write("secret.jsonl", ROWS);
    let secret = there.path("secret.jsonl").display().to_string();
    let made = std::fs::read(desk.path("x.ebb")).unwrap();
    let hostile = hostile::changed(&made, "manifest.json", |text| {
        text.replace("\"path\": \"own.jsonl\"", &format!("\"path\": {secret:?}"))
    });
    there.write("h.ebb", hostile);
    let (_, out, err) = there.ebb(&["run", "h.ebb"]);
    assert!(!out.contains('2') && format!("{out}{err}").contains("not allowed"), "{err}");
    // What the command line names is meant.
    let (code, out, err) = there.ebb(&["run", "x.ebb", "--path", &secret]);
    assert!(code == 0 && out.contains('2'), "{out}{err}");
}

#[test]
fn a_folder_of_another_kind_is_never_written_over() {
    let desk = study();
    desk.done(&["bundle", "studies/x.rhai", "-o", "x.ebb"]);
    let there = desk.carried("x.ebb");
    there.write("x/mine.txt", "mine");
    let (code, _, err) = there.ebb(&["run", "x.ebb"]);
    assert!(
        code == 2 && err.contains("is there already, and is not this bundle unpacked"),
        "{err}"
    );
    assert_eq!(std::fs::read_to_string(there.path("x/mine.txt")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(there.path("x")).unwrap().count(), 1);
    #[cfg(unix)]
    {
        let other = Desk::new(&[]);
        std::fs::remove_dir_all(there.path("x")).unwrap();
        std::os::unix::fs::symlink(other.0.path(), there.path("x")).unwrap();
        assert_eq!(there.ebb(&["run", "x.ebb"]).0, 2);
        assert!(other.names().is_empty());
    }
}

#[test]
fn what_cannot_be_bundled_is_told_before_or_without_a_bundle() {
    let desk = Desk::new(&[
        ("x.rhai", "1"),
        ("bad.rhai", "// %% bad\nabsent"),
        ("most.rhai", "param(\"most\", 1, \"\")"),
    ]);
    let says = |words: &[&str], told: &str| {
        let (code, _, err) = desk.ebb(words);
        assert!(code != 0 && err.contains(told), "{words:?}: {code} {err}");
    };
    says(&["bundle", "x.rhai", "-o", "x.zip"], "a file name that ends in .ebb");
    says(&["bundle", "x.rhai"], "-o <FILE>");
    says(&["bundle"], "SCRIPT|RUN");
    says(&["bundle", "x.rhai", "-o", "x.ebb", "--json"], "keeps no record cannot be bundled");
    says(&["bundle", "absent.rhai", "-o", "x.ebb"], "absent.rhai");
    says(&["bundle", "most.rhai", "-o", "x.ebb"], "most");
    assert!(!desk.path("x.ebb").exists() && !desk.path("x.zip").exists());
    // A run that failed is a result too, where it is asked for.
    says(&["bundle", "bad.rhai", "-o", "x.ebb", "--run-dir", "failed"], "nothing is bundled");
    desk.done(&["bundle", "failed", "-o", "x.ebb"]);
    let there = desk.carried("x.ebb");
    assert!(there.done(&["verify", "x.ebb"]).starts_with("same"));
    let facts = std::fs::read_to_string(desk.path("failed/run.json")).unwrap();
    desk.write("failed/run.json", facts.replace("\"failed\"", "\"stopped\""));
    says(&["bundle", "failed", "-o", "y.ebb"], "is stopped: only one that came to its end");
}

/// A model in a Hub's cache under two commits, of which `main` is the second, or the first.
fn hub(desk: &Desk, main: &str) {
    let fixture = crate::support::fixture("tiny-llama");
    for entry in std::fs::read_dir(fixture).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().to_string();
        let mut bytes = std::fs::read(&path).unwrap();
        desk.write(&format!("hub/models--org--tiny/snapshots/{FIRST}/{name}"), &bytes);
        if name == "model.safetensors" {
            // The last weight is another one.
            let place = bytes.len() - 2;
            bytes[place] ^= 0x40;
        }
        desk.write(&format!("hub/models--org--tiny/snapshots/{SECOND}/{name}"), &bytes);
    }
    desk.write("hub/models--org--tiny/refs/main", main);
}

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

#[test]
fn a_model_of_the_hub_is_locked_to_the_commit_that_it_had() {
    let desk = Desk::new(&[("x.rhai", "load_model(\"org/tiny\").loss([\"The cat sat.\"])")]);
    hub(&desk, FIRST);
    let out = desk.done(&["bundle", "x.rhai", "-o", "x.ebb"]);
    assert!(out.contains(&format!("to be fetched: org/tiny@{FIRST}")), "{out}");
    let there = desk.carried("x.ebb");
    hub(&there, SECOND);
    assert!(there.done(&["verify", "x.ebb"]).starts_with("same"));
    // Where nothing is locked, the branch has moved on.
    there.write("x.rhai", "load_model(\"org/tiny\")");
    there.done(&["run", "x.rhai", "--run-dir", "unlocked"]);
    let inputs = there.json("unlocked/run.json")["inputs"].clone();
    assert_eq!(inputs[0]["name"], format!("org/tiny@{SECOND}"));
}
