//! What two records of runs say differently about what the runs were made with: the likely causes of other results.

use std::collections::BTreeMap;

use serde_json::Value;

/// What differs, a sentence each, the likeliest cause first.
pub fn causes(before: &Value, after: &Value) -> Vec<String> {
    let mut causes = Vec::new();
    for (name, value) in inputs(after) {
        match inputs(before).get(&name) {
            Some(known) if *known != value => {
                causes.push(format!(
                    "the input {name} has another content: sha256 {} before, {} now",
                    digits(known),
                    digits(&value)
                ));
            }
            Some(_) => {}
            None => causes.push(format!("the input {name} was not read before")),
        }
    }
    let now = inputs(after);
    for name in inputs(before).keys().filter(|name| !now.contains_key(*name)) {
        causes.push(format!("the input {name} was read before and is not now"));
    }
    let facts = [
        ("ebb", "the program has another version"),
        ("source", "the program was built from another source"),
        ("seed", "the seed is another one"),
        ("device", "the device is another one"),
        ("system", "the system is another one"),
        ("vectors", "the processor has other vector instructions"),
    ];
    for (name, what) in facts {
        let (one, other) = (&before[name], &after[name]);
        if one != other && !one.is_null() {
            causes.push(format!("{what}: {} before, {} now", bare(one), bare(other)));
        }
    }
    for (name, value) in parameters(after) {
        let known = parameters(before).get(&name).cloned().unwrap_or(Value::Null);
        if known != value {
            causes.push(format!(
                "the parameter {name} is another one: {} before, {} now",
                bare(&known),
                bare(&value)
            ));
        }
    }
    causes
}

/// What was read and its hash; values that were kept from earlier runs are no inputs.
fn inputs(facts: &Value) -> BTreeMap<String, String> {
    let all = facts["inputs"].as_array().into_iter().flatten();
    let named = all.filter_map(|input| {
        let name = input["name"].as_str().filter(|name| !name.starts_with("cached: "))?;
        Some((name.to_string(), input["sha256"].as_str().unwrap_or("unknown").to_string()))
    });
    named.collect()
}

fn parameters(facts: &Value) -> BTreeMap<String, Value> {
    let all = facts["parameters"].as_object().into_iter().flatten();
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "not known".to_string(),
        other => other.to_string(),
    }
}

/// The first digits of a hash.
fn digits(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named_with_both_sides() {
        let input = |hash: &str| json!([{ "name": "x.jsonl", "sha256": hash }, { "name": "cached: a", "sha256": hash }]);
        let before = json!({ "ebb": "0.1.0", "inputs": input("aa"), "parameters": { "n": 1 }, "vectors": "AVX2" });
        assert_eq!(causes(&before, &before), [""; 0]);
        let after = json!({ "ebb": "0.2.0", "inputs": input("bb"), "parameters": { "n": 2 }, "vectors": "AVX2" });
        let told = causes(&before, &after);
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[0], "the input x.jsonl has another content: sha256 aa before, bb now");
        assert_eq!(told[1], "the program has another version: 0.1.0 before, 0.2.0 now");
        assert_eq!(told[2], "the parameter n is another one: 1 before, 2 now");
        let gone = causes(
            &before,
            &json!({ "ebb": "0.1.0", "parameters": { "n": 1 }, "vectors": "AVX2" }),
        );
        assert_eq!(gone, ["the input x.jsonl was read before and is not now"]);
    }
}
