//! Adapters and weights that are more than they seem, against peft, transformers and torch: forms of LoRA, what an adapter
//! brings besides, heads that are tied in name alone, older files.

mod hostile;
mod training;

use std::path::{Path, PathBuf};

use candle_core::DType;
use ebb::generate::last_logits;
use ebb::model::load::{self, LoadOptions};
use ebb::model::{Model, save};
use ebb::train::options::Method;
use ebb::train::parameters::{kept, told_of_adapter};
use serde_json::{Value, json};

use crate::support::{
    bits, close, cpu, fixture, ids, json as expected, numbers, script_in, shared, tiny,
};

fn logits(model: &Model, ids: &[u32]) -> Vec<f64> {
    let logits = last_logits(model, ids).unwrap();
    logits.into_iter().map(f64::from).collect()
}

/// A model with the adapter of a folder over it.
fn over(base: &Path, adapter: &Path) -> Result<Model, String> {
    let options = LoadOptions { adapter: Some(adapter.to_path_buf()), ..cpu() };
    let settings = ebb::hub::Settings { offline: true, ..Default::default() };
    let source = base.display().to_string();
    load::open(&source, Some(base), &options, &settings)
        .map_err(|error| format!("{error} ({})", error.hint().unwrap_or_default()))
}

/// The base of a fixture's adapter, with tiny-llama's tokenizer.
fn base_of(expected: &Value, adapter: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let base = expected["bases"][adapter].as_str().unwrap();
    for (from, file) in [
        ("tiny-llama", "tokenizer.json"),
        ("tiny-llama", "tokenizer_config.json"),
        (base, "config.json"),
        (base, "model.safetensors"),
    ] {
        std::fs::copy(fixture(from).join(file), folder.path().join(file)).unwrap();
    }
    folder
}

#[test]
fn adapters_of_every_form_give_the_logits_of_peft_also_merged_and_saved() {
    let expected = expected("adapters.json");
    let prompt = ids(&expected["ids"]);
    for (name, theirs) in expected["logits"].as_object().unwrap() {
        let theirs = numbers(theirs);
        let folder = tempfile::tempdir().unwrap();
        let base = base_of(&expected, name);
        let base = base.path();
        let model = over(base, &fixture("adapters").join(name));
        let model = model.unwrap_or_else(|error| panic!("{name}: {error}"));
        close(&logits(&model, &prompt), &theirs, 5e-5, name);
        let merged = model.merge().unwrap();
        close(&logits(&merged, &prompt), &theirs, 5e-5, name);
        let (again, whole) = (folder.path().join("adapter"), folder.path().join("merged"));
        save::to_folder(&model, &again, DType::F32).unwrap();
        let again = over(base, &again).unwrap();
        close(&logits(&again, &prompt), &theirs, 5e-5, name);
        save::to_folder(&merged, &whole, DType::F32).unwrap();
        let whole = load::from_folder(&whole, &cpu()).unwrap();
        close(&logits(&whole, &prompt), &theirs, 5e-5, name);
    }
}

/// The first two logits after a text on stories260k, without or with an adapter.
fn first_two(base: &str, adapter: Option<&str>) -> Option<Vec<f64>> {
    let base = shared(base)?;
    let model = match adapter {
        Some(adapter) => over(&base, &shared(adapter)?).unwrap(),
        None => load::from_folder(&base, &cpu()).unwrap(),
    };
    let prompt = model.tokenizer().encode("Once upon a time, there was a");
    Some(logits(&model, &prompt.unwrap())[..2].to_vec())
}

#[test]
fn adapters_bring_embeddings_and_tokens_and_start_as_parts_of_the_base() {
    for (name, theirs) in [
        ("embedding", [-18.4307, -3.3128]),
        ("tokens", [-12.8621, -4.7246]),
        ("pissa", [-11.4029, -5.4580]),
    ] {
        let adapter = format!("cases/adapters/{name}");
        let Some(ours) = first_two("models/stories260k", Some(&adapter)) else {
            return;
        };
        close(&ours, &theirs, 1e-4, name);
    }
}

