//! A sweep on a real Slurm: a controller and two nodes on this machine, kills and a drained node in between, and the same
//! results as the sweep that ran here. Skipped, with a word, where Slurm is not installed or may not be started.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A cluster of its own, taken down at the end.
struct Cluster(tempfile::TempDir);

impl Cluster {
    fn up() -> Option<Self> {
        let is_there = |program: &str| {
            Command::new("sh")
                .args(["-c", &format!("command -v {program}")])
                .output()
                .is_ok_and(|o| o.status.success())
        };
        if !["slurmctld", "slurmd", "munged", "sbatch"].iter().all(|program| is_there(program)) {
            eprintln!("skipped: Slurm is not installed here (Debian's slurm-wlm and munge)");
            return None;
        }
        let cluster = Self(tempfile::tempdir().unwrap());
        let mut up = cluster.script("up").spawn().unwrap();
        if ended(&mut up, Duration::from_secs(40)) && up.wait().unwrap().success() {
            return Some(cluster);
        }
        eprintln!("skipped: Slurm cannot be started here");
        None
    }

    fn script(&self, what: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm/cluster.sh");
        let mut command = Command::new("bash");
        command.arg(script).arg(what).arg(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn conf(&self) -> PathBuf {
        self.0.path().join("slurm.conf")
    }

    fn told(&self, program: &str, words: &[&str]) -> String {
        let output =
            Command::new(program).args(words).env("SLURM_CONF", self.conf()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).to_string()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.script("down").status();
    }
}

const SCRIPT: &str = r#"let seed = param("seed", 0, "seed");
let m = load_model("ebb/tiny").finetune(["The cat sat.", "A dog ran.", "It was late."],
    #{ steps: 40, batch_size: 1, seed: seed, dir: run_dir() + "/learning", save_every: 2 });
log(#{ loss: m.loss("The cat sat.") });"#;

fn ebb(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb"));
    command.args(words).current_dir(folder).env("NO_COLOR", "1").env("COLUMNS", "120");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn rows(folder: &Path) -> Vec<Value> {
    let gathered = ebb(folder, &["gather", "sweeps/x", "--data", "rows.jsonl"]).output().unwrap();
    assert!(gathered.status.success(), "{}", String::from_utf8_lossy(&gathered.stderr));
    let text = std::fs::read_to_string(folder.join("rows.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A process of a run under way in the folder, if there is one.
fn a_run(folder: &Path) -> Option<String> {
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let needle = folder.join("sweeps/x/tasks").display().to_string();
    let runs = entries.filter(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        words.contains(" run ")
            && (words.contains(&needle) || words.contains("sweeps/x/tasks"))
            && std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder)
    });
    runs.last().map(|entry| entry.file_name().to_string_lossy().to_string())
}

fn ended(child: &mut Child, within: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// Runs of the sweep, and kills in between; `EBB_SLURM=100` and `EBB_KILLS=20` make more of both.
fn count(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn a_sweep_in_slurm_is_the_sweep_here_whatever_is_killed_and_drained() {
    let Some(cluster) = Cluster::up() else { return };
    let (runs, kills) = (count("EBB_SLURM", 6), count("EBB_KILLS", 3));
    let patience = Duration::from_secs(60 + 10 * runs as u64);
    let seeds = format!("0..{runs}");
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("x.rhai"), SCRIPT).unwrap();
    let alone =
        ebb(here.path(), &["sweep", "x.rhai", "--seed", &seeds, "--jobs", "2"]).output().unwrap();
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));

    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().canonicalize().unwrap();
    std::fs::write(there.join("x.rhai"), SCRIPT).unwrap();
    let words = [
        "sweep",
        "x.rhai",
        "--seed",
        &seeds,
        "--threads",
        "1",
        "--slurm",
        "partition=short,time=10,array=%4",
    ];
    let follow = || ebb(&there, &words).env("SLURM_CONF", cluster.conf()).spawn().unwrap();
    let begun = Instant::now();
    let mut killed = 0;
    let mut child = follow();
    loop {
        if let Some(run) = (killed < kills).then(|| a_run(&there)).flatten() {
            std::thread::sleep(Duration::from_millis(150));
            let _ = Command::new("kill").args(["-KILL", &run]).status();
            killed += 1;
            if killed == 1 {
                cluster.told("scontrol", &["update", "nodename=two", "state=drain", "reason=test"]);
            }
        }
        if killed == kills {
            cluster.told("scontrol", &["update", "nodename=two", "state=resume"]);
        }
        if ended(&mut child, Duration::from_millis(300)) {
            // Called again it does what the kills left.
            let done = rows(&there).iter().filter(|row| row["status"] == "done").count();
            if done == runs {
                break;
            }
            assert!(
                begun.elapsed() < patience,
                "{done} of {runs} are done: {}",
                cluster.told("squeue", &[])
            );
            child = follow();
        }
        assert!(begun.elapsed() < patience, "{}", cluster.told("squeue", &[]));
    }
    assert_eq!(killed, kills);
    let losses = |folder: &Path| -> Vec<Value> {
        rows(folder).iter().map(|row| row["loss"].clone()).collect()
    };
    assert_eq!(losses(&there), losses(here.path()));
    eprintln!(
        "{runs} runs in Slurm with {kills} kills and a drained node: {:.0} s",
        begun.elapsed().as_secs_f64()
    );
}

#[test]
fn an_element_whose_time_is_nearly_over_stops_and_goes_on_in_another_life() {
    let Some(cluster) = Cluster::up() else { return };
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().canonicalize().unwrap();
    let script =
        SCRIPT.replace("steps: 40", "steps: 6000").replace("save_every: 2", "save_every: 1000");
    std::fs::write(there.join("x.rhai"), script).unwrap();
    let dry = ebb(&there, &["sweep", "x.rhai", "--slurm", "partition=short", "--dry-run"])
        .output()
        .unwrap();
    let text = String::from_utf8(dry.stdout).unwrap();
    assert!(text.starts_with("#!/bin/bash\n") && text.contains("#SBATCH --array=0-0\n"), "{text}");
    assert!(!there.join("sweeps").exists());
    let words = ["sweep", "x.rhai", "--threads", "1", "--slurm", "partition=short,time=10"];
    let mut child = ebb(&there, &words).env("SLURM_CONF", cluster.conf()).spawn().unwrap();
    let begun = Instant::now();
    while a_run(&there).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", cluster.told("squeue", &[]));
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    let job = std::fs::read_to_string(there.join("sweeps/x/slurm/job")).unwrap();
    // What Slurm itself sends shortly before the end.
    cluster.told("scancel", &["--signal=USR1", "--batch", job.trim()]);
    let tasks = there.join("sweeps/x/tasks");
    let stopped = || {
        let runs = std::fs::read_dir(&tasks).unwrap().flatten();
        let facts =
            runs.filter_map(|run| std::fs::read_to_string(run.path().join("run.json")).ok());
        facts.filter(|facts| facts.contains("\"stopped\"")).count() == 1
    };
    while !stopped() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not stop");
        std::thread::sleep(Duration::from_millis(20));
    }
    let queue = cluster.told("squeue", &["--noheader", "--array", "--format", "%i %T %r"]);
    assert!(!queue.trim().is_empty(), "it queued itself again");
    let checkpoints = |run: &Path| {
        std::fs::read_dir(run.join("learning")).map_or(0, |entries| {
            entries
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with("checkpoint"))
                .count()
        })
    };
    let run = std::fs::read_dir(&tasks)
        .unwrap()
        .flatten()
        .find(|run| run.path().is_dir())
        .unwrap()
        .path();
    assert!(checkpoints(&run) > 0, "it kept a checkpoint");
    // A job that is on its way back into the queue hears nothing: it is asked until it is gone.
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        cluster.told("scancel", &[job.trim()]);
        if begun.elapsed() > Duration::from_secs(120) {
            let _ = child.kill();
            let _ = child.wait();
            panic!("following ends when the job is gone: {}", cluster.told("squeue", &[]));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
