//! What cells showed, as HTML: texts, tables and charts, numbered through the page.

use super::prose::prose;
use super::tables::table;
use crate::display::{Chart, Output};
use crate::notebook::outcome::Item;
use crate::notebook::report::cut::cut;
use crate::notebook::report::escape::escape;

/// A chart's size in the units of its drawing.
pub const CHART: (u32, u32) = (800, 420);

/// How many figures and tables stand on the page so far.
#[derive(Default)]
pub struct Numbers {
    figures: usize,
    tables: usize,
}

impl Numbers {
    /// The items of one cell. Text beyond what a page can hold is cut, and that is said.
    pub fn items(&mut self, items: &[Item]) -> String {
        let shown = cut(items);
        let pieces = shown.iter().map(|item| match item {
            Item::Printed(text) => pre(text),
            Item::Note(text) => note(&format!("Note: {text}")),
            Item::Output(output) => self.numbered(output),
        });
        pieces.collect()
    }

    fn numbered(&mut self, output: &Output) -> String {
        match output {
            Output::Table(shown) => {
                self.tables += 1;
                table(shown, &caption("Table", self.tables, &shown.caption))
            }
            Output::Chart(shown) => {
                self.figures += 1;
                chart(shown, &caption("Figure", self.figures, &shown.title))
            }
            Output::Text(text) => pre(text),
            Output::Markdown(text) => prose(text),
        }
    }
}

fn caption(kind: &str, number: usize, text: &str) -> String {
    let point = if text.is_empty() { "" } else { ". " };
    format!("<b>{kind} {number}</b>{point}{}", escape(text))
}

/// Text as it stands.
pub fn pre(text: &str) -> String {
    format!("<pre class=\"text\">{}</pre>\n", escape(text))
}

/// A remark.
pub fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", escape(text))
}

/// A chart as a drawing.
pub fn chart(chart: &Chart, caption: &str) -> String {
    match chart.to_svg(CHART.0, CHART.1) {
        Ok(drawing) => format!(
            "<figure class=\"chart\">\n{drawing}\n<figcaption>{caption}</figcaption>\n</figure>\n"
        ),
        Err(error) => note(&format!("The chart could not be drawn: {error}")),
    }
}
