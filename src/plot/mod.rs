//! Charts: one description, drawn as text in a terminal, SVG in a report and PNG in a file.

mod bins;
mod draw;
mod labels;
mod rows;
mod scale;
mod shapes;
mod terminal;
mod text;

use std::path::Path;

pub use self::bins::counted_in_bins;
pub use self::draw::TELLABLE;
use crate::display::Chart;
use crate::doorway::Roots;
use crate::error::{Error, Result};

impl Chart {
    /// The chart as lines of text of at most `width` characters, in `height` lines. With `colour`, ANSI colours tell the
    /// series apart; without, their markers do.
    pub fn to_terminal(&self, width: usize, height: usize, colour: bool) -> String {
        let (width, height) = (width.clamp(20, 400), height.clamp(6, 200));
        terminal::draw(&self.shown(), width, height, colour)
    }

    /// The chart as an SVG image of that many pixels, on no background, so that it suits light and dark pages.
    pub fn to_svg(&self, width: u32, height: u32) -> Result<String> {
        draw::svg(&self.shown(), width, height)
    }

    /// The chart as a PNG image on white.
    pub fn to_png(&self, width: u32, height: u32) -> Result<Vec<u8>> {
        draw::png(&self.shown(), width, height)
    }

    /// Writes an image below the roots, in the format of the path's extension, svg or png.
    pub fn save(&self, roots: &Roots, path: &Path) -> Result<()> {
        let extension =
            path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let bytes = match extension.as_str() {
            "svg" => self.to_svg(800, 450)?.into_bytes(),
            "png" => self.to_png(1200, 675)?,
            other => return Err(Error::unknown("image format", other, ["svg", "png"])),
        };
        crate::files::write_bytes(roots, path, &bytes)
    }
}
