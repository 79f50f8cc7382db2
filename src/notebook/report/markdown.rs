//! The report of a run as Markdown, its charts as images beside it.

use serde_json::Value;

use super::cut::cut;
use super::fragment;
use super::html::CHART;
use super::text::text;
use super::timing::duration;
use super::title::title;
use crate::display::{Output, Table};
use crate::notebook::cells::Content;
use crate::notebook::outcome::{Item, Outcome};
use crate::plain::{one_line, printable};

/// A report, and the files that it shows.
pub struct Pages {
    pub text: String,
    /// Name and content.
    pub images: Vec<(String, Vec<u8>)>,
}

/// The report. `stem` begins the names of the images.
pub fn markdown(outcome: &Outcome, facts: &Value, stem: &str) -> Pages {
    let mut pages = Pages { text: String::new(), images: Vec::new() };
    let title = title(outcome, facts);
    let opens = outcome.ran.iter().map(|ran| ran.prose()).find(|prose| !prose.is_empty());
    let repeats =
        opens.and_then(|text| text.lines().next()).is_some_and(|first| first.starts_with('#'));
    if !repeats {
        pages.text.push_str(&format!("# {}\n\n", literal(&title)));
    }
    for ran in &outcome.ran {
        match &ran.cell.content {
            Content::Prose(_) => {
                pages.text.push_str(&format!("{}\n\n", printable(ran.prose())));
            }
            Content::Code(code) => {
                if !ran.cell.title.is_empty() {
                    pages.text.push_str(&format!("## {}\n\n", literal(&ran.cell.title)));
                }
                pages.text.push_str(&fenced(code.trim_matches('\n'), "rust"));
                for item in cut(&ran.items).iter() {
                    pages.item(item, stem);
                }
                pages.text.push_str(&format!("*{}*\n\n", duration(ran.seconds)));
            }
        }
    }
    if let Some(error) = &outcome.error {
        let lines = std::iter::once(&error.message).chain(&error.notes).chain(&error.hint);
        let lines: Vec<String> = lines.map(|line| literal(line)).collect();
        pages.text.push_str(&format!("**The run failed:** {}\n", lines.join(" · ")));
    }
    pages
}

impl Pages {
    fn item(&mut self, item: &Item, stem: &str) {
        match item {
            Item::Printed(text) | Item::Output(Output::Text(text)) => {
                self.text.push_str(&fenced(text, "text"));
            }
            Item::Note(text) => self.text.push_str(&format!("> Note: {}\n\n", literal(text))),
            Item::Output(Output::Markdown(text)) => {
                self.text.push_str(&format!("{}\n\n", fragment::markdown(text)));
            }
            Item::Output(Output::Table(shown)) => self.text.push_str(&table(shown)),
            Item::Output(shown @ Output::Chart(chart)) => {
                let Ok(drawing) = chart.to_svg(CHART.0, CHART.1) else {
                    self.text.push_str(&fenced(&text(shown), "text"));
                    return;
                };
                let number = self.images.len() + 1;
                let name = format!("{stem}-figure-{number}.svg");
                let caption = literal(&chart.title);
                self.text.push_str(&format!("![Figure {number}. {caption}](<{name}>)\n\n"));
                self.images.push((name, drawing.into_bytes()));
            }
        }
    }
}

/// A block of code, within a fence that is longer than any in it.
pub fn fenced(text: &str, language: &str) -> String {
    let text = printable(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n\n")
}

/// A text on one line in which no sign is markup.
pub fn literal(text: &str) -> String {
    let mut out = String::new();
    for character in one_line(text).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

/// A table, its caption below it.
pub fn table(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let heads = table.columns.iter().map(|column| literal(&column.name)).collect();
    let rules = table.columns.iter().map(|column| if column.numeric { "---:" } else { "---" });
    let mut out = line(heads);
    out.push_str(&line(rules.map(str::to_string).collect()));
    for row in &table.rows {
        let cells = row.iter().map(|cell| cell.as_deref().map_or("–".to_string(), literal));
        out.push_str(&line(cells.collect()));
    }
    format!("{out}\n{}\n\n", literal(&table.caption))
}
