//! Checkpoints in one process: what they keep, what they refuse, and the settings that go by the validation loss.

use ebb::doorway::Roots;
use ebb::error::{Error, Result};
use ebb::folders;
use ebb::model::Model;
use ebb::train::checkpoint::Keeping;
use ebb::train::options::{Duration, Method, Options, Precision};
use ebb::train::outputs::Outputs;
use ebb::train::{finetune, finetune_with};
use std::path::{Path, PathBuf};

use super::{Impatient, Told, lora, short, texts};
use crate::support::{bits, close, quiet, script_error, script_in, tiny};

fn keeping(folder: &Path) -> Outputs {
    Outputs {
        checkpoints: Some(Keeping {
            folder: folder.to_path_buf(),
            roots: Roots::anywhere(),
            every: 2,
            keep: 2,
            resume: true,
        }),
        log: Some(folder.join("log.jsonl")),
        ..Outputs::default()
    }
}

fn dropped() -> Options {
    Options { duration: Duration::Steps(9), seed: 4, ..short(lora(2, &["q_proj", "o_proj"], 0.3)) }
}

fn run(options: &Options, folder: &Path) -> Result<Model> {
    finetune_with(&tiny(), &texts(), &texts()[..2], options, &keeping(folder), &quiet())
}

fn said(result: Result<Model>) -> String {
    match result {
        Ok(_) => panic!("it went on"),
        Err(error) => error.to_string(),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn checkpoint(folder: &Path, step: usize) -> PathBuf {
    folder.join(format!("checkpoint-{step:08}"))
}

#[test]
fn a_finetuning_stopped_at_any_update_goes_on_to_the_same_bits() {
    let options = Options { validate_every: Some(3), best: true, ..dropped() };
    let plain = finetune(&tiny(), &texts(), &texts()[..2], &options, &quiet()).unwrap();
    for stop_at in 1..9 {
        let folder = tempfile::tempdir().unwrap();
        let control = Impatient::control(stop_at);
        let outputs = keeping(folder.path());
        let stopped = finetune_with(&tiny(), &texts(), &texts()[..2], &options, &outputs, &control);
        assert!(matches!(stopped, Err(Error::Interrupted)));
        let resumed = run(&options, folder.path()).unwrap();
        assert!(bits(&resumed) == bits(&plain), "stopped at {stop_at}");
        let losses = |model: &Model| -> Vec<u64> {
            model.log().iter().map(|record| record.loss.to_bits()).collect()
        };
        assert_eq!(losses(&resumed), losses(&plain));
        assert_eq!(
            names(folder.path()),
            ["checkpoint-00000008", "checkpoint-00000009", "log.jsonl", "trainer_state.json"]
        );
    }
}

#[test]
fn a_finished_finetuning_is_given_again_without_training() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(&dropped(), folder.path()).unwrap();
    let again = run(&dropped(), folder.path()).unwrap();
    assert!(bits(&first) == bits(&again));
    assert_eq!(first.log().len(), again.log().len());
}

#[test]
fn progress_after_a_resume_tells_what_was_done_before() {
    let folder = tempfile::tempdir().unwrap();
    let told = |control: &ebb::control::Control| {
        let outputs = keeping(folder.path());
        finetune_with(&tiny(), &texts(), &[], &dropped(), &outputs, control)
    };
    assert!(told(&Impatient::control(5)).is_err());
    let (control, heard) = Told::control();
    told(&control).unwrap();
    // A stop keeps what is done: 5 updates are not this process's own. Its pace is that of 6 to 9.
    let heard = heard.lock().unwrap();
    assert_eq!(heard.first(), Some(&("resumed", 5)));
    let updates: Vec<u64> = heard.iter().skip(1).map(|(_, done)| *done).collect();
    assert_eq!(updates, [6, 7, 8, 9]);
}

#[test]
fn a_resumed_finetuning_must_be_the_one_that_began() {
    let folder = tempfile::tempdir().unwrap();
    run(&dropped(), folder.path()).unwrap();
    let other = Options { learning_rate: 0.5, ..dropped() };
    let message = said(run(&other, folder.path()));
    assert!(message.contains("belongs to another finetuning"), "{message}");
    assert!(message.contains("options.learning_rate was 0.01 and is 0.5"), "{message}");
    let rows = &texts()[1..];
    let fewer = finetune_with(&tiny(), rows, &[], &dropped(), &keeping(folder.path()), &quiet());
    assert!(said(fewer).contains("data_sha256 was"));
    let mut outputs = keeping(folder.path());
    if let Some(checkpoints) = &mut outputs.checkpoints {
        checkpoints.resume = false;
    }
    let anew = finetune_with(&tiny(), &texts(), &[], &dropped(), &outputs, &quiet());
    assert!(said(anew).contains("holds checkpoints of an earlier finetuning"));
}

#[test]
fn a_broken_checkpoint_is_passed_over_for_the_one_before() {
    let plain = bits(&finetune(&tiny(), &texts(), &[], &dropped(), &quiet()).unwrap());
    for file in ["state.json", "variables.safetensors", "moments.safetensors", "log.jsonl"] {
        for damage in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            run(&dropped(), folder.path()).unwrap();
            let path = checkpoint(folder.path(), 9).join(file);
            let bytes = std::fs::read(&path).unwrap();
            match damage {
                0 => std::fs::remove_file(&path).unwrap(),
                1 => std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => {
                    let mut changed = bytes.clone();
                    changed[0] ^= 1;
                    std::fs::write(&path, &changed).unwrap();
                }
            }
            let resumed = run(&dropped(), folder.path()).unwrap();
            assert!(bits(&resumed) == plain, "{file}, damage {damage}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "{file} is written again");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    run(&dropped(), folder.path()).unwrap();
    for step in [8, 9] {
        std::fs::write(checkpoint(folder.path(), step).join("state.json"), "{").unwrap();
    }
    let message = said(run(&dropped(), folder.path()));
    assert!(message.contains("is not whole: its state.json cannot be read"), "{message}");
}

#[test]
fn what_a_killed_run_left_half_written_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let name = ".ebb-checkpoint-0123456789abcdef";
    let left = folder.path().join(name);
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join(folders::MARK), folders::mark(name)).unwrap();
    std::fs::write(left.join("variables.safetensors"), "half").unwrap();
    let log = folder.path().join(".ebb-aside-0123456789abcdef");
    std::fs::write(&log, "half").unwrap();
    let older = tempfile::tempdir().unwrap();
    run(&dropped(), older.path()).unwrap();
    // Killed before the oldest was removed: one too many is there, and nothing is left to train.
    std::fs::rename(checkpoint(older.path(), 8), checkpoint(older.path(), 2)).unwrap();
    run(&dropped(), folder.path()).unwrap();
    std::fs::rename(checkpoint(older.path(), 2), checkpoint(folder.path(), 2)).unwrap();
    run(&dropped(), folder.path()).unwrap();
    assert!(!left.exists() && !log.exists());
    assert!(!checkpoint(folder.path(), 2).exists());
}

#[test]
fn what_a_stranger_keeps_beside_checkpoints_stays() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    run(&dropped(), outside.path()).unwrap();
    let strangers = [
        ("checkpoint-best", "model.safetensors"),
        ("checkpoint-500", "trainer_state.json"),
        ("checkpoint-00000001", "notes.txt"),
        ("checkpoint-00000099", "model.safetensors"),
        ("checkpoint-9", "state.json"),
        (".ebb-notes", "variables.safetensors"),
        (".ebb-checkpoint-mine", "log.jsonl"),
        (".ebb-checkpoint-0123456789abcdef", "log.jsonl"),
    ];
    for (name, file) in strangers {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join(file), "mine").unwrap();
    }
    std::fs::write(folder.path().join(".ebb-notes.txt"), "mine").unwrap();
    std::fs::write(folder.path().join("checkpoint-00000003"), "mine").unwrap();
    let under_way = folder.path().join(".ebb-aside-0123456789abcdef");
    let file = std::fs::File::create(&under_way).unwrap();
    file.lock().unwrap();
    for _ in 0..3 {
        run(&dropped(), folder.path()).unwrap();
        std::fs::remove_dir_all(checkpoint(folder.path(), 9)).unwrap();
    }
    // One of ours with something else in it is gone on from, and not removed.
    std::fs::write(checkpoint(folder.path(), 8).join("notes.txt"), "mine").unwrap();
    let longer = Options { duration: Duration::Steps(9), ..dropped() };
    run(&longer, folder.path()).unwrap();
    for (name, file) in strangers {
        assert!(folder.path().join(name).join(file).exists(), "{name}");
    }
    assert!(folder.path().join(".ebb-notes.txt").exists());
    assert!(folder.path().join("checkpoint-00000003").exists());
    assert!(under_way.exists());
    assert!(checkpoint(folder.path(), 8).join("notes.txt").exists());
    // A link to a checkpoint elsewhere is none, and what it leads to stays.
    #[cfg(unix)]
    {
        let link = checkpoint(folder.path(), 50);
        std::os::unix::fs::symlink(checkpoint(outside.path(), 9), &link).unwrap();
        run(&dropped(), folder.path()).unwrap();
        assert!(link.exists() && checkpoint(outside.path(), 9).join("state.json").exists());
    }
}

