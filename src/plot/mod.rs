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
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::plain::one_line;

/// What a chart looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ChartKind {
    #[default]
    Line,
    Scatter,
    Bar,
    Histogram,
}

/// A chart: named series over a numeric axis or over categories.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub kind: ChartKind,
    pub title: String,
    /// Axis labels with their units.
    pub x_label: String,
    pub y_label: String,
    pub series: Vec<Series>,
    /// Names of x = 0, 1, 2, … where x is not a number.
    pub categories: Vec<String>,
}

/// One line, set of points or set of bars. Points with a NaN are gaps.
#[derive(Clone, Debug, Default)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// Low and high for each point: a shaded band around a line, error bars on bars and points. Empty when there is none.
    pub band: Vec<(f64, f64)>,
}

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

    /// The chart with a title, labels and names that are safe to draw: they come from data.
    fn shown(&self) -> Self {
        let mut clean = self.clone();
        let labels = [&mut clean.title, &mut clean.x_label, &mut clean.y_label];
        let names = clean.series.iter_mut().map(|series| &mut series.name);
        for text in labels.into_iter().chain(names).chain(&mut clean.categories) {
            *text = one_line(text);
        }
        clean
    }

    /// Whether there is any point to draw.
    fn is_empty(&self) -> bool {
        !self.series.iter().flat_map(|series| &series.points).any(is_finite)
    }

    fn is_bars(&self) -> bool {
        matches!(self.kind, ChartKind::Bar | ChartKind::Histogram)
    }
}

fn is_finite(point: &(f64, f64)) -> bool {
    point.0.is_finite() && point.1.is_finite()
}

/// What of a line is joined.
struct Stretches {
    stretches: Vec<Vec<(f64, f64)>>,
    /// Whether the line is known at few places only: they are joined over what lies between, and marked.
    sparse: bool,
}

impl Series {
    /// The points between gaps. Where most stretches would be single points (a loss that is measured now and then, beside
    /// one of every step), the points are joined over the gaps instead: nobody sees a line in lonely points.
    fn stretches(&self) -> Stretches {
        let runs = self.points.split(|point| !is_finite(point));
        let runs: Vec<Vec<(f64, f64)>> =
            runs.filter(|run| !run.is_empty()).map(<[_]>::to_vec).collect();
        let lonely = runs.iter().filter(|run| run.len() == 1).count();
        let sparse = runs.len() > 1 && lonely * 2 > runs.len();
        Stretches { stretches: if sparse { vec![runs.concat()] } else { runs }, sparse }
    }
}
