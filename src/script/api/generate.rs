//! Generation: a string gives a string, an array an array, a frame an array in the order of its rows.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};
use serde_json::Value;

use super::chat::{self, is_conversation, messages_from};
use super::frame::Frame;
use super::texts;
use super::tokens::{ids_array, prompt_ids};
use crate::error::{Error, Result};
use crate::generate::{self, Completion};
use crate::model::Model;
use crate::model::chat::Message;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::{Event, Host};
use crate::script::messages::Passage;
use crate::script::options::Options;
use crate::script::record::{OptionDoc, Record, option};

pub const RECORDS: &[Record] = &[Record::new(
    "Model.generate",
    &["m.generate(prompt) -> string", "m.generate(prompt, opts)"],
    "What the model writes after a prompt, an array of prompts, or each row of a frame",
    r#"load_model("ebb/tiny").generate("Hello", #{ max_new_tokens: 5 })"#,
    register,
)
.doc(
    "A frame's prompts are its column `prompt` unless the option says otherwise. Prompts may be arrays of token ids.",
)
.options(&[
    &[option("prompt", "column, template or closure", r#""prompt""#, "Where the prompts of a frame are")],
    SAMPLING,
    &[
        option("batch_size", "whole number", "32", "Rows that are written at once; it never changes a text"),
        option("chat", "true or false", "false", "A prompt is what the user says, or a conversation #{ role, content }…, and goes through the model's chat template"),
        option("ids", "true or false", "false", "Gives token ids instead of text"),
        option("draft", "column, template, closure, string or array of strings", "", "What each row is expected to say: of the frame, or a text for each prompt; it changes no text, and rows that say it take one pass instead of one for each token"),
    ],
])];

/// How a text is written: what every function takes that lets a model write.
pub const SAMPLING: &[OptionDoc] = &[
    option("max_new_tokens", "whole number", "100", "The most tokens that are written"),
    option("stop", "string or array of strings", "[]", "Texts that end a row"),
    option("temperature", "number", "0", "How freely tokens are drawn; 0 takes the likeliest"),
    option("top_k", "whole number", "0", "Draws from the so many likeliest tokens; 0 from all"),
    option(
        "top_p",
        "number",
        "1",
        "Draws from the likeliest tokens that have this probability together",
    ),
    option(
        "repetition_penalty",
        "number",
        "1",
        "Divides the logits of tokens that stand there already; 1 is off",
    ),
    option("seed", "whole number", "", "The seed of the draws; else that of the run"),
];

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn("generate", move |context: NativeCallContext, m: Model, prompt: Dynamic| {
        run(&context, &plain, &m, &prompt, Map::new())
    });
    let host = host.clone();
    engine.register_fn(
        "generate",
        move |context: NativeCallContext, m: Model, prompt: Dynamic, opts: Map| {
            run(&context, &host, &m, &prompt, opts)
        },
    );
}

fn run(
    context: &NativeCallContext,
    host: &Host,
    model: &Model,
    given: &Dynamic,
    opts: Map,
) -> ScriptResult<Dynamic> {
    let options = Options::new("generate", opts);
    let settings = settings(&options, host.seed.get()).at(context)?;
    let ids = options.boolean("ids").at(context)?.unwrap_or(false);
    let column = options.value("prompt");
    let draft = options.value("draft");
    let chat = options.boolean("chat").at(context)?.unwrap_or(false);
    options.finish().at(context)?;
    let single = given.is_string() || is_ids(given) || (chat && is_conversation(given));
    let prompts = if chat {
        spoken_to(context, host, model, given, column, single)?
    } else {
        prompts_of(context, model, given, column)?
    };
    let drafts = match draft {
        Some(draft) => drafts_of(context, model, given, &draft, &prompts)?,
        None => Vec::new(),
    };
    let outcome =
        generate::generate(model, &prompts, &drafts, &settings, &host.control).at(context)?;
    tell_cut(host, model, &outcome, prompts.len());
    let show = |completion: Completion| {
        if ids { Dynamic::from(ids_array(&completion.ids)) } else { Dynamic::from(completion.text) }
    };
    let mut shown = outcome.completions.into_iter().map(show);
    Ok(if single { shown.next().unwrap_or(Dynamic::UNIT) } else { shown.collect::<Array>().into() })
}

/// Tells how many of `count` prompts lost their beginning.
pub fn tell_cut(host: &Host, model: &Model, outcome: &generate::Outcome, count: usize) {
    if outcome.cut > 0 {
        host.tell(Event::Note(format!(
            "generate: {} of {count} prompts leave no room in the model's context of {} tokens and lost their beginning (a begin token is kept)",
            outcome.cut,
            model.config().max_position_embeddings
        )));
    }
}

/// An array of whole numbers is one prompt of token ids.
fn is_ids(value: &Dynamic) -> bool {
    let array = value.read_lock::<Array>();
    array.is_some_and(|array| !array.is_empty() && array.iter().all(Dynamic::is_int))
}

fn prompts_of(
    context: &NativeCallContext,
    model: &Model,
    given: &Dynamic,
    column: Option<Dynamic>,
) -> ScriptResult<Vec<Vec<u32>>> {
    if let Some(frame) = given.clone().try_cast::<Frame>() {
        let how = column.unwrap_or_else(|| "prompt".into());
        let texts = texts::of_frame(context, &frame.0, &how, "the prompts of generate")?;
        let ids = texts.iter().map(|text| model.tokenizer().encode_prompt(text));
        return ids.collect::<Result<_>>().at(context);
    }
    if given.is_string() || is_ids(given) {
        return Ok(vec![prompt_ids(model, given).at(context)?]);
    }
    let prompts = array_of(given).at(context)?;
    let ids = prompts.iter().map(|prompt| prompt_ids(model, prompt));
    ids.collect::<Result<_>>().at(context)
}

/// The tokens that each prompt is expected to be followed by.
fn drafts_of(
    context: &NativeCallContext,
    model: &Model,
    given: &Dynamic,
    draft: &Dynamic,
    prompts: &[Vec<u32>],
) -> ScriptResult<Vec<Vec<u32>>> {
    let expected = format!("a text for each of {} prompts", prompts.len());
    let refused = |got: String| Error::invalid("option `draft` of generate", &expected, got);
    let texts: Vec<String> = if let Some(frame) = given.clone().try_cast::<Frame>() {
        texts::of_frame(context, &frame.0, draft, "option `draft` of generate")?
    } else if let Ok(text) = draft.clone().into_string() {
        vec![text]
    } else {
        let texts = draft.clone().try_cast::<Array>();
        let texts = texts.ok_or_else(|| refused(convert::describe(draft))).at(context)?;
        let text = |text: Dynamic| {
            let got = convert::describe(&text);
            text.into_string().map_err(|_| refused(format!("{got} among them")))
        };
        texts.into_iter().map(text).collect::<Result<_>>().at(context)?
    };
    if texts.len() != prompts.len() {
        return Err(refused(texts.len().to_string())).at(context);
    }
    let tokenizer = model.tokenizer();
    let ids = prompts
        .iter()
        .zip(&texts)
        .map(|(prompt, text)| generate::draft::ids(tokenizer, prompt, text));
    ids.collect::<Result<_>>().at(context)
}

fn array_of(given: &Dynamic) -> Result<Array> {
    given.clone().try_cast::<Array>().ok_or_else(|| {
        Error::invalid(
            "generate",
            "a prompt, an array of prompts or a frame",
            convert::describe(given),
        )
    })
}

/// The prompts of conversations: rendered by the model's template, which writes the special tokens itself.
fn spoken_to(
    context: &NativeCallContext,
    host: &Host,
    model: &Model,
    given: &Dynamic,
    column: Option<Dynamic>,
    single: bool,
) -> ScriptResult<Vec<Vec<u32>>> {
    const OPERATION: &str = "generate with chat: true";
    let mut passage = Passage::default();
    let values: Vec<Value> = match (given.clone().try_cast::<Frame>(), single) {
        (Some(frame), _) => {
            let how = column.unwrap_or_else(|| "prompt".into());
            let operation = "the prompts of generate";
            texts::conversations_of_frame(context, &frame.0, &how, operation, &mut passage)?
        }
        (None, true) => vec![passage.of_script(given).at(context)?],
        (None, false) => {
            let given = array_of(given).at(context)?;
            let values = given.iter().map(|value| passage.of_script(value));
            values.collect::<Result<_>>().at(context)?
        }
    };
    let conversations = values.iter().map(|value| messages_from(OPERATION, value));
    let conversations: Vec<Vec<Message>> = conversations.collect::<Result<_>>().at(context)?;
    let mut render = || {
        let template = model.tokenizer().chat_template(None)?;
        let prompts = conversations.iter().map(|messages| {
            let text = template.render(messages, true)?;
            passage.look_at(&template, messages, true, &text);
            model.tokenizer().encode_plain(&text)
        });
        prompts.collect::<Result<_>>()
    };
    let prompts = render().at(context)?;
    chat::tell(host, &passage, "generate");
    Ok(prompts)
}

fn settings(options: &Options, seed: u64) -> Result<generate::Options> {
    let default = generate::Options::default();
    let batch_size = options.count("batch_size", 1)?.unwrap_or(default.batch_size);
    Ok(generate::Options { batch_size, ..sampling(options, seed)? })
}

/// How a text is to be written, from the options of [`SAMPLING`].
pub fn sampling(options: &Options, seed: u64) -> Result<generate::Options> {
    let default = generate::Options::default();
    Ok(generate::Options {
        max_new_tokens: options.count("max_new_tokens", 1)?.unwrap_or(default.max_new_tokens),
        stop: options.texts("stop")?.unwrap_or_default(),
        batch_size: default.batch_size,
        temperature: options.number("temperature")?.unwrap_or(0.0),
        top_k: options.count("top_k", 0)?.unwrap_or(0),
        top_p: options.number("top_p")?.unwrap_or(1.0),
        repetition_penalty: options.number("repetition_penalty")?.unwrap_or(1.0),
        seed: options.integer("seed")?.map_or(seed, |seed| seed as u64),
    })
}
