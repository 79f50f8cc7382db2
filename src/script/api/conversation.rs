//! Talking with a model at the prompt: a conversation that goes on from call to call.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};
use serde_json::{Value, json};

use super::chat::{messages_from, prompt};
use super::generate::{self, SAMPLING};
use crate::error::Result;
use crate::generate::generate as write_on;
use crate::model::Model;
use crate::script::convert;
use crate::script::failure::At;
use crate::script::host::{Conversation, Host};
use crate::script::options::Options;
use crate::script::record::{OptionDoc, Record, option};

pub const RECORDS: &[Record] = &[
    Record::new(
        "Model.chat",
        &["m.chat(text) -> string", "m.chat(text, opts) -> string"],
        "What the model answers, in a conversation that goes on from call to call",
        r#"let talk = #{ template: "{% for m in messages %}{{ m.content }} {% endfor %}", max_new_tokens: 5 };
load_model("ebb/tiny").chat("Hello", talk)"#,
        register_conversation,
    )
    .doc(
        "The answer is shown while it is written. All that was said before with this model goes to its chat template; another \
         model, or `anew`, begins from nothing. `m.conversation()` gives the messages. Given an array of messages it gives their \
         text, as `chat_prompt` does.",
    )
    .options(&[TALKING, SAMPLING]),
    Record::new(
        "Model.conversation",
        &["m.conversation() -> array"],
        "The messages that `chat` has kept with this model",
        r#"load_model("ebb/tiny").conversation()"#,
        |engine: &mut Engine, host| {
            let host = host.clone();
            engine.register_fn("conversation", move |m: &mut Model| -> Array {
                let conversation = host.conversation.borrow();
                let messages = conversation.messages.iter().filter(|_| conversation.model.is(m));
                messages.map(convert::from_json).collect()
            });
        },
    ),
];

const TALKING: &[OptionDoc] = &[
    option("anew", "true or false", "false", "Forgets what was said before"),
    option("system", "string", "", "What the system says first; begins anew"),
    option("template", "string", "", "Another template than the model's"),
];

fn register_conversation(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn("chat", move |context: NativeCallContext, m: Model, said: Dynamic| {
        chat(&plain, &m, &said, Map::new()).at(&context)
    });
    let host = host.clone();
    engine.register_fn(
        "chat",
        move |context: NativeCallContext, m: Model, said: Dynamic, opts: Map| {
            chat(&host, &m, &said, opts).at(&context)
        },
    );
}

/// A turn of the conversation; an array of messages is one that somebody else keeps.
fn chat(host: &Host, model: &Model, said: &Dynamic, opts: Map) -> Result<String> {
    let Ok(text) = said.clone().into_string() else {
        return prompt(host, model, said, Options::new("chat", opts));
    };
    let options = Options::new("chat", opts);
    let settings = generate::sampling(&options, host.seed.get())?;
    let (anew, system) = (options.boolean("anew")?.unwrap_or(false), options.text("system")?);
    let template = options.text("template")?;
    options.finish()?;
    let mut messages = match system {
        Some(system) => vec![message("system", &system)],
        None if anew => Vec::new(),
        None => {
            let known = host.conversation.borrow();
            if known.model.is(model) { known.messages.clone() } else { Vec::new() }
        }
    };
    messages.push(message("user", &text));
    let template = model.tokenizer().chat_template(template.as_deref())?;
    let rendered =
        template.render(&messages_from("chat", &Value::Array(messages.clone()))?, true)?;
    let prompt = model.tokenizer().encode_plain(&rendered)?;
    let outcome = write_on(model, &[prompt], &[], &settings, &host.control)?;
    generate::tell_cut(host, model, &outcome, 1);
    let answer = outcome.completions.into_iter().next().map(|completion| completion.text);
    let answer = answer.unwrap_or_default();
    messages.push(message("assistant", answer.trim()));
    *host.conversation.borrow_mut() = Conversation { model: model.remembered(), messages };
    Ok(answer)
}

fn message(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}
