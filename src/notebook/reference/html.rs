//! The reference as one page: searchable, complete without its script, and loading nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::parts::{Chapter, Entry, Module, Reference};
use super::pieces::Piece;
use crate::display::Output;
use crate::notebook::outcome::Item;
use crate::notebook::report::code::highlighted;
use crate::notebook::report::cut::cut;
use crate::notebook::report::escape::escape;
use crate::notebook::report::html::prose::prose;
use crate::notebook::report::html::script::policy;
use crate::notebook::report::html::tables::{flush_right, table};
use crate::notebook::report::html::{STYLE, items};
use crate::script::record::OptionDoc;

/// Filters as one types. It must not hold `</script`.
const SCRIPT: &str = include_str!("page.js");
const OWN_STYLE: &str = include_str!("style.css");
/// Columns that are set flush right where they hold numbers.
const COLUMNS: usize = 40;

/// The page.
pub fn page(reference: &Reference) -> String {
    let mut writer = Writer::new(reference);
    let mut body = header(reference);
    for chapter in &reference.chapters {
        body.push_str(&writer.chapter(chapter));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <title>ebb reference</title>\n<style>\n{STYLE}{OWN_STYLE}{}</style>\n</head>\n<body>\n{}<main>\n{body}</main>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n",
        policy(SCRIPT),
        flush_right(COLUMNS),
        contents(reference),
    )
}

fn header(reference: &Reference) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let count = reference.entries().count();
    format!(
        "<header>\n<h1>ebb reference</h1>\n<p class=\"facts\">Version {version} · {count} functions · {} examples, whose output is what they \
         showed when this page was made</p>\n</header>\n<search id=\"search\" hidden>\n<input id=\"find\" type=\"search\" \
         placeholder=\"Find a function, an option, a word ( / )\" aria-label=\"Find\" autocomplete=\"off\" spellcheck=\"false\">\n\
         <span id=\"told\" role=\"status\"></span>\n</search>\n",
        reference.ran
    )
}

/// Links to all topics and functions.
fn contents(reference: &Reference) -> String {
    let link =
        |name: &str, shown: &str| format!("<a href=\"#{}\">{}</a>", escape(name), escape(shown));
    let mut out = String::new();
    for chapter in &reference.chapters {
        let mut inside = String::new();
        for entry in &chapter.entries {
            let name = &entry.function.name;
            inside.push_str(&format!("<li>{}</li>\n", link(name, name)));
        }
        for module in &chapter.modules {
            inside.push_str(&format!("<li>{}</li>\n", link(&module.path, &module.path)));
        }
        out.push_str(&format!(
            "<li>{}\n<ul>\n{inside}</ul>\n</li>\n",
            link(&chapter.name, &chapter.title)
        ));
    }
    format!("<nav aria-label=\"Topics\">\n<ul class=\"topics\">\n{out}</ul>\n</nav>\n")
}

/// What is known while the page is written.
struct Writer {
    /// Names in prose, and where they lead; only those that mean one thing.
    names: BTreeMap<String, String>,
    /// Places that are on the page already.
    places: BTreeSet<String>,
}

impl Writer {
    fn new(reference: &Reference) -> Self {
        let mut names: BTreeMap<String, Option<String>> = BTreeMap::new();
        for entry in reference.entries() {
            let function = &entry.function;
            let all = std::iter::once(&function.name).chain(&function.others);
            for name in all {
                for word in words(name) {
                    let meant = names.entry(word).or_insert_with(|| Some(function.name.clone()));
                    if meant.as_ref().is_some_and(|meant| *meant != function.name) {
                        *meant = None;
                    }
                }
            }
        }
        let names = names.into_iter().filter_map(|(word, meant)| Some((word, meant?)));
        let places = reference.chapters.iter().map(|chapter| chapter.name.clone());
        Self { names: names.collect(), places: places.collect() }
    }

    fn chapter(&mut self, chapter: &Chapter) -> String {
        let name = escape(&chapter.name);
        let find = format!("{} {}", chapter.name, chapter.title).to_lowercase();
        let mut out = format!(
            "<section class=\"topic\" id=\"{name}\" data-find=\"{}\">\n<h2>{}</h2>\n<div class=\"page\">\n{}</div>\n",
            escape(&find),
            escape(&chapter.title),
            self.pieces(&chapter.page, "")
        );
        for entry in &chapter.entries {
            out.push_str(&self.entry(entry, "h3"));
        }
        for module in &chapter.modules {
            out.push_str(&self.module(module));
        }
        out + "</section>\n"
    }

    fn module(&mut self, module: &Module) -> String {
        let path = escape(&module.path);
        let mut out = format!(
            "<section class=\"module\" id=\"{path}\" data-find=\"{}\">\n<h3>{path}</h3>\n<div class=\"page\">\n{}</div>\n",
            escape(&module.path.to_lowercase()),
            self.pieces(&module.page, "")
        );
        for entry in &module.entries {
            out.push_str(&self.entry(entry, "h4"));
        }
        out + "</section>\n"
    }