#[test]
fn a_stored_head_counts_although_the_configuration_ties_it() {
    let Some(ours) = first_two("cases/own_head/model", None) else {
        return;
    };
    close(&ours, &[-10.6932, -11.1993], 1e-4, "own head");
    let model = load::from_folder(&shared("cases/own_head/model").unwrap(), &cpu()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again");
    save::to_folder(&model, &path, DType::F32).unwrap();
    assert!(bits(&load::from_folder(&path, &cpu()).unwrap()) == bits(&model));
    let settings = std::fs::read_to_string(path.join("config.json")).unwrap();
    let settings: Value = serde_json::from_str(&settings).unwrap();
    assert_eq!(settings["tie_word_embeddings"], false);
}

fn lora(targets: &[&str], rank: usize) -> Method {
    Method::Lora {
        rank,
        alpha: 8.0,
        dropout: 0.0,
        targets: targets.iter().map(|name| name.to_string()).collect(),
    }
}

#[test]
fn the_targets_of_an_adapter_are_a_set_and_other_settings_are_told() {
    let model = over(&fixture("tiny-llama"), &fixture("tiny-llama-lora")).unwrap();
    for targets in [["q_proj", "v_proj", "down_proj"], ["down_proj", "q_proj", "v_proj"]] {
        assert!(kept(&model, &lora(&targets, 4)).unwrap().is_some());
        assert!(told_of_adapter(&model, &lora(&targets, 4)).unwrap().is_none());
    }
    for other in
        [lora(&["q_proj", "v_proj"], 4), lora(&["q_proj", "v_proj", "down_proj"], 8), Method::Full]
    {
        assert!(kept(&model, &other).unwrap().is_none());
        let told = told_of_adapter(&model, &other).unwrap().unwrap();
        assert!(told.contains("is folded into the weights"), "{told}");
    }
    assert!(told_of_adapter(&tiny(), &Method::Full).unwrap().is_none());
    // A regular expression that holds the same modules asks for the same adapter.
    let model = over(&fixture("tiny-llama"), &fixture("adapters/rslora")).unwrap();
    assert!(kept(&model, &lora(&["v_proj", "q_proj"], 4)).unwrap().is_some());
}

/// A copy of an adapter with keys of its settings set.
fn with_settings(folder: &Path, keys: Value) -> PathBuf {
    let source = fixture("tiny-llama-lora");
    let path = folder.join("adapter");
    std::fs::create_dir_all(&path).unwrap();
    let name = "adapter_model.safetensors";
    std::fs::copy(source.join(name), path.join(name)).unwrap();
    let settings = std::fs::read_to_string(source.join("adapter_config.json")).unwrap();
    let mut settings: Value = serde_json::from_str(&settings).unwrap();
    for (key, value) in keys.as_object().unwrap() {
        settings[key] = value.clone();
    }
    std::fs::write(path.join("adapter_config.json"), settings.to_string()).unwrap();
    path
}

#[test]
fn what_is_not_computed_is_refused_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    for keys in [
        json!({ "use_dora": true }),
        json!({ "lora_bias": true }),
        json!({ "layer_replication": [[0, 2], [1, 2]] }),
        json!({ "alora_invocation_tokens": [3, 4] }),
        json!({ "corda_config": { "corda_method": "kpm" } }),
        json!({ "target_parameters": ["experts.down"] }),
        json!({ "megatron_config": { "size": 2 } }),
        json!({ "init_lora_weights": "corda" }),
        json!({ "init_lora_weights": "pissa_niter_16" }),
        json!({ "init_lora_weights": "loftq" }),
        json!({ "loftq_config": { "loftq_bits": 4 } }),
        json!({ "use_qalora": true }),
        json!({ "ensure_weight_tying": true }),
        json!({ "peft_type": "LOHA" }),
        json!({ "task_type": "SEQ_CLS" }),
        json!({ "a_key_of_tomorrow": 3 }),
        json!({ "rank_pattern": { "q_proj": 0 } }),
        json!({ "r": "four" }),
        json!({ "target_modules": null }),
        json!({ "bias": "some" }),
    ] {
        let key = keys.as_object().unwrap().keys().next().unwrap().clone();
        let path = with_settings(folder.path(), keys);
        let error = over(&fixture("tiny-llama"), &path).err().expect(&key);
        assert!(error.contains(&key), "{key}: {error}");
    }
    let refused = |keys: Value, told: &str| {
        let path = with_settings(folder.path(), keys);
        let error = over(&fixture("tiny-llama"), &path).err().expect(told);
        assert!(error.contains(told), "{error}");
    };
    refused(json!({ "target_modules": ["q_proj", "v_proj"] }), "have no use for");
    refused(json!({ "target_modules": ".*(?=x)q_proj" }), "regular expression");
    refused(json!({ "target_modules": ["nothing"] }), "holds no module of this base");
    refused(json!({ "target_modules": ["embed_tokens"] }), "beside an embedding");
    refused(json!({ "modules_to_save": ["lm_head"] }), "lacks `base_model.model.lm_head.weight`");
    refused(json!({ "trainable_token_indices": [3] }), "trainable_tokens_delta");
}

