//! What a cell shows, in the forms that Jupyter chooses from: always plain text, and beside it the richest form there is.

use jupyter_protocol::{Media, MediaType};

use crate::cli::draw::Style;
use crate::display::Output;
use crate::notebook::outcome::Item;
use crate::notebook::report::media::rich;
use crate::plain::printable;

/// Characters of a line of plain text.
const WIDTH: usize = 100;

/// Plain text without colours: a page may show it anywhere.
pub fn style() -> Style {
    Style { width: WIDTH, colour: false }
}

pub fn media(output: &Output) -> Media {
    let drawn = style().item(&Item::Output(output.clone()));
    let plain = MediaType::Plain(drawn.trim_end_matches('\n').to_string());
    Media::new([Some(plain), rich(output)].into_iter().flatten().collect())
}

/// Text alone.
pub fn text(text: &str) -> Media {
    Media::new(vec![MediaType::Plain(printable(text))])
}
