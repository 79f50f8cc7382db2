//! Charts: one description, drawn as text in a terminal, SVG in a report and PNG in a file.

mod axis;
mod bins;
mod blocks;
mod cells;
mod draw;
mod heat;
mod labels;
mod legend;
mod logarithmic;
mod look;
mod panels;
mod rows;
mod scale;
mod shapes;
mod terminal;
mod text;
mod tiles;

use std::path::Path;

pub use self::bins::counted_in_bins;
pub use self::logarithmic::power;
pub use self::look::TELLABLE;
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

    /// The chart as an SVG image of that many pixels, on no background, so that it suits light and dark pages. Several rows
    /// of small charts, and heat maps of many rows, make it higher.
    pub fn to_svg(&self, width: u32, height: u32) -> Result<String> {
        draw::svg(&self.shown(), width, self.needed(height))
    }

    /// The chart as a PNG image on white, of the size that [`Self::to_svg`] gives.
    pub fn to_png(&self, width: u32, height: u32) -> Result<Vec<u8>> {
        draw::png(&self.shown(), width, self.needed(height))
    }

    /// The height that the chart needs where one chart takes `height`: half of it for each row of small charts, and no less
    /// than a line for each row of cells. At most eight times as high.
    fn needed(&self, height: u32) -> u32 {
        let count = self.panels.len().max(1);
        let down = count.div_ceil(tiles::columns(count)) as u32;
        let rows = self.grids().map(|grid| grid.rows.len()).max().unwrap_or(0) as u32;
        let cells = down * (height / 4 + rows * (height / 28).max(1));
        let small = if down > 1 { down * height.div_ceil(2) } else { height };
        let cells = if rows > 0 { cells } else { 0 };
        small.max(cells).max(height).min(height.saturating_mul(8))
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
