//! The report of a run as one HTML file: prose, code, tables, charts, timings and facts. It needs no scripts and loads
//! nothing. Every text is escaped: what a model wrote is data here, never markup.

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;

use super::code::highlighted;
use super::escape::escape;
use crate::display::{Chart, Output, Table};
use crate::notebook::cells::{self, Cell, Content};
use crate::notebook::outcome::{Item, Outcome, Ran};
use crate::plain::printable;
use crate::script::report::ScriptError;

const STYLE: &str = include_str!("style.css");
/// A chart's size in the units of its drawing.
const CHART: (u32, u32) = (800, 420);

/// The page. `facts` is what run.json says.
pub fn page(outcome: &Outcome, facts: &Value) -> String {
    let script = facts["script"].as_str().unwrap_or("script");
    let all: Vec<Cell> = outcome.ran.iter().map(|ran| ran.cell.clone()).collect();
    let title = match cells::introduction(&all) {
        Some((title, _)) if !title.is_empty() => title,
        _ => script.to_string(),
    };
    let mut body = header(&title, facts);
    let mut titled = false;
    for ran in &outcome.ran {
        body.push_str(&section(ran, &title, &mut titled));
    }
    if let Some(error) = &outcome.error {
        body.push_str(&failure(error));
    }
    body.push_str(&footer(facts));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(&title)
    )
}

fn header(title: &str, facts: &Value) -> String {
    let parts = [
        facts["script"].as_str().unwrap_or_default().to_string(),
        facts["started"].as_str().unwrap_or_default().replace('T', " "),
        facts["status"].as_str().unwrap_or_default().to_string(),
    ];
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"facts\">{}</p>\n</header>\n",
        escape(title),
        escape(&parts.join(" · "))
    )
}

/// A cell. The heading that gave the page its title is not repeated.
fn section(ran: &Ran, title: &str, titled: &mut bool) -> String {
    match &ran.cell.content {
        Content::Prose(text) => {
            let mut text = text.as_str();
            if !*titled {
                *titled = true;
                let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
                if first.trim_start_matches('#').trim() == title {
                    text = rest;
                }
            }
            format!("<section>\n{}</section>\n", prose(text))
        }
        Content::Code(code) => {
            let heading = if ran.cell.title.is_empty() {
                String::new()
            } else {
                format!("<h2>{}</h2>", escape(&ran.cell.title))
            };
            let items: String = ran.items.iter().map(item).collect();
            format!(
                "<section>\n<div class=\"title\">{heading}<span class=\"time\">{}</span></div>\n<pre class=\"code\">{}</pre>\n\
                 {items}</section>\n",
                duration(ran.seconds),
                highlighted(code.trim_matches('\n'))
            )
        }
    }
}

fn item(item: &Item) -> String {
    match item {
        Item::Printed(text) | Item::Output(Output::Text(text)) => {
            format!("<pre class=\"text\">{}</pre>\n", escape(text))
        }
        Item::Note(text) => format!("<p class=\"note\">Note: {}</p>\n", escape(text)),
        Item::Output(Output::Markdown(text)) => prose(text),
        Item::Output(Output::Table(shown)) => table(shown),
        Item::Output(Output::Chart(shown)) => chart(shown),
    }
}

/// Markdown as HTML; markup inside it stays text, images are left out, and links lead only to the web or within the page.
fn prose(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let clean = printable(text);
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, Parser::new_ext(&clean, options).map(harmless));
    out
}

fn harmless(mut event: Event) -> Event {
    match &mut event {
        Event::Start(Tag::Link { dest_url, .. }) => {
            let safe = ["https://", "http://", "#"];
            if !safe.iter().any(|start| dest_url.starts_with(start)) {
                *dest_url = "#".into();
            }
        }
        Event::Start(Tag::Image { dest_url, .. }) => *dest_url = "data:,".into(),
        _ => {}
    }
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        other => other,
    }
}

fn table(table: &Table) -> String {
    let class = |numeric: bool| if numeric { " class=\"number\"" } else { "" };
    let heads: String = table
        .columns
        .iter()
        .map(|column| {
            format!(
                "<th{}>{}<small>{}</small></th>",
                class(column.numeric),
                escape(&column.name),
                escape(&column.kind)
            )
        })
        .collect();
    let cell = |(text, numeric): (&Option<String>, bool)| match text {
        Some(text) => format!("<td{}>{}</td>", class(numeric), escape(text)),
        None => "<td class=\"none\">–</td>".to_string(),
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
        "<figure>\n<div class=\"scroll\"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n\
         <figcaption>{}</figcaption>\n</figure>\n",
        escape(&table.caption)
    )
}

fn chart(chart: &Chart) -> String {
    match chart.to_svg(CHART.0, CHART.1) {
        Ok(drawing) => format!("<figure>\n{drawing}\n</figure>\n"),
        Err(error) => format!(
            "<p class=\"note\">The chart could not be drawn: {}</p>\n",
            escape(&error.to_string())
        ),
    }
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

/// The facts of the run as a table of names and values.
fn footer(facts: &Value) -> String {
    let mut rows = String::new();
    for name in [
        "command",
        "seed",
        "device",
        "threads",
        "ebb",
        "system",
        "started",
        "ended",
        "script_sha256",
    ] {
        let text = match &facts[name] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(words) => {
                words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        rows.push_str(&fact(name, &text));
    }
    for (name, value) in facts["parameters"].as_object().into_iter().flatten() {
        rows.push_str(&fact(&format!("--{name}"), &value.to_string()));
    }
    for input in facts["inputs"].as_array().into_iter().flatten() {
        let name = input["name"].as_str().unwrap_or_default();
        let hash =
            input["sha256"].as_str().map_or("no hash".to_string(), |hash| format!("sha256 {hash}"));
        rows.push_str(&fact(name, &hash));
    }
    format!(
        "<footer>\n<h3>This run</h3>\n<div class=\"scroll\"><table><tbody>\n{rows}</tbody></table></div>\n</footer>\n"
    )
}

fn fact(name: &str, value: &str) -> String {
    format!("<tr><td>{}</td><td>{}</td></tr>\n", escape(name), escape(value))
}

/// "12 ms", "1.20 s", "3 min 20 s".
pub fn duration(seconds: f64) -> String {
    match seconds {
        tiny if tiny < 0.1 => format!("{:.0} ms", tiny * 1e3),
        short if short < 10.0 => format!("{short:.2} s"),
        medium if medium < 120.0 => format!("{medium:.0} s"),
        long => format!("{} min {:.0} s", (long / 60.0).floor(), long % 60.0),
    }
}
