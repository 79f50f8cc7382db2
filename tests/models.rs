//! Models against transformers and peft: logits, losses, gradients and greedy text; loading, saving, and bad files.

use candle_core::{DType, Tensor, Var};
use ebb::generate::{Options, generate, last_logits};
use ebb::model::decoder::Pass;
use ebb::model::load::{self, LoadOptions};
use ebb::model::save;
use ebb::model::{Tensors, Weights};
use ebb::ops;
use ebb::train::batches::collate;
use ebb::train::evaluate::token_losses;
use ebb::train::examples::{Example, Source, tokenize};

use crate::support::{
    bits, close, cpu, fixture, ids, json, numbers, quiet, script_in, stories, tiny,
    tiny_with_adapter, values,
};

#[test]
fn logits_equal_transformers() {
    let (model, expected) = (tiny(), json("tiny_llama.json"));
    for (place, theirs) in expected["logits"].as_array().unwrap().iter().enumerate() {
        let ours = last_logits(&model, &ids(&expected["ids"][place])).unwrap();
        let ours: Vec<f64> = ours.into_iter().map(f64::from).collect();
        // f32 rounding over two layers; the issue asks for 1e-4.
        close(&ours, &numbers(theirs), 2e-5, "logits");
    }
}

#[test]
fn the_tokenizer_gives_the_ids_of_the_tokenizers_library() {
    let (model, expected) = (tiny(), json("tiny_llama.json"));
    for (text, theirs) in
        expected["texts"].as_array().unwrap().iter().zip(expected["ids"].as_array().unwrap())
    {
        let text = text.as_str().unwrap();
        let ours = model.tokenizer().encode(text).unwrap();
        assert_eq!(ours, ids(theirs));
        assert_eq!(model.tokenizer().decode(&ours).unwrap(), text);
    }
}

fn examples() -> Vec<Example> {
    let expected = json("tiny_llama.json");
    let texts = expected["texts"].as_array().unwrap().iter();
    let sources: Vec<Source> =
        texts.map(|text| Source::Text(text.as_str().unwrap().to_string())).collect();
    tokenize(tiny().tokenizer(), &sources, 128).unwrap().0
}

#[test]
fn losses_of_texts_equal_transformers() {
    let (model, expected) = (tiny(), json("tiny_llama.json"));
    let losses = token_losses(&model, &examples(), &quiet()).unwrap();
    let means: Vec<f64> = losses.iter().map(|l| l.iter().sum::<f64>() / l.len() as f64).collect();
    close(&means, &numbers(&expected["losses"]), 1e-5, "losses");
}

#[test]
fn gradients_of_every_weight_equal_transformers_in_a_padded_batch() {
    let (model, expected) = (tiny(), json("tiny_llama.json"));
    let variables: Vec<(String, Var)> = model
        .weights()
        .dense
        .iter()
        .map(|(name, weight)| (name.clone(), Var::from_tensor(weight).unwrap()))
        .collect();
    let weights: Tensors =
        variables.iter().map(|(name, v)| (name.clone(), v.as_tensor().clone())).collect();
    let weights = Weights::dense(weights);
    let decoder = model.decoder_over(&weights, None).unwrap();
    let all = examples();
    let rows: Vec<&Example> = all.iter().take(3).collect();
    let batch = collate(&rows, 0, &model.device()).unwrap();
    let hidden = decoder.hidden(&batch.ids, &mut Pass::default()).unwrap();
    let flat = hidden.reshape(((), 16)).unwrap().index_select(&batch.positions, 0).unwrap();
    let sum = ops::cross_entropy_sum(&decoder.logits(&flat).unwrap(), &batch.targets).unwrap();
    let loss = (sum / batch.trained as f64).unwrap();
    let ours = f64::from(loss.to_scalar::<f32>().unwrap());
    close(&[ours], &[expected["batch_loss"].as_f64().unwrap()], 1e-5, "loss");
    let gradients = loss.backward().unwrap();
    for (name, variable) in &variables {
        let gradient =
            gradients.get(variable.as_tensor()).unwrap_or_else(|| panic!("{name} has none"));
        let theirs = numbers(&expected["gradients"][name]);
        let largest = theirs.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        assert!(largest > 0.0, "{name}");
        close(&values(gradient), &theirs, 1e-4 * largest, name);
    }
}

