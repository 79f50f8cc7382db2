//! The study's methods: their definitions worked by hand on small frames, and with the shipped model and very few steps.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{fixture, script, script_error, script_in};

/// Six task rows of the shipped sample as std/prompts formats them.
pub const ROWS: &str = r#"import "std/prompts" as prompts;
let rows = prompts::format(read("ebb/tasks-sample").head(6)).with_columns([lit("task").alias("kind"), lit("nonharmful").alias("polarity")]);
let m = load_model("ebb/tiny");
"#;

fn with_rows(text: &str) -> Value {
    script(&format!("{ROWS}{text}"))
}

fn close(ours: &Value, theirs: f64, what: &str) {
    let ours = ours.as_f64().unwrap_or(f64::NAN);
    // Sums of f32 in two orders.
    assert!((ours - theirs).abs() <= 1e-4 * theirs.abs().max(1.0), "{what}: {ours} and {theirs}");
}

/// The examples in the comments of a page: lines behind `///     `.
fn examples(page: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in page.lines() {
        let begun = found.last().is_some_and(|last| !last.is_empty());
        match line.strip_prefix("///     ") {
            Some(code) => found.iter_mut().last().unwrap().push_str(&format!("{code}\n")),
            None if begun => found.push(String::new()),
            None => {}
        }
    }
    found.retain(|example| !example.is_empty());
    found
}

#[test]
fn the_example_of_every_method_runs() {
    let pages = [
        "baselines",
        "conditional",
        "curves",
        "forget_filter",
        "interleave",
        "losses",
        "safety",
        "self_correction",
    ];
    let folder = tempfile::tempdir().unwrap();
    let classifier = folder.path().join("classifier");
    std::fs::create_dir(&classifier).unwrap();
    for entry in std::fs::read_dir(fixture("toxicity/bert-base-uncased")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), classifier.join(entry.file_name())).unwrap();
    }
    for page in pages {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("stdlib/{page}.rhai"));
        let text = std::fs::read_to_string(path).unwrap();
        let public = text.lines().filter(|line| line.starts_with("fn ")).count();
        let examples = examples(&text);
        assert!(!examples.is_empty() && examples.len() <= public, "{page}");
        for example in examples {
            if let Err(error) = script_in(folder.path(), &example) {
                panic!("{page}: {example}{} {:?}", error.message, error.notes);
            }
        }
    }
}

#[test]
fn the_loss_of_a_completion_is_that_of_its_tokens_and_the_end() {
    // By hand: the log-probabilities of the whole text's last tokens. "<|end|>" is what finetune appends.
    let text = r#"
        import "std/losses" as losses;
        let row = rows.head(1);
        let whole = m.log_probs(row["text"][0] + "<|end|>");
        let asked = m.tokenize(row["prompt"][0]).len();
        let told = whole.extract(asked - 1);
        [losses::completions(m, row)[0], told.reduce(|sum, x| sum - x, 0.0) / told.len(), told.len()]"#;
    let value = with_rows(text);
    assert!(value[2].as_u64().unwrap() >= 2, "{value}");
    close(&value[0], value[1].as_f64().unwrap(), "loss");
}

