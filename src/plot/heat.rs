//! Heat maps in images: cells from pale to dark, their numbers where all of them fit, and a scale of the colours beside them.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::cells::{Range, texts};
use super::labels::{Drawing, Names, axis_names, cut, letters, width};
use super::look::GRID;
use super::panels::title;
use super::tiles::{Tile, columns, tiles};
use crate::display::chart::{Chart, Grid};

/// From the palest to the darkest cell, each darker than the one before, so that grey says the same.
const RAMP: [RGBColor; 4] =
    [RGBColor(234, 242, 250), RGBColor(140, 190, 226), RGBColor(0, 114, 178), RGBColor(0, 30, 62)];

/// Rows of the scale of colours.
const SHADES: i32 = 64;

type Area<B> = DrawingArea<B, Shift>;

fn shade(share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let start = (place as usize).min(RAMP.len() - 2);
    let part = place - start as f64;
    let (RGBColor(r, g, b), RGBColor(to_r, to_g, to_b)) = (RAMP[start], RAMP[start + 1]);
    let between = |from: u8, to: u8| {
        (f64::from(from) + (f64::from(to) - f64::from(from)) * part).round() as u8
    };
    RGBColor(between(r, to_r), between(g, to_g), between(b, to_b))
}

/// Ink that is read on such a cell.
fn ink(share: f64) -> RGBColor {
    if share > 0.5 { WHITE } else { RGBColor(20, 26, 34) }
}

