//! Scores of sentences under a model, and perplexity by strides, against transformers and the benchmarks' own definitions; with
//! another model whose tokenizer puts a begin token in front.

use ebb::metrics::matching::shared;
use serde_json::Value;

use crate::support::{close, fixture, ids, json, numbers, script, script_error, shared as beside};

/// The models that the fixture knows, with their folders; the second is not in the repository.
fn models() -> Vec<(Value, String)> {
    let all = json("model_scores.json");
    let folders = [
        ("tiny-llama", Some(fixture("tiny-llama"))),
        ("stories260k", beside("models/stories260k")),
    ];
    let there = folders.into_iter().filter_map(|(name, folder)| Some((name, folder?)));
    there.map(|(name, folder)| (all[name].clone(), folder.display().to_string())).collect()
}

/// A script's literal of a JSON value.
fn literal(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let items = map.iter().map(|(key, value)| format!("{key}: {}", literal(value)));
            format!("#{{ {} }}", items.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn field(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or(f64::NAN)
}

#[test]
fn what_two_sequences_share_is_what_difflib_finds() {
    for case in json("model_scores.json")["matches"].as_array().unwrap() {
        let ours = shared(&ids(&case[0]), &ids(&case[1]));
        let theirs: Vec<(usize, usize)> = (case[2].as_array().unwrap().iter())
            .map(|pair| (pair[0].as_u64().unwrap() as usize, pair[1].as_u64().unwrap() as usize))
            .collect();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn crows_pairs_are_scored_as_the_study_and_the_benchmark_score_them() {
    for (expected, folder) in models() {
        let expected = &expected["crows_pairs"];
        let rows: Vec<Value> = (expected["rows"].as_array().unwrap().iter())
            .map(|row| {
                let mut row = row.clone();
                row.as_object_mut()
                    .unwrap()
                    .retain(|key, _| !["perplexities", "shared"].contains(&key.as_str()));
                row
            })
            .collect();
        let got = script(&format!(
            r#"let m = load_model("{folder}"); let f = frame({});
            [crows_pairs_score(m, f, #{{ rows: true }}).rows(), crows_pairs_score(m, f, #{{ rows: true, tokens: "shared" }}).rows(),
             crows_pairs_score(m, f).rows(), crows_pairs_score(m, f, #{{ tokens: "shared" }}).rows(), m.perplexity(f.column("sent_more"))]"#,
            literal(&Value::Array(rows))
        ));
        let theirs = expected["rows"].as_array().unwrap();
        for (row, theirs) in theirs.iter().enumerate() {
            let both = |side: &Value| [field(&side[row], "more"), field(&side[row], "less")];
            let logs = |values: &[f64]| values.iter().map(|x| x.ln()).collect::<Vec<_>>();
            // The mean losses of two implementations in f32.
            close(
                &logs(&both(&got[0])),
                &logs(&numbers(&theirs["perplexities"])),
                2e-5,
                "perplexities",
            );
            // A sum of some thirty of them, to three decimals.
            close(&both(&got[1]), &numbers(&theirs["shared"]), 1.6e-3, "shared tokens");
            assert_eq!(got[0][row]["more"], got[4][row]);
            assert_eq!(got[0][row]["sent_more"], theirs["sent_more"]);
        }
        for (ours, theirs) in [(&got[2], &expected["all"]), (&got[3], &expected["shared"])] {
            let all = &ours[0];
            assert_eq!(
                (&all["bias_type"], &all["n"], &all["unscored"]),
                (&"(all)".into(), &10.into(), &0.into())
            );
            assert_eq!(all["neutral"], theirs["neutral"]);
            for name in ["score", "stereo", "antistereo"] {
                close(&[field(all, name)], &[field(theirs, name)], 1e-12, name);
            }
            assert_eq!(ours.as_array().unwrap().len(), 4);
        }
    }
}

#[test]
fn stereoset_scores_are_those_of_the_benchmark_s_evaluation() {
    for (expected, folder) in models() {
        let expected = &expected["stereoset"];
        let rows: Vec<String> = (expected["rows"].as_array().unwrap().iter())
            .map(|row| {
                let named = ["task", "target", "bias_type", "context"]
                    .map(|name| format!("{name}: {}", row[name]));
                let three = ["stereotype", "anti_stereotype", "unrelated"];
                let three = three
                    .iter()
                    .enumerate()
                    .map(|(place, name)| format!("{name}: {}", row["sentences"][place]));
                format!("#{{ {} }}", named.into_iter().chain(three).collect::<Vec<_>>().join(", "))
            })
            .collect();
        let got = script(&format!(
            r#"let m = load_model("{folder}"); let f = frame([{}]);
            [stereoset_scores(m, f, #{{ rows: true }}).rows(), stereoset_scores(m, f).rows(), stereoset_scores(m, f, #{{ interval: #{{ resamples: 500, method: "percentile" }} }}).rows()]"#,
            rows.join(", ")
        ));
        for (row, theirs) in expected["rows"].as_array().unwrap().iter().enumerate() {
            let ours = ["stereotype_score", "anti_stereotype_score", "unrelated_score"]
                .map(|name| field(&got[0][row], name));
            // Means of log-probabilities in f32.
            close(&ours, &numbers(&theirs["scores"]), 2e-5, &theirs.to_string());
        }
        let lines = got[1].as_array().unwrap();
        assert_eq!(lines.len(), expected["scores"].as_object().unwrap().len());
        for line in lines {
            let name = format!(
                "{} {}",
                line["task"].as_str().unwrap(),
                line["bias_type"].as_str().unwrap()
            );
            for score in ["n", "lms", "ss", "icat"] {
                close(
                    &[field(line, score)],
                    &[field(&expected["scores"][&name], score)],
                    1e-9,
                    &name,
                );
            }
        }
        let all = &got[2][0];
        assert_eq!((&all["targets"], &all["lms"]), (&4.into(), &lines[0]["lms"]));
        assert!(
            field(all, "ss_low") <= field(all, "ss") && field(all, "ss") <= field(all, "ss_high"),
            "{all}"
        );
    }
}

#[test]
fn perplexity_by_strides_is_that_of_transformers() {
    for (expected, folder) in models() {
        let expected = &expected["perplexity"];
        let (text, short) = (&expected["text"], &expected["short"]);
        let cases = expected["strided"].as_array().unwrap();
        let calls: Vec<String> = cases
            .iter()
            .map(|case| {
                let opts =
                    format!("stride: {}, max_length: {}", case["stride"], case["max_length"]);
                let window = if case["stride"] == 1 {
                    "()".into()
                } else {
                    format!("m.perplexity(text, #{{ {opts} }})")
                };
                format!("[{window}, m.perplexity(text, #{{ {opts}, average: \"token\" }})]")
            })
            .collect();
        let got = script(&format!(
            r#"let m = load_model("{folder}"); let text = {text};
            [[{}], m.perplexity([{}, text], #{{ stride: 4, max_length: 64 }})[0], m.perplexity({}), m.loss(text, #{{ stride: 16, max_length: 32 }})]"#,
            calls.join(", "),
            short["text"],
            short["text"]
        ));
        for (case, ours) in cases.iter().zip(got[0].as_array().unwrap()) {
            let what = format!("stride {}, window {}", case["stride"], case["max_length"]);
            for (place, name) in ["window", "token"].iter().enumerate() {
                if let Some(ours) = ours[place].as_f64() {
                    // Mean losses in f32.
                    close(
                        &[ours.ln()],
                        &[field(case, name).ln()],
                        2e-5,
                        &format!("{what}, {name}"),
                    );
                }
            }
        }
        close(
            &[got[1].as_f64().unwrap().ln()],
            &[field(short, "window").ln()],
            2e-5,
            "a short text",
        );
        close(
            &[got[2].as_f64().unwrap().ln()],
            &[field(short, "window").ln()],
            2e-5,
            "without windows",
        );
        close(&[got[3].as_f64().unwrap()], &[field(&cases[1], "window").ln()], 2e-5, "loss");
    }
}

#[test]
fn sentences_that_cannot_be_scored_are_counted_with_the_reason() {
    let got = script(
        r#"let m = load_model("ebb/tiny");
        let long = "The boat waits by the pier. ".repeat(400);
        let pairs = frame(#{ sent_more: ["Old people nap.", "", (), long], sent_less: ["Young people nap.", "x y", "x y", "A boat."] });
        let contexts = frame(#{ task: ["intersentence", "intersentence", "intrasentence"], target: ["a", "a", ()], context: ["The cook came.", "", "BLANK"],
            stereotype: ["He is loud.", "He is loud.", "He is loud."], anti_stereotype: ["He is quiet.", "He is quiet.", "He is quiet."], unrelated: ["Rain falls.", "Rain falls.", "Rain falls."] });
        [crows_pairs_score(m, pairs).rows(), crows_pairs_score(m, pairs, #{ tokens: "shared", rows: true }).rows(), stereoset_scores(m, contexts).rows()]"#
            .replace(r#""The boat waits by the pier. ".repeat(400)"#, &format!("{:?}", "The boat waits by the pier. ".repeat(400)))
            .as_str(),
    );
    assert_eq!(got[0].as_array().unwrap().len(), 1);
    assert_eq!((&got[0][0]["n"], &got[0][0]["unscored"]), (&1.into(), &3.into()));
    let why = got[0][0]["why"].as_str().unwrap();
    assert!(
        why.contains("2 with an empty sentence") && why.contains("1 longer than the context of"),
        "{why}"
    );
    assert!(got[0][0]["stereo"].is_null());
    assert!(
        got[1][1]["more"].is_null() && got[1][1]["why"] == "with an empty sentence",
        "{}",
        got[1]
    );
    assert_eq!((&got[2][0]["n"], &got[2][0]["unscored"]), (&1.into(), &2.into()));
    let why = got[2][0]["why"].as_str().unwrap();
    assert_eq!(why, "1 without a context; 1 without a target");
    for (call, said) in [
        ("crows_pairs_score(m, frame(#{ sent_more: [\"a b\"] }))", "unknown column `sent_less`"),
        (
            "crows_pairs_score(m, frame(#{ sent_more: [1], sent_less: [\"a b\"] }))",
            "column `sent_more`: expected texts",
        ),
        (
            "crows_pairs_score(m, frame(#{ sent_more: [\"a b\"], sent_less: [\"a c\"], stereo_antistereo: [\"both\"] }))",
            "unknown stereo_antistereo `both`",
        ),
        (
            "crows_pairs_score(m, frame(#{ sent_more: [\"a b\"], sent_less: [\"a c\"] }), #{ tokens: \"some\" })",
            "unknown tokens `some`",
        ),
        (
            "crows_pairs_score(m, frame(#{ sent_more: [\"a b\"], sent_less: [\"a c\"], why: [1] }), #{ rows: true })",
            "a column `why` already",
        ),
        ("stereoset_scores(m, frame(#{ task: [\"sentence\"] }))", "unknown task `sentence`"),
        (
            "stereoset_scores(m, frame(#{ task: [] }), #{ interval: #{ cluster: \"target\" } })",
            "unknown option `cluster`",
        ),
        ("m.perplexity(\"a b c\", #{ stride: 9, max_length: 8 })", "at most a window's 8 tokens"),
        ("m.perplexity(\"a b c\", #{ max_length: 1000000 })", "at most the model's context"),
        ("m.perplexity(\"a b c\", #{ stride: 1, max_length: 8 })", "average: \"token\""),
        ("m.perplexity(\"a b c\", #{ average: \"token\" })", "give `stride` or `max_length` too"),
        ("m.perplexity(\"\", #{ stride: 2 })", "an empty text has no loss"),
        ("m.loss(\"a b\", #{ stride: 2, chat: true })", "and not in windows"),
    ] {
        let error = script_error(&format!("let m = load_model(\"ebb/tiny\"); {call}"));
        assert!(error.contains(said), "{call}: {error}");
    }
}
