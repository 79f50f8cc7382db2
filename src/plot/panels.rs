//! One chart in an image, or several small ones beside and below each other on common axes: where each stands, its axes, and
//! what is drawn between them.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::axis::Axis;
use super::labels::{Drawing, Names, axis_names, cut, letters, width};
use super::look::{GRID, INK, colour, hatching, mark, strokes};
use super::scale::{Fitted, fitted};
use super::shapes::{Shape, shapes};
use super::tiles::{Tile, columns, tiles};
use crate::display::Chart;

/// A range of numbers that is marked at the ticks of our axis, and nowhere else.
struct Ticked(Axis);

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.0.ticks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.0.low..self.0.high
    }
}

type Area<B> = DrawingArea<B, Shift>;
type Plane = Cartesian2d<Ticked, Ticked>;

/// The chart, or its panels.
pub fn panels<B: DrawingBackend>(chart: &Chart, area: &Area<B>, zoom: f64) -> Drawing<B> {
    let size = |points: f64| (points * zoom).round() as i32;
    let count = chart.panels.len().max(1);
    let across = columns(count);
    let down = count.div_ceil(across);
    let fitted = fitted(chart, (8 / across).max(3), if down > 1 { 4 } else { 6 });
    let (wide, high) = area.dim_in_pixel();
    let style = letters(12.0, zoom);
    let label_widths = fitted.y.labels.iter().map(|label| width(area, label, &style));
    let left = size(36.0) + label_widths.max().unwrap_or(0).max(size(20.0));
    let right = wide as i32 - size(18.0);
    let gap = if across > 1 { size(18.0) } else { 0 };
    let inner = (right - left - gap * (across as i32 - 1)) / across as i32;
    let names = Names::fitting(area, &fitted.x, &style, (inner, high as i32 / 3));
    let bottom = high as i32 - size(34.0) - names.height;
    let heading = if chart.panels.is_empty() { 0 } else { size(20.0) };
    let corners = [(left, size(10.0)), (right, bottom)];
    axis_names(area, (&chart.x_label, &chart.y_label), corners, zoom)?;
    let tiles = tiles(count, corners, (gap, heading));
    for (part, tile) in fitted.parts.iter().zip(&tiles) {
        if !chart.panels.is_empty() {
            title(area, &part.title, tile, zoom)?;
        }
        let places = curves(part, &fitted, area, tile, zoom)?;
        if tile.lowest {
            let below = size(6.0);
            let places: Vec<(i32, i32)> = places.into_iter().map(|(x, y)| (x, y + below)).collect();
            names.draw(area, &style, &places)?;
        }
    }
    Ok(())
}

/// The name of a panel above it.
pub fn title<B: DrawingBackend>(area: &Area<B>, text: &str, tile: &Tile, zoom: f64) -> Drawing<B> {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let style = letters(13.0, zoom);
    let text = cut(area, text, &style, tile.right - tile.left);
    let above = style.pos(Pos::new(HPos::Center, VPos::Bottom));
    let place = ((tile.left + tile.right) / 2, tile.top - (3.0 * zoom).round() as i32);
    area.draw(&Text::new(text, place, above))
}

/// Axes in a tile, and the series between them; gives the places of the ticks of x.
fn curves<B: DrawingBackend>(
    chart: &Chart,
    fitted: &Fitted,
    area: &Area<B>,
    tile: &Tile,
    zoom: f64,
) -> Drawing<B, Vec<(i32, i32)>> {
    // Room for the labels of y, which plotters draws.
    let left = if tile.leftmost { tile.left } else { 0 };
    let part = area.clone().shrink(
        (tile.left - left, tile.top),
        (tile.right - tile.left + left, tile.bottom - tile.top),
    );
    let mut context = ChartBuilder::on(&part)
        .y_label_area_size(left)
        .build_cartesian_2d(Ticked(fitted.x.clone()), Ticked(fitted.y.clone()))?;
    let name_y = |place: &f64| fitted.y.label(*place);
    let mut mesh = context.configure_mesh();
    mesh.bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .y_label_formatter(&name_y)
        .x_labels(fitted.x.ticks.len())
        .y_labels(fitted.y.ticks.len())
        .label_style(letters(12.0, zoom));
    if chart.is_bars() || !chart.categories.is_empty() {
        mesh.disable_x_mesh();
    }
    mesh.draw()?;
    for place in 0..chart.series.len() {
        series(chart, place, fitted, &mut context, zoom)?;
    }
    let (left, top) = area.get_base_pixel();
    let place = |tick: &f64| {
        let (x, y) = context.backend_coord(&(*tick, fitted.y.low));
        (x - left, y - top)
    };
    Ok(fitted.x.ticks.iter().map(place).collect())
}

/// Draws what a series is made of.
fn series<B: DrawingBackend>(
    chart: &Chart,
    place: usize,
    fitted: &Fitted,
    context: &mut ChartContext<B, Plane>,
    zoom: f64,
) -> Drawing<B> {
    let Some(series) = chart.series.get(place) else {
        return Ok(());
    };
    let stroke = (1.8 * zoom).round().max(1.0) as u32;
    let colour = colour(place);
    let whisker = if chart.is_bars() { INK } else { colour };
    let area = context.plotting_area().strip_coord_spec();
    let (left, top) = area.get_base_pixel();
    for shape in shapes(chart, series, place, fitted) {
        let at = |point: &(f64, f64)| {
            let (x, y) = context.backend_coord(point);
            (x - left, y - top)
        };
        match shape {
            Shape::Bar(corners) => {
                area.draw(&Rectangle::new(corners.map(|c| at(&c)), colour.filled()))?;
                for ends in hatching(place, corners.map(|c| at(&c)), zoom) {
                    let line = WHITE.mix(0.75).stroke_width((zoom.round() as u32).max(1));
                    area.draw(&PathElement::new(ends, line))?;
                }
            }
            Shape::Band(outline) => {
                let outline: Vec<(i32, i32)> = outline.iter().map(at).collect();
                area.draw(&Polygon::new(outline, colour.mix(0.18)))?;
            }
            Shape::Line(points) => {
                let points: Vec<(i32, i32)> = points.iter().map(at).collect();
                for part in strokes(place, &points, zoom) {
                    area.draw(&PathElement::new(part, colour.stroke_width(stroke)))?;
                }
            }
            Shape::Whisker(ends) => {
                let ends = ends.map(|end| at(&end));
                area.draw(&PathElement::new(ends, whisker.stroke_width(stroke)))?;
            }
            Shape::Dots(points) => {
                for point in &points {
                    area.draw(&mark(place, at(point), (2.5 * zoom) as i32))?;
                }
            }
        }
    }
    Ok(())
}
