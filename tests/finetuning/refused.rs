//! What finetuning refuses, and the sentences it says.

use ebb::train::examples::{Example, Source, tokenize};
use ebb::train::finetune;
use ebb::train::options::{Duration, Method, Options, Schedule};

use super::{lora, short, texts};
use crate::support::{quiet, tiny};

#[test]
fn a_diverging_run_stops_and_names_the_step() {
    // Without clipping such a rate overflows within a few steps.
    let options = Options {
        learning_rate: 1e3,
        clip: 0.0,
        epsilon: 0.0,
        schedule: Schedule::Constant,
        duration: Duration::Steps(200),
        batch_size: 2,
        beta2: 0.0,
        beta1: 0.0,
        weight_decay: 1e3,
        ..Options::default()
    };
    let error = finetune(&tiny(), &texts(), &[], &options, &quiet()).err().unwrap();
    let text = error.to_string();
    assert!(text.contains("not a finite number at step"), "{text}");
    assert!(error.hint().unwrap().contains("lower learning_rate"));
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let refused = |options: Options, name: &str| {
        let error = finetune(&tiny(), &texts(), &[], &options, &quiet()).err().unwrap().to_string();
        assert!(error.contains(name), "{error}");
    };
    refused(Options { batch_size: 0, ..Options::default() }, "batch_size");
    refused(Options { duration: Duration::Steps(0), ..Options::default() }, "steps");
    refused(Options { learning_rate: f64::NAN, ..Options::default() }, "learning_rate");
    refused(short(lora(2, &["q_prj"], 0.0)), "did you mean `q_proj`");
    let none = finetune(&tiny(), &[], &[], &Options::default(), &quiet()).err().unwrap();
    assert!(none.to_string().contains("no rows to finetune on"));
}

#[test]
fn sizes_beyond_any_machine_are_refused() {
    let huge = usize::MAX / 2;
    let of = |options: Options| {
        let error = finetune(&tiny(), &texts(), &[], &options, &quiet()).err();
        error.unwrap().to_string()
    };
    let plain = Options::default;
    assert!(of(Options { batch_size: huge, ..plain() }).contains("batch_size"));
    assert!(
        of(Options { gradient_accumulation: huge, ..plain() }).contains("gradient_accumulation")
    );
    assert!(of(Options { duration: Duration::Steps(huge), ..plain() }).contains("steps"));
    assert!(of(short(lora(huge, &["q_proj"], 0.0))).contains("rank"));
}

#[test]
fn ids_and_labels_outside_the_vocabulary_are_told() {
    let fails = |ids: Vec<u32>, labels: Vec<i64>| {
        let rows = [Example { ids, labels }];
        let error = finetune(&tiny(), &rows, &[], &short(Method::Full), &quiet()).err();
        error.unwrap().to_string()
    };
    assert!(fails(vec![5, 9999], vec![5, 6]).contains("9999"));
    assert!(fails(vec![5, 6], vec![5, 9999]).contains("9999"));
    assert!(fails(vec![5, 6], vec![5, -7]).contains("-7"));
    assert!(fails(vec![5; 400], vec![5; 400]).contains("at most 128 tokens"));
    assert!(fails(vec![5, 6], vec![5]).contains("label"));
}

#[test]
fn long_texts_are_cut_and_counted_and_rows_without_a_target_refused() {
    let model = tiny();
    let text = Source::Text("Bread is warm. ".repeat(20));
    let (rows, noted) = tokenize(model.tokenizer(), &[text], 10).unwrap();
    assert_eq!((rows[0].ids.len(), noted.cut), (10, 1));
    let pair = Source::Pair { prompt: "Bread is warm. ".repeat(20), completion: "yes".to_string() };
    let error = tokenize(model.tokenizer(), &[pair], 10).unwrap_err();
    assert!(error.to_string().contains("row 0 has no token to train on"), "{error}");
}