#[test]
fn greedy_decoding_with_the_cache_equals_transformers() {
    let (model, expected) = (tiny(), json("tiny_llama.json"));
    let prompt = model.tokenizer().encode("The kettle").unwrap();
    // The fixture ignores the end token; so does this, token by token.
    let mut text = prompt.clone();
    for theirs in ids(&expected["greedy"]) {
        let logits = last_logits(&model, &text).unwrap();
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        assert_eq!(best as u32, theirs);
        text.push(theirs);
    }
    let options = Options { max_new_tokens: 24, ..Options::default() };
    let outcome = generate(&model, &[prompt], &[], &options, &quiet()).unwrap();
    let expected: Vec<u32> =
        ids(&expected["greedy"]).into_iter().take_while(|id| *id != 0).collect();
    assert_eq!(outcome.completions[0].ids, expected);
}

#[test]
fn an_adapter_folder_of_peft_gives_its_logits_also_merged() {
    let (model, expected) = (tiny_with_adapter(), json("tiny_llama.json"));
    for model in [model.clone(), model.merge().unwrap()] {
        let ours = last_logits(&model, &ids(&expected["ids"][0])).unwrap();
        let ours: Vec<f64> = ours.into_iter().map(f64::from).collect();
        close(&ours, &numbers(&expected["lora_logits"]), 2e-5, "logits");
    }
    assert!(model.merge().unwrap().adapter().is_none());
}

#[test]
fn stories260k_gives_the_logits_losses_and_greedy_text_of_transformers() {
    let Some(model) = stories() else { return };
    for expected in json("stories260k.json").as_array().unwrap() {
        let prompt = model.tokenizer().encode(expected["text"].as_str().unwrap()).unwrap();
        assert_eq!(prompt, ids(&expected["ids"]));
        let logits = last_logits(&model, &prompt).unwrap();
        let logits: Vec<f64> = logits.into_iter().map(f64::from).collect();
        close(&logits, &numbers(&expected["logits"]), 1e-4, "logits");
        let losses = token_losses(&model, &[Example::whole(prompt.clone())], &quiet()).unwrap();
        let mean = losses[0].iter().sum::<f64>() / losses[0].len() as f64;
        close(&[mean], &[expected["loss"].as_f64().unwrap()], 1e-5, "loss");
        let options = Options { max_new_tokens: 64, ..Options::default() };
        let outcome =
            generate(&model, std::slice::from_ref(&prompt), &[], &options, &quiet()).unwrap();
        assert_eq!(outcome.completions[0].ids, ids(&expected["greedy_ids"]));
        let whole = [prompt, outcome.completions[0].ids.clone()].concat();
        assert_eq!(model.tokenizer().decode(&whole).unwrap(), expected["greedy"].as_str().unwrap());
    }
}

#[test]
fn a_left_padded_row_has_the_bits_of_the_row_alone() {
    let model = tiny();
    let decoder = model.decoder().unwrap();
    let (short, long) = (vec![5u32, 9, 30], vec![7u32, 8, 9, 10, 11, 12, 13]);
    let alone = Tensor::new(&short[..], &model.device()).unwrap().unsqueeze(0).unwrap();
    let alone = decoder.hidden(&alone, &mut Pass::default()).unwrap();
    let mut padded = vec![0u32; 4];
    padded.extend(&short);
    padded.extend(&long);
    let batch = Tensor::from_vec(padded, (2, 7), &model.device()).unwrap();
    let mut pass = Pass { starts: vec![4, 0], ..Pass::default() };
    let both = decoder.hidden(&batch, &mut pass).unwrap();
    let row = both.narrow(0, 0, 1).unwrap().narrow(1, 4, 3).unwrap();
    assert_eq!(values(&alone), values(&row.contiguous().unwrap()));
}

