//! Every decoder family against transformers and peft, on random weights with every switch of the family on: logits, losses,
//! gradients, greedy text alone and in a left-padded batch, traces of training, adapters, and what each method trains.

use candle_core::{DType, Var};
use ebb::generate::{self, Options as Generation};
use ebb::model::decoder::Pass;
use ebb::model::load::{self, LoadOptions};
use ebb::model::{Model, Tensors, Weights, save};
use ebb::ops;
use ebb::train::batches::collate;
use ebb::train::examples::{Example, Source, tokenize};
use ebb::train::finetune;
use ebb::train::options::{Duration, Method, Options, Schedule};
use serde_json::Value;

use crate::support::{bits, close, fixture, ids, json, numbers, quiet};

const FAMILIES: [&str; 12] = [
    "llama3",
    "vicuna",
    "yarn",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma3",
    "gpt2",
    "gpt_neox",
    "gpt_neox_serial",
    "opt",
    "gemma2",
];

/// The model of a family, with tiny-llama's tokenizer.
pub fn model(name: &str) -> (Model, Value) {
    let folder = tempfile::tempdir().unwrap();
    let tokenizers = ["tokenizer.json", "tokenizer_config.json"];
    let copy = |from: std::path::PathBuf, file: &str| {
        std::fs::copy(from.join(file), folder.path().join(file)).unwrap();
    };
    for file in tokenizers {
        copy(fixture("tiny-llama"), file);
    }
    for file in ["config.json", "model.safetensors"] {
        copy(fixture(&format!("families/{name}")), file);
    }
    let model = load::from_folder(folder.path(), &LoadOptions::default()).unwrap();
    (model, json(&format!("families/{name}.json")))
}

/// The adapter of a family, over a base at hand beside it.
fn adapted(name: &str) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let (base, adapter) = (folder.path().join(name), folder.path().join("adapter"));
    for (folder, from, files) in [
        (&base, fixture("tiny-llama"), ["tokenizer.json", "tokenizer_config.json"]),
        (&base, fixture(&format!("families/{name}")), ["config.json", "model.safetensors"]),
        (
            &adapter,
            fixture(&format!("families/{name}-lora")),
            ["adapter_config.json", "adapter_model.safetensors"],
        ),
    ] {
        std::fs::create_dir_all(folder).unwrap();
        for file in files {
            std::fs::copy(from.join(file), folder.join(file)).unwrap();
        }
    }
    load::from_folder(&adapter, &LoadOptions::default()).unwrap()
}

fn examples(model: &Model) -> Vec<Example> {
    let expected = json("tiny_llama.json");
    let texts = expected["texts"].as_array().unwrap().iter();
    let sources: Vec<Source> =
        texts.map(|text| Source::Text(text.as_str().unwrap().to_string())).collect();
    tokenize(model.tokenizer(), &sources, 128).unwrap().0
}

fn logits(model: &Model, row: usize) -> Vec<f64> {
    let expected = json("tiny_llama.json");
    let logits = generate::last_logits(model, &ids(&expected["ids"][row])).unwrap();
    logits.into_iter().map(f64::from).collect()
}

#[test]
fn logits_equal_transformers_in_every_family() {
    for name in FAMILIES {
        let (model, expected) = model(name);
        for row in 0..2 {
            // The issue asks for 1e-4; f32 rounding over two layers leaves less.
            close(&logits(&model, row), &numbers(&expected["logits"][row]), 5e-5, name);
        }
    }
}

