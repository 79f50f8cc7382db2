//! How series are told apart, in colour and in grey: by colours for readers who see red and green as one, and beside them
//! by strokes, marks and hatching.

use plotters::element::{Cross, DynElement, IntoDynElement, TriangleMarker};
use plotters::prelude::*;

/// Okabe and Ito's palette, in an order whose first colours differ most.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
];

/// Series whose colours differ: each colour also stands in a dark and in a pale shade.
pub const TELLABLE: usize = COLOURS.len() * 3;

/// Readable on white and on near-black.
pub const INK: RGBColor = RGBColor(118, 124, 134);
pub const GRID: RGBAColor = RGBAColor(128, 134, 144, 0.25);

/// Dashes of a stroke, drawn and left out in turn, in points. The first stroke is whole.
const DASHES: [&[f64]; 4] = [&[], &[7.0, 4.0], &[2.0, 3.0], &[9.0, 3.0, 2.0, 3.0]];

/// The colour of a series.
pub fn colour(place: usize) -> RGBColor {
    let RGBColor(red, green, blue) = COLOURS[place % COLOURS.len()];
    let shade: fn(u8) -> u8 = match place / COLOURS.len() % 3 {
        0 => |part| part,
        1 => |part| part / 2,
        _ => |part| 255 - (255 - part) / 2,
    };
    RGBColor(shade(red), shade(green), shade(blue))
}

/// The mark of a series around a place of an image.
pub fn mark<B: DrawingBackend>(
    series: usize,
    place: (i32, i32),
    radius: i32,
) -> DynElement<'static, B, (i32, i32)> {
    let (colour, (x, y)) = (colour(series), place);
    match series % 5 {
        0 => Circle::new(place, radius, colour.filled()).into_dyn(),
        1 => {
            let corners = [(x - radius, y - radius), (x + radius, y + radius)];
            Rectangle::new(corners, colour.filled()).into_dyn()
        }
        2 => TriangleMarker::new(place, radius + 2, colour.filled()).into_dyn(),
        3 => {
            let far = radius + 1;
            let corners = vec![(x - far, y), (x, y - far), (x + far, y), (x, y + far)];
            Polygon::new(corners, colour.filled()).into_dyn()
        }
        _ => Cross::new(place, radius + 1, colour.stroke_width(2)).into_dyn(),
    }
}

/// A line through these places in the stroke of a series: whole, or its dashes one by one. A line of many points, whose
/// dashes nobody could make out, is whole.
pub fn strokes(series: usize, line: &[(i32, i32)], zoom: f64) -> Vec<Vec<(i32, i32)>> {
    let pattern = DASHES[series % DASHES.len()];
    if pattern.is_empty() || line.len() > 200 {
        return vec![line.to_vec()];
    }
    let mut strokes = Vec::new();
    let mut current: Vec<(i32, i32)> = line.first().copied().into_iter().collect();
    let (mut turn, mut left) = (0, pattern[0] * zoom);
    for pair in line.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let step = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let length = step.0.hypot(step.1);
        let mut gone = 0.0;
        while length - gone > left {
            gone += left;
            let share = gone / length;
            let here = (
                from.0 + (step.0 * share).round() as i32,
                from.1 + (step.1 * share).round() as i32,
            );
            if turn % 2 == 0 {
                current.push(here);
                strokes.push(std::mem::take(&mut current));
            } else {
                current = vec![here];
            }
            turn += 1;
            left = pattern[turn % pattern.len()] * zoom;
        }
        left -= length - gone;
        if turn % 2 == 0 {
            current.push(to);
        }
    }
    strokes.push(current);
    strokes.retain(|stroke| stroke.len() > 1);
    strokes
}

/// The hatching of a series' bar: lines that lie within its corners. The first series has none, and a small bar neither.
pub fn hatching(series: usize, corners: [(i32, i32); 2], zoom: f64) -> Vec<[(i32, i32); 2]> {
    let [(left, top), (right, bottom)] = corners;
    let ((left, right), (top, bottom)) =
        ((left.min(right), left.max(right)), (top.min(bottom), top.max(bottom)));
    let (width, height) = (right - left, bottom - top);
    let apart = (6.0 * zoom).round().max(2.0) as usize;
    if width < 6 || height < 2 {
        return Vec::new();
    }
    match series % 4 {
        0 => Vec::new(),
        2 => {
            let lines = (top + apart as i32..bottom).step_by(apart);
            lines.map(|y| [(left, y), (right, y)]).collect()
        }
        way => {
            // A diagonal begins `start` right of the left edge at the lower edge, and is cut where it leaves the bar.
            let starts = (-height + apart as i32..width).step_by(apart);
            let lines = starts.map(|start| {
                let (from, to) = (start.max(0), (start + height).min(width));
                let place = |across: i32| {
                    let up = across - start;
                    let x = if way == 1 { left + across } else { right - across };
                    (x, bottom - up)
                };
                [place(from), place(to)]
            });
            lines.collect()
        }
    }
}
