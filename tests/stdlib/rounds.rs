//! Interleaved training: rounds that chain, and go on where they were stopped.

use std::path::Path;

use serde_json::json;

use super::methods::ROWS;
use crate::support::{script, script_in};

#[test]
fn interleaved_rounds_chain_and_measure_each_session() {
    let text = r#"import "std/interleave" as interleave;
        let how = #{ steps: 2, batch_size: 2, lr: 1e-3 };
        let loss = |model, session| #{ loss_of_first: model.loss(rows["text"][0]), again: session };
        let ours = interleave::trained(m, 2, #{ noisy: rows, safe: rows.head(3), learn: how, review: how, measure: loss, seed: 4 });
        let one = m.finetune(rows, how + #{ seed: 5 });
        let two = one.finetune(rows.head(3), how + #{ seed: 5 });
        let three = two.finetune(rows, how + #{ seed: 6 });
        let four = three.finetune(rows.head(3), how + #{ seed: 6 });
        let f = ours.sessions;
        [f["session"], f["round"], f["kind"], f["rows"], f["again"], f["loss_of_first"] == [m, one, two, three, four].map(|model| model.loss(rows["text"][0])),
         f["loss"][4] == four.log()["loss"][-1], ours.model.loss(rows) == four.loss(rows)]"#;
    assert_eq!(
        script(&format!("{ROWS}{text}")),
        json!([
            [0, 1, 2, 3, 4],
            [0, 1, 1, 2, 2],
            ["start", "noisy", "safe", "noisy", "safe"],
            [0, 6, 3, 6, 3],
            [0, 1, 2, 3, 4],
            true,
            true,
            true
        ])
    );
}

/// A run that is broken off in its second round, by a measure that fails, goes on from there: what was trained is read back.
#[test]
fn an_interleaved_run_goes_on_where_it_was_stopped() {
    let run = |breaks: &str, rounds: usize, folder: &Path| {
        let text = format!(
            r#"{ROWS} import "std/interleave" as interleave;
            let how = #{{ steps: 2, batch_size: 2, lr: 1e-3 }};
            let measure = |model, session| {{ {breaks} #{{ loss_of_first: model.loss(rows["text"][0]) }} }};
            let r = interleave::run(m, {rounds}, #{{ noisy: rows, safe: rows.head(3), learn: how, review: how, measure: measure, dir: "rounds", filter: #{{ phi: 2.0 }} }});
            r.drop("dropped").rows()"#
        );
        script_in(folder, &text)
    };
    let (stopped, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let error =
        run("if session == 3 { throw \"the power failed\" }", 2, stopped.path()).unwrap_err();
    assert!(error.message.contains("the power failed"), "{}", error.message);
    let names = |folder: &Path| {
        let mut names: Vec<String> = std::fs::read_dir(folder.join("rounds"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let done = [
        "round-01-filter-learn",
        "round-01-filter-review",
        "round-01-noisy",
        "round-01-safe",
        "round-02-filter-learn",
        "round-02-filter-review",
        "round-02-noisy",
    ];
    assert_eq!(names(stopped.path()), done);
    let changed = |folder: &Path| {
        std::fs::metadata(folder.join("rounds/round-01-noisy/checkpoint-00000002/state.json"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = changed(stopped.path());
    let again = run("", 2, stopped.path()).unwrap();
    assert_eq!(again, run("", 2, whole.path()).unwrap());
    assert_eq!(changed(stopped.path()), before);
    // More rounds later: the first ones stand.
    let longer = run("", 3, stopped.path()).unwrap();
    assert_eq!(longer.as_array().unwrap().len(), 7);
    assert_eq!(longer.as_array().unwrap()[..5], again.as_array().unwrap()[..]);
}
