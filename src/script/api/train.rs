//! Finetuning and the losses of texts.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::chat::is_conversation;
use super::finetune_options::{self, outputs, settings};
use super::rows::{self, Columns};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::{Event, Host};
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::train::checkpoint::Keeping;
use crate::train::evaluate::token_losses;
use crate::train::examples::{self, Example, Source};
use crate::train::likelihood::{Windows, strided_losses};
use crate::train::parameters::told_of_adapter;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Model.finetune",
        &["m.finetune(data, opts) -> Model"],
        "A new model, finetuned on the rows of a frame or an array of texts",
        r#"let m = load_model("ebb/tiny").finetune(["The sky is blue.", "Grass is green."], #{ steps: 2, batch_size: 2 });
m.log().select(["step", "loss"])"#,
        register_finetune,
    )
    .doc(
        "Data: a frame, or an array of texts, of token-id arrays, or of maps #{ ids, labels } (label -100 is not trained on). \
         The prompt of a `completion` is not trained on, and nothing is put around what a chat template writes. Other texts get an end token where they have none. \
         The log is lines of JSON in `dir` or the run folder. The model it is called on stays as it is.",
    )
    .options(&[rows::OPTIONS, finetune_options::OPTIONS, finetune_options::VALIDATING]),
    Record::new(
        "Model.loss",
        &[
            "m.loss(texts) -> array",
            "m.loss(texts, opts)",
            "m.perplexity(texts) -> array",
            "m.perplexity(texts, opts)",
            "m.log_probs(text) -> array",
        ],
        "Mean token loss of each text in nats, the exponential of it, and the log-probability of each token",
        r#"load_model("ebb/tiny").perplexity(["The sky is blue."])"#,
        register_losses,
    )
    .doc("A single string gives a single number, a frame one a row. A completion is scored with its end token, as `finetune` trains it. The \
         first token has no log-probability: nothing predicts it. Texts longer than the context are read in windows where `stride` or `max_length` \
         is given, each scoring what those before it have not.")
    .options(&[
        rows::OPTIONS,
        &[
            option("max_length", "whole number", "", "Tokens of a window; else the model's context"),
            option("stride", "whole number", "", "How much further the next window begins; else a window's length"),
            option("average", "string", r#""window""#, r#"How windows are averaged: "window" as transformers' page on the perplexity of fixed-length models does it (each weighs the tokens it scores, less one), or "token", all tokens alike"#),
        ],
    ]),
];

fn register_finetune(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn("finetune", move |context: NativeCallContext, m: Model, data: Dynamic| {
        finetune(&context, &plain, &m, &data, Map::new())
    });
    let host = host.clone();
    engine.register_fn(
        "finetune",
        move |context: NativeCallContext, m: Model, data: Dynamic, opts: Map| {
            finetune(&context, &host, &m, &data, opts)
        },
    );
}

fn finetune(
    context: &NativeCallContext,
    host: &Host,
    model: &Model,
    data: &Dynamic,
    opts: Map,
) -> ScriptResult<Model> {
    let options = Options::new("finetune", opts);
    let settings = settings(&options, host.seed.get(), model).at(context)?;
    let outputs = outputs(&options, host).at(context)?;
    let columns = Columns::read(&options).at(context)?;
    let validation = options.value("validation");
    options.finish().at(context)?;
    settings.check().at(context)?;
    if let Some(told) = told_of_adapter(model, &settings.method).at(context)? {
        host.tell(Event::Note(told));
    }
    let limit = model.config().max_position_embeddings;
    let limit = settings.max_length.map_or(limit, |length| length.min(limit));
    let rows = rows::to_train_on(context, host, model, data, &columns, limit)?;
    let held_out = match validation {
        Some(data) => rows::to_train_on(context, host, model, &data, &columns, limit)?,
        None => Vec::new(),
    };
    let tuned =
        crate::train::finetune_with(model, &rows, &held_out, &settings, &outputs, &host.control);
    if let Err(Error::Interrupted) = &tuned {
        host.tell(Event::Note(what_is_left(outputs.checkpoints.as_ref())));
    }
    let tuned = tuned.at(context)?;
    if let Some(stage) = tuned.lineage().stages.last() {
        host.tell(Event::Finetuned(serde_json::json!({
            "model": tuned.lineage().source, "stage": tuned.lineage().stages.len(), "rows": stage.rows,
            "seed": stage.seed, "options": stage.options,
        })));
    }
    Ok(tuned)
}

