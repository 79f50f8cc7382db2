//! A finetuning whose process is killed, at many moments, and goes on: weights and log are those of one left in peace.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::fixture;

/// Dropout is on where there is an adapter; 13 rows in batches of 3 make a short batch, and a short group of them, in every epoch.
fn script(method: &str) -> String {
    format!(
        r#"let rows = [];
for place in 0..13 {{ rows.push(`The ${{place}} kettles sing of ${{place * 7}} mornings and a garden of ${{place * 3}} gates.`); }}
let tuned = load_model("tiny-llama").finetune(rows, #{{ {method}, epochs: 14, batch_size: 3, gradient_accumulation: 2,
    lr: 5e-3, seed: 3, validation: ["The kettle sings.", "A garden has 4 gates."], validate_every: 4, best: true,
    dir: "checkpoints", save_every: 2, keep: 3, resume: true }});
tuned.save("out");"#
    )
}

struct Place(tempfile::TempDir);

impl Place {
    fn new(method: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.rhai"), script(method)).unwrap();
        let model = folder.path().join("tiny-llama");
        std::fs::create_dir(&model).unwrap();
        for entry in std::fs::read_dir(fixture("tiny-llama")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn start(&self, threads: usize) -> Child {
        Command::new(env!("CARGO_BIN_EXE_ebb"))
            .args(["run", "x.rhai", "--threads"])
            .arg(threads.to_string())
            .current_dir(self.path())
            .env("XDG_DATA_HOME", self.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn finish(&self, threads: usize) {
        let ended = self.start(threads).wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{err}");
    }

    /// The weights and the log that it ended with, and what stands in the folder of checkpoints.
    fn outcome(&self) -> (Vec<u8>, Vec<u8>, Vec<String>) {
        let out = self.path().join("out");
        let adapter = out.join("adapter_model.safetensors");
        let weights = if adapter.exists() { adapter } else { out.join("model.safetensors") };
        let checkpoints = self.path().join("checkpoints");
        let mut names: Vec<String> = std::fs::read_dir(&checkpoints)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let log = std::fs::read(checkpoints.join("log.jsonl")).unwrap();
        (std::fs::read(weights).unwrap(), log, names)
    }
}

/// SIGKILL, a moment after the log has so many lines: the process has no say in it. Whether it was under way.
fn killed_after(place: &Place, mut child: Child, lines: usize, moment: Duration) -> bool {
    let log = place.path().join("checkpoints/log.jsonl");
    let written =
        || std::fs::read(&log).map_or(0, |log| log.iter().filter(|byte| **byte == b'\n').count());
    while child.try_wait().unwrap().is_none() && written() < lines {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment);
    let under_way = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    under_way
}

fn compare(method: &str, kills: u32) {
    let calm = Place::new(method);
    calm.finish(2);
    let expected = calm.outcome();
    assert_eq!(
        expected.2,
        [
            "checkpoint-00000038",
            "checkpoint-00000040",
            "checkpoint-00000042",
            "log.jsonl",
            "trainer_state.json"
        ],
        "42 updates, the last three checkpoints"
    );
    let mut under_way = 0;
    for kill in 0..kills {
        let place = Place::new(method);
        // Each time at another place, now and then twice, and with other numbers of threads.
        let lines = 42 * kill as usize / kills as usize;
        let moment = Duration::from_micros(u64::from(kill) * 7919 % 9000);
        under_way += u32::from(killed_after(&place, place.start(1), lines, moment));
        if kill % 3 == 0 {
            under_way +=
                u32::from(killed_after(&place, place.start(3), (lines + 5).min(41), moment / 2));
        }
        place.finish(1 + kill as usize % 4);
        let outcome = place.outcome();
        assert!(outcome.0 == expected.0, "kill {kill} of {method}: other weights");
        assert!(outcome.1 == expected.1, "kill {kill} of {method}: another log");
        assert_eq!(outcome.2, expected.2, "kill {kill} of {method}: leftovers");
    }
    eprintln!("{method}: {under_way} runs killed under way");
    assert!(under_way >= kills, "nearly every kill must fall into the run: {under_way}");
}

#[test]
fn an_adapter_trained_in_pieces_is_the_same_to_the_byte() {
    let lora =
        r#"method: "lora", rank: 4, dropout: 0.3, targets: ["q_proj", "v_proj", "down_proj"]"#;
    compare(lora, 24);
}

#[test]
fn full_finetuning_in_pieces_is_the_same_to_the_byte() {
    compare(r#"method: "full", recompute: true"#, 12);
}
