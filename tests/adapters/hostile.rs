//! Checkpoints and adapters that do not hold what they say: each is read as it is meant, or refused in a sentence.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use ebb::model::load;
use serde_json::json;

use super::{over, with_config, with_tensors};
use crate::support::{bits, cpu, fixture, tiny};

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

/// A copy of tiny-llama whose weights were changed.
fn changed(folder: &Path, change: impl Fn(&mut HashMap<String, Tensor>)) -> PathBuf {
    let path = with_config(folder, "vocab_size", 280.into());
    let weights = path.join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&weights, &Device::Cpu).unwrap();
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, &weights).unwrap();
    path
}

fn refused(path: &Path) -> String {
    let error = load::from_folder(path, &cpu()).err().unwrap();
    format!("{error} ({})", error.hint().unwrap_or_default())
}

#[test]
fn weights_that_lack_one_or_hold_one_twice_are_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "lm_head.weight",
        "model.embed_tokens.weight",
        "model.norm.weight",
        "model.layers.1.mlp.up_proj.weight",
    ] {
        let path = changed(folder.path(), |tensors| drop(tensors.remove(name)));
        let error = refused(&path);
        assert!(error.contains(&format!("lack `{name}`")), "{error}");
    }
    let twice = ["module.lm_head.weight", "module.model.norm.weight"];
    for name in twice {
        let path = changed(folder.path(), |tensors| {
            let plain = name.trim_start_matches("module.");
            tensors.insert(name.to_string(), tensors[plain].clone());
        });
        let error = refused(&path);
        assert!(error.contains("twice"), "{error}");
    }
    for name in [
        "model.layers.0.self_attn.q_norm.weight",
        "model.layers.2.mlp.up_proj.weight",
        "model.layers.0.mlp.up_proj.weight_scale",
        "model.layers.0.self_attn.q_proj.lora_A.weight",
        "model.layers.0.self_attn.q_proj.bias",
    ] {
        let path = changed(folder.path(), |tensors| {
            tensors.insert(name.to_string(), zeros(&[4]));
        });
        let error = refused(&path);
        assert!(error.contains(name) && error.contains("no use for"), "{error}");
    }
}

#[test]
fn parts_whose_index_names_what_is_not_there_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lost = "model.layers.0.mlp.up_proj.weight";
    let path = changed(folder.path(), |_| {});
    let weights = path.join("model.safetensors");
    let tensors = candle_core::safetensors::load(&weights, &Device::Cpu).unwrap();
    std::fs::remove_file(&weights).unwrap();
    let part = |name: &str| {
        if name.contains("layers.0") {
            "model-00001-of-00002.safetensors"
        } else {
            "model-00002-of-00002.safetensors"
        }
    };
    let map: HashMap<&str, &str> = tensors.keys().map(|name| (name.as_str(), part(name))).collect();
    let index = json!({ "metadata": {}, "weight_map": map });
    std::fs::write(path.join("model.safetensors.index.json"), index.to_string()).unwrap();
    let write = |without: &str| {
        for file in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
            let held = tensors.iter().filter(|(name, _)| part(name) == file && *name != without);
            let held: HashMap<_, _> =
                held.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
            candle_core::safetensors::save(&held, path.join(file)).unwrap();
        }
    };
    write("");
    assert!(bits(&load::from_folder(&path, &cpu()).unwrap()) == bits(&tiny()));
    write(lost);
    let error = refused(&path);
    assert!(error.contains(lost), "{error}");
    std::fs::remove_file(path.join("model-00002-of-00002.safetensors")).unwrap();
    let error = refused(&path);
    assert!(error.contains("lacks its part model-00002-of-00002.safetensors"), "{error}");
}

#[test]
fn adapters_whose_tensors_do_not_fit_their_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let module = "base_model.model.model.layers.0.self_attn.q_proj";
    let refuse = |change: &dyn Fn(&mut HashMap<String, Tensor>), told: &str| {
        let path = with_tensors(folder.path(), "tiny-llama-lora", change);
        let error = over(&fixture("tiny-llama"), &path).err().expect(told);
        assert!(error.contains(told), "{error}");
    };
    let name = format!("{module}.lora_A.weight");
    refuse(&|tensors| drop(tensors.insert(name.clone(), zeros(&[8, 16]))), "shape [4, 16]");
    refuse(&|tensors| drop(tensors.insert(name.clone(), zeros(&[4, 20]))), "shape [4, 16]");
    refuse(&|tensors| drop(tensors.remove(&name)), &format!("lacks `{name}`"));
    refuse(
        &|tensors| drop(tensors.insert(name.clone(), (zeros(&[4, 16]) / 0.0).unwrap())),
        "not finite",
    );
    let again = format!("{module}.lora_A.default.weight");
    refuse(&|tensors| drop(tensors.insert(again.clone(), zeros(&[4, 16]))), "twice");
    let embedding = "base_model.model.model.embed_tokens.weight";
    refuse(
        &|tensors| drop(tensors.insert(embedding.to_string(), zeros(&[288, 16]))),
        "vocabulary of another size",
    );
    for extra in [
        "base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight",
        "base_model.model.score.weight",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
        "base_model.model.model.embed_tokens.lora_embedding_A",
    ] {
        refuse(&|tensors| drop(tensors.insert(extra.to_string(), zeros(&[4, 16]))), extra);
    }
}

#[test]
fn names_of_adapters_in_other_spellings_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let plain = over(&fixture("tiny-llama"), &fixture("tiny-llama-lora")).unwrap();
    type Spelling = fn(&str) -> String;
    let spellings: [Spelling; 3] = [
        |name| name.replace(".weight", ".default.weight"),
        |name| name.replace("base_model.model.", ""),
        |name| name.replace("base_model.model.", "base_model.model._orig_mod."),
    ];
    for spelling in spellings {
        let path = with_tensors(folder.path(), "tiny-llama-lora", |tensors| {
            let all = std::mem::take(tensors).into_iter();
            tensors.extend(all.map(|(name, tensor)| (spelling(&name), tensor)));
        });
        let model = over(&fixture("tiny-llama"), &path).unwrap();
        assert!(bits(&model) == bits(&plain));
    }
}
