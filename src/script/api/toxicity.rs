//! Detoxify: classifiers that score texts.

use std::rc::Rc;
use std::sync::Arc;

use polars::prelude::{Column, DataFrame, NamedFrom, Series};
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::frame::Frame;
use super::texts;
use super::told;
use crate::error::{Context, Error, Result};
use crate::model::load::shortened;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::{Event, Host};
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::toxicity::{self, Classifier, LoadOptions};

/// A classifier as scripts hold it.
pub type Scorer = Arc<Classifier>;

pub const RECORDS: &[Record] = &[
    Record::new(
        "load_detoxify",
        &["load_detoxify(source) -> Scorer", "load_detoxify(source, opts) -> Scorer"],
        "A classifier of toxic texts: one that Detoxify publishes, a folder, or a checkpoint",
        r#"load_detoxify("classifier").labels()"#,
        register_load,
    )
    .doc(
        "`ebb/toxicity-tiny` is bundled: small and for examples (its card is in data/README.md). `original`, `unbiased`, `multilingual`, `original-small` and `unbiased-small` are the checkpoints of the detoxify \
         package, taken from where torch.hub keeps them. A `.ckpt` file has the package's layout; nothing in it is executed. A \
         folder holds what transformers saved: config.json, model.safetensors and a tokenizer, for BERT, RoBERTa, XLM-R or \
         ALBERT; `org/name@revision` is such a repository on the Hub. A checkpoint's tokenizer is taken from a folder of its name beside it (`bert-base-uncased`), else \
         from the Hub.",
    )
    .options(&[
        &[
            option("tokenizer", "string", "", "A folder with tokenizer.json and config.json for a checkpoint"),
            option("labels", "string or array of strings", "", "Names for the outputs, where the files have none"),
            option("device", "string", "", r#"What it runs on: "auto", "cpu" or "cuda:0"; else what the run is told"#),
        ],
    ]),
    Record::new(
        "Scorer.score",
        &["d.score(texts) -> Frame", "d.score(texts, opts) -> Frame"],
        "How toxic texts are: a row a text, a column a label, numbers from 0 to 1",
        r#"load_detoxify("classifier").score(["You are kind.", "You silly goat!"])"#,
        register_score,
    )
    .doc(
        "Texts: a string, an array of strings, or a frame, whose columns are kept beside the scores. Texts longer \
         than the window are cut at their end, as the package does it, and counted.",
    )
    .options(&[
        &[
            option("text", "column, template or closure", r#""text""#, "Where the texts of a frame are"),
            option("batch_size", "whole number", "64", "Texts that are scored at once; it never changes a score"),
        ],
    ]),
    Record::new(
        "Scorer.labels",
        &["d.labels() -> array"],
        "What a classifier's scores are called, in the package's names",
        r#"load_detoxify("classifier").labels()"#,
        |engine, _| {
            engine.register_fn("labels", |d: &mut Scorer| -> Array {
                d.labels().iter().map(|label| label.clone().into()).collect()
            });
        },
    ),
];

fn register_load(engine: &mut Engine, host: &Rc<Host>) {
    engine
        .register_type_with_name::<Scorer>("Scorer")
        .register_fn("to_string", |d: &mut Scorer| d.summary())
        .register_fn("to_debug", |d: &mut Scorer| d.summary());
    let plain = host.clone();
    engine.register_fn("load_detoxify", move |context: NativeCallContext, source: &str| {
        open(&plain, source, Options::none("load_detoxify")).at(&context)
    });
    let host = host.clone();
    engine.register_fn(
        "load_detoxify",
        move |context: NativeCallContext, source: &str, opts: Map| {
            open(&host, source, Options::new("load_detoxify", opts)).at(&context)
        },
    );
}

fn open(host: &Host, source: &str, options: Options) -> Result<Scorer> {
    let (tokenizer, roots) = host.with_folder(options.text("tokenizer")?, host.roots(source))?;
    let settings = LoadOptions {
        device: options.text("device")?.unwrap_or_else(|| host.device.clone()),
        tokenizer,
        labels: options.texts("labels")?,
        control: host.control.clone(),
        roots,
    };
    options.finish()?;
    let place = match host.found(source) {
        Ok(found) => Some(found.path().to_path_buf()),
        Err(error) if error.is_missing() => None,
        Err(error) => return Err(error),
    };
    let hub = host.hub_settings();
    let made = toxicity::open(source, place.as_deref(), &settings, &hub)?;
    let name = told::with_commit(source, made.source());
    host.tell(Event::Input { name, sha256: Some(made.sha256().to_string()) });
    if !made.unused().is_empty() {
        host.tell(Event::Note(format!(
            "load_detoxify: the files hold tensors that the classifier does not use: {}",
            shortened(made.unused())
        )));
    }
    Ok(Arc::new(made))
}

fn register_score(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn("score", move |context: NativeCallContext, d: Scorer, given: Dynamic| {
        score(&context, &plain, &d, &given, Map::new())
    });
    let host = host.clone();
    engine.register_fn(
        "score",
        move |context: NativeCallContext, d: Scorer, given: Dynamic, opts: Map| {
            score(&context, &host, &d, &given, opts)
        },
    );
}

fn score(
    context: &NativeCallContext,
    host: &Host,
    scorer: &Scorer,
    given: &Dynamic,
    opts: Map,
) -> ScriptResult<Frame> {
    let options = Options::new("score", opts);
    let text = options.value("text");
    let batch_size = options.count("batch_size", 1).at(context)?.unwrap_or(64);
    options.finish().at(context)?;
    let frame = given.clone().try_cast::<Frame>();
    let texts = match &frame {
        Some(frame) => {
            refuse_taken(&frame.0, scorer.labels()).at(context)?;
            let how = text.unwrap_or_else(|| "text".into());
            texts::of_frame(context, &frame.0, &how, "score")?
        }
        None if text.is_some() => {
            let error = Error::invalid(
                "option `text` of score",
                "a frame to take texts from",
                convert::describe(given),
            );
            return Err(error).at(context);
        }
        None => of_script(given).at(context)?,
    };
    let count = texts.len();
    let scores = scorer.score(texts, batch_size, &host.control).at(context)?;
    if scores.cut > 0 {
        host.tell(Event::Note(format!(
            "score: {} of {count} texts are longer than the window of {} tokens and were scored by their beginning",
            scores.cut,
            scorer.window()
        )));
    }
    let columns = scorer.labels().iter().enumerate().map(|(place, label)| {
        let values: Vec<f64> = scores
            .rows
            .iter()
            .map(|row| row.get(place).copied().map_or(f64::NAN, f64::from))
            .collect();
        Column::from(Series::new(label.as_str().into(), values))
    });
    let kept = frame.map(|frame| frame.0.columns().to_vec()).unwrap_or_default();
    let columns = kept.into_iter().chain(columns).collect();
    DataFrame::new(count, columns).during("score").map(Frame).at(context)
}

/// A string, or an array of strings.
fn of_script(given: &Dynamic) -> Result<Vec<String>> {
    if let Ok(text) = given.clone().into_string() {
        return Ok(vec![text]);
    }
    let refuse = |expected: &str, got: String| Error::invalid("score", expected, got);
    let Some(array) = given.clone().try_cast::<Array>() else {
        return Err(refuse("a string, an array of strings, or a frame", convert::describe(given)));
    };
    let text = |(row, value): (usize, Dynamic)| {
        let got = convert::describe(&value);
        value
            .into_string()
            .map_err(|_| refuse("a text in every place", format!("{got} in place {row}")))
    };
    array.into_iter().enumerate().map(text).collect()
}

/// Refuses a frame that has a column of a label's name.
fn refuse_taken(frame: &DataFrame, labels: &[String]) -> Result<()> {
    match labels.iter().find(|label| frame.column(label).is_ok()) {
        Some(label) => Err(Error::failed_with_hint(
            format!(
                "score: the frame has a column `{label}` already, which the scores would be put over"
            ),
            "rename or drop it first, or score the texts alone: d.score(f.column(\"text\"))",
        )),
        None => Ok(()),
    }
}
