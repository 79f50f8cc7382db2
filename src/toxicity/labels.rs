//! What a classifier's outputs are called. Detoxify brings the names of Jigsaw's data sets to one.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::{Error, Result};

/// Names that the package changes.
const CHANGED: [(&str, &str); 3] = [
    ("toxic", "toxicity"),
    ("identity_hate", "identity_attack"),
    ("severe_toxic", "severe_toxicity"),
];

fn changed(name: &str) -> String {
    let known = CHANGED.iter().find(|(old, _)| *old == name);
    known.map_or(name, |(_, new)| *new).to_string()
}

/// Labels in the package's names, each there once.
pub fn named(labels: Vec<String>, from: &str) -> Result<Vec<String>> {
    let labels: Vec<String> = labels.iter().map(|label| changed(label)).collect();
    if labels.is_empty() {
        return Err(Error::failed(format!("{from} names no labels")));
    }
    let mut seen = BTreeSet::new();
    match labels.iter().find(|label| label.is_empty() || !seen.insert(label.as_str())) {
        Some(label) => Err(Error::invalid(
            format!("reading the labels of {from}"),
            "names that differ from each other",
            format!("{label:?} twice or without letters"),
        )),
        None => Ok(labels),
    }
}

/// The classes that a checkpoint's config names: `dataset.args.classes`.
pub fn of_checkpoint(config: &Value, from: &str) -> Result<Vec<String>> {
    let classes = config.pointer("/dataset/args/classes").and_then(Value::as_array);
    let texts = classes.and_then(|classes| {
        classes.iter().map(|class| class.as_str().map(str::to_string)).collect::<Option<Vec<_>>>()
    });
    let texts = texts.ok_or_else(|| {
        Error::invalid(
            format!("reading {from}"),
            "the names of the classes under dataset.args.classes of its config",
            "none",
        )
        .with_hint("name them with the option `labels`, in the order of the classifier's rows")
    })?;
    named(texts, from)
}

/// The labels that a `config.json` names under `id2label`.
pub fn of_config(config: &Value, from: &str) -> Result<Vec<String>> {
    let refuse = |got: String| {
        Error::invalid(format!("reading the labels of {from}"), "names under id2label of config.json", got)
            .with_hint("name them with the option `labels`: [\"toxicity\", …], in the order of the classifier's rows")
    };
    let Some(map) = config.get("id2label").and_then(Value::as_object) else {
        return Err(refuse("none".to_string()));
    };
    let mut labels = Vec::with_capacity(map.len());
    for id in 0..map.len() {
        match map.get(&id.to_string()).and_then(Value::as_str) {
            // What transformers writes where nobody named them.
            Some(label) if label == format!("LABEL_{id}") => {
                return Err(refuse(format!("{label}, which says nothing")));
            }
            Some(label) => labels.push(label.to_string()),
            None => return Err(refuse(format!("no text for the number {id}"))),
        }
    }
    named(labels, from)
}
