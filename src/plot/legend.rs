//! The names of the series, each behind the look of its series, in lines above a chart.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::labels::Drawing;
use super::labels::{cut, letters, width};
use super::look::{colour, hatching, mark, strokes};
use crate::display::{Chart, ChartKind};

type Area<B> = DrawingArea<B, Shift>;

/// Draws the names of the series in lines above the chart, where they cover no data; gives what is left of the area.
pub fn legend<B: DrawingBackend>(chart: &Chart, area: &Area<B>, zoom: f64) -> Drawing<B, Area<B>> {
    let size = |points: f64| (points * zoom).round() as i32;
    let style = letters(12.0, zoom);
    let (wide, high) = area.dim_in_pixel();
    let (left, right) = (size(20.0), wide as i32 - size(18.0));
    let line = size(18.0);
    let swatch = size(30.0);
    // At most a third of the image is given to names.
    let lines = (high as i32 / 3 / line.max(1)).max(1);
    let mut entries = Vec::new();
    let (mut x, mut row) = (left, 0);
    for (place, series) in chart.series.iter().enumerate() {
        let name = cut(area, &series.name, &style, (right - left) / 2);
        let needed = swatch + width(area, &name, &style);
        if x > left && x + needed > right {
            (x, row) = (left, row + 1);
        }
        if row + 1 >= lines && chart.series.len() - place > 1 && x + 2 * needed > right {
            entries.push((None, x, row, format!("and {} more", chart.series.len() - place)));
            break;
        }
        entries.push((Some(place), x, row, name));
        x += needed + size(16.0);
    }
    let (above, below) = area.split_vertically((row + 1) * line + size(4.0));
    for (place, x, row, name) in entries {
        let y = row * line + size(4.0);
        if let Some(place) = place {
            look(
                chart.kind,
                place,
                &above,
                [(x, y), (x + swatch - size(6.0), y + size(9.0))],
                zoom,
            )?;
        }
        above.draw(&Text::new(name, (x + swatch, y), style.clone()))?;
    }
    Ok(below)
}

/// What a series looks like, between these corners.
fn look<B: DrawingBackend>(
    kind: ChartKind,
    place: usize,
    area: &Area<B>,
    corners: [(i32, i32); 2],
    zoom: f64,
) -> Drawing<B> {
    let [(left, top), (right, bottom)] = corners;
    let (middle, centre) = ((top + bottom) / 2, (left + right) / 2);
    let stroke = (1.8 * zoom).round().max(1.0) as u32;
    match kind {
        ChartKind::Bar | ChartKind::Histogram | ChartKind::HeatMap => {
            area.draw(&Rectangle::new(corners, colour(place).filled()))?;
            for ends in hatching(place, corners, zoom) {
                area.draw(&PathElement::new(ends, WHITE.mix(0.75).stroke_width(stroke / 2)))?;
            }
            Ok(())
        }
        ChartKind::Scatter => area.draw(&mark(place, (centre, middle), (3.0 * zoom) as i32)),
        ChartKind::Line => {
            for part in strokes(place, &[(left, middle), (right, middle)], zoom) {
                area.draw(&PathElement::new(part, colour(place).stroke_width(stroke)))?;
            }
            area.draw(&mark(place, (centre, middle), (2.5 * zoom) as i32))
        }
    }
}
