//! Pieces of a page that stand in somebody else's: a table as HTML with its looks in itself, and Markdown in which markup
//! stays text. What a model wrote is data here too.

use pulldown_cmark::{Event, Options, Parser};

use super::escape::escape;
use crate::display::Table;
use crate::plain::printable;

/// A table. Types stand under the names, numbers are set flush right, a missing value is a dash.
pub fn table(table: &Table) -> String {
    let align = |numeric: bool| if numeric { "right" } else { "left" };
    let heads: String = table
        .columns
        .iter()
        .map(|column| {
            format!(
                "<th style=\"text-align: {}\">{}<br><small style=\"font-weight: normal\">{}</small></th>",
                align(column.numeric),
                escape(&column.name),
                escape(&column.kind)
            )
        })
        .collect();
    let cell = |(text, numeric): (&Option<String>, bool)| match text {
        Some(text) => format!(
            "<td style=\"text-align: {}; white-space: pre-wrap\">{}</td>",
            align(numeric),
            escape(text)
        ),
        None => format!("<td style=\"text-align: {}\">–</td>", align(numeric)),
    };
    let rows: String = table
        .rows
        .iter()
        .map(|row| {
            let numeric = table.columns.iter().map(|column| column.numeric);
            let cells: String = row.iter().zip(numeric).map(cell).collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    format!(
        "<div style=\"overflow-x: auto\"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n\
         <p><small>{}</small></p>\n",
        escape(&table.caption)
    )
}

/// Markdown for a page that would take markup in it at its word: each piece of it is written so that it shows as it is.
pub fn markdown(text: &str) -> String {
    let clean = printable(text);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut out = String::with_capacity(clean.len());
    let mut done = 0;
    for (event, range) in Parser::new_ext(&clean, options).into_offset_iter() {
        if matches!(event, Event::Html(_) | Event::InlineHtml(_)) && range.start >= done {
            out.push_str(clean.get(done..range.start).unwrap_or_default());
            let markup = clean.get(range.clone()).unwrap_or_default();
            out.push_str(&markup.replace('&', "&amp;").replace('<', "&lt;"));
            done = range.end;
        }
    }
    out.push_str(clean.get(done..).unwrap_or_default());
    out
}
