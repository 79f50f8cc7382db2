//! Chat templates: messages to the one text that a chat model was trained on, as transformers' apply_chat_template makes it.
//!
//! A template is Jinja (<https://jinja.palletsprojects.com/templates/>) with what transformers adds: `raise_exception`,
//! `strftime_now`, a `tojson` without HTML escapes, `break` and `continue`, and the marks around what the assistant says.
//! Templates come from strangers: how long one may run, how deep it may call and how much it may write are limited.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::{Environment, ErrorKind, context};
use serde_json::Value;

use super::jinja::{self, MARK, Raised};
use super::marks::{Bounded, LONGEST, Marks};
pub use super::messages::Message;
use super::python;
use super::text::special;
use crate::allocator::{self, Metered};
use crate::error::{Error, Result};
use crate::memory;

/// Bytes of memory that a rendering may hold besides a few times the conversation.
const MOST: u64 = 1 << 27;
/// Bytes of a template; published ones have some thousands.
const LONGEST_TEMPLATE: usize = 1 << 20;
/// Words and signs of a template, plain text included: each may be an operator in another one, read by going down into it.
/// Published templates have at most some thousands.
const MOST_SIGNS: usize = 1 << 15;
/// Bytes of stack for reading and for one rendering: operators in operators are gone down into, and lists in lists, as deep
/// as the instructions allow, must be dropped again.
const STACK: usize = 1 << 28;
/// The name under which the environment keeps the template.
const NAME: &str = "chat";

/// A text, and what stands in it between marks.
type Rendered = (String, Vec<(usize, String)>);

/// A template that was read once and renders many conversations.
pub struct ChatTemplate {
    inside: Arc<Inside>,
}

struct Inside {
    environment: Environment<'static>,
    tokens: serde_json::Map<String, Value>,
    /// Whether it marks what the assistant says.
    marked: bool,
    marks: Arc<Marks>,
    /// A rendering of it was left standing.
    broken: AtomicBool,
}

impl ChatTemplate {
    /// Reads a template; `settings` is tokenizer_config.json, whose special tokens become variables.
    pub fn new(template: &str, settings: &Value) -> Result<Self> {
        if template.len() > LONGEST_TEMPLATE {
            return Err(Error::invalid(
                "reading a chat template",
                format!("at most {LONGEST_TEMPLATE} bytes"),
                format!("{} bytes", template.len()),
            ));
        }
        let signs = signs(template);
        if signs > MOST_SIGNS {
            return Err(Error::invalid(
                "reading a chat template",
                format!("at most {MOST_SIGNS} words and signs"),
                signs.to_string(),
            ));
        }
        let (text, marked) = jinja::plain(template);
        let marks = Arc::new(Marks::default());
        let noted = Arc::clone(&marks);
        // Operations on what is written out in a template are carried out while it is read.
        let environment = apart("read", MOST, &AtomicBool::new(false), move || {
            let mut environment = jinja::environment();
            environment.add_filter(MARK, move |text: String| noted.note(text));
            environment.add_template_owned(NAME, text).map_err(|error| sentence("read", &error))?;
            Ok(environment)
        })?;
        let tokens = special::NAMES.iter().filter_map(|name| {
            let token = settings.get(*name)?;
            let text = token.as_str().or_else(|| token.get("content")?.as_str())?;
            Some((name.to_string(), Value::from(text)))
        });
        let inside = Inside {
            tokens: tokens.collect(),
            environment,
            marked,
            marks,
            broken: AtomicBool::new(false),
        };
        Ok(Self { inside: Arc::new(inside) })
    }

    /// Whether the template marks what the assistant says (`{% generation %}`).
    pub fn marks_the_assistant(&self) -> bool {
        self.inside.marked
    }

    /// The conversation as text; with `add_generation_prompt`, followed by what begins the assistant's next turn.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let (text, _) = self.on_a_thread(messages, add_generation_prompt)?;
        Ok(text)
    }

    /// The conversation as text, and the bytes of it between the template's marks.
    pub fn render_marked(&self, messages: &[Message]) -> Result<(String, Vec<Range<usize>>)> {
        let (text, marked) = self.on_a_thread(messages, false)?;
        let mut ranges = Vec::with_capacity(marked.len());
        for (start, part) in marked {
            let range = start..start + part.len();
            if text.get(range.clone()) != Some(part.as_str()) {
                return Err(Error::failed_with_hint(
                    "the chat template changes or moves what stands between its generation marks",
                    "marks belong around what is written, outside macros and `set`",
                ));
            }
            ranges.push(range);
        }
        Ok((text, ranges))
    }

    fn on_a_thread(&self, messages: &[Message], add_generation_prompt: bool) -> Result<Rendered> {
        if messages.is_empty() {
            return Err(Error::invalid(
                "rendering a chat template",
                "at least one message",
                "none",
            ));
        }
        // The system's time zone is read under a lock, in which a metered thread must not be left standing; so are marks.
        let _ = jiff::Zoned::now();
        let _alone = self.inside.marks.alone();
        if self.inside.broken.load(Ordering::Acquire) {
            return Err(Error::failed("the chat template built values without end before"));
        }
        let said = serde_json::to_string(messages).map_or(0, |text| text.len() as u64);
        let (inside, messages) = (Arc::clone(&self.inside), messages.to_vec());
        apart("rendered", MOST + 16 * said, &self.inside.broken, move || {
            inside.fitting(&messages, add_generation_prompt)
        })
    }
}