#[test]
fn a_model_survives_saving_and_loading_bit_for_bit_and_in_half_precision_nearly() {
    let folder = tempfile::tempdir().unwrap();
    let model = tiny();
    let whole = folder.path().join("whole");
    save::to_folder(&model, &whole, DType::F32).unwrap();
    let again = load::from_folder(&whole, &cpu()).unwrap();
    assert_eq!(bits(&model), bits(&again));
    assert_eq!(model.config(), again.config());
    assert_eq!(model.tokenizer().end_ids(), again.tokenizer().end_ids());
    let half = folder.path().join("half");
    save::to_folder(&model, &half, DType::F16).unwrap();
    let again = load::from_folder(&half, &cpu()).unwrap();
    let (a, b) = (last_logits(&model, &[5, 6]).unwrap(), last_logits(&again, &[5, 6]).unwrap());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.05));
    let adapter = folder.path().join("adapter");
    save::to_folder(&tiny_with_adapter(), &adapter, DType::F32).unwrap();
    assert!(adapter.join("adapter_model.safetensors").is_file());
    assert!(std::fs::read_dir(folder.path()).unwrap().count() == 3, "nothing else is left behind");
}

#[test]
fn an_adapter_comes_over_a_base_at_hand() {
    let folder = tempfile::tempdir().unwrap();
    let trained = r#"let base = load_model("ebb/tiny");
        let tuned = base.finetune(["a cat sat"], #{ steps: 2, method: "lora", rank: 2, dropout: 0.0 });
        tuned.save("adapter"); base.save("base"); tuned.loss("a dog ran")"#;
    let loss = script_in(folder.path(), trained).unwrap();
    for load in [
        r#"load_model("ebb/tiny", #{ adapter: "adapter" })"#,
        r#"load_model("adapter")"#,
        r#"load_model("adapter").merge()"#,
    ] {
        let again = script_in(folder.path(), &format!(r#"{load}.loss("a dog ran")"#)).unwrap();
        let close = (again.as_f64().unwrap() - loss.as_f64().unwrap()).abs() < 1e-5;
        assert!(close, "{load}: {again}, {loss}");
    }
    let refused = |text: &str| {
        let error = script_in(folder.path(), text).unwrap_err();
        format!("{} ({})", error.message, error.hint.unwrap_or_default())
    };
    // Saved as f32, the base has another hash than the bundled f16 file.
    let other = refused(r#"load_model("base", #{ adapter: "adapter" })"#);
    assert!(other.contains("was made for other weights"), "{other}");
    let twice = refused(r#"load_model("adapter", #{ adapter: "adapter" })"#);
    assert!(twice.contains("has an adapter already"), "{twice}");
    let none = refused(r#"load_model("ebb/tiny", #{ adapter: "base" })"#);
    assert!(none.contains("has no adapter_config.json"), "{none}");
}

#[test]
fn an_adapter_cannot_reach_a_base_outside_what_the_run_may_read() {
    let (folder, private) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let base = private.path().join("base");
    save::to_folder(&tiny(), &base, DType::F32).unwrap();
    let adapter = folder.path().join("adapter");
    std::fs::create_dir(&adapter).unwrap();
    let settings = serde_json::json!({ "base_model_name_or_path": base, "r": 2, "target_modules": ["q_proj"] });
    std::fs::write(adapter.join("adapter_config.json"), settings.to_string()).unwrap();
    let error = script_in(folder.path(), r#"load_model("adapter")"#).unwrap_err();
    assert!(error.message.contains("is not allowed"), "{}", error.message);
}

#[test]
fn saving_refuses_a_folder_that_is_not_a_model() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let error = save::to_folder(&tiny(), folder.path(), DType::F32).unwrap_err();
    assert!(error.to_string().contains("is not a model"), "{error}");
    assert!(folder.path().join("thesis.txt").is_file());
}

/// A copy of the fixture with one file changed.
fn spoiled(name: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture("tiny-llama")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.path().join(name);
    let bytes = change(std::fs::read(&path).unwrap());
    if bytes.is_empty() {
        std::fs::remove_file(&path).unwrap()
    } else {
        std::fs::write(&path, bytes).unwrap()
    }
    let outcome = load::from_folder(folder.path(), &cpu());
    outcome.err().expect("a spoiled model must not load").to_string()
}

fn replaced(from: &'static str, to: &'static str) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{from}");
        text.replace(from, to).into_bytes()
    }
}

#[test]
fn broken_models_are_refused_in_sentences() {
    let shape = spoiled("config.json", replaced("\"hidden_size\": 16", "\"hidden_size\": 32"));
    assert!(
        shape.contains("model.") && shape.contains("[280, 32]") && shape.contains("[280, 16]"),
        "{shape}"
    );
    let family = spoiled("config.json", replaced("\"llama\"", "\"mamba\""));
    assert!(family.contains("unknown model family `mamba`"), "{family}");
    let heads = spoiled(
        "config.json",
        replaced("\"num_attention_heads\": 4", "\"num_attention_heads\": 0"),
    );
    assert!(heads.contains("num_attention_heads"), "{heads}");
    let odd = spoiled(
        "config.json",
        replaced("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"),
    );
    assert!(odd.contains("multiple of num_key_value_heads"), "{odd}");
    let huge =
        spoiled("config.json", replaced("\"vocab_size\": 280", "\"vocab_size\": 99999999999"));
    assert!(huge.contains("vocab_size"), "{huge}");
    let layers =
        spoiled("config.json", replaced("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"));
    assert!(layers.contains("lack `model.layers.2."), "{layers}");
    let cut = spoiled("model.safetensors", |bytes| bytes[..bytes.len() / 2].to_vec());
    assert!(cut.contains("not a whole safetensors file"), "{cut}");
    let nonsense = spoiled("model.safetensors", |_| vec![0xff; 64]);
    assert!(nonsense.contains("not a whole safetensors file"), "{nonsense}");
    let tokenizer = spoiled("tokenizer.json", |_| Vec::new());
    assert!(tokenizer.contains("has no tokenizer.json"), "{tokenizer}");
    let config = spoiled("config.json", |_| b"{".to_vec());
    assert!(config.contains("config.json") && config.contains("cannot be read"), "{config}");
}

#[test]
fn unknown_sources_and_devices_are_told() {
    let open = |source: &str, options: &LoadOptions| {
        let settings = ebb::hub::Settings { offline: true, ..Default::default() };
        load::open(source, None, options, &settings).err().unwrap()
    };
    assert!(open("ebb/nothing", &cpu()).to_string().contains("unknown bundled model"));
    assert!(open("nowhere", &cpu()).hint().unwrap().contains("save_pretrained"));
    let device = LoadOptions { device: "tpu".to_string(), ..LoadOptions::default() };
    let error = load::from_folder(&fixture("tiny-llama"), &device).err().unwrap();
    assert!(error.to_string().contains("unknown device `tpu`"), "{error}");
}

/// The keys of transformers 5.23's `rope_parameters` after LlamaConfig read each of these maps: `rope_scaling` goes before
/// `rope_parameters` where it holds anything, its base included.
#[test]
fn rope_scaling_goes_before_rope_parameters() {
    use ebb::model::config::Config;
    use ebb::model::config::rope::Scaling;
    use serde_json::{Value, json};

    let rope = |settings: Value| {
        let mut map = json!({
            "model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 64,
        });
        for (key, value) in settings.as_object().unwrap() {
            map[key] = value.clone();
        }
        let rope = Config::from_json(&map).unwrap().rope.unwrap();
        (rope.theta, rope.scaling)
    };
    let parameters = json!({ "rope_type": "linear", "factor": 4.0, "rope_theta": 5e5 });
    let linear = |factor: f64| Scaling::Linear { factor };
    for (settings, theta, scaling) in [
        (
            json!({ "rope_parameters": parameters, "rope_scaling": { "type": "linear", "factor": 2.0 } }),
            1e4,
            linear(2.0),
        ),
        (
            json!({ "rope_parameters": parameters, "rope_scaling": { "type": "linear", "factor": 2.0 }, "rope_theta": 7e4 }),
            7e4,
            linear(2.0),
        ),
        (json!({ "rope_parameters": parameters, "rope_scaling": {} }), 5e5, linear(4.0)),
        (json!({ "rope_parameters": parameters, "rope_scaling": null }), 5e5, linear(4.0)),
        (
            json!({ "rope_scaling": { "type": "linear", "factor": 2.0, "rope_theta": 3e3 }, "rope_theta": 7e4 }),
            3e3,
            linear(2.0),
        ),
    ] {
        assert_eq!(rope(settings.clone()), (theta, scaling), "{settings}");
    }
    let both = json!({
        "model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 64,
        "rope_parameters": { "rope_type": "default", "rope_theta": 5e5 }, "rope_scaling": { "type": "nonsense" },
    });
    assert!(Config::from_json(&both).is_err());
}
