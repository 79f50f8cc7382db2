//! The program itself in a folder of its own, as a stranger's script meets it.

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
            .env("EBB_CACHE", self.folder().join("kept"))
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

    /// What the prompt says to lines, as far as it comes within a time; and whether it came to the end.
    pub fn prompt(&self, text: &str, limit: Duration) -> (String, bool) {
        let input = self.write("lines.txt", text);
        let heard = self.folder().join("said.txt");
        let out = std::fs::File::create(&heard).unwrap();
        let mut command = self.command();
        command.stdin(std::fs::File::open(input).unwrap());
        command.stdout(out.try_clone().unwrap()).stderr(out);
        let mut child = command.spawn().unwrap();
        let started = Instant::now();
        let mut ended = false;
        while !ended && started.elapsed() < limit {
            ended = child.try_wait().unwrap().is_some();
            std::thread::sleep(Duration::from_millis(5));
        }
        if !ended {
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        let said = std::fs::read(heard).unwrap();
        let said = String::from_utf8_lossy(&said).to_string();
        if ended {
            assert!(status.code().is_some(), "a signal ended the program: {said}\n{text}");
        }
        (said, ended)
    }
}

fn said(output: Output) -> (Option<i32>, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).to_string())
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