#[test]
fn a_log_that_no_finetuning_wrote_is_not_written_over() {
    for (name, text) in [
        ("log.jsonl", "{\"mine\": 1}\n"),
        ("log.jsonl", "years of work"),
        ("log.jsonl", "{\"epoch\": 1, \"loss\": 2.5}"),
        ("log.jsonl", "{\"step\":1,\"epoch\":0.5,\"loss\":2.5}"),
        ("log.jsonl", "{ not one of ours"),
        ("trainer_state.json", "{\"global_step\": 500, \"log_history\": []}"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        let message = said(run(&dropped(), folder.path()));
        assert!(message.contains("no finetuning of this program wrote it"), "{message}");
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), text);
    }
    // What a killed one of ours left is, torn line and all.
    let folder = tempfile::tempdir().unwrap();
    run(&dropped(), folder.path()).unwrap();
    let log = std::fs::read(folder.path().join("log.jsonl")).unwrap();
    let killed = tempfile::tempdir().unwrap();
    std::fs::write(killed.path().join("log.jsonl"), &log[..log.len() / 2]).unwrap();
    run(&dropped(), killed.path()).unwrap();
    assert_eq!(std::fs::read(killed.path().join("log.jsonl")).unwrap(), log);
}

#[test]
fn recomputed_blocks_give_the_same_gradients() {
    for method in
        [Method::Full, Method::LastBlock, Method::Head, lora(2, &["q_proj", "down_proj"], 0.3)]
    {
        let trained = |recompute| {
            let options = Options { recompute, seed: 2, ..short(method.clone()) };
            finetune(&tiny(), &texts(), &[], &options, &quiet()).unwrap()
        };
        let (plain, again) = (trained(false), trained(true));
        let numbers = |model: &Model| -> Vec<f64> {
            let log = model.log().iter();
            log.flat_map(|record| [record.loss, record.grad_norm]).collect()
        };
        // The same sums; a tied head's two gradients are added in another order.
        close(&numbers(&plain), &numbers(&again), 1e-5, "losses and norms");
    }
}

