//! Texts of an image, made to fit: cut with … where there is no room, and names below an axis turned where they would
//! lie over each other.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::look::INK;

type Area<B> = DrawingArea<B, Shift>;

/// What drawing on a backend gives.
pub type Drawing<B, T = ()> = Result<T, DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Characters of a text that are looked at: no image has room for more.
const LONGEST: usize = 400;

/// Letters of so many points.
pub fn letters(points: f64, zoom: f64) -> TextStyle<'static> {
    let size = (points * zoom).round();
    ("sans-serif", size).into_font().color(&INK)
}

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

    /// Draws the names below their places: turned ones with their ends there, others in the middle.
    pub fn draw<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        style: &TextStyle,
        places: &[(i32, i32)],
    ) -> Drawing<B> {
        let style = if self.turned {
            style.transform(FontTransform::Rotate270).pos(Pos::new(HPos::Right, VPos::Center))
        } else {
            style.pos(Pos::new(HPos::Center, VPos::Top))
        };
        for (name, place) in self.labels.iter().zip(places) {
            area.draw(&Text::new(name.clone(), *place, style.clone()))?;
        }
        Ok(())
    }
}

/// Draws the names of both axes: below and left of a rectangle, in the middle of its sides.
pub fn axis_names<B: DrawingBackend>(
    area: &Area<B>,
    (x_name, y_name): (&str, &str),
    [(left, top), (right, bottom)]: [(i32, i32); 2],
    zoom: f64,
) -> Drawing<B> {
    let style = letters(13.0, zoom);
    let (wide, high) = area.dim_in_pixel();
    let edge = (5.0 * zoom).round() as i32;
    let name = cut(area, x_name, &style, wide as i32 - left - edge);
    let below = style.pos(Pos::new(HPos::Center, VPos::Bottom));
    // A name that is longer than its side stays within the image.
    let half = width(area, &name, &style) / 2;
    let middle = ((left + right) / 2).min(wide as i32 - edge - half).max(half);
    if !name.is_empty() {
        area.draw(&Text::new(name, (middle, high as i32 - edge), below))?;
    }
    let name = cut(area, y_name, &style, high as i32 - 2 * edge);
    let beside = style.transform(FontTransform::Rotate270).pos(Pos::new(HPos::Center, VPos::Top));
    let half = width(area, &name, &style) / 2;
    let middle = ((top + bottom) / 2).min(high as i32 - edge - half).max(half + edge);
    if !name.is_empty() {
        area.draw(&Text::new(name, (edge, middle), beside))?;
    }
    Ok(())
}
