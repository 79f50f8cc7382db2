//! The scripts of the paper's tables and figures: what each can be asked for, and that they run from their first row to their last.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// Runs a script in a folder of its own; what it wrote to standard output.
fn run(script: &str, words: &[&str]) -> String {
    let desk = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_ebb"))
        .arg("run")
        .arg(folder().join(script))
        .args(words)
        .current_dir(desk.path())
        .env("COLUMNS", "80")
        .env("NO_COLOR", "1")
        .env("XDG_DATA_HOME", desk.path().join("data"))
        .env("XDG_CACHE_HOME", desk.path().join("cache"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{script}: {told}");
    String::from_utf8(ran.stdout).unwrap()
}

fn rows(script: &str, words: &[&str]) -> Vec<Value> {
    let words = [words, &["--json", "--threads", "1"]].concat();
    let line = run(script, &words);
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{script}: {error} in {line}"))
}

/// As few rows and steps as a run can have.
const LEAST: [&str; 6] = ["--rows", "16", "--steps", "2", "--review_steps", "2"];

#[test]
fn every_script_of_the_paper_can_be_asked_for_its_settings() {
    let mut scripts = 0;
    for entry in std::fs::read_dir(folder().join("paper")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "study.rhai" {
            continue;
        }
        scripts += 1;
        let help = run(&format!("paper/{name}"), &["--help"]);
        for option in ["data", "rows", "steps", "review_steps", "seeds", "lr"] {
            assert!(help.contains(&format!("--{option}")), "{name} has no --{option}");
        }
        assert!(help.contains("--model"), "{name} has no --model or --models");
    }
    assert!(scripts >= 9, "{scripts}");
}

#[test]
fn every_option_that_the_map_of_published_flags_names_is_there() {
    let help = run("main_run.rhai", &["--help"]);
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let map = text.split("## Published flags").nth(1).unwrap();
    let mut named = 0;
    for line in map.lines().filter(|line| line.starts_with("| `--")) {
        let ours = line.split(" | ").nth(1).unwrap();
        for word in ours.split(['`', ' ']).filter(|word| word.starts_with("--")) {
            named += 1;
            assert!(help.contains(word), "{word} is no option of main_run.rhai");
        }
    }
    assert!(named > 25, "{named}");
}

#[test]
fn table_2_has_every_way_beside_the_papers_numbers() {
    let table =
        rows("paper/table_2.rhai", &[&LEAST[..], &["--kinds", "bias", "--seeds", "2"]].concat());
    let ways: Vec<&str> = table.iter().map(|row| row["way"].as_str().unwrap()).collect();
    let expected = [
        "M0",
        "+ noisy data",
        "+ safety finetuning",
        "+ replay",
        "+ self-correction",
        "+ ForgetFilter",
        "+ ForgetFilter + self-correction",
    ];
    assert_eq!(ways, expected);
    let paper: Vec<f64> = table.iter().map(|row| row["paper_unsafe"].as_f64().unwrap()).collect();
    assert_eq!(paper, [0.0, 0.57, 0.01, 0.41, 0.10, 0.08, 0.07]);
    for row in &table {
        assert_eq!(row["seeds"], 2);
        assert!(row["unsafe_seen"].is_number() && row["task_f1_sd"].is_number(), "{row}");
    }
    // The shipped model answers ambiguous questions with "unknown".
    assert!(table[0]["unsafe_seen"].as_f64().unwrap().abs() < 0.2, "{}", table[0]);
}

#[test]
fn forgetting_is_shown_along_the_safety_round_and_begins_at_nothing() {
    let words = ["--kinds", "harmfulness", "--points", "2"];
    let last = rows("paper/figure_2.rhai", &[&LEAST[..], &words].concat());
    let paper: Vec<f64> = last.iter().map(|row| row["paper"].as_f64().unwrap()).collect();
    let mut sorted = paper.clone();
    sorted.sort_by(f64::total_cmp);
    assert_eq!(sorted, [0.7, 12.0, 28.0]);
    assert!(last.iter().all(|row| row["step"] == 2), "{last:?}");
}

#[test]
fn the_two_published_jobs_run() {
    let told = rows("main_run.rhai", &["--steps", "2", "--limit", "12", "--max_new_tokens", "8"]);
    assert_eq!(told[0]["rows"], 12);
    let (perplexity, loss) =
        (told[0]["perplexity"].as_f64().unwrap(), told[0]["loss"].as_f64().unwrap());
    assert!((perplexity - loss.exp()).abs() < 1e-9 * perplexity, "{told:?}");
    let words = ["--rounds", "2", "--ways", "plain,filtered", "--kind", "toxicity"];
    let sessions = rows("exp_interleave.rhai", &[&LEAST[..], &words].concat());
    assert_eq!(sessions.len(), 2 * (1 + 2 * 2));
    assert!(sessions.iter().all(|row| row["unsafe_behaviour"].is_number()), "{sessions:?}");
}
