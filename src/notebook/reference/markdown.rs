//! The reference as Markdown, charts drawn in characters.

use super::parts::{Entry, Reference};
use super::pieces::Piece;
use crate::display::Output;
use crate::notebook::outcome::Item;
use crate::notebook::report::cut::cut;
use crate::notebook::report::escape::escape;
use crate::notebook::report::markdown::{fenced, literal, table};
use crate::notebook::report::text::text;
use crate::plain::{one_line, printable};
use crate::script::record::OptionDoc;

/// The whole reference.
pub fn markdown(reference: &Reference) -> String {
    let mut out = format!("# ebb reference\n\nVersion {}.\n\n", env!("CARGO_PKG_VERSION"));
    for chapter in &reference.chapters {
        out.push_str(&format!("- [{}](#{})\n", literal(&chapter.title), escape(&chapter.name)));
    }
    out.push('\n');
    for chapter in &reference.chapters {
        out.push_str(&heading("##", &chapter.name, &chapter.title));
        out.push_str(&pieces(&chapter.page));
        for entry in &chapter.entries {
            out.push_str(&function(entry, "###"));
        }
        for module in &chapter.modules {
            out.push_str(&heading("###", &module.path, &module.path));
            out.push_str(&pieces(&module.page));
            for entry in &module.entries {
                out.push_str(&function(entry, "####"));
            }
        }
    }
    out
}

/// A heading behind a place that links lead to.
fn heading(level: &str, place: &str, title: &str) -> String {
    format!("{level} <a id=\"{}\"></a>{}\n\n", escape(place), literal(title))
}

fn function(entry: &Entry, level: &str) -> String {
    let function = &entry.function;
    let mut out = heading(level, &function.name, &function.name);
    out.push_str(&format!("{}.\n\n", printable(&function.summary)));
    out.push_str(&fenced(&function.forms.join("\n"), "rhai"));
    out.push_str(&pieces(&entry.doc));
    out.push_str(&options(&function.options));
    out.push_str(&pieces(&entry.example));
    let link = |place: &str, shown: &str| format!("[{}](<#{place}>)", literal(shown));
    let types = function.types.iter().map(|(kind, topic)| link(topic, kind));
    let near = function.see.iter().map(|name| link(name, name));
    let all: Vec<String> = types.chain(near).collect();
    if !all.is_empty() {
        out.push_str(&format!("See also {}.\n\n", all.join(", ")));
    }
    out
}

fn options(options: &[OptionDoc]) -> String {
    if options.is_empty() {
        return String::new();
    }
    let mut out =
        String::from("| option | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for option in options {
        let cells = [option.name, option.kind, option.default, option.meaning];
        let [name, kind, default, meaning] = cells.map(|cell| one_line(cell).replace('|', "\\|"));
        let default = if default.is_empty() { default } else { format!("`{default}`") };
        out.push_str(&format!("| `{name}` | {kind} | {default} | {meaning} |\n"));
    }
    out + "\n"
}

fn pieces(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Prose(text) => format!("{}\n\n", printable(text)),
        Piece::Code { text, items } => {
            let shown: String = cut(items).iter().map(item).collect();
            format!("{}{shown}", fenced(text, "rhai"))
        }
    };
    pieces.iter().map(piece).collect()
}

fn item(item: &Item) -> String {
    match item {
        Item::Printed(said) | Item::Output(Output::Text(said)) => fenced(said, "text"),
        Item::Note(said) => format!("> Note: {}\n\n", literal(said)),
        // What is shown as Markdown is quoted: its headings are none of this page.
        Item::Output(Output::Markdown(said)) => {
            let lines = printable(said);
            let quoted: String = lines.lines().map(|line| format!("> {line}\n")).collect();
            format!("{quoted}\n")
        }
        Item::Output(Output::Table(rows)) => table(rows),
        Item::Output(shown @ Output::Chart(_)) => fenced(&text(shown), "text"),
    }
}
