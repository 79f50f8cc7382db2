//! Training classifiers: losses, gradient norms and scores of the same training by torch and transformers
//! (make_classifier_fixtures.py), every parameter's gradient, saving and loading, and what is refused.

use std::path::Path;
use std::sync::Arc;

use ebb::hub::Settings as Hub;
use ebb::ops;
use ebb::toxicity::{self, Classifier, Fresh, LoadOptions, Rows, Settings, Start};
use ebb::train::options::{Duration, Options};
use serde_json::{Value, json};

use candle_core::{Device, Tensor, Var};

use crate::support::{close, fixture, json, numbers, quiet, script, script_error, script_in};

const FOLDERS: [&str; 4] =
    ["bert-base-uncased", "roberta-base", "xlm-roberta-base", "albert-base-v2"];

fn load(place: &Path) -> Arc<Classifier> {
    let name = place.display().to_string();
    let offline = Hub { offline: true, ..Hub::default() };
    Arc::new(toxicity::open(&name, Some(place), &LoadOptions::default(), &offline).unwrap())
}

fn texts(said: &Value) -> Vec<String> {
    serde_json::from_value(said["texts"].clone()).unwrap()
}

/// The fixture's targets, with nothing known of the labels that it does not train.
fn targets(said: &Value, labels: usize) -> Vec<Vec<Option<f32>>> {
    let known: Vec<Vec<Option<f32>>> = serde_json::from_value(said["targets"].clone()).unwrap();
    let whole = |mut row: Vec<Option<f32>>| {
        row.resize(labels, None);
        row
    };
    known.into_iter().map(whole).collect()
}

/// Full batches without dropout, as the fixture trains.
fn as_torch(said: &Value, labels: &[String]) -> Settings {
    let number = |key: &str| said["settings"][key].as_f64().unwrap();
    let mut positive_weights = numbers(&said["settings"]["positive"]);
    positive_weights.resize(labels.len(), 1.0);
    Settings {
        labels: labels.to_vec(),
        positive_weights,
        dropout: 0.0,
        plain: Options {
            duration: Duration::Steps(number("steps") as usize),
            batch_size: 16,
            learning_rate: number("rate"),
            warmup_steps: number("warmup") as usize,
            weight_decay: number("decay"),
            clip: number("clip"),
            ..Options::default()
        },
    }
}

#[test]
fn a_training_of_every_kind_goes_as_in_torch() {
    let said = json("classifier.json");
    for folder in FOLDERS {
        let start = load(&fixture(&format!("toxicity/{folder}")));
        let labels = start.labels().to_vec();
        let rows = Rows { texts: texts(&said), targets: targets(&said, labels.len()) };
        let before = start.score(texts(&said), 8, &quiet()).unwrap();
        let settings = as_torch(&said, &labels);
        let from = Start::Classifier(start.clone());
        let made = toxicity::train(&from, rows, Rows::default(), &settings, &quiet()).unwrap();
        let expected = &said["trained"][folder];
        let made = Arc::new(made.classifier);
        let log = |value: fn(&ebb::model::lineage::StepRecord) -> f64| -> Vec<f64> {
            made.log().iter().map(value).collect()
        };
        // f32 sums in other orders, over six updates that each build on the one before.
        close(&log(|record| record.loss), &numbers(&expected["losses"]), 2e-4, folder);
        close(&log(|record| record.grad_norm), &numbers(&expected["norms"]), 2e-3, folder);
        let scores = made.score(texts(&said), 8, &quiet()).unwrap();
        for (row, (ours, theirs)) in
            scores.rows.iter().zip(expected["scores"].as_array().unwrap()).enumerate()
        {
            let ours: Vec<f64> = ours.iter().map(|score| f64::from(*score)).collect();
            close(&ours, &numbers(theirs), 5e-4, &format!("{folder}, row {row}"));
        }
        // What it started from is as it was.
        assert_eq!(start.score(texts(&said), 8, &quiet()).unwrap(), before);
    }
}

#[test]
fn the_loss_and_its_gradient_equal_torch() {
    let said = json("classifier.json")["loss"].clone();
    let (targets, weights) = (numbers(&said["targets"]), numbers(&said["weights"]));
    let tensor = |values: Vec<f64>| {
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        Tensor::from_vec(values, (4, 3), &Device::Cpu).unwrap()
    };
    let weighed = targets.iter().zip(weights.iter().cycle()).map(|(y, weight)| y * weight);
    let positive = tensor(weighed.collect());
    let negative = tensor(targets.iter().map(|y| 1.0 - y).collect());
    let logits = Var::from_tensor(&tensor(numbers(&said["logits"]))).unwrap();
    let loss = ops::binary_cross_entropy_sum(&logits, &positive, &negative).unwrap();
    let value = f64::from(loss.to_scalar::<f32>().unwrap());
    // A sum of a hundred in f32.
    close(&[value], &[said["loss"].as_f64().unwrap()], 1e-4, "loss");
    let gradients = loss.backward().unwrap();
    let gradient = gradients.get(&logits).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let gradient: Vec<f64> = gradient.into_iter().map(f64::from).collect();
    close(&gradient, &numbers(&said["gradient"]), 1e-5, "gradient");
}