/// The heat map, or its panels.
pub fn draw<B: DrawingBackend>(chart: &Chart, area: &Area<B>, zoom: f64) -> Drawing<B> {
    let size = |points: f64| (points * zoom).round() as i32;
    let Some(first) = chart.grids().next() else {
        return Ok(());
    };
    let range = Range::of(chart);
    let style = letters(12.0, zoom);
    let (wide, high) = area.dim_in_pixel();
    let (wide, high) = (wide as i32, high as i32);
    let rows = Axis::of_names(&first.rows);
    let labels: Vec<String> =
        rows.labels.iter().map(|label| cut(area, label, &style, wide / 4)).collect();
    let widest = labels.iter().map(|label| width(area, label, &style)).max().unwrap_or(0);
    let left = size(36.0) + widest;
    let right = scale(area, &range, &first.label, zoom)?;
    let count = chart.panels.len().max(1);
    let across = columns(count);
    let gap = if across > 1 { size(18.0) } else { 0 };
    let inner = (right - left - gap * (across as i32 - 1)) / across as i32;
    let below = Axis::of_names(&chart.categories);
    let names = Names::fitting(area, &below, &style, (inner, high / 3));
    let bottom = high - size(34.0) - names.height;
    let corners = [(left, size(10.0)), (right, bottom)];
    axis_names(area, (&chart.x_label, &chart.y_label), corners, zoom)?;
    let heading = if chart.panels.is_empty() { 0 } else { size(20.0) };
    for (index, tile) in tiles(count, corners, (gap, heading)).iter().enumerate() {
        let panel = chart.panels.get(index);
        if let Some(panel) = panel {
            title(area, &panel.title, tile, zoom)?;
        }
        if let Some(grid) = panel.map_or(chart.grid.as_deref(), |panel| panel.grid.as_deref()) {
            cells(area, grid, chart.categories.len(), &range, tile, zoom)?;
        }
        if tile.leftmost {
            let style = style.pos(Pos::new(HPos::Right, VPos::Center));
            let places = middles(&rows, (tile.top, tile.bottom), first.rows.len());
            for (y, label) in places.into_iter().zip(&labels) {
                area.draw(&Text::new(label.clone(), (tile.left - size(6.0), y), style.clone()))?;
            }
        }
        if tile.lowest {
            let places = middles(&below, (tile.left, tile.right), chart.categories.len());
            let places = places.into_iter().map(|x| (x, tile.bottom + size(6.0)));
            names.draw(area, &style, &places.collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// The middles of the cells that an axis names, of so many between two ends.
fn middles(axis: &Axis, (from, to): (i32, i32), parts: usize) -> Vec<i32> {
    let middle =
        |part: usize| i32::midpoint(edge(from, to, part, parts), edge(from, to, part + 1, parts));
    axis.ticks.iter().map(|tick| middle(*tick as usize)).collect()
}

/// Where one of so many equal parts begins.
fn edge(from: i32, to: i32, part: usize, parts: usize) -> i32 {
    let share = part as f64 / parts.max(1) as f64;
    from + (f64::from(to - from) * share).round() as i32
}

fn cells<B: DrawingBackend>(
    area: &Area<B>,
    grid: &Grid,
    columns: usize,
    range: &Range,
    tile: &Tile,
    zoom: f64,
) -> Drawing<B> {
    let (cell_width, cell_height) = (
        (tile.right - tile.left) / columns.max(1) as i32,
        (tile.bottom - tile.top) / grid.rows.len().max(1) as i32,
    );
    let written = texts(grid);
    let points = fitting(area, &written, (cell_width, cell_height), zoom);
    for (row, values) in grid.values.iter().enumerate() {
        for (column, value) in values.iter().enumerate().take(columns) {
            let corners = [
                (
                    edge(tile.left, tile.right, column, columns),
                    edge(tile.top, tile.bottom, row, grid.rows.len()),
                ),
                (
                    edge(tile.left, tile.right, column + 1, columns),
                    edge(tile.top, tile.bottom, row + 1, grid.rows.len()),
                ),
            ];
            if !value.is_finite() {
                area.draw(&Rectangle::new(corners, GRID))?;
                continue;
            }
            let share = range.share(*value);
            area.draw(&Rectangle::new(corners, shade(share).filled()))?;
            let lines = written.get(row).and_then(|row| row.get(column));
            let (Some(points), Some(lines)) = (points, lines) else {
                continue;
            };
            let colour = ink(share);
            let style = letters(points, zoom).color(&colour);
            let style = style.pos(Pos::new(HPos::Center, VPos::Center));
            let [(left, top), (right, bottom)] = corners;
            let line = (points * 1.25 * zoom).round() as i32;
            let first = (top + bottom) / 2 - line * (lines.len() as i32 - 1) / 2;
            for (number, text) in lines.iter().enumerate() {
                let place = ((left + right) / 2, first + line * number as i32);
                area.draw(&Text::new(text.clone(), place, style.clone()))?;
            }
        }
    }
    Ok(())
}

/// The size of letters in which all texts fit into their cells, where there is one that can be read.
fn fitting<B: DrawingBackend>(
    area: &Area<B>,
    written: &[Vec<Vec<String>>],
    (cell_width, cell_height): (i32, i32),
    zoom: f64,
) -> Option<f64> {
    let room = |points: f64| (points * zoom).round() as i32;
    let lines = written.iter().flatten().map(Vec::len).max().unwrap_or(0) as f64;
    let fits = |points: &f64| {
        let style = letters(*points, zoom);
        let mut texts = written.iter().flatten().flatten();
        room(points * 1.25 * lines) + room(2.0) <= cell_height
            && texts.all(|text| width(area, text, &style) + room(4.0) <= cell_width)
    };
    [13.0, 12.0, 11.0, 10.0, 9.0].into_iter().find(fits)
}

/// Draws the scale of colours at the right, with its name above it; gives the pixels that are left of it.
fn scale<B: DrawingBackend>(
    area: &Area<B>,
    range: &Range,
    name: &str,
    zoom: f64,
) -> Drawing<B, i32> {
    let size = |points: f64| (points * zoom).round() as i32;
    let (wide, high) = area.dim_in_pixel();
    let style = letters(12.0, zoom);
    let axis = range.axis();
    let widest = axis.labels.iter().map(|label| width(area, label, &style)).max().unwrap_or(0);
    let name = cut(area, name, &style, wide as i32 / 3);
    let room = (widest + size(20.0)).max(width(area, &name, &style)) + size(12.0);
    let left = wide as i32 - room;
    let (top, bottom) = (size(30.0), high as i32 - size(50.0));
    area.draw(&Text::new(name, (left, size(8.0)), style.clone()))?;
    for part in 0..SHADES {
        let share = f64::from(part) / f64::from(SHADES - 1);
        // The highest value stands at the top.
        let corners = [
            (left, edge(bottom, top, part as usize + 1, SHADES as usize)),
            (left + size(12.0), edge(bottom, top, part as usize, SHADES as usize)),
        ];
        area.draw(&Rectangle::new(corners, shade(share).filled()))?;
    }
    let style = style.pos(Pos::new(HPos::Left, VPos::Center));
    for (tick, label) in axis.ticks.iter().zip(&axis.labels) {
        let y = bottom - (f64::from(bottom - top) * range.share_drawn(*tick)).round() as i32;
        area.draw(&PathElement::new([(left + size(12.0), y), (left + size(16.0), y)], GRID))?;
        area.draw(&Text::new(label.clone(), (left + size(19.0), y), style.clone()))?;
    }
    Ok(left - size(18.0))
}
