//! What a cell shows, in the forms that Jupyter chooses from: always plain text, and beside it the richest form there is.

use jupyter_protocol::{Media, MediaType};

use crate::cli::draw::Style;
use crate::display::Output;
use crate::notebook::outcome::Item;
use crate::notebook::report::fragment;
use crate::plain::printable;

/// A chart's size in the units of its drawing.
const CHART: (u32, u32) = (800, 420);
/// Characters of a line of plain text.
const WIDTH: usize = 100;

/// Plain text without colours: a page may show it anywhere.
pub fn style() -> Style {
    Style { width: WIDTH, colour: false }
}

pub fn media(output: &Output) -> Media {
    let drawn = style().item(&Item::Output(output.clone()));
    let plain = MediaType::Plain(drawn.trim_end_matches('\n').to_string());
    let rich = match output {
        Output::Text(_) => None,
        Output::Table(table) => Some(MediaType::Html(fragment::table(table))),
        Output::Chart(chart) => chart.to_svg(CHART.0, CHART.1).ok().map(MediaType::Svg),
        Output::Markdown(text) => Some(MediaType::Markdown(fragment::markdown(text))),
    };
    Media::new([Some(plain), rich].into_iter().flatten().collect())
}

/// Text alone.
pub fn text(text: &str) -> Media {
    Media::new(vec![MediaType::Plain(printable(text))])
}