    fn entry(&mut self, entry: &Entry, heading: &str) -> String {
        let function = &entry.function;
        let name = escape(&function.name);
        let mut out = format!(
            "<article class=\"function\" id=\"{name}\" data-find=\"{}\">\n",
            escape(&found_by(entry))
        );
        self.places.insert(function.name.clone());
        for other in &function.others {
            if self.places.insert(other.clone()) {
                out.push_str(&format!("<span class=\"other\" id=\"{}\"></span>", escape(other)));
            }
        }
        out.push_str(&format!(
            "<{heading} class=\"name\"><a href=\"#{name}\">{name}</a></{heading}>\n<p class=\"summary\">{}.</p>\n\
             <pre class=\"forms\">{}</pre>\n",
            self.sentence(&function.summary, &function.name),
            highlighted(&function.forms.join("\n")),
        ));
        out.push_str(&self.pieces(&entry.doc, &function.name));
        out.push_str(&self.options(&function.options, &function.name));
        out.push_str(&self.pieces(&entry.example, &function.name));
        out.push_str(&see(entry));
        out + "</article>\n"
    }

    fn options(&self, options: &[OptionDoc], own: &str) -> String {
        if options.is_empty() {
            return String::new();
        }
        let row = |option: &OptionDoc| {
            let default = match option.default {
                "" => "–".to_string(),
                default => format!("<code>{}</code>", escape(default)),
            };
            format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{default}</td><td>{}</td></tr>\n",
                escape(option.name),
                escape(option.kind),
                self.sentence(option.meaning, own)
            )
        };
        format!(
            "<figure class=\"table\">\n<div class=\"scroll\"><table class=\"options\">\n<thead><tr><th scope=\"col\">option</th><th \
             scope=\"col\">type</th><th scope=\"col\">default</th><th scope=\"col\">meaning</th></tr></thead>\n<tbody>\n{}</tbody>\n\
             </table></div>\n</figure>\n",
            options.iter().map(row).collect::<String>()
        )
    }

    fn pieces(&self, pieces: &[Piece], own: &str) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Prose(text) => self.linked(&prose(text), own),
            Piece::Code { text, items } => {
                format!("<pre class=\"code\">{}</pre>\n{}", highlighted(text), shown(items))
            }
        };
        pieces.iter().map(piece).collect()
    }

    /// A sentence in a line: its names in backticks are code.
    fn sentence(&self, text: &str, own: &str) -> String {
        let mut out = String::new();
        for (place, part) in text.split('`').enumerate() {
            match (place % 2, part) {
                (1, part) => out.push_str(&format!("<code>{}</code>", escape(part))),
                (_, part) => out.push_str(&escape(part)),
            }
        }
        self.linked(&out, own)
    }

    /// Names of functions in code lead to them.
    fn linked(&self, html: &str, own: &str) -> String {
        let mut out = String::with_capacity(html.len());
        let mut rest = html;
        while let Some((before, behind)) = rest.split_once("<code>") {
            out.push_str(before);
            let Some((word, after)) = behind.split_once("</code>") else {
                out.push_str("<code>");
                rest = behind;
                break;
            };
            let meant = self.names.get(word.trim_end_matches("()")).filter(|meant| *meant != own);
            match meant {
                Some(meant) => {
                    out.push_str(&format!("<a href=\"#{}\"><code>{word}</code></a>", escape(meant)))
                }
                None => out.push_str(&format!("<code>{word}</code>")),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

/// What prose calls a function: "Frame.select" or "select", "bbq::split".
fn words(name: &str) -> BTreeSet<String> {
    match name.strip_prefix("std/") {
        Some(rest) => BTreeSet::from([rest.replacen('.', "::", 1)]),
        None => {
            let short = name.rsplit('.').next().unwrap_or(name);
            BTreeSet::from([name.to_string(), short.to_string()])
        }
    }
}

/// What a function is found by: its names, its summary, its options.
fn found_by(entry: &Entry) -> String {
    let function = &entry.function;
    let mut words = vec![function.name.as_str(), function.summary.as_str()];
    words.extend(function.others.iter().map(String::as_str));
    words.extend(function.forms.iter().map(String::as_str));
    words.extend(function.options.iter().map(|option| option.name));
    words.join(" ").to_lowercase()
}

/// Links to types and to functions that are near.
fn see(entry: &Entry) -> String {
    let function = &entry.function;
    let link =
        |place: &str, shown: &str| format!("<a href=\"#{}\">{}</a>", escape(place), escape(shown));
    let types = function.types.iter().map(|(kind, topic)| link(topic, kind));
    let near = function.see.iter().map(|name| link(name, name));
    let all: Vec<String> = types.chain(near).collect();
    if all.is_empty() {
        return String::new();
    }
    format!("<p class=\"small\">See also {}</p>\n", all.join(", "))
}

/// What an example showed.
fn shown(items: &[Item]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let item = |item: &Item| match item {
        Item::Printed(text) | Item::Output(Output::Text(text)) => items::pre(text),
        Item::Note(text) => items::note(&format!("Note: {text}")),
        Item::Output(Output::Markdown(text)) => prose(text),
        Item::Output(Output::Table(rows)) => table(rows, &escape(&rows.caption)),
        Item::Output(Output::Chart(chart)) => items::chart(chart, ""),
    };
    format!("<div class=\"shown\">\n{}</div>\n", cut(items).iter().map(item).collect::<String>())
}
