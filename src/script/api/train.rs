//! Finetuning and the losses of texts.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::finetune_options::{outputs, settings};
use super::frame::Frame;
use super::model::token_ids;
use super::texts;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::{Event, Host};
use crate::script::options::Options;
use crate::script::record::Record;
use crate::train::evaluate::token_losses;
use crate::train::examples::{self, Example, Noted, Source};

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
         Texts: `text` (a column, template or closure; the whole text is trained on; default the column `text`), or `prompt` \
         and `completion` (the prompt is not trained on). Method: `method` (\"full\", \"lora\", \"last_block\", \"head\"), and \
         for LoRA `rank` (8), `alpha` (16), `dropout` (0.05), `targets` (names as PEFT has them, or \"all-linear\"; the \
         family's usual ones, such as [\"q_proj\", \"v_proj\"]). Length: `steps` or `epochs` \
         (1). Batches: `batch_size` (4), `gradient_accumulation` (1), `max_length` (the context), `shuffle` (true), `seed`. \
         Optimiser: `learning_rate` or `lr` (2e-4), `schedule` (\"linear\", \"cosine\", \"constant\"), `warmup_steps` (0), \
         `weight_decay` (0), `beta1` (0.9), `beta2` (0.999), `epsilon` (1e-8), `clip` (1.0; 0 is off), `loss_average` \
         (\"token\", \"batch\"), `precision` (\"model\", \"f32\", \"bf16\"; variables are f32 in any case), `recompute` (false; \
         true keeps less in memory and takes longer). Validation: `validation` (rows like the data), `validate_every` (steps), \
         `best` (true gives the weights with the lowest loss), `patience` (stop after so many without a lower one). \
         Checkpoints: `dir`, `save_every` (100 steps), `keep` (2), `resume` (true goes on from the latest, to the same bytes). \
         Logs: lines of JSON in `dir` or the run folder; `tensorboard` (a folder for event files). The model it is called on \
         stays as it is.",
    ),
    Record::new(
        "Model.loss",
        &["m.loss(texts) -> array", "m.perplexity(texts) -> array", "m.log_probs(text) -> array"],
        "Mean token loss of each text in nats, the exponential of it, and the log-probability of each token",
        r#"load_model("ebb/tiny").perplexity(["The sky is blue."])"#,
        register_losses,
    )
    .doc("A single string gives a single number. The first token has no log-probability: nothing predicts it."),
];

fn register_finetune(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn(
        "finetune",
        move |context: NativeCallContext, m: Model, data: Dynamic| {
            finetune(&context, &plain, &m, &data, Map::new())
        },
    );
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
    let columns = Columns {
        text: options.value("text"),
        prompt: options.value("prompt"),
        completion: options.value("completion"),
    };
    let validation = options.value("validation");
    options.finish().at(context)?;
    settings.check().at(context)?;
    let limit = model.config().max_position_embeddings;
    let limit = settings
        .max_length
        .map_or(limit, |length| length.min(limit));
    let rows = examples_of(context, host, model, data, &columns, limit)?;
    let held_out = match validation {
        Some(data) => examples_of(context, host, model, &data, &columns, limit)?,
        None => Vec::new(),
    };
    crate::train::finetune_with(model, &rows, &held_out, &settings, &outputs, &host.control)
        .at(context)
}

/// Where the texts of a frame are.
struct Columns {
    text: Option<Dynamic>,
    prompt: Option<Dynamic>,
    completion: Option<Dynamic>,
}

fn examples_of(
    context: &NativeCallContext,
    host: &Host,
    model: &Model,
    data: &Dynamic,
    columns: &Columns,
    limit: usize,
) -> ScriptResult<Vec<Example>> {
    let sources: Vec<Source> = if let Some(frame) = data.clone().try_cast::<Frame>() {
        match (&columns.prompt, &columns.completion) {
            (Some(prompt), Some(completion)) => {
                let prompts =
                    texts::of_frame(context, &frame.0, prompt, "option `prompt` of finetune")?;
                let what = "option `completion` of finetune";
                let completions = texts::of_frame(context, &frame.0, completion, what)?;
                let pairs = prompts.into_iter().zip(completions);
                pairs
                    .map(|(prompt, completion)| Source::Pair { prompt, completion })
                    .collect()
            }
            (None, None) => {
                let text = columns.text.clone().unwrap_or_else(|| "text".into());
                let made = texts::of_frame(context, &frame.0, &text, "option `text` of finetune")?;
                made.into_iter().map(Source::Text).collect()
            }
            _ => {
                let error =
                    Error::failed("finetune needs both `prompt` and `completion`, or neither");
                return Err(error).at(context);
            }
        }
    } else {
        let array = data.clone().try_cast::<Array>().ok_or_else(|| {
            Error::invalid("finetune", "a frame or an array", convert::describe(data))
        });
        let array = array.at(context)?;
        if array.first().is_some_and(|first| !first.is_string()) {
            let (rows, cut) = token_examples(&array, limit).at(context)?;
            tell_cut(host, cut, rows.len(), limit);
            return Ok(rows);
        }
        let made = texts::of_array(&array, "finetune").at(context)?;
        made.into_iter().map(Source::Text).collect()
    };
    let (rows, noted) = examples::tokenize(model.tokenizer(), &sources, limit).at(context)?;
    tell_cut(host, noted.cut, rows.len(), limit);
    tell_seams(host, &noted, rows.len());
    Ok(rows)
}

fn tell_cut(host: &Host, cut: usize, rows: usize, limit: usize) {
    if cut > 0 {
        host.tell(Event::Note(format!(
            "finetune: {cut} of {rows} texts are longer than {limit} tokens and were cut at their end"
        )));
    }
}

