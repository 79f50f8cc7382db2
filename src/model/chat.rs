//! Chat templates: messages to the one text that a chat model was trained on, as transformers' apply_chat_template makes it.
//!
//! A template is Jinja (<https://jinja.palletsprojects.com/templates/>) with what transformers adds: `raise_exception`,
//! `strftime_now`, a `tojson` without HTML escapes, `break` and `continue`, and the marks around what the assistant says.
//! Templates come from strangers: how long one may run, how deep it may call and how much it may write are limited.

use std::fmt;
use std::io::Write;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, ErrorKind, context};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::python;
use crate::error::{Error, Result};

/// Instructions that one rendering may take: a message takes some hundred, and a list that is appended to for so long some
/// seconds.
const FUEL: u64 = 300_000;
/// How deep macros and blocks may call each other.
const DEPTH: usize = 64;
/// Bytes that one rendering may write.
const LONGEST: usize = 1 << 24;
/// Bytes of a template; published ones have some thousands.
const LONGEST_TEMPLATE: usize = 1 << 20;
/// Bytes of stack for one rendering: lists in lists, as deep as the instructions allow, must be dropped again.
const STACK: usize = 1 << 28;
/// The name under which the environment keeps the template.
const NAME: &str = "chat";
/// The tokens that a template may use as variables, as transformers names them.
const SPECIAL_TOKENS: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// What a template's own functions give.
type JinjaResult = std::result::Result<String, minijinja::Error>;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// "system", "user" or "assistant"; some templates know more.
    pub role: String,
    pub content: String,
}

/// A template that was read once and renders many conversations.
pub struct ChatTemplate {
    environment: Environment<'static>,
    tokens: serde_json::Map<String, Value>,
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
        let mut environment = environment();
        environment
            .add_template_owned(NAME, plain_jinja(template))
            .map_err(|error| sentence("read", &error))?;
        let tokens = SPECIAL_TOKENS.iter().filter_map(|name| {
            let token = settings.get(*name)?;
            let text = token.as_str().or_else(|| token.get("content")?.as_str())?;
            Some((name.to_string(), Value::from(text)))
        });
        Ok(Self {
            tokens: tokens.collect(),
            environment,
        })
    }

    /// The conversation as text; with `add_generation_prompt`, followed by what begins the assistant's next turn.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        if messages.is_empty() {
            return Err(Error::invalid(
                "rendering a chat template",
                "at least one message",
                "none",
            ));
        }
        // A template can nest values deeper than an ordinary thread's stack.
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            let rendering =
                thread.spawn_scoped(scope, || self.text(messages, add_generation_prompt));
            let failed = |reason: &str| Error::failed(format!("the chat template {reason}"));
            match rendering.map(|thread| thread.join()) {
                Ok(Ok(text)) => text,
                Ok(Err(_)) => Err(failed("cannot be rendered")),
                Err(error) => Err(failed(&format!(
                    "cannot be rendered: no thread for it: {error}"
                ))),
            }
        })
    }

    fn text(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let template = self
            .environment
            .get_template(NAME)
            .map_err(|error| sentence("read", &error))?;
        let mut out = Bounded(Vec::new());
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
        String::from_utf8(out.0).map_err(|_| Error::failed("the chat template writes no UTF-8"))
    }
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
        None | Some(Value::Null) => Err(Error::failed_with_hint(
            "the model has no chat template",
            hint,
        )),
        Some(_) => Err(Error::failed(
            "chat_template in tokenizer_config.json is neither a text nor a list of named templates",
        )),
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_unknown_method_callback(python::method);
    environment.set_formatter(|out, _, value| Ok(python::write_text(out, value)?));
    environment.add_filter("string", python::text);
    environment.add_filter("tojson", to_json);
    environment.add_filter("join", join);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", strftime_now);
    environment
}

/// Jinja that minijinja reads as jinja2 does: line ends are `\n`, and the marks of transformers around what the assistant
/// says (`{% generation %}`), which change nothing in the text, are scopes without variables.
fn plain_jinja(template: &str) -> String {
    let template = template.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(template.len());
    let mut rest = template.as_str();
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end + 2);
        let word = tag.trim_matches(['{', '%', '}', '-', '+', ' ', '\t', '\n']);
        match word {
            "generation" => out.push_str(&tag.replace("generation", "with")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endwith")),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What a template says through `raise_exception`.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

fn raise_exception(message: String) -> JinjaResult {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, "raised").with_source(Raised(message)))
}

/// The time now in the pattern of C's strftime, as `datetime.now().strftime` gives it.
fn strftime_now(pattern: String) -> JinjaResult {
    jiff::fmt::strtime::format(pattern.as_bytes(), &jiff::Zoned::now())
        .map_err(|error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// transformers' filter: `json.dumps` without escapes for HTML or for characters beyond ASCII.
fn to_json(
    value: &minijinja::Value,
    arguments: Rest<minijinja::Value>,
    named: Kwargs,
) -> JinjaResult {
    let first = arguments.0.first().map(minijinja::Value::is_true);
    let indent: Option<minijinja::Value> = named.get("indent")?;
    let separators: Option<Vec<String>> = named.get("separators")?;
    let style = python::Json {
        ascii: named.get::<Option<bool>>("ensure_ascii")?.or(first) == Some(true),
        indent: match (indent, arguments.0.get(1)) {
            (Some(indent), _) => indent.as_usize(),
            (None, Some(indent)) => indent.as_usize(),
            (None, None) => None,
        },
        separators: match separators.as_deref() {
            Some([item, key]) => Some((item.clone(), key.clone())),
            _ => None,
        },
        sorted: named.get::<Option<bool>>("sort_keys")? == Some(true),
        longest: LONGEST,
    };
    named.assert_all_used()?;
    style.text(value)
}

fn join(values: &minijinja::Value, separator: Option<String>, named: Kwargs) -> JinjaResult {
    let attribute: Option<String> = named.get("attribute")?;
    named.assert_all_used()?;
    let mut parts = Vec::new();
    for value in values.try_iter()? {
        parts.push(match &attribute {
            Some(name) => python::text(&value.get_attr(name)?),
            None => python::text(&value),
        });
    }
    Ok(parts.join(separator.as_deref().unwrap_or("")))
}

/// A writer that takes no more than [`LONGEST`] bytes.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(std::io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
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
        ErrorKind::WriteFailure => Error::failed(format!(
            "the chat template writes more than {} MiB{line}",
            LONGEST >> 20
        )),
        kind => {
            let detail = error
                .detail()
                .map(|detail| format!(": {detail}"))
                .unwrap_or_default();
            Error::failed(format!(
                "the chat template cannot be {verb}{line}: {kind}{detail}"
            ))
        }
    }
}
