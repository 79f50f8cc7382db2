//! The program itself in a folder of its own, as a stranger's script meets it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub struct Program(tempfile::TempDir);

impl Program {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
        command
            .current_dir(self.folder())
            .env("XDG_DATA_HOME", self.folder().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a script.
    pub fn start(&self, script: &str) -> Child {
        self.write("x.rhai", script);
        let mut command = self.command();
        command.args(["run", "x.rhai", "--run-dir", "record"]);
        command.stdin(Stdio::null()).spawn().unwrap()
    }

    /// Runs a script to its end: its exit code (none where a signal ended it) and all it said.
    pub fn run(&self, script: &str) -> (Option<i32>, String) {
        let _ = std::fs::remove_dir_all(self.folder().join("record"));
        said(self.start(script).wait_with_output().unwrap())
    }

    /// What the prompt says to lines.
    pub fn prompt(&self, text: &str) -> String {
        let mut child = self.command().spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let (code, said) = said(child.wait_with_output().unwrap());
        assert!(code.is_some(), "a signal ended the program: {said}\n{text}");
        said
    }
}

fn said(output: Output) -> (Option<i32>, String) {
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).to_string(),
    )
}

/// Sends SIGINT after a while, and tells how long the program went on; nothing where it was done before.
pub fn interrupted(mut child: Child, after: Duration) -> Option<Duration> {
    std::thread::sleep(after);
    if child.try_wait().unwrap().is_some() {
        return None;
    }
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(started.elapsed())
}
