//! Models: loading, making, saving, and looking into them.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use candle_core::DType;
use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series};
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::checkpoints;
use super::frame::Frame;
use super::tokenizer::{TokenizerFile, register_tokenizer};
use super::tokens::{ids_array, prompt_ids, token_ids};
use super::told;
use crate::aside::aside;
use crate::doorway::Found;
use crate::error::{Context, Error, Result};
use crate::folders;
use crate::generate;
use crate::model::config::Config;
use crate::model::lineage::StepRecord;
use crate::model::load::{self, LoadOptions};
use crate::model::text::TextTokenizer;
use crate::model::weights::{Entry, Weights};
use crate::model::{Model, save};
use crate::script::convert;
use crate::script::failure::At;
use crate::script::host::Host;
use crate::script::lost;
use crate::script::options::Options;
use crate::script::record::{OptionDoc, Record, option};

/// The options of saving a model or a classifier.
pub const SAVING: &[OptionDoc] = &[option(
    "dtype",
    "string",
    r#""f32""#,
    r#"How the weights are stored: "f32", "f16" or "bf16""#,
)];

pub const RECORDS: &[Record] = &[
    Record::new(
        "load_model",
        &["load_model(source) -> Model", "load_model(source, opts) -> Model"],
        "A model from a bundled name, a folder or the Hub",
        r#"load_model("ebb/tiny").config().hidden_size"#,
        register_load,
    )
    .doc(
        "`ebb/NAME` is bundled; a folder has save_pretrained layout or is a PEFT adapter folder; a `.gguf` file holds everything, \
         and its matrices stay in their blocks; `org/name@revision` is a Hub \
         repository.",
    )
    .options(&[
        &[
            option("device", "string", "", r#"What it runs on: "auto", "cpu" or "cuda:0"; else what the run is told"#),
            option("dtype", "string", r#""f32""#, r#"What the weights are held in: "f32", "bf16" or "f16""#),
            option("revision", "string", "", "The branch, tag or commit of a Hub repository"),
            option("adapter", "string", "", "A PEFT folder to put over the model"),
            option("base", "Model", "", "Of a checkpoint: the model that it was trained from, where that was finetuned itself"),
            option("quantize", "string", "", r#"Packs the matrices into GGUF blocks: "q8_0", "q6_k", "q5_k", "q5_1", "q5_0", "q4_k", "q4_1" or "q4_0""#),
        ],
    ]),
    Record::new(
        "train_tokenizer",
        &["train_tokenizer(texts, opts) -> Tokenizer"],
        "A byte-level BPE tokenizer made from texts",
        r#"train_tokenizer(["the cat sat on the mat"], #{ vocab_size: 270, special_tokens: ["<end>"], spaces: "apart" })"#,
        register_tokenizer,
    )
    .options(&[
        &[
            option("vocab_size", "whole number", "2048", "How many tokens it has"),
            option("special_tokens", "string or array of strings", r#"["<end>"]"#, "They take the first ids, and the first of them ends a text"),
            option("spaces", "string", r#""joined""#, r#""joined" with the word behind them as GPT-2 has it, or "apart" as tokens of their own"#),
        ],
    ]),
    Record::new(
        "new_model",
        &["new_model(config, tokenizer, seed) -> Model"],
        "A model with random weights from a config map in transformers' terms",
        r#"let t = train_tokenizer(["the cat sat"], #{ vocab_size: 270 });
new_model(#{ hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 64 }, t, 0).parameters().len()"#,
        register_new,
    )
    .doc("`vocab_size` and `eos_token_id` default to the tokenizer's."),
    Record::new(
        "Model.save",
        &["m.save(folder) -> Model", "m.save(folder, opts) -> Model"],
        "Writes a folder that transformers loads, or with an adapter one that peft loads",
        r#"load_model("ebb/tiny").save("copy")"#,
        register_save,
    )
    .doc("The folder appears whole or not at all.")
    .options(&[SAVING]),
    Record::new(
        "Model.merge",
        &["m.merge() -> Model"],
        "The model with its adapter folded into its weights",
        r#"load_model("ebb/tiny").merge()"#,
        |engine, _| {
            engine.register_fn("merge", |context: NativeCallContext, m: Model| m.merge().at(&context));
        },
    ),
    Record::new(
        "Model.config",
        &["m.config() -> map", "m.lineage() -> map"],
        "The config in transformers' terms; how the model came to be: source, hash, and each finetuning",
        r#"load_model("ebb/tiny").lineage().source"#,
        |engine, _| {
            engine.register_fn("config", |m: &mut Model| convert::from_json(&m.config().to_json("float32")));
            engine.register_fn("lineage", |m: &mut Model| {
                convert::from_json(&serde_json::to_value(m.lineage()).unwrap_or_default())
            });
        },
    ),
    Record::new(
        "Model.parameters",
        &["m.parameters() -> Frame"],
        "Name, shape, dtype and number of values of every weight",
        r#"load_model("ebb/tiny").parameters().select(col("values").sum())"#,
        |engine, _| {
            engine.register_fn("parameters", |context: NativeCallContext, m: Model| {
                parameters(&m).map(Frame).at(&context)
            });
        },
    ),
    Record::new(
        "Model.log",
        &["m.log() -> Frame"],
        "The log of the finetuning that made the model: a row a step",
        r#"load_model("ebb/tiny").log().columns()"#,
        |engine, _| {
            engine.register_fn("log", |context: NativeCallContext, m: Model| {
                log_frame(m.log()).map(Frame).at(&context)
            });
        },
    )
    .doc("Columns: step, epoch, loss, learning_rate, grad_norm, tokens, tokens_per_second, validation_loss."),
    Record::new(
        "Model.tokenize",
        &[
            "m.tokenize(text) -> array",
            "m.tokenize(text, opts)",
            "m.detokenize(ids) -> string",
        ],
        "Token ids of a text, begin token included where the model has one; and back",
        r#"let m = load_model("ebb/tiny"); m.detokenize(m.tokenize("Hello there"))"#,
        |engine, _| {
            engine.register_fn("tokenize", |context: NativeCallContext, m: Model, text: &str| {
                tokenize(&m, text, Options::none("tokenize")).at(&context)
            });
            engine.register_fn(
                "tokenize",
                |context: NativeCallContext, m: Model, text: &str, opts: Map| {
                    tokenize(&m, text, Options::new("tokenize", opts)).at(&context)
                },
            );
            engine.register_fn("detokenize", |context: NativeCallContext, m: Model, ids: Array| {
                token_ids(&Dynamic::from(ids)).and_then(|ids| m.tokenizer().decode(&ids)).at(&context)
            });
        },
    )
    .doc(
        "A text that begins with the begin token gets no second one.",
    )
    .options(&[
        &[
            option("add_special", "true or false", "true", "Puts a begin token in front where the model has one; false gives the text's own tokens alone, as for a rendered chat"),
        ],
    ]),
    Record::new(
        "Model.logits",
        &["m.logits(text) -> array"],
        "The logits of the token that would come next",
        r#"load_model("ebb/tiny").logits("Hello").len()"#,
        |engine, _| {
            engine.register_fn("logits", |context: NativeCallContext, m: Model, text: Dynamic| {
                let ids = prompt_ids(&m, &text).at(&context)?;
                let logits = generate::last_logits(&m, &ids).at(&context)?;
                Ok::<_, Box<rhai::EvalAltResult>>(
                    logits.into_iter().map(|x| Dynamic::from(f64::from(x))).collect::<Array>(),
                )
            });
        },
    ),
];

fn tokenize(model: &Model, text: &str, options: Options) -> Result<Array> {
    let add_special = options.boolean("add_special")?.unwrap_or(true);
    options.finish()?;
    let (model, text) = (model.clone(), text.to_string());
    let tokens = aside(move || model.tokenizer().tokens(&text, add_special))?;
    Ok(ids_array(&tokens.ids))
}

fn register_load(engine: &mut Engine, host: &Rc<Host>) {
    engine
        .register_type_with_name::<Model>("Model")
        .register_fn("to_string", |m: &mut Model| summary(m))
        .register_fn("to_debug", |m: &mut Model| summary(m));
    let plain = host.clone();
    engine.register_fn("load_model", move |context: NativeCallContext, source: &str| {
        open(&plain, source, Options::none("load_model")).at(&context)
    });
    let host = host.clone();
    engine.register_fn("load_model", move |context: NativeCallContext, source: &str, opts: Map| {
        open(&host, source, Options::new("load_model", opts)).at(&context)
    });
}

fn open(host: &Host, source: &str, options: Options) -> Result<Model> {
    let (adapter, roots) = host.with_folder(options.text("adapter")?, host.roots(source))?;
    let settings = LoadOptions {
        dtype: options.text("dtype")?,
        device: options.text("device")?.unwrap_or_else(|| host.device.clone()),
        revision: options.text("revision")?,
        quantize: options.text("quantize")?,
        adapter,
        control: host.control.clone(),
        roots,
    };
    let base = options.value("base");
    options.finish()?;
    let folder = if source.starts_with("ebb/") { None } else { on_disk(host, source)? };
    if let Some(folder) = folder.as_deref().filter(|folder| checkpoints::is_one(folder)) {
        let load = |from: &str| open(host, from, Options::none("load_model"));
        return checkpoints::model(host, source, folder, base, &settings, load);
    }
    if base.is_some() {
        return Err(Error::failed(format!(
            "load_model: `base` is for checkpoints of a finetuning, and {source} is none"
        )));
    }
    let hub = host.hub_settings();
    let model = load::open(source, folder.as_deref(), &settings, &hub);
    let model = lost::model(host, source, model)?;
    told::model(host, source, folder.as_deref(), &model);
    told::strange(host, source, &model);
    Ok(model)
}

/// The folder or `.gguf` file that a model's name stands for; `None` where it is a name on the Hub, if anything.
fn on_disk(host: &Host, source: &str) -> Result<Option<PathBuf>> {
    match host.found(source) {
        Ok(Found::Folder(folder)) => Ok(Some(folder)),
        Ok(Found::File(file)) => {
            let is_gguf = file.extension().is_some_and(|end| end == "gguf");
            Ok(is_gguf.then_some(file))
        }
        Err(error) if error.is_missing() => refuse_moved_away(host, source).map(|()| None),
        Err(error) => Err(error),
    }
}

/// Says where a model stands whose replacement was killed on a file system that cannot exchange two names.
fn refuse_moved_away(host: &Host, source: &str) -> Result<()> {
    let old = folders::old_name(Path::new(source));
    let old = old.to_string_lossy();
    if !host.found(&old).is_ok_and(|found| found.is_folder()) {
        return Ok(());
    }
    Err(Error::failed_with_hint(
        format!(
            "there is no model `{source}`: a save was ended while it replaced the one that stood there, which is in `{old}`"
        ),
        format!("rename `{old}` to `{source}`"),
    ))
}

/// One line about a model.
pub fn summary(model: &Model) -> String {
    let config = model.config();
    let adapter = match model.adapter() {
        Some(adapter) => {
            format!(", LoRA rank {} on {}", adapter.form.rank, adapter.form.targets.text())
        }
        None => String::new(),
    };
    let stages = match model.lineage().stages.len() {
        0 => String::new(),
        1 => ", finetuned once".to_string(),
        n => format!(", finetuned {n} times"),
    };
    format!(
        "{} from {}: {} parameters, {} layers of width {}, vocabulary {}, context {}{adapter}{stages}",
        config.family.name(),
        model.lineage().source,
        model.parameter_count(),
        config.num_hidden_layers,
        config.hidden_size,
        config.vocab_size,
        config.max_position_embeddings,
    )
}

fn register_new(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn(
        "new_model",
        move |context: NativeCallContext, config: Map, tokenizer: TokenizerFile, seed: i64| {
            new_model(&host, config, &tokenizer, seed as u64).at(&context)
        },
    );
}

fn new_model(host: &Host, config: Map, tokenizer: &TokenizerFile, seed: u64) -> Result<Model> {
    let mut config = convert::to_json(&Dynamic::from(config))?;
    let file: serde_json::Value = serde_json::from_str(&tokenizer.0).unwrap_or_default();
    let size =
        file.pointer("/model/vocab").and_then(|vocab| vocab.as_object()).map_or(0, |v| v.len());
    if let Some(map) = config.as_object_mut() {
        map.entry("vocab_size").or_insert(size.into());
        map.entry("eos_token_id").or_insert(0.into());
    }
    let config = Config::from_json(&config)?;
    let tokenizer = TextTokenizer::from_bytes(tokenizer.0.as_bytes(), None, &config)?;
    let options = LoadOptions { device: host.device.clone(), ..LoadOptions::default() };
    load::random(config, Arc::new(tokenizer), seed, &options)
}

fn register_save(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn("save", move |context: NativeCallContext, m: Model, folder: &str| {
        write(&plain, m, folder, Options::none("save")).at(&context)
    });
    let host = host.clone();
    engine.register_fn(
        "save",
        move |context: NativeCallContext, m: Model, folder: &str, opts: Map| {
            write(&host, m, folder, Options::new("save", opts)).at(&context)
        },
    );
}

fn write(host: &Host, model: Model, folder: &str, options: Options) -> Result<Model> {
    let dtype = stored_as(&options)?;
    options.finish()?;
    let place = host.writable(folder)?;
    save::to_folder_within(&model, &place, dtype, &host.access.write, &kept_folders(host))?;
    Ok(model)
}

/// The option `dtype` of saving.
pub fn stored_as(options: &Options) -> Result<DType> {
    match options.text("dtype")?.as_deref() {
        None | Some("f32") => Ok(DType::F32),
        Some("f16") => Ok(DType::F16),
        Some("bf16") => Ok(DType::BF16),
        Some(other) => Err(Error::unknown("dtype", other, ["f32", "f16", "bf16"])),
    }
}

/// Folders that the run works in, which nothing that is saved takes the place of.
pub fn kept_folders(host: &Host) -> Vec<PathBuf> {
    let known = [&host.script_folder, &host.run_folder].into_iter().flatten();
    known.chain([&host.working_folder]).cloned().collect()
}

fn parameters(model: &Model) -> Result<DataFrame> {
    let adapter = model.adapter().map(|adapter| adapter.weights.clone());
    let adapter = Weights::dense(adapter.unwrap_or_default());
    let all: Vec<Entry> =
        [model.weights(), &adapter].into_iter().flat_map(Weights::entries).collect();
    let text = |name: &str, value: fn(&Entry) -> String| {
        let values: Vec<String> = all.iter().map(value).collect();
        Series::new(name.into(), values).into_column()
    };
    let values: Vec<i64> = all.iter().map(|entry| entry.values as i64).collect();
    let columns = vec![
        text("name", |entry| entry.name.to_string()),
        text("shape", |entry| format!("{:?}", entry.shape)),
        text("dtype", |entry| entry.dtype.clone()),
        Series::new("values".into(), values).into_column(),
    ];
    DataFrame::new(all.len(), columns).during("parameters")
}

/// The log of a training as a frame, a row a step.
pub fn log_frame(log: &[StepRecord]) -> Result<DataFrame> {
    let number = |name: &str, value: fn(&StepRecord) -> f64| {
        Series::new(name.into(), log.iter().map(value).collect::<Vec<_>>()).into_column()
    };
    let validation: Vec<Option<f64>> = log.iter().map(|record| record.validation_loss).collect();
    let rates: Vec<Option<f64>> = log.iter().map(|record| record.tokens_per_second).collect();
    let steps: Vec<i64> = log.iter().map(|record| record.step as i64).collect();
    let tokens: Vec<i64> = log.iter().map(|record| record.tokens as i64).collect();
    let columns = vec![
        Series::new("step".into(), steps).into_column(),
        number("epoch", |record| record.epoch),
        number("loss", |record| record.loss),
        number("learning_rate", |record| record.learning_rate),
        number("grad_norm", |record| record.grad_norm),
        Series::new("tokens".into(), tokens).into_column(),
        Series::new("tokens_per_second".into(), rates).into_column(),
        Series::new("validation_loss".into(), validation).into_column(),
    ];
    DataFrame::new(log.len(), columns).during("log")
}
