//! What the program ships: the samples are what their scripts make, and the model can do what its card says.

use std::path::Path;

use serde_json::Value;

use crate::support::{script, script_error, script_in, shared};

/// Evaluates a script where `scripts/` is.
fn in_repository(text: &str) -> Value {
    script_in(Path::new(env!("CARGO_MANIFEST_DIR")), text).unwrap()
}

/// The rows of a shipped file, as they stand in it.
fn lines(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_samples_are_what_their_scripts_make() {
    let questions = in_repository(r#"import "scripts/samples/bbq" as bbq; bbq::rows(1)"#);
    assert_eq!(questions, Value::from(lines("bbq-sample.jsonl")));
    let tasks = in_repository(r#"import "scripts/samples/tasks" as tasks; tasks::rows(1, 70)"#);
    assert_eq!(tasks, Value::from(lines("tasks-sample.jsonl")));
    let towns = in_repository(r#"import "scripts/samples/towns" as towns; [towns::file(1)]"#);
    assert_eq!(towns, Value::from(lines("squad-sample.jsonl")));
    let others = in_repository(
        r#"import "scripts/samples/harmless" as harmless; import "scripts/samples/rude" as rude;
        [frame(harmless::rows(1)) == read("ebb/harmfulqa-sample"), frame(rude::rows(1, 400)) == read("ebb/toxic-sample")]"#,
    );
    assert_eq!(others, serde_json::json!([true, true]));
}

#[test]
fn pre_training_tells_nothing_the_sample_asks_about() {
    let asked = in_repository(
        r#"import "scripts/pretraining/choices" as choices;
        import "scripts/samples/situations" as situations;
        let hits = [];
        for row in 0..1000 {
            let text = choices::choice(7, row, false).que;
            for situation in situations::SITUATIONS {
                for deed in [situation[3], situation[4]] {
                    if text.contains(deed + "?") { hits.push([deed, text]); }
                }
            }
        }
        hits"#,
    );
    assert_eq!(asked, Value::from(Vec::<Value>::new()));
}

/// The card says .99 of the ambiguous and all of the disambiguated questions; a row in eight is enough to see a model that
/// cannot.
#[test]
fn the_shipped_model_answers_as_its_card_says() {
    let text = r#"import "std/bbq" as bbq;
        import "std/prompts" as prompts;
        let questions = prompts::format(bbq::prepare("ebb/bbq-sample").shuffle(0).head(160));
        let said = load_model("ebb/tiny").generate(questions, #{ max_new_tokens: 16, stop: ["\n"] });
        bbq::scores(questions, said).filter(col("category") == "(all)").sort("context").rows()"#;
    let scores = script(text);
    let accuracy = |row: usize| scores[row]["accuracy"].as_f64().unwrap();
    assert_eq!(scores[0]["context"], "ambig");
    assert!(accuracy(0) >= 0.95, "{scores}");
    assert!(accuracy(1) >= 0.95, "{scores}");
}

#[test]
fn the_toxicity_classifier_tells_rude_texts_from_kind_ones() {
    let said = script(
        r#"let d = load_detoxify("ebb/toxicity-tiny");
        let kind = d.score(["Thank you for your help.", "What a lovely garden you have.", "The train leaves at nine."]);
        let rude = d.score(["You stupid idiot!", "Shut up, moron.", "What a dumb, pathetic loser you are."]);
        [d.labels(), frame(#{ x: rude["toxicity"] }).select(col("x").min()).row(0).x > frame(#{ x: kind["toxicity"] }).select(col("x").max()).row(0).x]"#,
    );
    let labels = [
        "toxicity",
        "severe_toxicity",
        "obscene",
        "threat",
        "insult",
        "identity_attack",
        "sexual_explicit",
    ];
    assert_eq!(said, serde_json::json!([labels, true]));
    let told = script_error("load_model(\"ebb/toxicity-tiny\")");
    assert!(told.contains("load it with load_detoxify"), "{told}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/toxicity-tiny");
    let sizes = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap());
    assert!(sizes.map(|facts| facts.len()).sum::<u64>() < 12_000_000);
}

#[test]
fn the_toxicity_classifier_is_as_good_on_real_comments_as_its_card_says() {
    let Some(path) = shared("data/surge_toxicity/toxicity_en.csv") else { return };
    let area = script(&format!(
        r#"let f = read("{}"); let truth = f["is_toxic"].map(|x| x == "Toxic");
        auroc(truth, load_detoxify("ebb/toxicity-tiny").score(f)["toxicity"])"#,
        path.display()
    ));
    // The figure of its card; sums may differ in their last bits on other processors.
    assert!((area.as_f64().unwrap() - 0.9072).abs() < 0.0011, "{area}");
}
