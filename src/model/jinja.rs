//! Jinja as transformers sets it up for chat templates, over minijinja: its functions and filters, its blanks, and limits on what a
//! stranger's template may do.

use std::fmt;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, ErrorKind};

use super::marks::LONGEST;
use super::{methods, python};

/// Instructions that one rendering may take: a message takes some hundred, and a list that is appended to for so long some
/// seconds.
const FUEL: u64 = 300_000;
/// How deep macros and blocks may call each other.
const DEPTH: usize = 64;
/// The filter that notes what the assistant says.
pub const MARK: &str = "noted_as_of_the_assistant";

/// What a template's own functions give.
type JinjaResult = std::result::Result<String, minijinja::Error>;

/// An environment without templates, within the limits.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_unknown_method_callback(methods::method);
    environment.set_formatter(|out, _, value| Ok(python::write_text(out, value)?));
    environment.add_filter("e", methods::escaped);
    environment.add_filter("escape", methods::escaped);
    environment.add_filter("round", methods::rounded);
    environment.add_filter("string", python::text);
    environment.add_filter("tojson", to_json);
    environment.add_filter("join", join);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", strftime_now);
    environment
}

/// Jinja that minijinja reads as jinja2 does: line ends are `\n`, and the marks of transformers around what the assistant
/// says (`{% generation %}`), which change nothing in the text, are scopes whose text is noted. Whether there are any.
pub fn plain(template: &str) -> (String, bool) {
    let mut marked = false;
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
            "generation" => {
                marked = true;
                let opening = format!("with %}}{{% filter {MARK}");
                out.push_str(&tag.replace("generation", &opening));
            }
            "endgeneration" => {
                out.push_str(&tag.replace("endgeneration", "endfilter %}{% endwith"));
            }
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    (out, marked)
}

/// What a template says through `raise_exception`.
#[derive(Debug)]
pub struct Raised(pub String);

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
