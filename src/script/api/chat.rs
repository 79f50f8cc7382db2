//! Conversations: messages as scripts write them, and the text that a chat model's template makes of them.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::chat::Message;
use crate::script::convert;
use crate::script::failure::At;
use crate::script::host::Host;
use crate::script::messages::Passage;
use crate::script::options::Options;
use crate::script::record::{OptionDoc, Record, option};

pub const RECORDS: &[Record] = &[
    Record::new(
        "Model.chat_prompt",
        &["m.chat_prompt(messages) -> string", "m.chat_prompt(messages, opts) -> string"],
        "A conversation as the text that a chat model was trained on, by the model's own template",
        r#"load_model("ebb/tiny").chat_prompt("Hello", #{ template: "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}" })"#,
        |engine: &mut Engine, host| {
            let plain = host.clone();
            engine.register_fn(
                "chat_prompt",
                move |context: NativeCallContext, m: Model, messages: Dynamic| {
                    prompt(&plain, &m, &messages, Options::none("chat_prompt")).at(&context)
                },
            );
            let host = host.clone();
            engine.register_fn(
                "chat_prompt",
                move |context: NativeCallContext, m: Model, messages: Dynamic, opts: Map| {
                    prompt(&host, &m, &messages, Options::new("chat_prompt", opts)).at(&context)
                },
            );
        },
    )
    .doc(
        "Messages: an array of maps #{ role, content } (\"system\", \"user\", \"assistant\"), or a string, which the user says. \
         A message goes to the template whole: `name`, `tool_calls`, reasoning and what else it has; a key of it whose value is \
         () counts as absent. Maps within a message keep the order of their keys where they come from a frame; a map written in \
         the script has none. A `content` that is a list of parts becomes their text where the template wants text. \
         `generate` with `chat: true` does this by itself; `m.chat(messages)` with an array is the same.",
    )
    .options(&[PROMPT]),
];

const PROMPT: &[OptionDoc] = &[
    option(
        "generation_prompt",
        "true or false",
        "true",
        "The text ends where the assistant begins to speak",
    ),
    option("template", "string", "", "Another template than the model's"),
];

/// The text that a template makes of messages.
pub fn prompt(host: &Host, model: &Model, messages: &Dynamic, options: Options) -> Result<String> {
    let prompt = options.boolean("generation_prompt")?.unwrap_or(true);
    let template = options.text("template")?;
    options.finish()?;
    let template = model.tokenizer().chat_template(template.as_deref())?;
    let mut passage = Passage::default();
    let messages = messages_from("chat_prompt", &passage.of_script(messages)?)?;
    let text = template.render(&messages, prompt)?;
    passage.look_at(&template, &messages, prompt, &text);
    tell(host, &passage, "chat_prompt");
    Ok(text)
}

/// Tells what became of messages on their way to the template.
pub fn tell(host: &Host, passage: &Passage, operation: &str) {
    for note in passage.notes(operation) {
        host.tell_once(note);
    }
}

/// Whether a value is one conversation: an array of maps.
pub fn is_conversation(value: &Dynamic) -> bool {
    let array = value.read_lock::<Array>();
    array.is_some_and(|array| !array.is_empty() && array.iter().all(Dynamic::is_map))
}

/// The messages of a conversation; a string is one of the user.
pub fn messages_from(operation: &str, value: &Value) -> Result<Vec<Message>> {
    match value {
        Value::String(content) => Ok(vec![Message::new("user", content)]),
        Value::Array(messages) if messages.iter().all(Value::is_object) => {
            messages.iter().map(Message::from_json).collect()
        }
        other => Err(Error::invalid(
            operation,
            "a string, or an array of messages #{ role, content }",
            convert::describe(&convert::from_json(other)),
        )),
    }
}