/// Does what a template asks for on a thread of its own: values may be nested deeper than an ordinary stack, and may grow
/// without a bound of the library's. A thread that asked for too much is left standing, perhaps within a lock of the
/// template's, which is `broken` then.
fn apart<T: Send + 'static>(
    verb: &str,
    bytes: u64,
    broken: &AtomicBool,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let bytes = memory::limit().map_or(bytes, |limit| bytes.min(limit / 4));
    let failed = |reason: String| Err(Error::failed(format!("the chat template {reason}")));
    match allocator::metered(bytes, STACK, work) {
        Ok(Metered::Done(result)) => result,
        Ok(Metered::Exceeded) => {
            broken.store(true, Ordering::Release);
            failed(format!("builds values that take more than {} of memory", memory::shown(bytes)))
        }
        Ok(Metered::Failed) => failed(format!("cannot be {verb}")),
        Err(error) => failed(format!("cannot be {verb}: no thread for it: {error}")),
    }
}

impl Inside {
    /// Renders messages as they are; a template that cannot take a list of parts, or would write the list itself, gets the
    /// text of the parts.
    fn fitting(&self, messages: &[Message], add_generation_prompt: bool) -> Result<Rendered> {
        let lists: Vec<String> =
            messages.iter().filter_map(Message::parts).map(python::shown).collect();
        let plain = self.text(messages, add_generation_prompt);
        let fits = match &plain {
            Ok((text, _)) => !lists.iter().any(|list| text.contains(list)),
            Err(_) => lists.is_empty(),
        };
        if fits {
            return plain;
        }
        let texts: Option<Vec<Message>> = messages.iter().map(Message::as_text).collect();
        match (texts, plain) {
            (Some(texts), _) => self.text(&texts, add_generation_prompt),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(Error::failed_with_hint(
                "the chat template takes only texts, and a message has a part that is none",
                "leave out such parts, or give another template",
            )),
        }
    }

    fn text(&self, messages: &[Message], add_generation_prompt: bool) -> Result<Rendered> {
        let template =
            self.environment.get_template(NAME).map_err(|error| sentence("read", &error))?;
        self.marks.forget();
        let mut out = Bounded::new(&self.marks);
        let messages: Vec<Value> = messages.iter().map(Message::seen).collect();
        let values = context! {
            messages,
            tools => (),
            documents => (),
            add_generation_prompt,
            ..minijinja::Value::from_serialize(&self.tokens)
        };
        template
            .render_captured_to(values, &mut out)
            .map_err(|error| sentence("rendered", &error))?;
        let text = String::from_utf8(out.into_bytes())
            .map_err(|_| Error::failed("the chat template writes no UTF-8"))?;
        Ok((text, self.marks.taken()))
    }
}

/// How many words and single signs a text has.
fn signs(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut in_word = false;
    let mut count = 0;
    for character in text.chars().filter(|c| !c.is_whitespace() || *c == ' ') {
        let goes_on = in_word && is_word(character);
        in_word = is_word(character);
        if !goes_on && character != ' ' {
            count += 1;
        }
    }
    count
}

/// Reads a template and renders one conversation; see [`ChatTemplate`].
pub fn render(
    template: &str,
    messages: &[Message],
    settings: &Value,
    add_generation_prompt: bool,
) -> Result<String> {
    ChatTemplate::new(template, settings)?.render(messages, add_generation_prompt)
}

/// The template that a model brings: the text of its chat_template.jinja where there is one, else what
/// tokenizer_config.json says under `chat_template`: a text, or a list of `{name, template}` with one named "default".
pub fn template_of(settings: &Value, file: Option<&str>) -> Result<String> {
    if let Some(text) = file {
        return Ok(text.to_string());
    }
    let hint =
        "instruct and chat models bring one, base models do not; give a template of your own";
    match settings.get("chat_template") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(named)) => {
            let name_of = |one: &Value| one.get("name")?.as_str().map(str::to_string);
            let default = named
                .iter()
                .find(|one| name_of(one).as_deref() == Some("default"))
                .and_then(|one| one.get("template")?.as_str());
            default.map(str::to_string).ok_or_else(|| {
                let names = named.iter().filter_map(name_of).collect::<Vec<_>>();
                Error::failed_with_hint(
                    format!(
                        "the model has chat templates named {}, and none named default",
                        names.join(", ")
                    ),
                    "give one of them, or a template of your own",
                )
            })
        }
        None | Some(Value::Null) => {
            Err(Error::failed_with_hint("the model has no chat template", hint))
        }
        Some(_) => Err(Error::failed(
            "chat_template in tokenizer_config.json is neither a text nor a list of named templates",
        )),
    }
}

/// minijinja's error as a sentence; `verb` is what could not be done: "read" or "rendered".
fn sentence(verb: &str, error: &minijinja::Error) -> Error {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(Raised(message)) = cause.downcast_ref::<Raised>() {
            return Error::failed_with_hint(
                format!("the chat template refuses the conversation: \"{message}\""),
                "change the messages, or give another template",
            );
        }
        source = cause.source();
    }
    let line = error.line().map(|line| format!(" (line {line})"));
    let line = line.unwrap_or_default();
    match error.kind() {
        ErrorKind::OutOfFuel => {
            Error::failed(format!("the chat template does not come to an end{line}"))
        }
        ErrorKind::WriteFailure => {
            Error::failed(format!("the chat template writes more than {} MiB{line}", LONGEST >> 20))
        }
        kind => {
            let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            Error::failed(format!("the chat template cannot be {verb}{line}: {kind}{detail}"))
        }
    }
}
