//! The reference as data: topics, their functions and modules, for whoever writes it down.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::api;
use super::super::host::Host;
use super::super::modules;
use super::super::record::{OptionDoc, Record};
use super::entries::{self, Entry, entries};
use super::pages::{self, Own};
use super::topics::{self, TOPICS, Topic};

/// A function as its reader sees it.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// "Frame.select", "read", "std/bbq.prepare": what it is known by on a page, for good.
    pub name: String,
    /// The other names that it is looked for by: "Frame.tail" where "Frame.head" tells of it too.
    pub others: Vec<String>,
    /// How it is called, a line a form.
    pub forms: Vec<String>,
    /// A sentence without a full stop; plain text with names in backticks.
    pub summary: String,
    /// Markdown, may be empty. Lines that begin with four spaces are code that runs.
    pub doc: String,
    pub options: Vec<OptionDoc>,
    /// Code that runs; may be empty.
    pub example: String,
    /// Names of functions that are near.
    pub see: Vec<String>,
    /// Types that it gives or is called on, each with the topic that tells of them.
    pub types: Vec<(String, &'static str)>,
}

/// A module of the standard library.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// "std/bbq".
    pub path: String,
    /// What it is for, and a worked example; Markdown with code that runs.
    pub page: String,
    pub functions: Vec<Function>,
}

/// A topic with everything that belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Chapter {
    pub name: String,
    pub title: String,
    /// Markdown with code that runs.
    pub page: String,
    pub functions: Vec<Function>,
    pub modules: Vec<Module>,
}

/// The whole reference, in the order in which it is read.
pub fn chapters(host: &Rc<Host>) -> Vec<Chapter> {
    let all = entries();
    let chapter = |topic: &Topic| Chapter {
        name: topic.name.to_string(),
        title: topic.title.to_string(),
        page: topic.page.to_string(),
        functions: records(topic).iter().map(|record| function(record, &all)).collect(),
        modules: if topic.name == "stdlib" { library(host) } else { Vec::new() },
    };
    TOPICS.iter().map(chapter).collect()
}

/// The records of a topic: those that it names first, in its order, then those of its types.
pub fn records(topic: &Topic) -> Vec<&'static Record> {
    let here = |record: &&Record| topics::of(record).is_some_and(|found| found.name == topic.name);
    let mut found: Vec<&'static Record> = api::all().filter(here).collect();
    let place = |record: &&Record| {
        let named = topic.members().iter().position(|member| *member == record.name);
        named.unwrap_or(usize::MAX)
    };
    found.sort_by_key(place);
    found
}

/// Functions that a record's doc and options speak of.
pub fn spoken_of(record: &Record, all: &[Entry]) -> Vec<&'static str> {
    let said = std::iter::once(record.doc).chain(record.all_options().map(|option| option.meaning));
    let others: Vec<&str> = said.flat_map(|said| said.split('`').skip(1).step_by(2)).collect();
    let is_other =
        |entry: &&Entry| others.contains(&entry.name.as_str()) && entry.record.name != record.name;
    let found: BTreeSet<&str> =
        all.iter().filter(is_other).map(|entry| entry.record.name).collect();
    found.into_iter().collect()
}

fn function(record: &Record, all: &[Entry]) -> Function {
    let own: Vec<&Entry> = all.iter().filter(|entry| entry.record.name == record.name).collect();
    let known_by = |entry: &&Entry| {
        if entry.on.is_empty() {
            entry.name.clone()
        } else {
            format!("{}.{}", entry.on, entry.name)
        }
    };
    let mut others: Vec<String> = Vec::new();
    for name in own.iter().map(known_by) {
        if name != record.name && !others.contains(&name) {
            others.push(name);
        }
    }
    let mut types: Vec<(String, &'static str)> = Vec::new();
    for kind in own.iter().flat_map(|entry| entry.gives.iter().chain([&entry.on])) {
        if let Some(topic) = topics::of_type(kind)
            && !types.iter().any(|(known, _)| known == kind)
        {
            types.push((kind.clone(), topic.name));
        }
    }
    Function {
        name: record.name.to_string(),
        others,
        forms: record.signatures.iter().map(ToString::to_string).collect(),
        summary: record.summary.to_string(),
        doc: record.doc.to_string(),
        options: record.all_options().copied().collect(),
        example: record.example.to_string(),
        see: near(record, all),
        types,
    }
}

/// What a record speaks of, what speaks of it, and its neighbours in the topic.
fn near(record: &Record, all: &[Entry]) -> Vec<String> {
    let mut found: Vec<&str> = spoken_of(record, all);
    let speaks = |other: &&Record| spoken_of(other, all).contains(&record.name);
    found.extend(api::all().filter(speaks).map(|other| other.name));
    let owner = entries::owner(record);
    let of_topic = topics::of(record).map(records).unwrap_or_default();
    let is_like = |other: &&&Record| entries::owner(other) == owner;
    let alike: Vec<&str> = of_topic.iter().filter(is_like).map(|other| other.name).collect();
    // One that is alone of its type has its neighbours in the topic.
    let family = match alike.len() {
        1 => of_topic.iter().map(|other| other.name).collect(),
        _ => alike,
    };
    if let Some(place) = family.iter().position(|name| *name == record.name) {
        found.extend(place.checked_sub(1).and_then(|before| family.get(before)).copied());
        found.extend(family.get(place + 1).copied());
    }
    let mut seen = BTreeSet::from([record.name]);
    found.retain(|name| seen.insert(name));
    found.into_iter().map(str::to_string).collect()
}

/// The modules of the standard library.
fn library(host: &Rc<Host>) -> Vec<Module> {
    let names = modules::standard_names();
    names.into_iter().filter_map(|path| module(host, &path)).collect()
}

fn module(host: &Rc<Host>, path: &str) -> Option<Module> {
    let page = pages::page(host, path)?;
    let alias = path.rsplit('/').next().unwrap_or(path);
    let mut functions: Vec<Function> = Vec::new();
    for own in &page.functions {
        let name = format!("{path}.{}", own.name);
        let form = format!("{alias}::{}", own.form());
        match functions.iter_mut().find(|known| known.name == name) {
            Some(known) => known.forms.push(form),
            None => functions.push(of_module(own, name, form)),
        }
    }
    let import = format!("    import \"{path}\" as {alias};\n");
    let worked = guide(path);
    let shown = if worked.contains("    import") { worked } else { import };
    Some(Module { path: path.to_string(), page: format!("{}\n\n{shown}", page.doc), functions })
}

fn of_module(own: &Own, name: String, form: String) -> Function {
    let (summary, doc) = own.told();
    Function { name, forms: vec![form], summary, doc, ..Function::default() }
}

/// What the library's guide says about a module, its code in lines that begin with four spaces. What stood below the code is
/// left out: it is shown anew.
fn guide(path: &str) -> String {
    let heading = format!("## {path}");
    let lines = modules::guide().lines().skip_while(|line| *line != heading).skip(1);
    let mut out = String::new();
    let mut fence = "";
    for line in lines.take_while(|line| !line.starts_with("## ")) {
        match (line, fence) {
            ("```rhai" | "```text", "") => fence = line,
            ("```", _) => fence = "",
            (line, "```rhai") => out.push_str(&format!("    {line}\n")),
            (_, "```text") => {}
            (line, _) => out.push_str(&format!("{line}\n")),
        }
    }
    out.trim_matches('\n').to_string()
}
