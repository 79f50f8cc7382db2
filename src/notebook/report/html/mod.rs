//! The report of a run as one HTML file: prose, code, tables, charts, timings and facts. It loads nothing, and is complete
//! without its one script, which sorts and pages tables. Every text is escaped: what a model wrote is data here, never
//! markup.

mod cells;
mod facts;
pub mod items;
pub mod prose;
pub mod script;
pub mod tables;

use serde_json::Value;

use self::items::Numbers;
use super::escape::escape;
use super::timing::duration;
use crate::display::Output;
use crate::notebook::cells::{Cell, Content};
use crate::notebook::outcome::{Item, Outcome, Ran};
use crate::script::report::ScriptError;

pub use self::items::CHART;

/// The page of a run under way looks by itself whether there is more to see.
const AGAIN: &str = "<meta http-equiv=\"refresh\" content=\"5\">\n";
/// The looks of every page.
pub const STYLE: &str = include_str!("style.css");

/// The page. `facts` is what run.json says.
pub fn page(outcome: &Outcome, facts: &Value) -> String {
    let title = super::title::title(outcome, facts);
    let mut body = header(&title, facts);
    body.push_str(&contents(outcome, &title));
    let mut numbers = Numbers::default();
    let mut titled = false;
    for (place, ran) in outcome.ran.iter().enumerate() {
        body.push_str(&section(place, ran, &title, &mut titled, &mut numbers));
    }
    if let Some(error) = &outcome.error {
        body.push_str(&failure(error));
    }
    body.push_str(&facts::running(facts));
    body.push_str(&facts::metrics(facts));
    body.push_str(&facts::finetunings(facts));
    body.push_str(&facts::record(facts));
    let columns = tables::flush_right(widest(outcome).max(3));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n{}\
         <title>{}</title>\n<style>\n{STYLE}{columns}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         <script>{}</script>\n</body>\n</html>\n",
        script::policy(script::SCRIPT),
        if facts["running"].is_null() { "" } else { AGAIN },
        escape(&title),
        script::SCRIPT
    )
}

/// Columns of the widest table.
fn widest(outcome: &Outcome) -> usize {
    let items = outcome.ran.iter().flat_map(|ran| &ran.items);
    let columns = items.map(|item| match item {
        Item::Output(Output::Table(table)) => table.columns.len(),
        _ => 0,
    });
    columns.max().unwrap_or(0)
}

fn header(title: &str, facts: &Value) -> String {
    let parts = [
        facts["script"].as_str().unwrap_or_default().to_string(),
        facts["started"].as_str().unwrap_or_default().replace('T', " "),
        facts["status"].as_str().unwrap_or_default().to_string(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"facts\">{}</p>\n</header>\n",
        escape(title),
        escape(&parts.join(" · "))
    )
}

fn contents(outcome: &Outcome, page: &str) -> String {
    let entry = |(place, ran): (usize, &Ran)| Some((place, cells::title(&ran.cell, ran.prose())?));
    let entries = outcome.ran.iter().enumerate().filter_map(entry);
    let entries: Vec<(usize, String)> = entries.filter(|(_, title)| title != page).collect();
    cells::contents(&entries)
}

/// A cell. The heading that gave the page its title is not repeated.
fn section(
    place: usize,
    ran: &Ran,
    title: &str,
    titled: &mut bool,
    numbers: &mut Numbers,
) -> String {
    match &ran.cell.content {
        Content::Prose(_) => {
            let mut text = ran.prose();
            if !*titled {
                *titled = true;
                let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
                if first.trim_start_matches('#').trim() == title {
                    text = rest;
                }
            }
            // The prose with values in it stands in place of the prose.
            let is_prose = matches!(ran.items.first(), Some(Item::Output(Output::Markdown(_))));
            let notes = numbers.items(ran.items.get(usize::from(is_prose)..).unwrap_or_default());
            format!("<section id=\"cell-{place}\">\n{}{notes}</section>\n", prose::prose(text))
        }
        Content::Code(code) => format!(
            "<section id=\"cell-{place}\">\n{}{}{}</section>\n",
            heading(&ran.cell, ran.seconds),
            cells::code(code),
            numbers.items(&ran.items)
        ),
    }
}

fn heading(cell: &Cell, seconds: f64) -> String {
    let title = if cell.title.is_empty() {
        String::new()
    } else {
        format!("<h2>{}</h2>", escape(&cell.title))
    };
    format!("<div class=\"title\">{title}<span class=\"time\">{}</span></div>\n", duration(seconds))
}

fn failure(error: &ScriptError) -> String {
    let place = match error.line {
        Some(line) => format!("{}, line {line}", error.file),
        None => error.file.clone(),
    };
    let quoted = if error.line_text.is_empty() {
        String::new()
    } else {
        format!("<pre>{}</pre>", escape(&error.line_text))
    };
    let notes: String = error
        .notes
        .iter()
        .chain(&error.hint)
        .map(|note| format!("<p>{}</p>", escape(note)))
        .collect();
    format!(
        "<section class=\"error\">\n<strong>{}</strong>\n<p class=\"facts\">{}</p>\n{quoted}{notes}\n</section>\n",
        escape(&error.message),
        escape(&place)
    )
}
