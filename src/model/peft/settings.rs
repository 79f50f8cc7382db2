//! adapter_config.json: every key that is set to something is computed, known not to matter, or refused by its name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::model::adapter::{Biases, Form, Start, all_linear};
use crate::model::targets::{Modules, Targets};
use crate::model::weights::Weights;

/// Ranks beyond any adapter's.
const LARGEST_RANK: usize = 1 << 14;

/// Keys that say where an adapter comes from, or whose value changes nothing that is computed from its file.
const WITHOUT_EFFECT: [&str; 13] = [
    "auto_mapping",
    "base_model_name_or_path",
    "ebb_base_sha256",
    // How GPT-2's files lay out their matrices; PEFT sets it right by itself.
    "fan_in_fan_out",
    "inference_mode",
    // Each belongs to another key, which is refused.
    "megatron_core",
    "qalora_group_size",
    // What EVA starts from; the base stays as it is.
    "eva_config",
    "merge_weights",
    "peft_version",
    "revision",
    "runtime_config",
    "layers_pattern",
];

/// What an adapter_config.json asks for.
pub struct Settings {
    pub form: Form,
    /// Token ids with rows of their own, by the names of embeddings; "" is the input embedding.
    pub tokens: BTreeMap<String, Vec<u32>>,
}

fn unfit(key: &str, expected: &str, got: &Value) -> Error {
    let got: String = got.to_string().chars().take(200).collect();
    Error::invalid("reading adapter_config.json", format!("{key} to be {expected}"), got)
}

/// Reads the settings; `base` says what "all-linear" stands for.
pub fn read(settings: &Value, base: &Weights) -> Result<Settings> {
    let Some(map) = settings.as_object() else {
        return Err(unfit("the file", "a map", settings));
    };
    refuse_other_kinds(map)?;
    let rank = match map.get("r") {
        None => 8,
        Some(value) => rank(value, "r")?,
    };
    let number = |key: &str, default: f64| match map.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => finite(value, key),
    };
    let targets = Targets {
        modules: targets(map, base)?,
        excluded: modules(map, "exclude_modules")?,
        layers: layers(map)?,
        layers_names: texts(map, "layers_pattern")?,
        saved: texts(map, "modules_to_save")?,
    };
    if let Some(name) = targets
        .layers_names
        .iter()
        .find(|name| name.chars().any(|sign| !sign.is_alphanumeric() && sign != '_'))
    {
        let plain = "the plain name of a list of layers";
        return Err(unfit("layers_pattern", plain, &Value::from(name.as_str())));
    }
    let form = Form {
        rank,
        alpha: number("lora_alpha", 8.0)?,
        dropout: number("lora_dropout", 0.0)?,
        targets,
        ranks: pattern(map, "rank_pattern", rank_of_pattern)?,
        alphas: pattern(map, "alpha_pattern", finite)?,
        rank_stabilized: flag(map, "use_rslora")?,
        start: start(map)?,
        biases: biases(map)?,
    };
    Ok(Settings { form, tokens: tokens(map)? })
}

fn refuse_other_kinds(map: &Map<String, Value>) -> Result<()> {
    const COMPUTED: [&str; 16] = [
        "bias",
        "r",
        "lora_alpha",
        "lora_dropout",
        "target_modules",
        "exclude_modules",
        "layers_to_transform",
        "modules_to_save",
        "rank_pattern",
        "alpha_pattern",
        "use_rslora",
        "init_lora_weights",
        "trainable_token_indices",
        "peft_type",
        "task_type",
        "loftq_config",
    ];
    for (key, usual) in [("peft_type", "LORA"), ("task_type", "CAUSAL_LM")] {
        match map.get(key) {
            None | Some(Value::Null) => {}
            Some(value) if value.as_str() == Some(usual) => {}
            Some(value) => {
                return Err(unfit(key, &format!("{usual}, the only kind that is computed"), value));
            }
        }
    }
    for (key, value) in map {
        let key = key.as_str();
        let known = COMPUTED.contains(&key) && key != "loftq_config";
        if known || WITHOUT_EFFECT.contains(&key) || is_unset(value) {
            continue;
        }
        return Err(unfit(
            key,
            "unset: what it asks for is not computed",
            value,
        )
        .with_hint(
            "merge the adapter into its base with peft's merge_and_unload, and load the merged model",
        ));
    }
    Ok(())
}

/// Whether a value says nothing.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn rank(value: &Value, key: &str) -> Result<usize> {
    let rank = value.as_u64().and_then(|rank| usize::try_from(rank).ok());
    rank.filter(|rank| (1..=LARGEST_RANK).contains(rank)).ok_or_else(|| {
        unfit(key, &format!("a whole number above 0 and at most {LARGEST_RANK}"), value)
    })
}

