//! Going on with the training of adapters as peft does, and training models whose head is their own.

use ebb::model::adapter::module_of;
use ebb::model::load;
use ebb::model::{Model, save};
use ebb::train::examples::Example;
use ebb::train::finetune;
use ebb::train::options::{Duration, Method, Options};
use ebb::train::parameters::{kept, told_of_adapter};

use super::{base_of, logits, over};
use crate::support::{bits, close, cpu, fixture, ids, json, numbers, quiet, tiny};

const STEPS: usize = 12;

/// The rows of the fixture's traces.
fn rows() -> Vec<Example> {
    let row = |row: u32| Example::whole((3..14).map(|i| (i * i + 7 * row) % 61).collect());
    (0..6).map(row).collect()
}

fn options(method: Method) -> Options {
    Options {
        method,
        duration: Duration::Steps(STEPS),
        batch_size: 2,
        learning_rate: 5e-3,
        weight_decay: 0.01,
        warmup_steps: 3,
        shuffle: false,
        ..Options::default()
    }
}

/// What asks to go on with the adapter of a model.
fn same_again(model: &Model) -> Method {
    let adapter = model.adapter().unwrap();
    Method::Lora {
        rank: adapter.form.rank,
        alpha: adapter.form.alpha,
        dropout: 0.0,
        targets: adapter.modules().into_iter().map(str::to_string).collect(),
    }
}

#[test]
fn adapters_of_every_form_are_trained_on_as_peft_does() {
    let expected = json("adapters.json");
    let prompt = ids(&expected["ids"]);
    for (name, trace) in expected["traces"].as_object().unwrap() {
        let base = base_of(&expected, name);
        let base = base.path();
        let model = over(base, &fixture("adapters").join(name)).unwrap();
        let method = same_again(&model);
        assert!(kept(&model, &method).unwrap().is_some(), "{name}");
        assert_eq!(told_of_adapter(&model, &method).unwrap(), None, "{name}");
        let options = options(method);
        let trained = finetune(&model, &rows(), &[], &options, &quiet()).unwrap();
        let (losses, norms): (Vec<f64>, Vec<f64>) =
            trained.log().iter().map(|record| (record.loss, record.grad_norm)).unzip();
        for (ours, theirs, within) in [(losses, "losses", 1e-4), (norms, "norms", 1e-3)] {
            let theirs = numbers(&trace[theirs]);
            let relative: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
            close(&relative, &[1.0; STEPS], within, name);
        }
        let recomputed = Options { recompute: true, ..options };
        let again = finetune(&model, &rows(), &[], &recomputed, &quiet()).unwrap();
        close(&logits(&again, &prompt), &logits(&trained, &prompt), 1e-4, name);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trained");
        save::to_folder(&trained, &path, candle_core::DType::F32).unwrap();
        let loaded = over(base, &path).unwrap();
        close(&logits(&loaded, &prompt), &logits(&trained, &prompt), 1e-5, name);
        let (old, new) = (model.adapter().unwrap(), loaded.adapter().unwrap());
        assert_eq!(old.rows, new.rows, "{name}");
        assert_eq!(old.brought, new.brought, "{name}");
        assert!(old.brought.iter().all(|weight| new.trains(weight)), "{name}");
    }
}

#[test]
fn only_the_rows_of_the_tokens_that_an_adapter_lists_are_trained() {
    let model = over(&fixture("tiny-llama"), &fixture("adapters/tokens")).unwrap();
    let trained = finetune(&model, &rows(), &[], &options(same_again(&model)), &quiet()).unwrap();
    let name = "model.embed_tokens.weight";
    assert_eq!(module_of(name), "model.embed_tokens");
    let rows = |model: &Model| model.weights().dense[name].to_vec2::<f32>().unwrap();
    let changed: Vec<usize> = rows(&model)
        .iter()
        .zip(rows(&trained))
        .enumerate()
        .filter_map(|(token, (before, after))| (*before != after).then_some(token))
        .collect();
    assert_eq!(changed, [5, 9]);
}

#[test]
fn weights_that_came_along_untrained_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = super::with_tensors(folder.path(), "adapters/rslora", |tensors| {
        let weights = &tiny().weights().dense["model.embed_tokens.weight"] * 2.0;
        tensors.insert("base_model.model.model.embed_tokens.weight".to_string(), weights.unwrap());
    });
    let model = over(&fixture("tiny-llama"), &adapter).unwrap();
    let told = told_of_adapter(&model, &same_again(&model)).unwrap().unwrap();
    assert!(told.contains("stay as they are: model.embed_tokens.weight"), "{told}");
}

#[test]
fn every_method_trains_a_model_whose_configuration_ties_its_own_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = super::with_config(folder.path(), "tie_word_embeddings", true.into());
    let model = load::from_folder(&path, &cpu()).unwrap();
    assert!(bits(&model) == bits(&tiny()));
    for method in
        [Method::Head, Method::LastBlock, Method::Full, super::lora(&["q_proj", "down_proj"], 4)]
    {
        for recompute in [false, true] {
            let options = Options { recompute, ..options(method.clone()) };
            // The trainer refuses a parameter that receives no gradient.
            let ours = finetune(&model, &rows(), &[], &options, &quiet()).unwrap();
            let theirs = finetune(&tiny(), &rows(), &[], &options, &quiet()).unwrap();
            assert!(bits(&ours) == bits(&theirs), "{method:?}");
        }
    }
}