/// So fast that the validation loss rises after a while.
fn overfitting() -> Options {
    Options {
        duration: Duration::Steps(40),
        learning_rate: 0.05,
        validate_every: Some(2),
        ..short(Method::Full)
    }
}

#[test]
fn the_best_weights_are_those_with_the_lowest_validation_loss() {
    let (rows, held_out) = (&texts()[..3], &texts()[3..]);
    let options = Options { best: true, ..overfitting() };
    let best = finetune(&tiny(), rows, held_out, &options, &quiet()).unwrap();
    let validated = best.log().iter().filter_map(|record| record.validation_loss);
    let lowest = validated.fold(f64::INFINITY, f64::min);
    let last = best.log().last().unwrap().validation_loss.unwrap();
    assert!(lowest < last - 0.01, "it must overfit: {lowest}, {last}");
    let measure = Options {
        duration: Duration::Steps(1),
        learning_rate: 0.0,
        validate_every: Some(1),
        ..short(Method::Full)
    };
    let measured = finetune(&best, rows, held_out, &measure, &quiet()).unwrap();
    let loss = measured.log()[0].validation_loss.unwrap();
    close(&[loss], &[lowest], 1e-9, "the loss of the best weights");
}

#[test]
fn patience_ends_a_finetuning_early() {
    let (rows, held_out) = (&texts()[..3], &texts()[3..]);
    let options = Options { patience: Some(3), ..overfitting() };
    let folder = tempfile::tempdir().unwrap();
    let outputs = keeping(folder.path());
    let stopped = finetune_with(&tiny(), rows, held_out, &options, &outputs, &quiet()).unwrap();
    let losses: Vec<f64> =
        stopped.log().iter().filter_map(|record| record.validation_loss).collect();
    let lowest = losses
        .iter()
        .position(|loss| *loss == losses.iter().copied().fold(f64::INFINITY, f64::min))
        .unwrap();
    assert!(stopped.log().len() < 40);
    assert_eq!(losses.len() - 1 - lowest, 3, "{losses:?}");
    let again = finetune_with(&tiny(), rows, held_out, &options, &outputs, &quiet()).unwrap();
    assert!(bits(&again) == bits(&stopped), "it stays stopped");
    let aimless = Options { validate_every: None, ..options };
    let message = said(finetune(&tiny(), rows, held_out, &aimless, &quiet()));
    assert!(message.contains("validate_every is not given"), "{message}");
}