/// Tells where texts are not tokenized as one might think.
fn tell_seams(host: &Host, noted: &Noted, rows: usize) {
    if noted.began_themselves > 0 {
        host.tell(Event::Note(format!(
            "finetune: {} of {rows} texts begin with the begin token themselves and get no second one; with `chat: true`, \
             rendered conversations are tokenized as they stand",
            noted.began_themselves
        )));
    }
    if noted.across > 0 {
        host.tell(Event::Note(format!(
            "finetune: in {} of {rows} rows the prompt has other tokens by itself than with its completion behind it (a token \
             across the seam counts as the completion's); let the prompt end before a space rather than behind it",
            noted.across
        )));
    }
}

/// Arrays of ids, or maps of `ids` and `labels`, and how many were cut to `limit` tokens.
fn token_examples(array: &Array, limit: usize) -> Result<(Vec<Example>, usize)> {
    let mut cut = 0;
    let one = |(row, item): (usize, &Dynamic)| -> Result<Example> {
        let mut example = match item.clone().try_cast::<Map>() {
            None => Example::whole(token_ids(item)?),
            Some(map) => labelled(row, &map)?,
        };
        cut += usize::from(example.ids.len() > limit);
        example.ids.truncate(limit);
        example.labels.truncate(limit);
        match example.trained_tokens() {
            0 => Err(Error::failed(format!("row {row} has no token to train on"))),
            _ => Ok(example),
        }
    };
    let rows: Result<Vec<Example>> = array.iter().enumerate().map(one).collect();
    Ok((rows?, cut))
}

/// A map of `ids` and `labels`; without labels every token is trained on.
fn labelled(row: usize, map: &Map) -> Result<Example> {
    let place = format!("row {row}");
    if let Some(other) = map
        .keys()
        .find(|key| !["ids", "labels"].contains(&key.as_str()))
    {
        return Err(Error::invalid(
            place,
            "a map of `ids` and `labels`",
            format!("one with `{other}`"),
        ));
    }
    let ids = token_ids(map.get("ids").unwrap_or(&Dynamic::UNIT))?;
    let given = match map.get("labels") {
        None => return Ok(Example::whole(ids)),
        Some(given) => given.clone().try_cast::<Array>(),
    };
    let whole = |labels: Array| -> Option<Vec<i64>> {
        labels.iter().map(|label| label.as_int().ok()).collect()
    };
    let labels = given.and_then(whole).ok_or_else(|| {
        Error::invalid(
            format!("the labels of {place}"),
            "an array of whole numbers",
            "something else",
        )
    })?;
    if labels.len() != ids.len() {
        return Err(Error::invalid(
            place,
            format!("{} labels, one a token", ids.len()),
            labels.len().to_string(),
        ));
    }
    Ok(Example { ids, labels })
}

fn register_losses(engine: &mut Engine, host: &Rc<Host>) {
    let shared = host.clone();
    engine.register_fn(
        "loss",
        move |context: NativeCallContext, m: Model, texts: Dynamic| {
            losses(&shared, &m, &texts, mean).at(&context)
        },
    );
    let shared = host.clone();
    engine.register_fn(
        "perplexity",
        move |context: NativeCallContext, m: Model, texts: Dynamic| {
            losses(&shared, &m, &texts, |losses| mean(losses).exp()).at(&context)
        },
    );
    let shared = host.clone();
    engine.register_fn(
        "log_probs",
        move |context: NativeCallContext, m: Model, text: &str| {
            let run = || {
                let rows = [whole_text(&m, text)?];
                let losses = token_losses(&m, &rows, &shared.control)?;
                let values = losses
                    .into_iter()
                    .flatten()
                    .map(|loss| Dynamic::from(-loss));
                Ok::<_, Error>(values.collect::<Array>())
            };
            run().at(&context)
        },
    );
}

fn mean(losses: &[f64]) -> f64 {
    losses.iter().sum::<f64>() / losses.len() as f64
}

fn losses(
    host: &Host,
    model: &Model,
    given: &Dynamic,
    score: fn(&[f64]) -> f64,
) -> Result<Dynamic> {
    if let Ok(text) = given.clone().into_string() {
        let losses = token_losses(model, &[whole_text(model, &text)?], &host.control)?;
        return Ok(losses
            .first()
            .map_or(Dynamic::UNIT, |losses| score(losses).into()));
    }
    let array = given.clone().try_cast::<Array>().ok_or_else(|| {
        Error::invalid(
            "loss",
            "a text or an array of texts",
            convert::describe(given),
        )
    })?;
    let texts = texts::of_array(&array, "loss")?;
    let rows = texts
        .iter()
        .map(|text| whole_text(model, text))
        .collect::<Result<Vec<_>>>()?;
    let losses = token_losses(model, &rows, &host.control)?;
    Ok(losses
        .iter()
        .map(|losses| Dynamic::from(score(losses)))
        .collect::<Array>()
        .into())
}

/// A text as it stands, without an end token.
fn whole_text(model: &Model, text: &str) -> Result<Example> {
    let ids = model.tokenizer().encode(text)?;
    let limit = model.config().max_position_embeddings;
    if ids.len() > limit {
        return Err(Error::invalid(
            "loss",
            format!("texts of at most {limit} tokens"),
            ids.len().to_string(),
        )
        .with_hint("cut the text, or score it in parts"));
    }
    match ids.len() {
        0 => Err(Error::failed("an empty text has no loss")),
        1 => Err(Error::failed_with_hint(
            format!(
                "the text {text:?} is one token and has no loss: nothing stands before it that could predict it"
            ),
            "leave texts of one token out; m.tokenize(text).len() tells them",
        )),
        _ => Ok(Example::whole(ids)),
    }
}