#[test]
fn losses_and_gradients_equal_transformers_in_a_padded_batch() {
    for name in FAMILIES {
        let (model, expected) = model(name);
        let variables: Vec<(String, Var)> = (model.weights().dense.iter())
            .map(|(name, weight)| (name.clone(), Var::from_tensor(weight).unwrap()))
            .collect();
        let weights: Tensors =
            variables.iter().map(|(name, v)| (name.clone(), v.as_tensor().clone())).collect();
        let weights = Weights::dense(weights);
        let decoder = model.decoder_over(&weights, None).unwrap();
        let all = examples(&model);
        let rows: Vec<&Example> = all.iter().take(3).collect();
        let batch = collate(&rows, 0, &model.device()).unwrap();
        let hidden = decoder.hidden(&batch.ids, &mut Pass::default()).unwrap();
        let flat = hidden.reshape(((), 16)).unwrap();
        let flat = flat.index_select(&batch.positions, 0).unwrap();
        let sum = ops::cross_entropy_sum(&decoder.logits(&flat).unwrap(), &batch.targets).unwrap();
        let loss = (sum / batch.trained as f64).unwrap();
        let ours = f64::from(loss.to_scalar::<f32>().unwrap());
        let theirs = expected["batch_loss"].as_f64().unwrap();
        close(&[ours], &[theirs], 1e-5, &format!("{name}: loss"));
        let gradients = loss.backward().unwrap();
        for (weight, variable) in &variables {
            let gradient = gradients.get(variable.as_tensor());
            let gradient = gradient.unwrap_or_else(|| panic!("{name}: {weight} has none"));
            let transposed = name == "gpt2" && weight.contains(".c_");
            let gradient = if transposed && gradient.rank() == 2 {
                gradient.t().unwrap().contiguous().unwrap()
            } else {
                gradient.clone()
            };
            let flat = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let flat: Vec<f64> = flat.into_iter().map(f64::from).collect();
            let theirs = &expected["gradients"][weight];
            let norm = flat.iter().map(|x| x * x).sum::<f64>().sqrt();
            let size = theirs["norm"].as_f64().unwrap();
            // Relative to the whole gradient of the weight: single elements may be near 0.
            let tolerance = 1e-4 * size.max(1e-3);
            let what = format!("{name}: gradient of {weight}");
            close(&[norm], &[size], tolerance, &what);
            close(&flat[..4], &numbers(&theirs["first"]), tolerance, &what);
            let last = &flat[flat.len() - 4..];
            close(last, &numbers(&theirs["last"]), tolerance, &what);
        }
    }
}

#[test]
fn greedy_text_equals_transformers_alone_and_in_a_left_padded_batch() {
    for name in FAMILIES {
        let (model, expected) = model(name);
        let prompts: Vec<Vec<u32>> = (expected["prompts"].as_array().unwrap().iter())
            .map(|prompt| model.tokenizer().encode(prompt.as_str().unwrap()).unwrap())
            .collect();
        let theirs: Vec<Vec<u32>> =
            expected["greedy"].as_array().unwrap().iter().map(ids).collect();
        for batch_size in [1, 3] {
            let options = Generation { max_new_tokens: 16, batch_size, ..Generation::default() };
            let written = generate::generate(&model, &prompts, &[], &options, &quiet()).unwrap();
            for (ours, theirs) in written.completions.iter().zip(&theirs) {
                // Ours ends at the end token (0), the reference goes on.
                let end = theirs.iter().position(|id| *id == 0);
                let theirs = &theirs[..end.unwrap_or(theirs.len())];
                assert_eq!(ours.ids, theirs, "{name}, batches of {batch_size}");
            }
        }
    }
}

fn reference(method: Method) -> Options {
    Options {
        method,
        duration: Duration::Steps(20),
        batch_size: 2,
        learning_rate: 5e-3,
        weight_decay: 0.01,
        warmup_steps: 3,
        schedule: Schedule::Linear,
        shuffle: false,
        ..Options::default()
    }
}

