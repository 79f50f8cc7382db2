//! Conversations: messages as scripts write them, and the text that a chat model's template makes of them.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::chat::Message;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::options::Options;
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[Record::new(
    "Model.chat",
    &["m.chat(messages) -> string", "m.chat(messages, opts)"],
    "A conversation as the text that a chat model was trained on, by the model's own template",
    r#"load_model("ebb/tiny").chat("Hello", #{ template: "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}" })"#,
    |engine: &mut Engine, _| {
        engine.register_fn("chat", |context: NativeCallContext, m: Model, messages: Dynamic| {
            chat(&m, &messages, Options::none("chat")).at(&context)
        });
        engine.register_fn(
            "chat",
            |context: NativeCallContext, m: Model, messages: Dynamic, opts: Map| -> ScriptResult<String> {
                chat(&m, &messages, Options::new("chat", opts)).at(&context)
            },
        );
    },
)
.doc(
    "Messages: an array of maps #{ role, content } (\"system\", \"user\", \"assistant\"), or a string, which the user says. \
     Options: `generation_prompt` (true: the text ends where the assistant begins to speak), `template` (another than the \
     model's). `generate` with `chat: true` does this by itself.",
)];

fn chat(model: &Model, messages: &Dynamic, options: Options) -> Result<String> {
    let prompt = options.boolean("generation_prompt")?.unwrap_or(true);
    let template = options.text("template")?;
    options.finish()?;
    let template = model.tokenizer().chat_template(template.as_deref())?;
    template.render(&messages_of("chat", messages)?, prompt)
}

/// Whether a value is one conversation: an array of maps.
pub fn is_conversation(value: &Dynamic) -> bool {
    let array = value.read_lock::<Array>();
    array.is_some_and(|array| !array.is_empty() && array.iter().all(Dynamic::is_map))
}

/// The messages of a conversation; a string is one of the user.
pub fn messages_of(operation: &str, value: &Dynamic) -> Result<Vec<Message>> {
    if let Ok(content) = value.clone().into_string() {
        let role = "user".to_string();
        return Ok(vec![Message { role, content }]);
    }
    if !is_conversation(value) {
        return Err(Error::invalid(
            operation,
            "a string, or an array of messages #{ role, content }",
            convert::describe(value),
        ));
    }
    let messages = value.clone().try_cast::<Array>().unwrap_or_default();
    messages
        .iter()
        .map(|message| message_of(operation, message))
        .collect()
}

fn message_of(operation: &str, value: &Dynamic) -> Result<Message> {
    let map = value.clone().try_cast::<Map>().unwrap_or_default();
    let text = |key: &str| {
        let found = map.get(key).cloned();
        found
            .and_then(|value| value.into_string().ok())
            .ok_or_else(|| {
                let keys: Vec<&str> = map.keys().map(|key| key.as_str()).collect();
                Error::invalid(
                    operation,
                    format!("messages with a string under `{key}`"),
                    format!("a map with the keys {}", keys.join(", ")),
                )
            })
    };
    Ok(Message {
        role: text("role")?,
        content: text("content")?,
    })
}