#[test]
fn the_loss_is_finite_for_huge_logits_and_has_half_a_slope_at_zero() {
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    let logits = Var::from_tensor(&tensor(&[3e4, -3e4, 0.0])).unwrap();
    let (positive, negative) = (tensor(&[0.0, 1.0, 1.0]), tensor(&[1.0, 0.0, 0.0]));
    let loss = ops::binary_cross_entropy_sum(&logits, &positive, &negative).unwrap();
    let gradient = loss.backward().unwrap();
    let gradient = gradient.get(&logits).unwrap().to_vec1::<f32>().unwrap();
    let value = f64::from(loss.to_scalar::<f32>().unwrap());
    assert!((value - 60000.0 - 2f64.ln()).abs() < 1e-2, "{value}");
    assert_eq!(gradient, [1.0, -1.0, -0.5]);
    let other = tensor(&[0.0, 1.0]);
    assert!(ops::binary_cross_entropy_sum(&logits, &other, &negative).is_err());
}

/// A classifier with random weights, trained for one update, without and with dropout.
fn new_one(kind: &str, dropout: f64, seed: u64) -> Arc<Classifier> {
    let said = json("classifier.json");
    let config = json!({
        "model_type": kind, "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 2,
        "vocab_size": 300, "max_position_embeddings": 24, "initializer_range": 0.3,
    });
    let labels = vec!["toxicity".to_string(), "insult".to_string()];
    let mut settings = as_torch(&said, &labels);
    settings.dropout = dropout;
    settings.plain.seed = seed;
    settings.plain.batch_size = 2;
    settings.plain.warmup_steps = 0;
    let rows = Rows { texts: texts(&said), targets: targets(&said, 2) };
    let start = Start::Fresh(Fresh::of(&config).unwrap(), "cpu".to_string());
    let made = toxicity::train(&start, rows, Rows::default(), &settings, &quiet()).unwrap();
    Arc::new(made.classifier)
}

#[test]
fn a_new_classifier_is_a_function_of_its_rows_settings_and_seed() {
    for kind in ["bert", "albert"] {
        // Training refuses to go on where a parameter gets no gradient.
        let made = new_one(kind, 0.3, 5);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| new_one(kind, 0.3, 5));
            assert_eq!(made.sha256(), again.sha256(), "{kind} on {threads} threads");
        }
        assert_ne!(made.sha256(), new_one(kind, 0.3, 6).sha256(), "{kind}, another seed");
        assert_ne!(made.sha256(), new_one(kind, 0.0, 5).sha256(), "{kind}, no dropout");
        assert_eq!(made.labels(), ["toxicity", "insult"]);
        assert_eq!(made.lineage().stages.len(), 1);
    }
}

/// Loads the fixture's rows as the frame `rows` with two labels.
const ROWS: &str = r#"let rows = frame(#{
    text: ["you are kind", "you silly goat", "thank you", "what a goat", "a fine day", "silly, silly goat"],
    toxicity: [0, 1, 0, 1, 0, 1], insult: [0.0, 0.9, (), 0.6, 0.1, ()] });
let small = #{ hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, vocab_size: 320, max_position_embeddings: 32 };
let how = #{ labels: ["toxicity", "insult"], batch_size: 3, lr: 0.01, dropout: 0.0, seed: 3 };"#;