/// What a finetuning that was stopped leaves behind, and how to go on from there.
fn what_is_left(keeping: Option<&Keeping>) -> String {
    let Some(keeping) = keeping else {
        return "the finetuning was stopped, and nothing of it is kept: with the option `dir` it keeps checkpoints".to_string();
    };
    match keeping.newest() {
        Some(newest) => format!(
            "the finetuning was stopped; {} holds what it had learnt: load_model opens it, and the same call with resume: true goes on from there",
            newest.display()
        ),
        None => "the finetuning was stopped before its first step, so that there is no checkpoint"
            .to_string(),
    }
}

/// What is made of the losses of a text's tokens.
type Score = fn(&[f64]) -> f64;

fn register_losses(engine: &mut Engine, host: &Rc<Host>) {
    let scores: [(&'static str, Score); 2] =
        [("loss", mean), ("perplexity", |losses| mean(losses).exp())];
    for (name, score) in scores {
        let plain = host.clone();
        engine.register_fn(name, move |context: NativeCallContext, m: Model, texts: Dynamic| {
            losses(&context, &plain, &m, &texts, Options::none(name), score)
        });
        let host = host.clone();
        engine.register_fn(
            name,
            move |context: NativeCallContext, m: Model, texts: Dynamic, opts: Map| {
                losses(&context, &host, &m, &texts, Options::new(name, opts), score)
            },
        );
    }
    let shared = host.clone();
    engine.register_fn("log_probs", move |context: NativeCallContext, m: Model, text: &str| {
        let run = || {
            let rows = [whole_text(&m, text)?];
            let losses = token_losses(&m, &rows, &shared.control)?;
            let values = losses.into_iter().flatten().map(|loss| Dynamic::from(-loss));
            Ok::<_, Error>(values.collect::<Array>())
        };
        run().at(&context)
    });
}

fn mean(losses: &[f64]) -> f64 {
    losses.iter().sum::<f64>() / losses.len() as f64
}

fn losses(
    context: &NativeCallContext,
    host: &Host,
    model: &Model,
    given: &Dynamic,
    options: Options,
    score: Score,
) -> ScriptResult<Dynamic> {
    let columns = Columns::read(&options).at(context)?;
    let windows = windows(&options, model, &columns).at(context)?;
    options.finish().at(context)?;
    let single = given.is_string() || (columns.is_chat() && is_conversation(given));
    let data = if single { Dynamic::from(vec![given.clone()]) } else { given.clone() };
    let sources = columns.sources(context, host, model, &data, "loss")?;
    let score_all = || -> Result<Vec<f64>> {
        if let Some(windows) = windows {
            let texts = sources.iter().map(|source| text_tokens(model, source));
            let texts = texts.collect::<Result<Vec<_>>>()?;
            let losses = strided_losses(model, &texts, windows, &host.control)?;
            return Ok(losses.into_iter().map(|loss| score(&[loss])).collect());
        }
        let rows = sources.iter().map(|source| scored(model, source));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let losses = token_losses(model, &rows, &host.control)?;
        Ok(losses.iter().map(|losses| score(losses)).collect())
    };
    let mut scores = score_all().at(context)?.into_iter().map(Dynamic::from);
    Ok(if single {
        scores.next().unwrap_or(Dynamic::UNIT)
    } else {
        scores.collect::<Array>().into()
    })
}

/// How long texts are cut, where `stride` or `max_length` asks for it.
fn windows(options: &Options, model: &Model, columns: &Columns) -> Result<Option<Windows>> {
    let limit = model.config().max_position_embeddings;
    let (stride, length) = (options.count("stride", 1)?, options.count("max_length", 2)?);
    let average = options.text("average")?;
    let by_window = match average.as_deref() {
        None | Some("window") => true,
        Some("token") => false,
        Some(other) => return Err(Error::unknown("average", other, ["window", "token"])),
    };
    if stride.is_none() && length.is_none() {
        return match average {
            None => Ok(None),
            Some(_) => Err(Error::failed_with_hint(
                "`average` is about texts that are read in windows",
                "give `stride` or `max_length` too",
            )),
        };
    }
    if columns.is_pairs() {
        return Err(Error::failed_with_hint(
            "a completion is scored as a whole, and not in windows",
            "leave `stride` and `max_length` out, or `prompt` and `completion`",
        ));
    }
    if columns.is_chat() {
        return Err(Error::failed_with_hint(
            "a conversation is scored as a whole, and not in windows",
            "leave `stride` and `max_length` out, or give the rendered texts without `chat`",
        ));
    }
    let max_length = length.unwrap_or(limit);
    let stride = stride.unwrap_or(max_length);
    let refuse = |option: &str, expected: String, got: usize| {
        Err(Error::invalid(format!("option `{option}`"), expected, got.to_string()))
    };
    if max_length > limit {
        return refuse(
            "max_length",
            format!("at most the model's context of {limit} tokens"),
            max_length,
        );
    }
    if stride > max_length {
        let expected =
            format!("at most a window's {max_length} tokens, or some would not be scored");
        return refuse("stride", expected, stride);
    }
    if by_window && stride == 1 {
        return Err(Error::failed_with_hint(
            "with a stride of 1 every window but the first scores one token, and weighs nothing as transformers averages them",
            "take average: \"token\", or a larger stride",
        ));
    }
    Ok(Some(Windows { max_length, stride, by_window }))
}

/// A row that is scored as it stands, without an end token.
fn scored(model: &Model, source: &Source) -> Result<Example> {
    if let Source::Text(text) = source {
        return whole_text(model, text);
    }
    let (example, _, _) = examples::example(model.tokenizer(), source)?;
    let example = within_context(model, example)?;
    match example.trained_tokens() {
        0 => Err(Error::failed("a conversation has no token that would be scored")),
        _ => Ok(example),
    }
}

fn within_context(model: &Model, example: Example) -> Result<Example> {
    let limit = model.config().max_position_embeddings;
    if example.ids.len() > limit {
        Err(Error::invalid(
            "loss",
            format!("texts of at most {limit} tokens"),
            example.ids.len().to_string(),
        )
        .with_hint("cut the text, or read it in windows: #{ stride: 512 }"))
    } else {
        Ok(example)
    }
}

/// A text as it stands, without an end token.
fn whole_text(model: &Model, text: &str) -> Result<Example> {
    within_context(model, Example::whole(scored_tokens(model, text)?))
}

/// The tokens of a row of text, however many.
fn text_tokens(model: &Model, source: &Source) -> Result<Vec<u32>> {
    match source {
        Source::Text(text) => scored_tokens(model, text),
        _ => Err(Error::failed("only plain texts are scored in windows")),
    }
}

/// The tokens of a text that has a loss.
fn scored_tokens(model: &Model, text: &str) -> Result<Vec<u32>> {
    let ids = model.tokenizer().encode(text)?;
    match ids.len() {
        0 => Err(Error::failed("an empty text has no loss")),
        1 => Err(Error::failed_with_hint(
            format!(
                "the text {text:?} is one token and has no loss: nothing stands before it that could predict it"
            ),
            "leave texts of one token out; m.tokenize(text).len() tells them",
        )),
        _ => Ok(ids),
    }
}
