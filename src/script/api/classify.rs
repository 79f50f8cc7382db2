//! Classifiers that scripts train and save.

use std::rc::Rc;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType};
use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::finetune_options::VALIDATING;
use super::frame::Frame;
use super::model::{SAVING, kept_folders, log_frame, stored_as};
use super::texts;
use super::toxicity::Scorer;
use crate::error::{Context, Error, Result};
use crate::frame::query;
use crate::frame::table::kind;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::{Event, Host};
use crate::script::options::Options;
use crate::script::record::{OptionDoc, Record, option};
use crate::toxicity::{self, Fresh, Rows, Settings, Start};
use crate::train::options::{Duration, Options as Plain, Schedule};

const NAME: &str = "train_classifier";

/// What `train_classifier` takes.
const OPTIONS: &[OptionDoc] = &[
    option(
        "labels",
        "string or array of strings",
        "",
        "The columns to learn; else the labels of the Scorer",
    ),
    option("text", "column, template or closure", r#""text""#, "Where the texts are"),
    option("steps", "whole number", "", "How many steps are taken, instead of `epochs`"),
    option("max_steps", "whole number", "", "Another name of `steps`"),
    option("epochs", "number", "3", "How often every row is taken"),
    option("batch_size", "whole number", "32", "Texts of a batch"),
    option(
        "learning_rate",
        "number",
        "",
        "The highest learning rate of the schedule; else 5e-4 from nothing, 5e-5 from a Scorer",
    ),
    option("lr", "number", "", "Another name of `learning_rate`"),
    option(
        "schedule",
        "string",
        r#""linear""#,
        r#"How the learning rate goes down: "linear", "cosine" or "constant""#,
    ),
    option("warmup_steps", "whole number", "0", "Steps over which the learning rate goes up first"),
    option("weight_decay", "number", "0", "The weight decay of AdamW"),
    option("clip", "number", "1.0", "The largest norm of a gradient; 0 is off"),
    option(
        "dropout",
        "number",
        "0.1",
        "The share of hidden states that are left out at random; not of attention",
    ),
    option(
        "max_length",
        "whole number",
        "",
        "Tokens of a text, which is cut behind them; else the window",
    ),
    option("seed", "whole number", "", "The seed of all that is random; else that of the run"),
    option(
        "shuffle",
        "true or false",
        "true",
        "Takes the texts in a random order; batches hold texts of about one length",
    ),
    option(
        "class_weights",
        "string or map",
        "",
        r#""balanced", or a map from a label to what the loss of its positives is multiplied by"#,
    ),
    option(
        "validation",
        "frame",
        "",
        "A frame like the data, which is not trained on and whose loss is logged",
    ),
];

pub const RECORDS: &[Record] = &[
    Record::new(
        NAME,
        &["train_classifier(start, frame, opts) -> Scorer"],
        "A classifier trained on the texts and labels of a frame, from another one or from random weights",
        r#"let rows = frame(#{ text: ["you are kind", "you silly goat", "thank you", "what a goat"], toxicity: [0, 1, 0, 1] });
let small = #{ hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, vocab_size: 300 };
train_classifier(small, rows, #{ labels: "toxicity", steps: 2, batch_size: 4, seed: 1 }).log().select(["step", "loss"])"#,
        register_train,
    )
    .doc(
        "Start: a Scorer, which stays as it is (its head goes on where the labels are the same, else it begins anew), or a map of a \
         new one in transformers' terms: `model_type` (\"bert\" or \"albert\"), `hidden_size` (128), `num_hidden_layers` (2), \
         `num_attention_heads` (4), `intermediate_size` (4 times the hidden size), `max_position_embeddings` (128), `vocab_size` (8192, of \
         a byte-level BPE tokenizer that is trained on the texts), `lowercase` (true), and the rest with transformers' defaults. \
         Labels: columns with numbers from 0 to 1, or booleans; a missing value is not known and gives no loss. The loss is the mean \
         binary cross-entropy over what is known.",
    )
    .options(&[OPTIONS, VALIDATING]),
    Record::new(
        "Scorer.save",
        &["d.save(folder) -> Scorer", "d.save(folder, opts) -> Scorer"],
        "Writes a folder that transformers and load_detoxify load",
        r#"load_detoxify("classifier").save("copy")"#,
        register_save,
    )
    .doc("The folder appears whole or not at all.")
    .options(&[SAVING]),
    Record::new(
        "Scorer.log",
        &["d.log() -> Frame", "d.lineage() -> map"],
        "The log of the training that made a classifier, a row a step; and how it came to be",
        r#"load_detoxify("classifier").lineage().stages.len()"#,
        |engine, _| {
            engine.register_fn("log", |context: NativeCallContext, d: Scorer| {
                log_frame(d.log()).map(Frame).at(&context)
            });
            engine.register_fn("lineage", |d: &mut Scorer| {
                convert::from_json(&serde_json::to_value(d.lineage()).unwrap_or_default())
            });
        },
    ),
];

fn register_train(engine: &mut Engine, host: &Rc<Host>) {
    let from_scorer = host.clone();
    engine.register_fn(
        NAME,
        move |context: NativeCallContext, start: Scorer, frame: Frame, opts: Map| {
            let labels = start.labels().to_vec();
            let start = Start::Classifier(start);
            train(&context, &from_scorer, &start, labels, 5e-5, &frame.0, opts)
        },
    );
    let host = host.clone();
    engine.register_fn(
        NAME,
        move |context: NativeCallContext, start: Map, frame: Frame, opts: Map| {
            let json = convert::to_json(&Dynamic::from(start)).at(&context)?;
            let start = Start::Fresh(Fresh::of(&json).at(&context)?, host.device.clone());
            train(&context, &host, &start, Vec::new(), 5e-4, &frame.0, opts)
        },
    );
}

/// `labels` and `rate` are what the options have where they are silent.
fn train(
    context: &NativeCallContext,
    host: &Host,
    start: &Start,
    labels: Vec<String>,
    rate: f64,
    frame: &DataFrame,
    opts: Map,
) -> ScriptResult<Scorer> {
    let options = Options::new(NAME, opts);
    let labels = options.texts("labels").at(context)?.unwrap_or(labels);
    if labels.is_empty() {
        return Err(Error::failed_with_hint(
            "train_classifier is not told what to learn",
            "name the columns with the option `labels`: [\"toxicity\"]",
        ))
        .at(context);
    }
    let text = options.value("text").unwrap_or_else(|| "text".into());
    let weights = options.value("class_weights");
    let validation = options.value("validation");
    let dropout = options.number("dropout").at(context)?.unwrap_or(0.1);
    let plain = plain(&options, host, rate).at(context)?;
    options.finish().at(context)?;
    if !(0.0..1.0).contains(&dropout) {
        let expected = "a number of at least 0 and below 1";
        let what = format!("option `dropout` of {NAME}");
        return Err(Error::invalid(what, expected, dropout.to_string())).at(context);
    }
    let rows = |frame: &DataFrame| -> ScriptResult<Rows> {
        let targets = targets(frame, &labels).at(context)?;
        Ok(Rows { texts: texts::of_frame(context, frame, &text, NAME)?, targets })
    };
    let data = rows(frame)?;
    refuse_unknown(&data, &labels).at(context)?;
    let validation = match validation.map(|value| (convert::describe(&value), value)) {
        None => Rows::default(),
        Some((got, value)) => match value.try_cast::<Frame>() {
            Some(frame) => rows(&frame.0)?,
            None => {
                let what = format!("option `validation` of {NAME}");
                return Err(Error::invalid(what, "a frame", got)).at(context);
            }
        },
    };
    let positive_weights = positive_weights(weights, &data, &labels).at(context)?;
    let settings = Settings { labels, positive_weights, dropout, plain };
    let count = data.texts.len();
    let made = toxicity::train(start, data, validation, &settings, &host.control).at(context)?;
    if made.cut > 0 {
        host.tell(Event::Note(format!(
            "{NAME}: {} of {count} texts are longer than the window and were trained on by their beginning",
            made.cut
        )));
    }
    Ok(Arc::new(made.classifier))
}

/// Length, batches, optimiser, schedule and validation.
fn plain(options: &Options, host: &Host, rate: f64) -> Result<Plain> {
    let either = |name: &str| Error::failed(format!("give {NAME} one of {name}, not both"));
    let steps = match (options.count("steps", 1)?, options.count("max_steps", 1)?) {
        (Some(_), Some(_)) => return Err(either("`steps` and `max_steps`")),
        (one, other) => one.or(other),
    };
    let duration = match (steps, options.number("epochs")?) {
        (Some(_), Some(_)) => return Err(either("`steps` and `epochs`")),
        (Some(steps), None) => Duration::Steps(steps),
        (None, epochs) => Duration::Epochs(epochs.unwrap_or(3.0)),
    };
    let learning_rate = match (options.number("learning_rate")?, options.number("lr")?) {
        (Some(_), Some(_)) => return Err(either("`learning_rate` and `lr`")),
        (one, other) => one.or(other).unwrap_or(rate),
    };
    let default = Plain::default();
    Ok(Plain {
        duration,
        batch_size: options.count("batch_size", 1)?.unwrap_or(32),
        learning_rate,
        schedule: match options.text("schedule")?.as_deref() {
            None | Some("linear") => Schedule::Linear,
            Some("cosine") => Schedule::Cosine,
            Some("constant") => Schedule::Constant,
            Some(other) => {
                return Err(Error::unknown("schedule", other, ["linear", "cosine", "constant"]));
            }
        },
        warmup_steps: options.count("warmup_steps", 0)?.unwrap_or(0),
        weight_decay: options.number("weight_decay")?.unwrap_or(default.weight_decay),
        clip: options.number("clip")?.unwrap_or(default.clip),
        max_length: options.count("max_length", 3)?,
        seed: options.integer("seed")?.map_or(host.seed.get(), |seed| seed as u64),
        shuffle: options.boolean("shuffle")?.unwrap_or(true),
        validate_every: options.count("validate_every", 1)?,
        best: options.boolean("best")?.unwrap_or(false),
        patience: options.count("patience", 1)?,
        ..default
    })
}

/// What is known of each row: numbers from 0 to 1 in the columns of the labels.
fn targets(frame: &DataFrame, labels: &[String]) -> Result<Vec<Vec<Option<f32>>>> {
    let mut rows = vec![Vec::with_capacity(labels.len()); frame.height()];
    for label in labels {
        query::known(frame, label)?;
        let column = frame.column(label).during(NAME)?;
        let wrong = |got: String| {
            let what = format!("{NAME}, label `{label}`");
            Error::invalid(
                what,
                "numbers from 0 to 1, true or false, or nothing where it is not known",
                got,
            )
        };
        let dtype = column.dtype();
        if !(dtype.is_primitive_numeric() || matches!(dtype, DataType::Boolean | DataType::Null)) {
            return Err(wrong(kind(dtype)));
        }
        let numbers = column.cast(&DataType::Float64).during(NAME)?;
        let numbers = numbers.f64().during(NAME)?;
        for (row, (number, slot)) in numbers.iter().zip(&mut rows).enumerate() {
            if let Some(number) = number.filter(|number| !(0.0..=1.0).contains(number)) {
                return Err(wrong(format!("{number} in row {row}")));
            }
            slot.push(number.map(|number| number as f32));
        }
    }
    Ok(rows)
}

/// Refuses a label of which nothing is known in any row.
fn refuse_unknown(data: &Rows, labels: &[String]) -> Result<()> {
    let is_known =
        |place: usize| data.targets.iter().any(|row| matches!(row.get(place), Some(Some(_))));
    match labels.iter().enumerate().find(|(place, _)| !data.targets.is_empty() && !is_known(*place))
    {
        Some((_, label)) => Err(Error::failed_with_hint(
            format!("{NAME}: no row says anything about the label `{label}`"),
            "leave it out of `labels`, or add rows that do",
        )),
        None => Ok(()),
    }
}

/// What the loss of each label's positives is multiplied by.
fn positive_weights(given: Option<Dynamic>, data: &Rows, labels: &[String]) -> Result<Vec<f64>> {
    let what = format!("option `class_weights` of {NAME}");
    let Some(given) = given else {
        return Ok(vec![1.0; labels.len()]);
    };
    let got = convert::describe(&given);
    if given.is_string() && given.to_string() == "balanced" {
        let balance = |place: usize| {
            let known = data.targets.iter().filter_map(|row| row.get(place).copied().flatten());
            let (count, sum) = known.fold((0.0, 0.0), |(n, sum), y| (n + 1.0, sum + f64::from(y)));
            if sum > 0.0 && sum < count { (count - sum) / sum } else { 1.0 }
        };
        return Ok((0..labels.len()).map(balance).collect());
    }
    let Some(map) = given.try_cast::<Map>() else {
        return Err(Error::invalid(what, "\"balanced\" or a map from a label to a number", got));
    };
    if let Some(key) = map.keys().find(|key| !labels.iter().any(|label| label == key.as_str())) {
        return Err(Error::unknown("label", key.as_str(), labels));
    }
    let weight = |label: &String| match map.get(label.as_str()) {
        None => Ok(1.0),
        Some(value) => {
            let number = value.as_float().or_else(|_| value.as_int().map(|n| n as f64));
            number.ok().filter(|number| (0.0..=1e6).contains(number)).ok_or_else(|| {
                Error::invalid(
                    &what,
                    "a number from 0 to 1000000 for each label",
                    convert::describe(value),
                )
            })
        }
    };
    labels.iter().map(weight).collect()
}

fn register_save(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn("save", move |context: NativeCallContext, d: Scorer, folder: &str| {
        write(&plain, d, folder, Options::none("save")).at(&context)
    });
    let host = host.clone();
    engine.register_fn(
        "save",
        move |context: NativeCallContext, d: Scorer, folder: &str, opts: Map| {
            write(&host, d, folder, Options::new("save", opts)).at(&context)
        },
    );
}

fn write(host: &Host, scorer: Scorer, folder: &str, options: Options) -> Result<Scorer> {
    let dtype = stored_as(&options)?;
    options.finish()?;
    let place = host.writable(folder)?;
    let kept = kept_folders(host);
    toxicity::save::to_folder_within(&scorer, &place, dtype, &host.access.write, &kept)?;
    Ok(scorer)
}
