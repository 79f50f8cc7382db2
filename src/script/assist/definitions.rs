//! Definition files (`.d.rhai`) for the language servers of editors: what scripts may call, with its docs as comments.

use std::rc::Rc;

use rhai::Engine;

use super::super::api;
use super::super::host::Host;
use super::super::record::Record;
use super::entries::{Entry, entries};
use super::reference::{self, Function, Module};

/// Words that begin a form of an operator's record.
const OPERATORS: [&str; 13] = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&", "|"];

/// Names and contents of all files: ours, a module each, and those of the language itself.
pub fn files(host: &Rc<Host>) -> Vec<(String, String)> {
    let mut files = vec![("ebb.d.rhai".to_string(), functions())];
    let chapters = reference::chapters(host);
    for module in chapters.iter().flat_map(|chapter| &chapter.modules) {
        let name = module.path.replace('/', "-");
        files.push((format!("{name}.d.rhai"), of_module(module)));
    }
    files.extend(Engine::new().definitions().iter_files().map(|(name, text)| (name, exact(text))));
    files
}

/// rhai's own definitions, where scripts have the operator otherwise: a fraction of whole numbers is one.
fn exact(text: String) -> String {
    text.replace("op /(int, int) -> int;", "op /(int, int) -> float;")
}

/// The functions of the records.
fn functions() -> String {
    let mut out = String::from("module static;\n");
    let all = entries();
    for record in api::all() {
        let own: Vec<&Entry> =
            all.iter().filter(|entry| entry.record.name == record.name).collect();
        let mut said: Vec<String> = Vec::new();
        let functions = own.iter().map(|entry| definition(entry));
        for line in functions.chain(operators(record)) {
            if !said.contains(&line) {
                said.push(line);
            }
        }
        let comment = commented(&about(record));
        for line in said {
            out.push_str(&format!("\n{comment}{line}\n"));
        }
    }
    out
}

/// What a record says, as Markdown.
fn about(record: &Record) -> String {
    let mut text = format!("{}.\n", record.summary);
    if !record.doc.is_empty() {
        text.push_str(&format!("\n{}\n", record.doc));
    }
    if record.all_options().next().is_some() {
        text.push_str("\nOptions:\n\n");
    }
    for option in record.all_options() {
        let default = match option.default {
            "" => String::new(),
            default => format!(", default `{default}`"),
        };
        let line = format!("- `{}` ({}{default}): {}\n", option.name, option.kind, option.meaning);
        text.push_str(&line);
    }
    text.push_str(&format!("\n```rhai\n{}\n```", record.example));
    text
}

fn commented(text: &str) -> String {
    text.lines().map(|line| format!("/// {line}").trim_end().to_string() + "\n").collect()
}

/// "fn select(f: Frame, exprs: ?) -> Frame;".
fn definition(entry: &Entry) -> String {
    let receiver = receiver(entry).map(|(name, kind)| format!("{name}: {kind}"));
    let parameters: Vec<String> =
        receiver.into_iter().chain(parameters(&entry.parameters)).collect();
    // A form that does not say what it gives may give something else than its neighbours.
    let is_told = entry.form.contains("->") || ["Frame", "Expr"].contains(&entry.on.as_str());
    let gives = entry.gives.as_deref().filter(|_| is_told).map_or("?".to_string(), type_name);
    format!("fn {}({}) -> {gives};", entry.name, parameters.join(", "))
}

/// What a method is called on: its name in the form, and its type.
fn receiver(entry: &Entry) -> Option<(String, String)> {
    if entry.on.is_empty() {
        return None;
    }
    let word = entry.form.split(['.', '(']).next().unwrap_or_default();
    Some((argument(word, &[]), type_name(&entry.on)))
}

/// A kind of value as definition files name it.
fn type_name(kind: &str) -> String {
    match kind {
        "Text" => "String".to_string(),
        "Boolean" => "bool".to_string(),
        "Number" => "?".to_string(),
        other if other.chars().all(|c| c.is_alphanumeric() || "._".contains(c)) => {
            other.replace('.', "_")
        }
        _ => "?".to_string(),
    }
}

/// The parameters between the brackets of a form, each with its type.
fn parameters(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for part in parts(text) {
        let (word, kind) = match part.chars().next() {
            Some('#') if part.contains(':') => ("map", "Map"),
            Some('#') => ("opts", "Map"),
            Some('|') => ("closure", "FnPtr"),
            Some('[') => ("columns", "Array"),
            Some('…') => {
                // "expr, expr, …": as many as one likes of what stands in front of it.
                found.pop();
                let word = names.pop().unwrap_or_else(|| "items".to_string());
                let word = word.trim_end_matches('2').to_string();
                found.retain(|other| *other != format!("{word}: ?"));
                found.push(format!("...{word}: ?"));
                names.push(word);
                continue;
            }
            _ if part == "opts" => ("opts", "Map"),
            _ => (part.as_str(), "?"),
        };
        let name = argument(word, &names);
        found.push(format!("{name}: {kind}"));
        names.push(name);
    }
    found
}

/// A name that rhai takes for a parameter, beside those that are there.
fn argument(word: &str, taken: &[String]) -> String {
    let word: String = word.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let is_name = Engine::new_raw().compile(format!("fn f({word}) {{}}")).is_ok();
    let name = if is_name && !word.is_empty() { word } else { format!("{word}_") };
    if taken.contains(&name) { format!("{name}2") } else { name }
}

/// The parts between the commas that stand in no bracket and in no closure's bars.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut in_bars) = (0usize, false);
    for character in text.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '|' => in_bars = !in_bars,
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if character != ',' || depth > 0 || in_bars => part.push(character),
            _ => parts.push(String::new()),
        }
    }
    let parts = parts.into_iter().map(|part| part.trim().to_string());
    parts.filter(|part| !part.is_empty()).collect()
}

/// The operators of a record: "e + f". Those with one side cannot be defined.
fn operators(record: &Record) -> Vec<String> {
    let of = |form: &&str| {
        let words: Vec<&str> = form.split_whitespace().collect();
        let (operator, kind) = match words.as_slice() {
            ["a", operator, "b", ..] => (operator, "?"),
            ["e", operator, "f", ..] => (operator, "Expr"),
            _ => return None,
        };
        let gives = if kind == "?" { "bool" } else { kind };
        OPERATORS.contains(operator).then(|| format!("op {operator}({kind}, ?) -> {gives};"))
    };
    record.signatures.iter().filter_map(of).collect()
}

fn of_module(module: &Module) -> String {
    let first = commented(&module.page);
    let mut out = format!("{first}module \"{}\";\n", module.path);
    for function in &module.functions {
        let comment = commented(&told(function));
        for form in &function.forms {
            let Some((_, call)) = form.split_once("::") else { continue };
            let Some((name, rest)) = call.split_once('(') else { continue };
            let inside = parameters(rest.trim_end_matches(')')).join(", ");
            out.push_str(&format!("\n{comment}fn {name}({inside}) -> ?;\n"));
        }
    }
    out
}

fn told(function: &Function) -> String {
    if function.doc.is_empty() {
        format!("{}.", function.summary)
    } else {
        format!("{}.\n\n{}", function.summary, function.doc)
    }
}
