//! Tables as HTML. End tags that HTML does not ask for are left out: of a large table they would be a third of the page.

use crate::display::Table;
use crate::notebook::report::escape::escape;

/// Columns that the style sheet can set flush right.
const COLUMNS: usize = 200;

/// A table in a frame that scrolls, with its caption.
pub fn table(table: &Table, caption: &str) -> String {
    let mut right = String::new();
    let mut heads = String::new();
    for (index, column) in table.columns.iter().enumerate() {
        if column.numeric && index < COLUMNS {
            right.push_str(&format!(" r{index}"));
        }
        heads.push_str(&format!(
            "<th scope=\"col\">{}<small>{}</small>",
            escape(&column.name),
            escape(&column.kind)
        ));
    }
    let mut rows = String::new();
    for row in &table.rows {
        rows.push_str("<tr>");
        for text in row {
            match text {
                Some(text) => {
                    rows.push_str("<td>");
                    rows.push_str(&escape(text));
                }
                None => rows.push_str("<td class=none>–"),
            }
        }
        rows.push('\n');
    }
    let caption = if caption.is_empty() {
        String::new()
    } else {
        format!("<figcaption>{caption}</figcaption>\n")
    };
    format!(
        "<figure class=\"table\">\n<div class=\"scroll\"><table class=\"{}\">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n\
         {rows}</tbody>\n</table></div>\n{caption}</figure>\n",
        right.trim_start()
    )
}

/// The rules of style for columns of numbers, as many as the widest table has.
pub fn flush_right(columns: usize) -> String {
    let rule = |index: usize| {
        let place = index + 1;
        format!(".r{index} :is(td,th):nth-child({place}){{text-align:right}}\n")
    };
    (0..columns.min(COLUMNS)).map(rule).collect()
}