fn rank_of_pattern(value: &Value, key: &str) -> Result<usize> {
    rank(value, key)
}

fn finite(value: &Value, key: &str) -> Result<f64> {
    let number = value.as_f64().filter(|number| number.is_finite());
    number.ok_or_else(|| unfit(key, "a number", value))
}

fn flag(map: &Map<String, Value>, key: &str) -> Result<bool> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(unfit(key, "true or false", other)),
    }
}

/// A list of texts, or one.
fn texts(map: &Map<String, Value>, key: &str) -> Result<Vec<String>> {
    let wrong = |value: &Value| unfit(key, "a list of names", value);
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| Ok(item.as_str().ok_or_else(|| wrong(item))?.to_string()))
            .collect(),
        Some(other) => Err(wrong(other)),
    }
}

/// Names, or a text that is a regular expression; `None` where there are none.
fn modules(map: &Map<String, Value>, key: &str) -> Result<Option<Modules>> {
    match map.get(key) {
        Some(Value::String(pattern)) if !pattern.is_empty() => {
            Ok(Some(Modules::Pattern(pattern.clone())))
        }
        _ => {
            let names = texts(map, key)?;
            let some = names.iter().any(|name| !name.is_empty());
            Ok(some.then(|| Modules::Names(names.into_iter().collect())))
        }
    }
}

fn targets(map: &Map<String, Value>, base: &Weights) -> Result<Modules> {
    match modules(map, "target_modules")? {
        Some(Modules::Pattern(text)) if text.to_lowercase() == "all-linear" => {
            Ok(Modules::Names(all_linear(base).into_iter().collect()))
        }
        Some(modules) => Ok(modules),
        None => {
            let given = map.get("target_modules").unwrap_or(&Value::Null);
            let expected = "a list of names, a regular expression or \"all-linear\"";
            Err(unfit("target_modules", expected, given))
        }
    }
}

fn layers(map: &Map<String, Value>) -> Result<Option<std::collections::BTreeSet<usize>>> {
    let key = "layers_to_transform";
    let one = |value: &Value| {
        let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
        number.ok_or_else(|| unfit(key, "a layer's number or a list of them", value))
    };
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) if items.is_empty() => Ok(None),
        Some(Value::Array(items)) => items.iter().map(one).collect::<Result<_>>().map(Some),
        Some(value) => Ok(Some([one(value)?].into())),
    }
}

fn pattern<T>(
    map: &Map<String, Value>,
    key: &str,
    read: impl Fn(&Value, &str) -> Result<T>,
) -> Result<Vec<(String, T)>> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(patterns)) => patterns
            .iter()
            .map(|(pattern, value)| Ok((pattern.clone(), read(value, key)?)))
            .collect(),
        Some(other) => Err(unfit(key, "a map of names", other)),
    }
}

fn start(map: &Map<String, Value>) -> Result<Start> {
    let key = "init_lora_weights";
    match map.get(key) {
        None | Some(Value::Null | Value::Bool(_)) => Ok(Start::Plain),
        Some(value) => match value.as_str() {
            Some("gaussian" | "orthogonal" | "eva") => Ok(Start::Plain),
            Some("pissa") => Ok(Start::Pissa),
            Some("olora") => Ok(Start::Olora),
            _ => Err(unfit(
                key,
                "true, false, \"gaussian\", \"orthogonal\", \"eva\", \"pissa\" or \"olora\"; others change the base in ways that are not computed",
                value,
            )
            .with_hint(
                "convert it with peft: save_pretrained with path_initial_model_for_weight_conversion, or merge_and_unload",
            )),
        },
    }
}

fn biases(map: &Map<String, Value>) -> Result<Biases> {
    let key = "bias";
    match map.get(key) {
        None | Some(Value::Null) => Ok(Biases::None),
        Some(value) => match value.as_str() {
            Some("none") => Ok(Biases::None),
            Some("all") => Ok(Biases::All),
            Some("lora_only") => Ok(Biases::Adapted),
            _ => Err(unfit(key, "\"none\", \"all\" or \"lora_only\"", value)),
        },
    }
}

fn tokens(map: &Map<String, Value>) -> Result<BTreeMap<String, Vec<u32>>> {
    let key = "trainable_token_indices";
    let ids = |value: &Value| -> Result<Vec<u32>> {
        let one = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok());
        let ids = value.as_array().and_then(|ids| ids.iter().map(one).collect());
        ids.ok_or_else(|| unfit(key, "a list of token ids, or a map of such lists", value))
    };
    match map.get(key) {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(embeddings)) => {
            embeddings.iter().map(|(name, value)| Ok((name.clone(), ids(value)?))).collect()
        }
        Some(value) => Ok([(String::new(), ids(value)?)].into()),
    }
}