#[test]
fn a_small_classifier_learns_its_rows_and_is_saved_and_loaded_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |text: &str| script_in(folder.path(), &format!("{ROWS}{text}")).unwrap();
    let said = in_folder(
        r#"let d = train_classifier(small, rows, how + #{ epochs: 30, validation: rows, validate_every: 20 });
        d.save("here").save("half", #{ dtype: "f16" });
        let back = load_detoxify("here");
        let scores = d.score(rows["text"]);
        [d.log().len(), d.log().row(0).loss > 0.5, d.log().row(59).validation_loss < 0.35, scores == back.score(rows["text"]),
         auroc(rows["toxicity"], scores["toxicity"]), back.labels(), d.lineage().stages[0].rows,
         (scores["insult"][1] - load_detoxify("half").score(rows["text"])["insult"][1]).abs() < 0.01]"#,
    );
    let expected = json!([60, true, true, true, 1.0, ["toxicity", "insult"], 6, true]);
    assert_eq!(said, expected);
    // Saved over what was saved, and trained on from there with its own labels and with others.
    let said = in_folder(
        r#"let back = load_detoxify("here");
        let more = train_classifier(back, rows, #{ steps: 2, batch_size: 6, lr: 0.0, dropout: 0.0 });
        more.save("here");
        let other = train_classifier(back, rows, #{ labels: "insult", steps: 2, batch_size: 6, dropout: 0.0 });
        [more.score("silly goat") == back.score("silly goat"), other.labels(), other.score("silly goat").columns(),
         load_detoxify("here").score("silly goat") == back.score("silly goat"), more.lineage().stages[0].options.plain.learning_rate]"#,
    );
    assert_eq!(said, json!([true, ["insult"], ["insult"], true, 0.0]));
}

#[test]
fn the_weights_with_the_lowest_validation_loss_are_given_where_they_are_wanted() {
    let said = script(&format!(
        r#"{ROWS} let wrong = rows.with_columns((lit(1) - col("toxicity")).alias("toxicity"));
        let how = how + #{{ labels: "toxicity", steps: 40, validation: wrong, validate_every: 5 }};
        let small = small + #{{ initializer_range: 0.3 }};
        let last = train_classifier(small, rows, how);
        let best = train_classifier(small, rows, how + #{{ best: true, patience: 3 }});
        // The better it learns the rows, the worse it is at their contrary.
        let of = |d| d.log().filter(col("validation_loss").is_not_null())["validation_loss"];
        let score = |d| d.score(rows["text"][1])["toxicity"][0];
        [of.call(last).len(), of.call(best).len(), score.call(last) > 0.95, score.call(best) < 0.9]"#
    ));
    assert_eq!(said, json!([8, 4, true, true]));
}

#[test]
fn positives_weigh_what_class_weights_say() {
    let said = script(&format!(
        r#"{ROWS} let how = how + #{{ labels: "toxicity", steps: 1, batch_size: 6 }};
        let few = rows.with_columns((col("toxicity") * col("text").str_contains("silly, silly").cast("int")).alias("toxicity"));
        let loss = |weights| train_classifier(small, few, how + #{{ class_weights: weights }}).log()["loss"][0];
        [loss.call("balanced") == loss.call(#{{ toxicity: 5 }}), loss.call(()) < loss.call("balanced"), loss.call(()) == loss.call(#{{}})]"#
    ));
    assert_eq!(said, json!([true, true, true]));
}

#[test]
fn what_cannot_be_trained_on_is_refused_in_sentences() {
    let said = |rest: &str| script_error(&format!("{ROWS} {rest}"));
    for (rest, expected) in [
        (
            "train_classifier(small, rows, #{ steps: 1 })",
            "name the columns with the option `labels`",
        ),
        (
            "train_classifier(small, rows, how + #{ labels: \"toxcity\" })",
            "did you mean `toxicity`",
        ),
        (
            "train_classifier(small, rows, how + #{ labels: \"text\" })",
            "label `text`: expected numbers from 0 to 1",
        ),
        (
            "train_classifier(small, rows.with_columns((col(\"toxicity\") * 2).alias(\"toxicity\")), how)",
            "got 2 in row 1",
        ),
        (
            "train_classifier(small, rows.with_columns(lit(()).alias(\"insult\")), how)",
            "no row says anything about the label `insult`",
        ),
        (
            "train_classifier(small, rows.head(0), how)",
            "there are no rows to train a classifier on",
        ),
        (
            "train_classifier(small, frame(#{ text: [\"a\", ()], toxicity: [1, 0], insult: [1, 0] }), how)",
            "expected a text in every row",
        ),
        (
            "train_classifier(small, rows, how + #{ steps: 1, epochs: 1 })",
            "one of `steps` and `epochs`",
        ),
        (
            "train_classifier(small, rows, how + #{ lr: -1.0 })",
            "option `learning_rate` of train_classifier",
        ),
        (
            "train_classifier(small, rows, how + #{ dropout: 1 })",
            "option `dropout` of train_classifier",
        ),
        ("train_classifier(small, rows, how + #{ batchsize: 1 })", "did you mean `batch_size`"),
        (
            "train_classifier(small, rows, how + #{ validation: 3 })",
            "option `validation` of train_classifier: expected a frame",
        ),
        (
            "train_classifier(small, rows, how + #{ validate_every: 3 })",
            "validate_every needs rows",
        ),
        ("train_classifier(small, rows, how + #{ best: true })", "validate_every is not given"),
        (
            "train_classifier(small, rows, how + #{ class_weights: #{ insulted: 1 } })",
            "unknown label `insulted`",
        ),
        (
            "train_classifier(small, rows, how + #{ class_weights: \"even\" })",
            "\"balanced\" or a map",
        ),
        ("train_classifier(small + #{ hiden_size: 3 }, rows, how)", "did you mean `hidden_size`"),
        (
            "train_classifier(small + #{ model_type: \"gpt2\" }, rows, how)",
            "\"bert\" or \"albert\"",
        ),
        (
            "train_classifier(small + #{ num_attention_heads: 3 }, rows, how)",
            "a divisor of the hidden size 16",
        ),
        (
            "train_classifier(small + #{ vocab_size: 100 }, rows, how)",
            "a vocab_size of at least 261",
        ),
        (
            "train_classifier(small, rows, how + #{ lr: 1000, weight_decay: 1000, steps: 20, clip: 0 })",
            "training diverged at step",
        ),
        ("load_detoxify(\"ebb/toxicity-tny\")", "unknown bundled classifier"),
    ] {
        let told = said(rest);
        assert!(told.contains(expected), "{rest}: {told}");
    }
}
