//! Sweeps: every combination of a script's parameters in runs of their own, done once, gone on with, and gathered.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.rhai"), script).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
        command
            .args(words)
            .current_dir(self.0.path())
            .env("COLUMNS", "120")
            .env("NO_COLOR", "1")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn ebb(&self, words: &[&str]) -> (i32, String, String) {
        let output = self.command(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// The folders of the runs of the sweep `sweeps/x`.
    fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("sweeps/x/tasks")).unwrap();
        let mut runs: Vec<PathBuf> =
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        runs.sort();
        runs
    }

    fn rows(&self) -> Vec<Value> {
        let (code, _, err) = self.ebb(&["gather", "sweeps/x", "--data", "rows.jsonl"]);
        assert_eq!(code, 0, "{err}");
        let text = std::fs::read_to_string(self.path("rows.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn facts(run: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap()
}

const SCRIPT: &str = r#"let phi = param("phi", 0.5, "threshold");
let seed = param("seed", 0, "seed");
let kind = param("kind", "a", "what kind");
log(#{ score: phi * 10.0 + seed, other: 1 });
if kind == "bad" { throw "it is bad"; }
print(kind);"#;

#[test]
fn every_combination_is_run_once_and_gathered_with_means_over_seeds() {
    let desk = Desk::new(SCRIPT);
    let words = ["sweep", "x.rhai", "--phi", "0.1,0.2", "--seed", "0..3", "--jobs", "3"];
    let (code, out, err) = desk.ebb(&words);
    assert_eq!(code, 0, "{err}");
    // Means by hand: 1, 2, 3 and 2, 3, 4, each ± 4.303 / √3.
    for told in ["2.0 ± 2.484", "3.0 ± 2.484", "6 runs, 6 done", "Student's t"] {
        assert!(out.contains(told), "{told}: {out}");
    }
    let runs = desk.runs();
    assert_eq!(runs.len(), 6);
    let started: Vec<Value> = runs.iter().map(|run| facts(run)["started"].clone()).collect();
    assert!(runs.iter().all(|run| facts(run)["status"] == "done"));
    // Again: nothing is run twice, and one value more is one column more.
    assert_eq!(desk.ebb(&words).0, 0);
    let again: Vec<Value> = runs.iter().map(|run| facts(run)["started"].clone()).collect();
    assert_eq!(started, again);
    let (code, out, _) = desk.ebb(&["sweep", "x.rhai", "--phi", "0.3", "--seed", "0..3"]);
    assert!(code == 0 && out.contains("9 runs, 9 done"), "{out}");
    let rows = desk.rows();
    assert_eq!(rows.len(), 9);
    assert_eq!(
        (&rows[4]["phi"], &rows[4]["seed"], &rows[4]["score"]),
        (&0.2.into(), &1.into(), &3.0.into())
    );
    let page = std::fs::read_to_string(desk.path("sweeps/x/report.html")).unwrap();
    assert!(
        page.contains("Sweep of x.rhai")
            && page.contains("score over phi")
            && page.contains("<svg"),
        "{page}"
    );
    // The same numbers as a run by itself.
    let (_, alone, _) =
        desk.ebb(&["run", "x.rhai", "--phi", "0.2", "--seed", "1", "--run-dir", "alone"]);
    assert!(alone.contains('a'));
    assert_eq!(facts(&desk.path("alone"))["metrics"]["score"]["last"], 3.0);
}

#[test]
fn what_fails_is_listed_with_its_error_and_tried_again() {
    let desk = Desk::new(SCRIPT);
    let words = ["sweep", "x.rhai", "--kind", "good,bad", "--jobs", "2"];
    let (code, out, _) = desk.ebb(&words);
    assert_eq!(code, 1);
    for told in ["kind-bad", "it is bad", "2 runs, 1 done, 1 failed"] {
        assert!(out.contains(told), "{told}: {out}");
    }
    let logs = desk.path("sweeps/x/tasks").read_dir().unwrap();
    let logs = logs
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "log"));
    assert_eq!(logs.count(), 2, "what each run printed stands beside it");
    let before: Vec<Value> = desk.runs().iter().map(|run| facts(run)["started"].clone()).collect();
    assert_eq!(desk.ebb(&words).0, 1);
    let after: Vec<Value> = desk.runs().iter().map(|run| facts(run)["started"].clone()).collect();
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert_eq!(changed, 1, "the failed one is run again, the other is not");
    // A changed script is another sweep.
    std::fs::write(desk.path("x.rhai"), format!("{SCRIPT}\n1")).unwrap();
    let (code, _, err) = desk.ebb(&words);
    assert!(
        code == 1 && err.contains("before it was changed") && err.contains("--sweep-dir"),
        "{err}"
    );
    let (code, _, err) = desk.ebb(&[&words[..], &["--sweep-dir", "other"]].concat());
    assert_eq!(code, 1, "{err}");
    assert!(desk.path("other/sweep.json").exists());
}

const LEARNING: &str = r#"let seed = param("seed", 0, "seed");
let m = load_model("ebb/tiny").finetune(["The cat sat.", "A dog ran.", "It was late."],
    #{ steps: 60, batch_size: 1, seed: seed, dir: run_dir() + "/learning", save_every: 1 });
log(#{ loss: m.loss("The cat sat.") });
show(m.log().select(["step", "loss"]));"#;

/// Waits until something is so.
fn wait(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn a_sweep_that_is_stopped_or_killed_goes_on_to_the_same_numbers() {
    let whole = Desk::new(LEARNING);
    let words = ["sweep", "x.rhai", "--seed", "0..3", "--jobs", "1"];
    assert_eq!(whole.ebb(&words).0, 0);
    let losses =
        |desk: &Desk| -> Vec<Value> { desk.rows().iter().map(|row| row["loss"].clone()).collect() };
    let expected = losses(&whole);
    let desk = Desk::new(LEARNING);
    for signal in ["-INT", "-TERM", "-INT"] {
        let child = desk.command(&words).spawn().unwrap();
        let begun = || {
            let runs = desk.path("sweeps/x/tasks");
            let found = runs.read_dir().into_iter().flatten().flatten();
            found
                .filter(|run| {
                    run.path().join("learning/checkpoint-00000010").exists()
                        || run.path().join("learning/checkpoint-00000011").exists()
                        || run.path().join("learning/checkpoint-00000012").exists()
                })
                .count()
                > 0
        };
        let began = Instant::now();
        while !begun() && began.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let _ = child.wait_with_output().unwrap();
    }
    // A run that is killed with the sweep: nobody is at it any more, and it goes on from its checkpoint.
    let (code, out, err) = desk.ebb(&words);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("3 runs, 3 done"), "{out}");
    assert_eq!(losses(&desk), expected);
}

#[cfg(unix)]
#[test]
fn stopping_a_sweep_leaves_no_run_under_way() {
    let desk = Desk::new("let seed = param(\"seed\", 0, \"seed\"); print(\"begun\"); sleep(600)");
    let child =
        desk.command(&["sweep", "x.rhai", "--seed", "0..4", "--jobs", "2"]).spawn().unwrap();
    wait(|| {
        let runs = desk.path("sweeps/x/tasks").read_dir().into_iter().flatten().flatten();
        runs.filter(|run| run.path().join("outputs.jsonl").exists()).count() == 2
    });
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert!(desk.runs().iter().all(|run| facts(run)["status"] == "stopped"));
    assert_eq!(desk.runs().len(), 2, "no further run was begun");
}

#[test]
fn parts_of_a_sweep_make_the_whole_and_are_done_side_by_side() {
    let desk = Desk::new(SCRIPT);
    let part = |part: &str| {
        desk.command(&["sweep", "x.rhai", "--seed", "0..5", "--jobs", "1", "--part", part])
            .spawn()
            .unwrap()
    };
    let parts = [part("0/3"), part("1/3"), part("2/3")];
    for part in parts {
        let ended = part.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    assert_eq!(desk.runs().len(), 5);
    assert!(desk.rows().iter().all(|row| row["status"] == "done"));
    let (code, _, err) = desk.ebb(&["sweep", "x.rhai", "--seed", "0..5", "--part", "3/3"]);
    assert!(code == 1 && err.contains("a part and how many there are"), "{err}");
}

#[test]
fn what_is_no_sweep_is_told_in_a_sentence() {
    let desk = Desk::new(SCRIPT);
    let refused = |words: &[&str]| {
        let (code, _, err) = desk.ebb(words);
        assert!(code == 1 || code == 2, "{words:?}: {err}");
        assert!(!err.contains("panicked"), "{err}");
        err
    };
    assert!(refused(&["sweep"]).contains("no script is named"));
    assert!(refused(&["sweep", "absent.rhai"]).contains("absent.rhai"));
    assert!(refused(&["sweep", "x.rhai", "--phi", "0.1,many"]).contains("parameter `phi`"));
    assert!(refused(&["sweep", "x.rhai", "--seed", "0..200000"]).contains("100000 are the most"));
    assert!(refused(&["sweep", "x.rhai", "--nothing", "1"]).contains("--nothing"));
    assert!(refused(&["gather", "x"]).contains("holds no sweep"));
    std::fs::create_dir_all(desk.path("bad")).unwrap();
    let hostile =
        r#"{"script":"x","script_sha256":"","axes":[],"tasks":[{"name":"../..","parameters":[]}]}"#;
    std::fs::write(desk.path("bad/sweep.json"), hostile).unwrap();
    assert!(refused(&["gather", "bad"]).contains("is no name of a task"));
    let (code, out, _) =
        desk.ebb(&["sweep", "x.rhai", "--phi", "0.1,0.2", "--sample", "1", "--dry-run"]);
    assert_eq!(code, 0);
    assert!(out.contains("1 runs in sweeps/x") && !desk.path("sweeps").exists(), "{out}");
}

#[test]
fn a_sweep_that_is_widened_knows_its_runs_and_limits_reach_them() {
    let desk = Desk::new(SCRIPT);
    let (code, out, err) = desk.ebb(&[
        "sweep",
        "x.rhai",
        "--phi",
        "0.1,0.2",
        "--max-time",
        "60s",
        "--max-operations",
        "1e7",
        "--max-depth",
        "50",
    ]);
    assert_eq!(code, 0, "{out}{err}");
    // The runs without a seed are those of seed 0, and 00 is 0.
    let (code, out, err) = desk.ebb(&["sweep", "x.rhai", "--phi", "0.1,0.2", "--seed", "0,00,1,2"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("6 runs, 6 done") && out.contains("2.0 ± 2.484"), "{out}");
    let dry = [
        "sweep",
        "x.rhai",
        "--phi",
        "0.1",
        "--memory",
        "1GiB",
        "--max-time",
        "60s",
        "--slurm",
        "time=10",
        "--dry-run",
    ];
    let (_, out, _) = desk.ebb(&dry);
    assert!(
        out.contains("--memory=1073741824") && out.matches("--max-time=").count() == 1,
        "{out}"
    );
}

#[test]
fn runs_without_a_number_are_counted_and_names_do_not_replace_each_other() {
    let script = r#"let phi = param("phi", 0.5, "x"); let seed = param("seed", 0, "seed");
        log(#{ phi: 7, loss: if seed == 2 { 0.0 / 0.0 } else { 1.0 + seed } });"#;
    let desk = Desk::new(script);
    let (code, out, err) = desk.ebb(&["sweep", "x.rhai", "--phi", "0.1", "--seed", "0..3"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("no number in 1"), "{out}");
    let rows = desk.rows();
    assert_eq!((&rows[0]["phi"], &rows[0]["metric phi"]), (&0.1.into(), &7.0.into()));
    let taken = Desk::new("param(\"jobs\", 1, \"x\")");
    let (code, _, err) = taken.ebb(&["sweep", "x.rhai"]);
    assert!(code == 2 && err.contains("has the name of an option"), "{err}");
}