#[test]
fn files_of_torch_before_1_6_and_wrapped_names_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture("tiny-llama")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let weights = folder.path().join("model.safetensors");
    let plain = candle_core::safetensors::load(&weights, &candle_core::Device::Cpu).unwrap();
    for start in ["_orig_mod.", "module.", "module._orig_mod."] {
        let wrapped = plain.iter().map(|(name, tensor)| (format!("{start}{name}"), tensor.clone()));
        let wrapped: std::collections::HashMap<_, _> = wrapped.collect();
        candle_core::safetensors::save(&wrapped, &weights).unwrap();
        assert!(bits(&load::from_folder(folder.path(), &cpu()).unwrap()) == bits(&tiny()));
    }
    std::fs::remove_file(&weights).unwrap();
    let legacy = std::fs::read(fixture("tiny-llama-legacy.bin")).unwrap();
    let path = folder.path().join("pytorch_model.bin");
    std::fs::write(&path, &legacy).unwrap();
    assert!(bits(&load::from_folder(folder.path(), &cpu()).unwrap()) == bits(&tiny()));
    for cut in [15, 40, 300, legacy.len() / 2, legacy.len() - 1] {
        std::fs::write(&path, &legacy[..cut]).unwrap();
        let error = load::from_folder(folder.path(), &cpu()).err().unwrap();
        assert!(error.to_string().contains("torch.save"), "{error}");
    }
}

#[test]
fn tensors_that_are_not_used_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    save::to_folder(&tiny(), &folder.path().join("m"), DType::F32).unwrap();
    let path = folder.path().join("m/model.safetensors");
    let cpu_device = candle_core::Device::Cpu;
    let mut all = candle_core::safetensors::load(&path, &cpu_device).unwrap();
    let one = candle_core::Tensor::zeros(4, candle_core::DType::F32, &cpu_device).unwrap();
    for name in ["score.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"] {
        all.insert(name.to_string(), one.clone());
    }
    candle_core::safetensors::save(&all, &path).unwrap();
    let model = load::from_folder(&folder.path().join("m"), &cpu()).unwrap();
    assert_eq!(model.lineage().unused, ["score.weight"]);
}

/// A copy of an adapter whose tensors were changed.
fn with_tensors(
    folder: &Path,
    source: &str,
    change: impl Fn(&mut std::collections::HashMap<String, candle_core::Tensor>),
) -> PathBuf {
    let (source, path) = (fixture(source), folder.join("changed"));
    std::fs::create_dir_all(&path).unwrap();
    let settings = "adapter_config.json";
    std::fs::copy(source.join(settings), path.join(settings)).unwrap();
    let name = "adapter_model.safetensors";
    let cpu = candle_core::Device::Cpu;
    let mut tensors = candle_core::safetensors::load(source.join(name), &cpu).unwrap();
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, path.join(name)).unwrap();
    path
}

/// A copy of tiny-llama with a key of its configuration set.
fn with_config(folder: &Path, key: &str, value: Value) -> PathBuf {
    let path = folder.join("model");
    std::fs::create_dir_all(&path).unwrap();
    for entry in std::fs::read_dir(fixture("tiny-llama")).unwrap() {
        let file = entry.unwrap().path();
        std::fs::copy(&file, path.join(file.file_name().unwrap())).unwrap();
    }
    let config = path.join("config.json");
    let mut settings: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    settings[key] = value;
    std::fs::write(config, settings.to_string()).unwrap();
    path
}

#[test]
fn an_adapter_that_is_loaded_knows_how_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let stages = |text: &str| {
        let text = format!("{text}.lineage().stages");
        script_in(folder.path(), &text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    };
    let before = stages(r#"load_model("ebb/tiny")"#);
    let before = before.as_array().unwrap().len();
    let made = r#"let rows = ["One egg.", "Two eggs."]; let lora = #{ steps: 1, batch_size: 1, method: "lora", rank: 2 };
let base = load_model("ebb/tiny").finetune(rows, #{ steps: 1, batch_size: 1 }); base.save("base");"#;
    let saved = stages(&format!(
        r#"{made} let m = load_model("base").finetune(rows, lora); m.save("lo"); m"#
    ));
    assert_eq!(saved.as_array().unwrap().len(), before + 2);
    assert_eq!(stages(r#"load_model("lo")"#), saved);
    assert_eq!(
        stages(r#"load_model("base", #{ adapter: "lo" })"#),
        saved,
        "over a base that is given"
    );
    // Trained on from there, and merged, the history goes along.
    let twice = stages(
        r#"let m = load_model("lo").finetune(["Three eggs."], #{ steps: 1, batch_size: 1, method: "lora", rank: 2 });
m.save("again"); load_model("again")"#,
    );
    assert_eq!(twice.as_array().unwrap().len(), before + 3);
    assert_eq!(
        stages(r#"let m = load_model("again").merge(); m.save("merged"); load_model("merged")"#),
        twice
    );
}