#[test]
fn twenty_steps_of_training_follow_torch_in_every_family_and_method() {
    for name in FAMILIES {
        let (model, expected) = model(name);
        let with_adapter = adapted(name);
        let adapter = with_adapter.adapter().unwrap();
        let lora = Method::Lora {
            rank: adapter.form.rank,
            alpha: adapter.form.alpha,
            dropout: 0.0,
            targets: adapter.form.targets.text().split(' ').map(str::to_string).collect(),
        };
        close(
            &logits(&with_adapter, 0),
            &numbers(&expected["lora_logits"]),
            5e-5,
            &format!("{name}: logits with an adapter"),
        );
        for (key, start, method) in [
            ("full", &model, Method::Full),
            ("last_block", &model, Method::LastBlock),
            ("lora", &with_adapter, lora),
        ] {
            let data = examples(start);
            let trained = finetune(start, &data, &[], &reference(method), &quiet()).unwrap();
            let theirs = numbers(&expected[key]);
            for (record, theirs) in trained.log().iter().zip(&theirs) {
                let off = (record.loss - theirs).abs() / theirs;
                assert!(off < 1e-4, "{name}, {key}, step {}: {off:.1e}", record.step);
            }
        }
    }
}

#[test]
fn a_saved_model_is_the_model_it_was() {
    for name in FAMILIES {
        let (model, _) = model(name);
        let folder = tempfile::tempdir().unwrap();
        save::to_folder(&model, &folder.path().join("copy"), DType::F32).unwrap();
        let again = load::from_folder(&folder.path().join("copy"), &LoadOptions::default());
        assert_eq!(bits(&again.unwrap()), bits(&model), "{name}");
    }
}

#[test]
fn packed_weights_give_the_bits_of_their_unpacked_selves_and_carry_adapters() {
    for (name, kind) in [("vicuna", "q8_0"), ("qwen3", "q4_0"), ("gpt2", "q8_0")] {
        // Rows of 32 values at least: blocks are 32 wide.
        let config = serde_json::json!({
            "model_type": if name == "vicuna" { "llama" } else { name }, "vocab_size": 280, "hidden_size": 32,
            "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 8, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "n_inner": 64,
            "max_position_embeddings": 64, "eos_token_id": 0, "initializer_range": 0.2,
            "tie_word_embeddings": name != "vicuna",
        });
        let config = ebb::model::config::Config::from_json(&config).unwrap();
        let tokenizer = self::model("llama3").0.tokenizer().clone();
        let dense = load::random(config.clone(), tokenizer, 3, &LoadOptions::default()).unwrap();
        let packed = dense.weights().clone().quantized(&config, kind).unwrap();
        assert!(packed.packed.len() >= 8, "{}", packed.packed.len());
        let unpacked = Weights::dense(packed.all_unpacked().unwrap());
        let of = |weights: Weights| {
            let tokenizer = dense.tokenizer().clone();
            Model::new(config.clone(), tokenizer, weights, None, Default::default()).unwrap()
        };
        let (packed, unpacked) = (of(packed), of(unpacked));
        assert_eq!(logits(&packed, 0), logits(&unpacked, 0), "{name}");
        let method = Method::Lora {
            rank: 4,
            alpha: 8.0,
            dropout: 0.0,
            targets: vec![if name == "gpt2" { "c_attn" } else { "q_proj" }.to_string()],
        };
        let data = examples(&packed);
        let train = |model: &Model| {
            finetune(model, &data, &[], &reference(method.clone()), &quiet()).unwrap()
        };
        let (ours, theirs) = (train(&packed), train(&unpacked));
        assert_eq!(
            bits(&ours).iter().filter(|(name, _)| name.contains("lora")).collect::<Vec<_>>(),
            bits(&theirs).iter().filter(|(name, _)| name.contains("lora")).collect::<Vec<_>>(),
            "{name}: the adapter over packed weights"
        );
        // Three batches go round: step 19 sees the rows of step 1.
        assert!(ours.log()[18].loss < ours.log()[0].loss);
        let merged = ours.merge().unwrap();
        close(&logits(&merged, 0), &logits(&ours, 0), 1e-4, "merged");
        let error = finetune(&packed, &data, &[], &reference(Method::Full), &quiet());
        let error = error.err().unwrap().to_string();
        assert!(error.contains("quantized weights cannot be trained"), "{error}");
    }
}