#[test]
fn half_precision_trains_variables_in_full() {
    let run = |precision| {
        let options = Options { precision, duration: Duration::Steps(20), ..short(Method::Full) };
        finetune(&tiny(), &texts(), &[], &options, &quiet()).unwrap()
    };
    let (plain, half) = (run(Precision::F32), run(Precision::Bf16));
    let last = |model: &Model| model.log().last().unwrap().loss;
    let first = plain.log()[0].loss;
    assert!(last(&plain) < first - 0.5);
    // bf16 has 8 bits of precision: about 0.4 % a value.
    close(&[last(&half)], &[last(&plain)], 0.05 * first, "loss");
    assert!(half.log()[0].loss != plain.log()[0].loss, "it did compute in bf16");
}

#[test]
fn the_history_has_the_trainers_terms() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { validate_every: Some(4), ..dropped() };
    let model = run(&options, folder.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let state: serde_json::Value = serde_json::from_str(&read("trainer_state.json")).unwrap();
    assert_eq!(state["global_step"], 9);
    assert_eq!(state["max_steps"], 9);
    let entries = state["log_history"].as_array().unwrap();
    let losses: Vec<f64> = entries.iter().filter_map(|entry| entry["loss"].as_f64()).collect();
    let logged: Vec<f64> = model.log().iter().map(|record| record.loss).collect();
    assert_eq!(losses, logged);
    let validated = entries.iter().filter(|entry| entry["eval_loss"].is_f64());
    let steps: Vec<u64> = validated.map(|entry| entry["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [4, 8, 9]);
    let lines: Vec<serde_json::Value> =
        read("log.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kept: Vec<f64> = lines.iter().map(|line| line["loss"].as_f64().unwrap()).collect();
    assert_eq!(kept, logged, "to the last bit");
}

#[test]
fn events_are_written_for_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = Outputs { tensorboard: Some(folder.path().join("events")), ..Outputs::default() };
    finetune_with(&tiny(), &texts(), &[], &dropped(), &outputs, &quiet()).unwrap();
    let files = names(&folder.path().join("events"));
    assert_eq!(files.len(), 1);
    let bytes = std::fs::read(folder.path().join("events").join(&files[0])).unwrap();
    // TFRecord frames: a length of eight bytes, its checksum of four, the event, its checksum of four.
    let (mut place, mut events) = (0, 0);
    while place < bytes.len() {
        let length = u64::from_le_bytes(bytes[place..place + 8].try_into().unwrap()) as usize;
        place += 8 + 4 + length + 4;
        events += 1;
    }
    assert_eq!((place, events), (bytes.len(), 1 + 9), "a version, then an event a step");
    let seen = |name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
    assert!(seen("train/loss") && seen("train/tokens_per_second") && !seen("eval/loss"));
}

#[test]
fn scripts_reach_checkpoints_by_options() {
    let train = |options: &str| {
        format!(
            r#"let m = load_model("ebb/tiny"); let t = m.finetune(["a cat sat", "a dog ran"], #{{ steps: 3, batch_size: 1, {options} }}); t.log().len()"#
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let text = train(
        r#"method: "lora", targets: "all-linear", dir: "kept", save_every: 1, keep: 1, resume: true, tensorboard: "events""#,
    );
    for _ in 0..2 {
        let steps = script_in(folder.path(), &text).unwrap();
        assert_eq!(steps, 3);
    }
    assert_eq!(
        names(&folder.path().join("kept")),
        ["checkpoint-00000003", "log.jsonl", "trainer_state.json"]
    );
    let lost = script_error(&train("resume: true"));
    assert!(
        lost.contains("there is no folder for them") && lost.contains("option `dir`"),
        "{lost}"
    );
    let outside = script_error(&train(r#"dir: "/somewhere/else""#));
    assert!(outside.contains("/somewhere/else"), "{outside}");
    let unknown = script_error(&train(r#"precision: "int8""#));
    assert!(unknown.contains("bf16"), "{unknown}");
    let patience = script_error(&train("patience: 2"));
    assert!(patience.contains("validate_every"), "{patience}");
}