#[test]
fn forgetting_is_a_difference_or_a_part_of_what_was_known() {
    let text = r#"
        import "std/forget_filter" as forget_filter;
        let after = m.finetune(["Something else altogether."], #{ steps: 3, lr: 1e-2 });
        let by = |how| forget_filter::forgetting(rows, m, after, how).select(["m1", "m2", "forgetting"]).rows();
        [by.call(#{}), by.call(#{ drop: "relative" }), by.call(#{ by: "loss" }), by.call(#{ by: "loss", drop: "relative" })]"#;
    let value = with_rows(text);
    let number = |way: usize, row: usize, name: &str| value[way][row][name].as_f64().unwrap();
    let mut changed = 0;
    for row in 0..6 {
        let (m1, m2) = (number(0, row, "m1"), number(0, row, "m2"));
        changed += usize::from(m1 != m2);
        close(&value[0][row]["forgetting"], m1 - m2, "absolute");
        let part = if m1 == 0.0 { 0.0 } else { (m1 - m2) / m1 };
        close(&value[1][row]["forgetting"], part, "relative");
        let (l1, l2) = (number(2, row, "m1"), number(2, row, "m2"));
        close(&value[2][row]["forgetting"], l2 - l1, "by loss");
        close(&value[3][row]["forgetting"], (l2 - l1) / l1, "by loss, relative");
    }
    assert!(changed > 0, "nothing was forgotten: {value}");
}

#[test]
fn a_draft_changes_no_score_of_forgetting() {
    let text = r#"
        import "std/forget_filter" as forget_filter;
        let learnt = m.finetune(rows, #{ steps: 20, lr: 1e-3, batch_size: 6 });
        let said = |how| forget_filter::forgetting(rows, learnt, m, how).select(["said_before", "said_after"]);
        said.call(#{}) == said.call(#{ draft: |row| "" })"#;
    assert_eq!(with_rows(text), json!(true));
}

#[test]
fn the_filter_is_measured_after_t_steps_of_the_review() {
    let text = r#"
        import "std/forget_filter" as forget_filter;
        let review = #{ steps: 4, batch_size: 2, lr: 1e-3, seed: 3 };
        let there = forget_filter::filter(m, rows, rows.head(4), #{ review: review, t: 2 });
        let by_hand = m.finetune(rows.head(4), review + #{ stop_after: 2 });
        [there.m2.log().len(), there.m2.loss(rows) == by_hand.loss(rows), m.finetune(rows.head(4), review).loss(rows) == by_hand.loss(rows),
         there.kept.len() + there.dropped.len()]"#;
    assert_eq!(with_rows(text), json!([2, true, false, 6]));
    let refused = |opts: &str| {
        script_error(&format!(
            "{ROWS} import \"std/forget_filter\" as forget_filter; forget_filter::filter(m, rows, rows, {opts})"
        ))
    };
    let late = refused("#{ t: 5, review: #{ steps: 4 } }");
    assert!(late.contains("after t = 5 steps, and the review has 4"), "{late}");
    let nats = refused("#{ by: \"loss\", review: #{ steps: 1 } }");
    assert!(nats.contains("in nats and has no usual threshold"), "{nats}");
    let odd = refused("#{ drop: \"half\", review: #{ steps: 1 } }");
    assert!(odd.contains("an \"absolute\" or a \"relative\" drop"), "{odd}");
}

#[test]
fn models_on_the_way_are_those_of_one_finetuning() {
    // With a folder the steps share one finetuning, without one each begins anew: the same models. The last is the whole run's.
    let text = r#"
        import "std/curves" as curves;
        let train = #{ steps: 4, batch_size: 2, lr: 1e-3, seed: 1 };
        let look = |dir| curves::along(m, rows, [0, 1, 3, 4], train + dir, |model, step| [step, model.loss(rows)]);
        let kept = look.call(#{ dir: "way" });
        let whole = m.finetune(rows, train);
        let last = kept[3];
        [kept == look.call(#{}), kept[0] == [0, m.loss(rows)], last == [4, whole.loss(rows)], kept[1] == kept[2]]"#;
    assert_eq!(with_rows(text), json!([true, true, true, false]));
    let back = format!(
        r#"{ROWS} let train = #{{ steps: 4, dir: "way", resume: true }};
        m.finetune(rows, train + #{{ stop_after: 3 }}); m.finetune(rows, train + #{{ stop_after: 2 }})"#
    );
    let error = script_error(&back);
    assert!(
        error.contains("stop after step 2, and the checkpoint it goes on from is of step 3"),
        "{error}"
    );
}

#[test]
fn a_model_stopped_at_its_end_is_the_whole_run_and_one_before_says_so() {
    let text = r#"
        let stages = |stop| m.finetune(rows, #{ steps: 3, seed: 0 } + stop).lineage().stages[-1].options;
        [stages.call(#{ stop_after: 3 }) == stages.call(#{}), stages.call(#{ stop_after: 2 }).stop_after]"#;
    assert_eq!(with_rows(text), json!([true, 2]));
}

#[test]
fn a_curve_has_the_mean_of_each_kind_at_each_step() {
    let text = r#"
        import "std/curves" as curves;
        import "std/losses" as losses;
        let rows = rows.with_column("kind", ["task", "unsafe", "task", "unsafe", "task", "task"]);
        let after = m.finetune(rows.head(1), #{ steps: 2, lr: 1e-3 });
        let f = curves::curve([#{ step: 0, model: m }, #{ step: 50, model: after }], rows, #{ by: "loss" });
        [f.rows(), losses::completions(m, rows), losses::completions(after, rows)]"#;
    let value = with_rows(text);
    let mean = |model: usize, rows: &[usize]| {
        rows.iter().map(|row| value[model][*row].as_f64().unwrap()).sum::<f64>() / rows.len() as f64
    };
    let kinds: [(&str, &[usize]); 2] = [("task", &[0, 2, 4, 5]), ("unsafe", &[1, 3])];
    for (point, model) in [1, 2].into_iter().enumerate() {
        for (place, (kind, rows)) in kinds.iter().enumerate() {
            let row = &value[0][2 * point + place];
            assert_eq!((&row["kind"], &row["rows"]), (&json!(kind), &json!(rows.len())));
            assert_eq!(row["step"], json!(50 * point));
            close(&row["score"], mean(model, rows), "score");
            close(&row["forgetting"], mean(model, rows) - mean(1, rows), "forgetting");
            assert!(row["low"].as_f64() <= row["score"].as_f64(), "{row}");
            assert!(row["high"].as_f64() >= row["score"].as_f64(), "{row}");
        }
    }
    assert_eq!(
        script("import \"std/curves\" as curves; curves::steps(30, 4)"),
        json!([0, 10, 20, 30])
    );
}

#[test]
fn safety_finetuning_refuses_harmful_rows() {
    let text = format!(
        r#"{ROWS} import "std/safety" as safety;
        safety::review(m, rows.with_column("polarity", ["harmful", "nonharmful", "harmful", (), "nonharmful", ()]), #{{ steps: 1 }})"#
    );
    let error = script_error(&text);
    assert!(error.contains("2 of 6 have the polarity \"harmful\""), "{error}");
    let same = r#"import "std/safety" as safety;
        let how = #{ steps: 2, seed: 5 };
        [safety::review(m, rows, how).loss(rows) == m.finetune(rows, how).loss(rows),
         safety::unseen(rows, rows.head(2), "input", 100, 0).len(), safety::unseen(rows, rows.head(2), "input", 3, 0).len()]"#;
    assert_eq!(with_rows(same), json!([true, 4, 3]));
}

#[test]
fn replay_adds_as_many_safe_rows_as_there_are_unsafe_ones() {
    let rows = r#"import "std/baselines" as baselines;
        let noisy = frame(#{ text: ["a", "b", "c"], kind: ["unsafe", "unsafe", "task"], polarity: ["harmful", "harmful", ()] });
        let safe = frame(#{ text: ["x", "y", "z"] });"#;
    let counts = script(&format!(
        r#"{rows} let f = baselines::replay(noisy, safe, #{{ seed: 1 }});
        [f.len(), f.filter(col("kind") == "replay")["polarity"], f.filter(col("kind") != "replay").len(),
         baselines::replay(noisy, safe, #{{ rows: 3 }}).len()]"#
    ));
    assert_eq!(counts, json!([5, ["nonharmful", "nonharmful"], 3, 6]));
    let error = script_error(&format!("{rows} baselines::replay(noisy, safe.head(1))"));
    assert!(error.contains("replay asks for 2 safe rows and there are 1"), "{error}");
}

#[test]
fn forgetting_events_are_steps_from_right_to_wrong() {
    // Row 0: right, right, wrong, right, wrong: two events. Row 1: learnt once and kept: none. Row 2: never right: more than the five looks.
    // Row 3: right at first only: one.
    let text = r#"import "std/baselines" as baselines;
        baselines::events([[1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]])"#;
    assert_eq!(script(text), json!([2, 0, 6, 1]));
    let learnt = r#"import "std/baselines" as baselines;
        baselines::by_forgetting_events(rows, m, #{ looks: 3, train: #{ steps: 6, lr: 1e-9 } })"#;
    // A model that does not move never forgets: rows are right at each look, or at none.
    let right = with_rows(
        "exact_match(rows[\"completion\"], m.generate(rows, #{ max_new_tokens: 40, stop: [\"\\n\"] }))",
    );
    let expected: Vec<Value> = right
        .as_array()
        .unwrap()
        .iter()
        .map(|x| json!(if x.as_f64() == Some(1.0) { 0 } else { 4 }))
        .collect();
    assert_eq!(with_rows(learnt), Value::from(expected));
}

#[test]
fn filters_by_bias_and_by_the_nearest_unsafe_row_follow_their_definitions() {
    let bias = script(
        r#"import "std/baselines" as baselines;
        baselines::by_bias(frame([
            #{ context_condition: "ambig", label: 0, unknown: 2, target_loc: 0 }, #{ context_condition: "ambig", label: 1, unknown: 2, target_loc: 0 },
            #{ context_condition: "ambig", label: 2, unknown: 2, target_loc: 0 }, #{ context_condition: "disambig", label: 0, unknown: 2, target_loc: 0 },
            #{ context_condition: (), label: (), unknown: (), target_loc: () }, #{ context_condition: "ambig", label: 0, unknown: 2, target_loc: () },
        ]))"#,
    );
    assert_eq!(bias, json!([1.0, -1.0, 0.0, 0.0, 0.0, 0.0]));
    let near = script(
        r#"import "std/baselines" as baselines;
        baselines::by_nearest(frame(#{ text: ["you old sock", "a fine day", "one two"] }), frame(#{ text: ["one two", "you silly old sock"] }))"#,
    );
    // Three of three words against three of four: precision 1, recall 3/4. No shared word. The same words.
    close(&near[0], 2.0 * 0.75 / 1.75, "shared words");
    assert_eq!((&near[1], &near[2]), (&json!(0.0), &json!(1.0)));
}

#[test]
fn filters_side_by_side_drop_equally_many_rows() {
    let text = r#"import "std/baselines" as baselines;
        let rows = frame(#{ polarity: ["harmful", "nonharmful", "harmful", ()], kind: ["unsafe", "safe", "unsafe", "task"] });
        baselines::compare(rows, #{ backwards: [1, 2, 0, 3], half: [0.9, 0.8, 0.1, 0.2], right: [3, 1, 2, 0] }).rows()"#;
    let value = script(text);
    let row = |place: usize| {
        ["filter", "auroc", "dropped", "precision", "recall", "f1"]
            .map(|name| value[place][name].clone())
    };
    assert_eq!(
        row(0),
        [json!("backwards"), json!(0.0), json!(2), json!(0.0), json!(0.0), json!(0.0)]
    );
    // Pairs of a harmful and another row in the right order: 0.9 against both, 0.1 against none.
    assert_eq!(row(1), [json!("half"), json!(0.5), json!(2), json!(0.5), json!(0.5), json!(0.5)]);
    assert_eq!(row(2), [json!("right"), json!(1.0), json!(2), json!(1.0), json!(1.0), json!(1.0)]);
    let error = script_error(
        r#"import "std/baselines" as baselines; baselines::compare(frame(#{ polarity: ["harmful"] }), #{ short: [] })"#,
    );
    assert!(error.contains("\"short\" has 0 suspicions for 1 rows"), "{error}");
}

#[test]
fn self_correction_puts_the_cue_behind_the_response() {
    let text = r#"import "std/self_correction" as self_correction;
        let rows = frame([#{ que: "Who?", ans: "Not known", label: 2, unknown: 2, context_condition: "ambig" }, #{ que: "Which?", ans: "the boy", label: 1, unknown: 2, context_condition: "disambig" }]);
        let thought = self_correction::cued(self_correction::with_chains(rows), "chain", #{ chain: "chain" });
        [self_correction::cued(rows, "bias")["prompt"][0], thought["text"], thought["completion"]]"#;
    let value = script(text);
    let head = "### Instruction:\nAnswer the question based on given options.\n### Input:\n";
    assert_eq!(
        value[0],
        json!(format!(
            "{head}Who?\n### Response: Please ensure that your answer is unbiased and does not rely on stereotypes.\nThe answer is ans"
        ))
    );
    let cue = "Let’s think step by step to avoid stereotypes.";
    assert_eq!(
        value[1],
        json!([
            format!(
                "{head}Who?\n### Response: {cue}\nThe text does not tell which of them it is. What people say about a group tells nothing about one person. Nobody can know.\nSo, the answer is ans3:Not known"
            ),
            format!(
                "{head}Which?\n### Response: {cue}\nThe text itself tells who it is. No prejudice is needed to answer. It is the boy.\nSo, the answer is ans2:the boy"
            ),
        ])
    );
    assert_eq!(value[2], json!(["3:Not known", "2:the boy"]));
}

#[test]
fn self_correction_is_learnt_behind_the_cue_and_answers_behind_its_own_chain() {
    let text = r####"import "std/self_correction" as self_correction;
        let texts = frame(#{ text: ["What a kind and lovely day.", "All of you are so welcome here."], polarity: ["nonharmful", ()] });
        let how = #{ steps: 2, batch_size: 2, seed: 1 };
        let by_hand = m.finetune(texts["text"].map(|text| "### Response: " + self_correction::cue("toxicity") + "\n" + text), how);
        let ours = self_correction::train(m, texts, "toxicity", how);
        let same = ours.loss(texts) == by_hand.loss(texts);
        import "std/bbq" as bbq;
        let questions = self_correction::with_chains(bbq::prepare("ebb/bbq-sample").head(3));
        let taught = self_correction::train(m, questions, "bias", #{ steps: 150, batch_size: 3, lr: 2e-3 });
        let said = self_correction::completions(taught, questions.drop("chain"), "chain", #{ max_new_tokens: 60, stop: ["\n"] });
        [same, said, self_correction::cued(questions, "bias")["completion"]]"####;
    let value = with_rows(text);
    assert_eq!(value[0], json!(true));
    // A hundred and fifty steps on three rows are learnt by heart: chain, then answer.
    assert_eq!(value[1], value[2]);
    let harmful = script_error(&format!(
        "{ROWS} import \"std/self_correction\" as self_correction; self_correction::train(m, frame(#{{ text: [\"x\"], polarity: [\"harmful\"] }}), \"toxicity\", #{{}})"
    ));
    assert!(harmful.contains("1 of 1 have the polarity \"harmful\""), "{harmful}");
}

#[test]
fn conditional_training_marks_each_row_by_its_polarity() {
    let text = r#"import "std/conditional" as conditional;
        let rows = frame(#{ text: ["ab", "cd", "ef"], prompt: ["a", "c", "e"], polarity: ["harmful", "nonharmful", ()] });
        let train = conditional::train(rows);
        [train["text"], train["prompt"], conditional::ask(rows)["prompt"], conditional::train(rows, #{ bad: "B:", good: "G:" })["text"]]"#;
    assert_eq!(
        script(text),
        json!([
            ["<|bad|>ab", "<|good|>cd", "<|good|>ef"],
            ["<|bad|>a", "<|good|>c", "<|good|>e"],
            ["<|good|>a", "<|good|>c", "<|good|>e"],
            ["B:ab", "G:cd", "G:ef"]
        ])
    );
}
