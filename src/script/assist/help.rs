//! What there is to say about a name: a function, a method, a module, a type, an option, a variable.

use super::super::record::Record;
use super::candidates::modules;
use super::entries::{self, Entry, entries};
use super::keys;
use super::pages::{Own, Page};
use super::reference::{records as of_topic, spoken_of};
use super::tokens::LANGUAGE;
use super::topics::{self, TOPICS};
use super::view::{View, columns};
use crate::display::Output;
use crate::error::nearest;

const TOUR: &str = r#"# ebb in one screen

A line is evaluated when it is complete, and its value is shown. `_` is the last value; Tab completes.

    let rows = read("ebb/bbq-sample");         // a frame: of the program, a file, or the Hub
    rows.filter(col("category") == "Age")      // verbs and expressions, as polars has them
    let m0 = load_model("ebb/tiny");           // a model: of the program, a folder, or the Hub
    m0.generate("Once upon a time")
    let m1 = m0.finetune(["The sky is blue."], #{ steps: 2 });
    plot(m1.log(), #{ x: "step", y: "loss" })  // a chart
    import "std/bbq" as bbq;                   // a module of the study
    rows.write("rows.csv")

More about a name: `help("finetune")`, `?rows`, `?m0.finetune`, `help("std/bbq")`.
All of one kind: `help("Frame")`, `help("Expr")`, `help("Model")`, `help("Scorer")`, `help("Plot")`; all functions: `help("functions")`; all modules: `help("modules")`.
"#;

/// Where to begin.
pub fn tour() -> Output {
    Output::Markdown(tour_text())
}

fn tour_text() -> String {
    let names: Vec<String> = TOPICS.iter().map(|topic| format!("`?{}`", topic.name)).collect();
    format!("{TOUR}To read first: {}.\n", names.join(", "))
}

/// Help on a name as it is typed: "finetune", "m0.finetune", "Frame.select", "bbq::rows", "std/bbq". An empty one gives the tour.
pub fn help(view: &View, name: &str) -> Output {
    let name = name.trim().trim_end_matches("()");
    Output::Markdown(text(view, name))
}

/// What a line asks for, if it is a question and no code: `?name`, `name?`, or `help(name)` with a bare name.
pub fn asked(line: &str) -> Option<&str> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let inside = line.strip_prefix("help(").and_then(|rest| rest.strip_suffix(')'));
    let name = line.strip_prefix('?').or_else(|| line.strip_suffix('?')).or(inside)?.trim();
    let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '/'));
    is_name.then_some(name)
}

fn text(view: &View, name: &str) -> String {
    let all = entries();
    match name {
        "" => return tour_text(),
        "functions" => return functions(&all),
        "modules" => return list_of_modules(view),
        _ => {}
    }
    if let Some((module, member)) = name.rsplit_once("::") {
        let page = view.page(module);
        let found = page.as_ref().and_then(|(path, page)| {
            let own = page.functions.iter().find(|own| own.name == member)?;
            Some(member_page(path, module, own))
        });
        return found.unwrap_or_else(|| unknown(view, name, &all));
    }
    if let Some((on, method)) = name.rsplit_once('.') {
        let kind = view.variable(on).map_or_else(|| on.to_string(), |value| view.kind(value));
        let found = records(&all, |entry| entry.on == kind && entry.name == method);
        return if found.is_empty() { unknown(view, name, &all) } else { of_records(&found, &all) };
    }
    of_word(view, name, &all).unwrap_or_else(|| unknown(view, name, &all))
}

/// A word without a point: what it may be, the nearest thing to the script first.
fn of_word(view: &View, name: &str, all: &[Entry]) -> Option<String> {
    if let Some(own) = view.functions.iter().find(|own| own.name == name) {
        return Some(own_page(own));
    }
    if let Some(value) = view.variable(name) {
        return Some(of_variable(view, name, value, all));
    }
    let found = records(all, |entry| entry.name == name);
    if !found.is_empty() {
        return Some(of_records(&found, all));
    }
    if let Some((path, page)) = view.page(name.trim_start_matches("std/")) {
        return Some(module_page(&path, &page));
    }
    let of_kind = kind_page(name, all).or_else(|| topic_page(name));
    of_kind.or_else(|| option_page(name, all)).or_else(|| builtin(view, name))
}

/// The records of the entries that are wanted, each once.
fn records(all: &[Entry], is_wanted: impl Fn(&Entry) -> bool) -> Vec<&'static Record> {
    let mut found: Vec<&'static Record> = Vec::new();
    for entry in all.iter().filter(|entry| is_wanted(entry)) {
        if !found.iter().any(|known| known.name == entry.record.name) {
            found.push(entry.record);
        }
    }
    found
}

