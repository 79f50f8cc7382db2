//! Settings that cannot be: configurations, tokenizers, adapters, weights that are no numbers, sizes beyond the machine.

use ebb::model::load;
use serde_json::{Value, json};

use super::Spoilt;
use crate::support::{cpu, fixture, script_error};

fn config(change: impl Fn(&mut Value)) -> String {
    let bytes = std::fs::read(fixture("tiny-llama/config.json")).unwrap();
    let mut config = serde_json::from_slice(&bytes).unwrap();
    change(&mut config);
    config.to_string()
}

#[test]
fn configurations_that_cannot_be_are_told() {
    let refused = |key: &str, value: Value, expected: &str| {
        let spoilt = Spoilt::new();
        let text = config(|config| config[key] = value.clone());
        spoilt.write("config.json", text).refused(expected);
    };
    refused("model_type", json!("mamba"), "unknown model family");
    refused("hidden_size", json!("wide"), "hidden_size");
    refused("hidden_size", json!(-16), "hidden_size");
    refused("hidden_size", json!(16.5), "hidden_size");
    refused("num_hidden_layers", json!(10u64.pow(18)), "num_hidden_layers");
    refused("vocab_size", json!(1u64 << 40), "vocab_size");
    refused("num_attention_heads", json!(0), "num_attention_heads");
    refused("num_attention_heads", json!(7), "heads");
    refused("rope_parameters", json!({ "rope_type": "magic" }), "rotary scaling");
    refused("rope_scaling", json!({ "type": "magic" }), "rotary scaling");
    refused("hidden_act", json!("swoosh"), "activation");
    let spoilt = Spoilt::new();
    for broken in ["", "{", "[]", "null", "7"] {
        spoilt.write("config.json", broken).refused("config.json");
    }
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    spoilt.write("config.json", deep).refused("config.json");
}

#[test]
fn tokenizers_that_cannot_be_are_told() {
    let spoilt = Spoilt::new();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for broken in ["", "{}", "null", "{\"model\": 5}", &deep] {
        spoilt.write("tokenizer.json", broken).refused("tokenizer.json");
    }
    let spoilt = Spoilt::new();
    spoilt.write("tokenizer_config.json", &deep).refused("tokenizer_config.json");
    let spoilt = Spoilt::new();
    let none = config(|config| config["eos_token_id"] = Value::Null);
    spoilt
        .write("config.json", none)
        .write("tokenizer_config.json", "{}")
        .write("generation_config.json", "{}");
    spoilt.refused("names no end-of-text token");
    let beyond = config(|config| config["eos_token_id"] = json!(4000));
    spoilt.write("config.json", beyond).refused("below the vocabulary size 280");
}

#[test]
fn a_tokenizer_larger_than_the_vocabulary_is_told_and_a_smaller_one_used() {
    let tokenizer = |extra: usize| {
        let bytes = std::fs::read(fixture("tiny-llama/tokenizer.json")).unwrap();
        let mut tokenizer: Value = serde_json::from_slice(&bytes).unwrap();
        for id in 0..extra {
            tokenizer["added_tokens"].as_array_mut().unwrap().push(json!({
                "id": 280 + id, "content": format!("<extra{id}>"), "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": false,
            }));
        }
        tokenizer.to_string()
    };
    let spoilt = Spoilt::new();
    spoilt.write("tokenizer.json", tokenizer(0)).load().unwrap();
    spoilt.write("tokenizer.json", tokenizer(3));
    spoilt.refused("a tokenizer of at most 280 tokens (vocab_size), got 283");
    // Padded beyond the tokenizer, as many published vocabularies are.
    let model = Spoilt::new().load().unwrap();
    assert!(model.tokenizer().vocab_size() <= model.config().vocab_size);
}

#[test]
fn adapters_that_cannot_be_are_told() {
    let refused = |change: fn(&mut Value), expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixture("tiny-llama-lora")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        let path = folder.path().join("adapter_config.json");
        let mut settings: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        settings["base_model_name_or_path"] = json!(fixture("tiny-llama"));
        change(&mut settings);
        std::fs::write(&path, settings.to_string()).unwrap();
        let message = match load::from_folder(folder.path(), &cpu()) {
            Ok(_) => panic!("{expected}"),
            Err(error) => error.to_string(),
        };
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    };
    refused(
        |settings| settings["base_model_name_or_path"] = json!("gone"),
        "base model `gone` is not at hand",
    );
    refused(|settings| settings["base_model_name_or_path"] = json!(5), "names no base model");
    refused(|settings| settings["r"] = json!(10u64.pow(12)), "at most 16384");
    refused(|settings| settings["r"] = json!(-1), "r to be a whole number above 0");
    refused(|settings| settings["r"] = json!(3), "shape");
    refused(|settings| settings["target_modules"] = json!([]), "target_modules");
    refused(|settings| settings["target_modules"] = json!(["no_such_module"]), "no_such_module");
    refused(|settings| settings["target_modules"] = json!([".*"]), ".*");
    refused(|settings| settings["lora_alpha"] = json!("much"), "lora_alpha");
    refused(|settings| settings["peft_type"] = json!("PREFIX_TUNING"), "PREFIX_TUNING");
    refused(|settings| settings["use_dora"] = json!(true), "use_dora");
}

#[test]
fn an_adapter_for_another_base_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["adapter_model.safetensors", "adapter_config.json"] {
        std::fs::copy(fixture("families/gpt2-lora").join(name), folder.path().join(name)).unwrap();
    }
    let options =
        ebb::model::load::LoadOptions { adapter: Some(folder.path().to_path_buf()), ..cpu() };
    let message =
        match load::open("tiny", Some(&fixture("tiny-llama")), &options, &Default::default()) {
            Ok(_) => panic!("another family's adapter was taken"),
            Err(error) => error.to_string(),
        };
    assert!(message.contains("holds no module of this base"), "{message}");
}

#[test]
fn sizes_beyond_the_machine_are_told_before_they_are_taken() {
    let message = script_error(
        r#"let t = train_tokenizer(["the cat sat"], #{ vocab_size: 270 });
        new_model(#{ hidden_size: 65536, intermediate_size: 262144, num_hidden_layers: 512, num_attention_heads: 64,
            max_position_embeddings: 64 }, t, 0)"#,
    );
    assert!(message.contains("needs about"), "{message}");
    assert!(message.contains("TiB"), "{message}");
}
