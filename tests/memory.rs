//! The budget of memory: whatever would go over it ends in a sentence and exit code 1, and the record says so. Each case runs
//! in a process of its own with a small budget, so that none of them fills the machine.
#![cfg(target_os = "linux")]

mod frames;
mod models;
mod scripts;
mod templates;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Far more than the program takes by itself, and little for a machine.
const BUDGET: &str = "300MiB";

/// A folder to run scripts in, and what came of the last one.
struct Place {
    folder: tempfile::TempDir,
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
    facts: Value,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// A copy of a fixture's folder.
    fn model(&self, fixture: &str, name: &str) -> &Self {
        for entry in std::fs::read_dir(crate::support::fixture(fixture)).unwrap() {
            let entry = entry.unwrap();
            let bytes = std::fs::read(entry.path()).unwrap();
            self.write(&format!("{name}/{}", entry.file_name().display()), bytes);
        }
        self
    }

    fn run(&self, script: &str) -> Ran {
        self.run_with(script, &["--memory", BUDGET])
    }

    fn run_with(&self, script: &str, words: &[&str]) -> Ran {
        let record = self.path().join("record");
        let _ = std::fs::remove_dir_all(&record);
        self.write("x.rhai", script);
        let ended = Command::new(env!("CARGO_BIN_EXE_ebb"))
            .args(["run", "x.rhai", "--offline", "--run-dir", "record"])
            .args(words)
            .current_dir(self.path())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "200")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let facts = std::fs::read(record.join("run.json")).unwrap_or_default();
        Ran {
            code: ended.status.code(),
            out: text(&ended.stdout),
            err: text(&ended.stderr),
            facts: serde_json::from_slice(&facts).unwrap_or(Value::Null),
        }
    }

    /// Runs a script that must be refused in words: with a sentence that holds `expected`, and a record that is closed.
    #[track_caller]
    fn refused(&self, script: &str, expected: &str) -> Ran {
        let ran = self.run(script);
        assert_eq!(ran.code, Some(1), "{script}: {} {}", ran.out, ran.err);
        assert!(ran.err.contains(expected), "{script}: {}", ran.err);
        assert!(ran.err.len() < 2000, "{script}: {} bytes", ran.err.len());
        assert_eq!(ran.facts["status"], "failed", "{script}");
        let told = ran.facts["error"]["message"].as_str().unwrap_or_default();
        assert!(!told.is_empty(), "{script}: {}", ran.facts);
        ran
    }

    /// Runs a script that catches what is refused, and goes on.
    #[track_caller]
    fn caught(&self, script: &str, expected: &str) {
        let ran = self.run(&format!("try {{ {script} }} catch (e) {{ print(e); }} 7"));
        assert_eq!(ran.code, Some(0), "{script}: {}", ran.err);
        assert!(ran.out.contains(expected), "{script}: {}", ran.out);
        assert!(ran.out.ends_with("7\n"), "{script}: {}", ran.out);
    }
}

#[test]
fn the_record_names_the_budget() {
    let ran = Place::new().run("1");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.facts["memory"], 300u64 << 20);
    let usual = Place::new().run_with("1", &[]);
    assert!(usual.facts["memory"].as_u64() > Some(64 << 20));
}

#[test]
fn a_budget_is_a_size() {
    for wrong in ["much", "8 bananas", "-1GiB", "0", "", "nan", "inf"] {
        let ran = Place::new().run_with("1", &["--memory", wrong]);
        assert_eq!(ran.code, Some(2), "{wrong}: {}", ran.err);
    }
    for (typed, bytes) in
        [("1GiB", 1u64 << 30), ("1g", 1 << 30), ("2e9", 2_000_000_000), ("1.5 GB", 3 << 29)]
    {
        let ran = Place::new().run_with("1", &["--memory", typed]);
        assert_eq!(ran.facts["memory"], bytes, "{typed}: {}", ran.err);
    }
}

#[test]
fn the_prompt_has_a_budget_too() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .args(["repl", "--memory", BUDGET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let typed = b"let f = frame(#{ k: [0] });\nfor i in 0..40 { f = concat([f, f]); }\n6 * 7\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("--memory"), "{said}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "42\n");
}