fn of_records(records: &[&'static Record], all: &[Entry]) -> String {
    let pages: Vec<String> = records.iter().map(|record| record_page(record, all)).collect();
    pages.join("\n---\n\n")
}

/// Signatures, summary, doc, options, an example, and what else its doc speaks of.
fn record_page(record: &Record, all: &[Entry]) -> String {
    let mut page = format!("# {}\n\n{}.\n\n", record.name, record.summary);
    page.push_str(&indented(&record.signatures.join("\n")));
    if !record.doc.is_empty() {
        page.push_str(&format!("\n{}\n", record.doc));
    }
    if record.all_options().next().is_some() {
        page.push_str(&format!("\nOptions:\n\n{}", keys::table(record.all_options())));
    }
    page.push_str(&format!("\nExample:\n\n{}", indented(record.example)));
    let see: Vec<String> = spoken_of(record, all).iter().map(|name| format!("`{name}`")).collect();
    if !see.is_empty() {
        page.push_str(&format!("\nSee also: {}.\n", see.join(", ")));
    }
    page
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn own_page(own: &Own) -> String {
    let doc = if own.doc.is_empty() {
        "A function of this script, without a `///` comment."
    } else {
        &own.doc
    };
    format!("# {}\n\n{}\n{doc}\n", own.name, indented(&own.form()))
}

fn member_page(path: &str, alias: &str, own: &Own) -> String {
    let alias = alias.rsplit('/').next().unwrap_or(alias);
    let import = format!("import \"{path}\" as {alias};\n{alias}::{}", own.form());
    format!("# {path}: {}\n\n{}\n{}\n", own.name, indented(&import), own.doc)
}

fn module_page(path: &str, page: &Page) -> String {
    let alias = path.rsplit('/').next().unwrap_or(path);
    let import = indented(&format!("import \"{path}\" as {alias};"));
    let lines = page
        .functions
        .iter()
        .map(|own| format!("- `{alias}::{}`: {}\n", own.form(), own.summary()));
    format!("# {path}\n\n{}\n\n{import}\n{}", page.doc, lines.collect::<String>())
}

/// A topic: what one reads before any function, and its functions.
fn topic_page(name: &str) -> Option<String> {
    let topic = topics::named(name)?;
    let line = |record: &&'static Record| format!("- `{}`: {}\n", record.name, record.summary);
    let lines: String = of_topic(topic).iter().map(line).collect();
    let more = if lines.is_empty() {
        "`help(\"modules\")` lists the modules.\n".to_string()
    } else {
        lines
    };
    Some(format!("# {}\n\n{}\n{more}", topic.title, topic.page))
}

/// Everything that can be called on a kind of value.
fn kind_page(kind: &str, all: &[Entry]) -> Option<String> {
    let found = records(all, |entry| entry.on == kind);
    let lines = found.iter().map(|record| {
        let forms: Vec<String> = record.signatures.iter().map(|form| format!("`{form}`")).collect();
        format!("- {}: {}\n", forms.join(", "), record.summary)
    });
    let lines: String = lines.collect();
    (!lines.is_empty()).then(|| format!("# {kind}\n\nWhat can be called on one:\n\n{lines}"))
}

/// The functions that have an option of the name.
fn option_page(name: &str, all: &[Entry]) -> Option<String> {
    let records = records(all, |_| true);
    let mut lines = String::new();
    for record in records {
        if let Some(option) = record.all_options().find(|option| option.name == name) {
            let said = keys::line(option);
            lines.push_str(&format!("- of `{}` ({}): {said}\n", record.name, option.kind));
        }
    }
    (!lines.is_empty()).then(|| format!("# The option `{name}`\n\n{lines}"))
}

fn of_variable(view: &View, name: &str, value: &rhai::Dynamic, all: &[Entry]) -> String {
    let kind = view.kind(value);
    let columns: Vec<String> =
        columns(value).into_iter().map(|(name, kind)| format!("- `{name}` ({kind})\n")).collect();
    let mut page = format!("# {name}\n\nA variable that holds a {kind}.\n");
    if !columns.is_empty() {
        page.push_str(&format!("\nIts columns:\n\n{}", columns.concat()));
    }
    if let Some(about) = kind_page(&kind, all) {
        page.push('\n');
        page.push_str(&about);
    }
    page
}

/// A function of rhai itself, by what rhai says of it.
fn builtin(view: &View, name: &str) -> Option<String> {
    let of_name = |info: rhai::FuncInfo| {
        let metadata = info.metadata;
        let said = super::pages::uncommented(&metadata.comments.join("\n"));
        (metadata.name == name && !said.is_empty())
            .then(|| (metadata.gen_signature(|kind| view.engine.map_type_name(kind).into()), said))
    };
    let found = view.engine.collect_fn_metadata(None, of_name, true);
    let (form, said) = found.first()?;
    // Its headings are deeper than ours.
    Some(format!("# {name}\n\n{}\n{said}\n", indented(form)))
}

fn functions(all: &[Entry]) -> String {
    let found = records(all, |entry| entry.on.is_empty());
    let lines: String =
        found.iter().map(|record| format!("- `{}`: {}\n", record.name, record.summary)).collect();
    format!("# Functions\n\n{lines}")
}

fn list_of_modules(view: &View) -> String {
    let lines: String =
        modules(view).iter().map(|item| format!("- `{}`: {}\n", item.text, item.summary)).collect();
    format!("# Modules\n\n{lines}")
}

/// A word that is nothing here: the nearest ones, and those that it is a part of.
fn unknown(view: &View, name: &str, all: &[Entry]) -> String {
    if LANGUAGE.contains(&name) {
        return format!(
            "`{name}` is a word of the language, Rhai: https://rhai.rs/book tells of it.\n"
        );
    }
    let short = name.rsplit(['.', ':', '/']).next().unwrap_or(name);
    let mut known: Vec<String> = all.iter().map(|entry| entry.name.clone()).collect();
    known.extend(view.functions.iter().map(|own| own.name.clone()));
    known.extend(view.variables().iter().map(|(name, _)| (*name).to_string()));
    known.extend(modules(view).into_iter().map(|item| item.text));
    known.extend(records(all, |_| true).iter().map(|record| entries::owner(record).to_string()));
    let mut near: Vec<&str> =
        nearest(short, known.iter().map(String::as_str)).into_iter().collect();
    let is_part = |known: &&String| short.len() > 2 && known.contains(short);
    for found in known.iter().filter(is_part) {
        if !near.contains(&found.as_str()) && near.len() < 8 {
            near.push(found);
        }
    }
    let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    if near.is_empty() {
        format!("There is nothing called `{name}`. `help()` shows where to begin.\n")
    } else {
        format!("There is nothing called `{name}`; near it are {}.\n", near.join(", "))
    }
}
