//! Texts of an image, made to fit: cut with … where there is no room, and names below an axis turned where they would
//! lie over each other.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::scale::Axis;

type Area<B> = DrawingArea<B, Shift>;

/// Characters of a text that are looked at: no image has room for more.
const LONGEST: usize = 400;

/// The width of a text in pixels.
pub fn width<B: DrawingBackend>(area: &Area<B>, text: &str, style: &TextStyle) -> i32 {
    let size = area.estimate_text_size(text, style);
    size.map_or(0, |(width, _)| i32::try_from(width).unwrap_or(i32::MAX))
}

/// The text, or as much of its beginning as fits into so many pixels, with … behind it.
pub fn cut<B: DrawingBackend>(
    area: &Area<B>,
    text: &str,
    style: &TextStyle,
    pixels: i32,
) -> String {
    let short = text.chars().count() <= LONGEST;
    if short && width(area, text, style) <= pixels {
        return text.to_string();
    }
    let characters: Vec<char> = text.chars().take(LONGEST).collect();
    let start = |length: usize| -> String {
        let kept: String = characters.iter().take(length).collect();
        format!("{}…", kept.trim_end())
    };
    let (mut fits, mut over) = (0, characters.len() + 1);
    while over - fits > 1 {
        let middle = (fits + over) / 2;
        if width(area, &start(middle), style) <= pixels {
            fits = middle;
        } else {
            over = middle;
        }
    }
    start(fits)
}

/// The names below an axis.
pub struct Names {
    pub labels: Vec<String>,
    /// Whether they are read from below.
    pub turned: bool,
    /// The pixels they take from top to bottom.
    pub height: i32,
}

impl Names {
    /// The labels of an axis that is `length` pixels long: side by side where they fit, otherwise turned, and cut to `most`
    /// pixels.
    pub fn fitting<B: DrawingBackend>(
        area: &Area<B>,
        axis: &Axis,
        style: &TextStyle,
        (length, most): (i32, i32),
    ) -> Self {
        let line = width(area, "mm", style);
        let widths = axis.labels.iter().map(|label| width(area, label, style));
        let longest = widths.max().unwrap_or(0);
        let steps = axis.ticks.windows(2).map(|pair| pair[1] - pair[0]);
        let step = steps.fold(axis.high - axis.low, f64::min);
        let room = (f64::from(length) * step / (axis.high - axis.low)) as i32;
        // Where turned names would have no more room, they are cut as they are.
        let turned = longest + line / 2 > room && room < most;
        let most = if turned { most } else { room - line / 2 };
        let labels = axis.labels.iter();
        Self {
            labels: labels.map(|label| cut(area, label, style, most)).collect(),
            turned,
            height: if turned { longest.min(most) } else { line },
        }
    }

    /// Draws turned names, each with its end at its place.
    pub fn draw<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        style: &TextStyle,
        places: &[(i32, i32)],
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let (left, top) = area.get_base_pixel();
        let style =
            style.transform(FontTransform::Rotate270).pos(Pos::new(HPos::Right, VPos::Center));
        for (name, (x, y)) in self.labels.iter().zip(places) {
            let text = Text::new(name.clone(), (x - left, y - top), style.clone());
            area.draw(&text)?;
        }
        Ok(())
    }
}
